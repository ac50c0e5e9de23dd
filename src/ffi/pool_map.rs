//! Maps: one function for many items, in the calling thread's time. Several arguments are one item:
//! a struct of them.

use super::buffer::{self, mp_buffer, mp_bytes};
use super::guard::{self, guard, initialise, options};
use super::handle;
use super::pool::{mp_pool, mp_task_fn};
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Error, Result, Status, fail};
use crate::pool::{self, MapOptions, Plan, Pool, Work};
use crate::shm::Data;
use crate::time::{Deadline, FOREVER};
use core::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;

/// Told, in the calling thread, how many of the items are done: at least ten times a second
/// while a map runs, and once at its end, unless a failure ends it. Any result but 0 cancels the
/// map.
pub type mp_progress_fn =
    Option<unsafe extern "C-unwind" fn(done: usize, total: usize, user: *mut c_void) -> c_int>;

/// Options of mp_pool_map and of the other maps.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_map_options {
    /// sizeof(mp_map_options).
    pub size: usize,
    /// Items that make a task, handed out as one; 0: a quarter of each worker's share, or less
    /// where that would be over a MiB; and 1 where run_all, retries or time_limit are set.
    pub chunk: usize,
    /// Nanoseconds that the whole map may take.
    pub timeout: mp_timeout,
    /// After a failure the rest is done all the same.
    pub run_all: bool,
    /// May be NULL.
    pub progress: mp_progress_fn,
    /// Handed to progress.
    pub progress_user: *mut c_void,
    /// How often an item whose worker died is begun again before it has failed.
    pub retries: c_uint,
    /// Nanoseconds that a task may run, from its beginning; MP_FOREVER for no limit. Then its
    /// function is asked to stop, see mp_task_cancelled; its worker gets SIGTERM when grace is
    /// over, and SIGKILL when it is over again. The item that it was running fails with
    /// MP_ERR_TIMEOUT. It may be noticed a twentieth of a second late.
    pub time_limit: mp_timeout,
    /// Nanoseconds.
    pub grace: mp_timeout,
    /// A place for each item's status; NULL: nobody asks. An item that was not done, because a
    /// failure ended the map before, has MP_ERR_CANCELLED.
    pub statuses: *mut mp_status,
}

/// Options of mp_pool_apply and mp_pool_apply_async.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_apply_options {
    /// sizeof(mp_apply_options).
    pub size: usize,
    /// Nanoseconds that the caller waits.
    pub timeout: mp_timeout,
    /// How often it is begun again if its worker dies.
    pub retries: c_uint,
    /// As in mp_map_options.
    pub time_limit: mp_timeout,
    /// As in mp_map_options.
    pub grace: mp_timeout,
}

// mp.h:
// /* The defaults: mp_map_options o = MP_MAP_OPTIONS; mp_apply_options a = MP_APPLY_OPTIONS; */
// #define MP_MAP_OPTIONS { sizeof(mp_map_options), 0, MP_FOREVER, false, NULL, NULL, 0, MP_FOREVER, \
//     MP_MS(100), NULL }
// #define MP_APPLY_OPTIONS { sizeof(mp_apply_options), MP_FOREVER, 0, MP_FOREVER, MP_MS(100) }

/// MP_MS(100).
pub(super) const GRACE: mp_timeout = 100_000_000;

const DEFAULTS: mp_map_options = mp_map_options {
    size: size_of::<mp_map_options>(),
    chunk: 0,
    timeout: FOREVER,
    run_all: false,
    progress: None,
    progress_user: std::ptr::null_mut(),
    retries: 0,
    time_limit: FOREVER,
    grace: GRACE,
    statuses: std::ptr::null_mut(),
};
const APPLY_DEFAULTS: mp_apply_options = mp_apply_options {
    size: size_of::<mp_apply_options>(),
    timeout: FOREVER,
    retries: 0,
    time_limit: FOREVER,
    grace: GRACE,
};

/// MP_MAP_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_map_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_map_options_init(options: *mut mp_map_options, size: usize) -> mp_status {
    guard("mp_map_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// MP_APPLY_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_apply_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_apply_options_init(options: *mut mp_apply_options, size: usize) -> mp_status {
    guard("mp_apply_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, APPLY_DEFAULTS) }
    })
}

/// Runs a function on each of n items that lie side by side, in the workers, and puts the n
/// results side by side in the same order. The function gets its item with mp_task_input and
/// gives its result with mp_task_return; the result of an item that gives none is all zeros.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// in: n items of in_size bytes each; may be NULL where those are 0 bytes in all.
/// out: room for n results of out_size bytes each; may be NULL where those are 0 bytes in all.
///     After a failure it holds the results that had come in, and the rest is as before.
/// options: NULL for the defaults.
///
/// The first failure ends the map as soon as it is known, and what no worker has begun is
/// cancelled; with run_all it is told at the end:
/// MP_ERR_TASK_FAILED: a function called mp_task_fail; its sentence is in mp_last_error().
/// MP_ERR_WORKER_DIED: a worker died; mp_last_error() says how and with which items.
/// MP_ERR_UNKNOWN_TARGET: the workers do not have the function.
/// MP_ERR_TIMEOUT: a task ran for longer than time_limit; mp_last_error() names it.
///
/// And these end it as a whole:
/// MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
///     function.
/// MP_ERR_TIMEOUT: the map's timeout is over. What runs is left to run, and its results are lost.
/// MP_ERR_CANCELLED: progress asked for it, or another thread ended the pool.
/// MP_ERR_INVALID: function is NULL, or the sizes overflow.
/// MP_ERR_NO_MEMORY: the shared segment has no room for a single task.
/// MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
/// What the initializer came to: see mp_pool_options.
///
/// Threads: several may map on one pool; they share its workers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_map_array(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    r#in: *const c_void,
    in_size: usize,
    n: usize,
    out: *mut c_void,
    out_size: usize,
    options: *const mp_map_options,
) -> mp_status {
    guard("mp_pool_map_array", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let options = unsafe { self::options(options, DEFAULTS) }?;
        let pool = handle::object(pool)?;
        let (Some(in_bytes), Some(out_bytes)) = (n.checked_mul(in_size), n.checked_mul(out_size)) else {
            fail!(
                Invalid,
                "{n} items of {in_size} bytes in and {out_size} bytes out are more than memory can hold"
            );
        };
        // SAFETY: as above.
        let (input, output) = unsafe { (guard::bytes(r#in, in_bytes)?, guard::bytes_out(out, out_bytes)?) };
        // SAFETY: as above.
        let statuses = unsafe { self::statuses(&options, n) };
        let mut work = Arrays { input, output, in_size, out_size, statuses };
        map(&pool, function, user, &options, n, &mut work)
    })
}

/// Runs a function on each of n byte strings, in the workers; each result is a byte string as
/// well, which may have any length. The function gets its item with mp_task_input and gives its
/// result with mp_task_return; the result of an item that gives none is empty.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// in: n items; may be NULL where n is 0.
/// out: n places for handles, each to be freed with mp_buffer_free; may be NULL where n is 0.
///     NULL goes where no result had come in when a failure ended the map.
/// options: NULL for the defaults.
///
/// Returns what mp_pool_map_array returns; MP_ERR_NO_MEMORY also where there is none for a
/// result.
///
/// Threads: several may map on one pool; they share its workers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_map(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    r#in: *const mp_bytes,
    n: usize,
    out: *mut *mut mp_buffer,
    options: *const mp_map_options,
) -> mp_status {
    guard("mp_pool_map", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let options = unsafe { self::options(options, DEFAULTS) }?;
        let pool = handle::object(pool)?;
        if n > 0 && out.is_null() {
            fail!(Invalid, "out is NULL, and there are {n} items");
        }
        // SAFETY: as above; where n is 0 the pointers are not used.
        let (input, output): (_, &mut [*mut mp_buffer]) = unsafe {
            let input = items(r#in, n)?;
            (input, if n == 0 { &mut [] } else { std::slice::from_raw_parts_mut(out, n) })
        };
        // Whatever happens, each place holds a handle or NULL.
        output.fill(std::ptr::null_mut());
        // SAFETY: as above.
        let statuses = unsafe { self::statuses(&options, n) };
        let mut work = Strings { input, output, statuses };
        map(&pool, function, user, &options, n, &mut work)
    })
}

/// Runs a function once, in one worker, and waits for its result.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// data: its mp_task_input; may be NULL where len is 0. len: bytes.
/// result: where the handle of what it returned goes, to be freed with mp_buffer_free; NULL: it is
///     not wanted.
/// options: NULL for the defaults.
///
/// Returns what mp_pool_map returns for one item.
///
/// Threads: several may call; they share the pool's workers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_apply(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    data: *const c_void,
    len: usize,
    result: *mut *mut mp_buffer,
    options: *const mp_apply_options,
) -> mp_status {
    guard("mp_pool_apply", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let options = unsafe { apply_options(options) }?;
        let pool = handle::object(pool)?;
        // SAFETY: as above.
        unsafe { guard::bytes(data, len) }?;
        let mut answer = std::ptr::null_mut();
        let input = [mp_bytes { data, len }];
        let output = std::slice::from_mut(&mut answer);
        let mut work = Strings { input: &input, output, statuses: &mut [] };
        map(&pool, function, user, &options, 1, &mut work)?;
        if result.is_null() {
            return handle::free_boxed(answer);
        }
        // SAFETY: C's promise: a place for a handle.
        unsafe { result.write(answer) };
        Ok(Status::Ok)
    })
}

fn map(
    pool: &Arc<Pool>,
    function: mp_task_fn,
    user: *mut c_void,
    options: &mp_map_options,
    n: usize,
    work: &mut dyn Work,
) -> Result<Status> {
    let plan = plan(pool, function, user, options, n)?;
    // SAFETY: the function is the caller's, called in its own thread with what its type promises.
    let tell = |done| options.progress.is_none_or(|f| unsafe { f(done, n, options.progress_user) } == 0);
    let options = MapOptions { plan, deadline: Deadline::after(options.timeout), progress: &tell };
    pool.map(n, work, &options)?;
    Ok(Status::Ok)
}

/// What is to be done with each of n items.
pub(super) fn plan(
    pool: &Pool,
    function: mp_task_fn,
    user: *mut c_void,
    options: &mp_map_options,
    n: usize,
) -> Result<Plan> {
    let Some(function) = function else { fail!(Invalid, "function is NULL") };
    let apart = options.run_all || options.retries > 0 || options.time_limit != FOREVER;
    Ok(pool::plan(
        (function as usize as u64, user as usize as u64),
        pool.chunk(options.chunk, n, apart),
        options.run_all,
        options.retries,
        (options.time_limit, options.grace),
    ))
}

/// The caller's options, or the defaults.
///
/// # Safety
/// As the header says.
pub(super) unsafe fn map_options(options: *const mp_map_options) -> Result<mp_map_options> {
    // SAFETY: the caller's promise.
    unsafe { self::options(options, DEFAULTS) }
}

/// Those of a single call, as a map's.
///
/// # Safety
/// As the header says.
pub(super) unsafe fn apply_options(options: *const mp_apply_options) -> Result<mp_map_options> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(options, APPLY_DEFAULTS) }?;
    Ok(mp_map_options {
        chunk: 1,
        timeout: options.timeout,
        retries: options.retries,
        time_limit: options.time_limit,
        grace: options.grace,
        ..DEFAULTS
    })
}

/// The items of a map over byte strings, each of which has its bytes.
///
/// # Safety
/// There are n of them, each with its bytes, or the pointer is NULL.
pub(super) unsafe fn items<'a>(items: *const mp_bytes, n: usize) -> Result<&'a [mp_bytes]> {
    if n == 0 {
        return Ok(&[]);
    }
    if items.is_null() {
        fail!(Invalid, "in is NULL, and there are {n} items");
    }
    if n > isize::MAX as usize / size_of::<mp_bytes>() {
        fail!(Invalid, "{n} items are more than memory can hold");
    }
    // SAFETY: the caller's promise.
    let items = unsafe { std::slice::from_raw_parts(items, n) };
    for item in items {
        // SAFETY: as above.
        unsafe { guard::bytes(item.data, item.len) }?;
    }
    Ok(items)
}

/// The places for the items' statuses. What is not done is cancelled.
///
/// # Safety
/// There are n of them, or the pointer is NULL.
unsafe fn statuses<'a>(options: &mp_map_options, n: usize) -> &'a mut [mp_status] {
    if options.statuses.is_null() || n > isize::MAX as usize / size_of::<mp_status>() {
        return &mut [];
    }
    // SAFETY: the caller's promise; whatever is there is overwritten before it is read.
    unsafe {
        for i in 0..n {
            options.statuses.add(i).write(mp_status::MP_ERR_CANCELLED);
        }
        std::slice::from_raw_parts_mut(options.statuses, n)
    }
}

/// Notes how `count` items ended.
fn note(statuses: &mut [mp_status], first: usize, count: usize, status: mp_status) {
    if let Some(some) = statuses.get_mut(first..first + count) {
        some.fill(status);
    }
}

/// The memory of a mp_pool_map_array.
struct Arrays<'a> {
    input: &'a [u8],
    output: &'a mut [u8],
    in_size: usize,
    out_size: usize,
    statuses: &'a mut [mp_status],
}

impl Work for Arrays<'_> {
    fn sizes(&self) -> Option<(usize, usize)> {
        Some((self.in_size, self.out_size))
    }

    fn items(&self, first: usize, count: usize) -> &[u8] {
        &self.input[first * self.in_size..(first + count) * self.in_size]
    }

    fn put_all(&mut self, first: usize, count: usize, results: Data) {
        let at = first * self.out_size;
        results.read(0, &mut self.output[at..at + results.len()]);
        note(self.statuses, first, count, mp_status::MP_OK);
    }

    fn put(&mut self, _: usize, _: Data) -> Result<()> {
        fail!(Panic, "a result without a fixed size")
    }

    fn fail(&mut self, index: usize, why: &Error) {
        note(self.statuses, index, 1, why.status.into());
    }
}

/// The memory of a mp_pool_map.
struct Strings<'a> {
    input: &'a [mp_bytes],
    output: &'a mut [*mut mp_buffer],
    statuses: &'a mut [mp_status],
}

impl Work for Strings<'_> {
    fn sizes(&self) -> Option<(usize, usize)> {
        None
    }

    fn items(&self, first: usize, _: usize) -> &[u8] {
        let item = self.input[first];
        // SAFETY: checked when the call began, and the caller keeps it until the call ends.
        unsafe { guard::bytes(item.data, item.len) }.unwrap_or_default()
    }

    fn put_all(&mut self, _: usize, _: usize, _: Data) {}

    fn put(&mut self, index: usize, result: Data) -> Result<()> {
        let mut bytes = buffer::reserve(result.len())?;
        bytes.resize(result.len(), 0);
        result.read(0, &mut bytes);
        self.output[index] = handle::new_boxed(bytes.into())?;
        note(self.statuses, index, 1, mp_status::MP_OK);
        Ok(())
    }

    fn fail(&mut self, index: usize, why: &Error) {
        note(self.statuses, index, 1, why.status.into());
    }
}
