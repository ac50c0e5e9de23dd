//! Pools: worker processes that take tasks until the pool is freed. A worker that dies fails
//! what it was running, and only that; another takes its place. Only the process that made a
//! pool may use it.

use super::buffer::{self, mp_buffer, mp_bytes};
use super::context::{self, mp_context};
use super::guard::{self, guard, joined, options, out};
use super::handle;
use super::status::mp_status;
use super::task;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::pool::{MapOptions, Pool, Work};
use crate::shm::Data;
use crate::time::{Deadline, FOREVER};
use core::ffi::{c_int, c_void};

/// A pool.
pub struct mp_pool {
    _private: [u8; 0],
}

/// One item of a map, in the worker that works on it. Good until the task's function returns.
pub struct mp_task {
    _private: [u8; 0],
}

/// What a worker runs for each item. user is handed over as the number that it is: it points
/// into the worker's copy of the owner's memory, as that was when the worker started. An
/// exception must not leave the function.
pub type mp_task_fn = Option<unsafe extern "C-unwind" fn(task: *mut mp_task, user: *mut c_void)>;

/// Told, in the calling thread, how many of the items are done: at least ten times a second
/// while a map runs, and once at its end. Any result but 0 cancels the map.
pub type mp_progress_fn =
    Option<unsafe extern "C-unwind" fn(done: usize, total: usize, user: *mut c_void) -> c_int>;

/// How a pool shall be.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_pool_options {
    /// sizeof(mp_pool_options).
    pub size: usize,
    /// How many workers, 4096 at most; 0 for mp_cpu_count().
    pub workers: usize,
    /// An mp_start_method; 0 for the default one.
    pub start_method: c_int,
    /// Instead of start_method; NULL for none.
    pub context: *const mp_context,
}

/// How a map shall run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_map_options {
    /// sizeof(mp_map_options).
    pub size: usize,
    /// Items that make a task, handed out as one; 0: a quarter of each worker's share, or less
    /// where that would be over a MiB.
    pub chunk: usize,
    /// Nanoseconds that the whole map may take.
    pub timeout: mp_timeout,
    /// After a failure the rest is done all the same.
    pub run_all: bool,
    /// May be NULL.
    pub progress: mp_progress_fn,
    /// Handed to progress.
    pub progress_user: *mut c_void,
}

// mp.h:
// /* The defaults: mp_pool_options o = MP_POOL_OPTIONS; mp_map_options m = MP_MAP_OPTIONS; */
// #define MP_POOL_OPTIONS { sizeof(mp_pool_options), 0, MP_START_DEFAULT, NULL }
// #define MP_MAP_OPTIONS { sizeof(mp_map_options), 0, MP_FOREVER, false, NULL, NULL }

const POOL_DEFAULTS: mp_pool_options = mp_pool_options {
    size: size_of::<mp_pool_options>(),
    workers: 0,
    start_method: 0,
    context: std::ptr::null(),
};
const MAP_DEFAULTS: mp_map_options = mp_map_options {
    size: size_of::<mp_map_options>(),
    chunk: 0,
    timeout: FOREVER,
    run_all: false,
    progress: None,
    progress_user: std::ptr::null_mut(),
};

/// MP_POOL_OPTIONS as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_options_init(options: *mut mp_pool_options) -> mp_status {
    guard("mp_pool_options_init", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { out(options, "options") }?.write(POOL_DEFAULTS);
        Ok(Status::Ok)
    })
}

/// MP_MAP_OPTIONS as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_map_options_init(options: *mut mp_map_options) -> mp_status {
    guard("mp_map_options_init", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { out(options, "options") }?.write(MAP_DEFAULTS);
        Ok(Status::Ok)
    })
}

/// Starts the workers, by the start method of the options. By fork they have the program's
/// functions and a copy of its memory, as it is now; by spawn they are fresh runs of the
/// program, and find the functions by module or by registered name. Their stdin is /dev/null;
/// Ctrl-C at the terminal does not end them, and SIGTERM does.
///
/// A worker that dies is replaced by the map that is running then, or by the next one.
///
/// pool: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_INVALID: more than 4096 workers, or a context and a start method.
/// MP_ERR_BAD_HANDLE: the context is none.
/// MP_ERR_NO_MEMORY: the shared segment has no room for the pool.
/// MP_ERR_NOT_INITIALIZED: by spawn, and main does not begin with mp_bootstrap.
/// MP_ERR_OS: no process or descriptor is to be had; none is left over. Each worker takes two
///     descriptors.
///
/// Kill: workers die with the process that made the pool, however it dies and whatever they are
/// doing. Only where a child that the program forked itself lives on does a busy worker finish
/// its task first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_new(pool: *mut *mut mp_pool, options: *const mp_pool_options) -> mp_status {
    guard("mp_pool_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(pool, "pool")?, self::options(options, POOL_DEFAULTS)?) };
        joined()?;
        let (method, _) = context::chosen(options.context, options.start_method)?;
        let made = Pool::new(options.workers, task::call, method);
        crate::process::note_starts(method);
        place.write(handle::new_boxed(made?)?);
        Ok(Status::Ok)
    })
}

/// How many workers the pool has.
///
/// workers: where the number goes.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_workers(pool: *const mp_pool, workers: *mut usize) -> mp_status {
    guard("mp_pool_workers", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(workers, "workers") }?;
        place.write(handle::object(pool)?.workers());
        Ok(Status::Ok)
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
///
/// MP_ERR_UNSUPPORTED: the workers are spawned, and user is not NULL, or this is the 257th
///     function.
/// MP_ERR_TIMEOUT: the time ran out. What runs is left to run, and its results are lost.
/// MP_ERR_CANCELLED: progress asked for it, or another thread freed the pool.
/// MP_ERR_INVALID: function is NULL, or the sizes overflow.
/// MP_ERR_NO_MEMORY: the shared segment has no room for a single task.
/// MP_ERR_STATE: the pool belongs to another process.
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
        let options = unsafe { self::options(options, MAP_DEFAULTS) }?;
        let pool = handle::object(pool)?;
        let (Some(in_bytes), Some(out_bytes)) = (n.checked_mul(in_size), n.checked_mul(out_size)) else {
            fail!(
                Invalid,
                "{n} items of {in_size} bytes in and {out_size} bytes out are more than memory can hold"
            );
        };
        // SAFETY: as above.
        let (input, output) = unsafe { (guard::bytes(r#in, in_bytes)?, guard::bytes_out(out, out_bytes)?) };
        let mut work = Arrays { input, output, in_size, out_size, n, teller: Teller::new(&options, n) };
        map(&pool, function, user, &options, &mut work)
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
        let options = unsafe { self::options(options, MAP_DEFAULTS) }?;
        let pool = handle::object(pool)?;
        if n > 0 && (r#in.is_null() || out.is_null()) {
            fail!(Invalid, "{} is NULL, and there are {n} items", if r#in.is_null() { "in" } else { "out" });
        }
        if n > isize::MAX as usize / size_of::<mp_bytes>() {
            fail!(Invalid, "{n} items are more than memory can hold");
        }
        // SAFETY: as above; where n is 0 the pointers are not used.
        let (input, output): (&[mp_bytes], &mut [*mut mp_buffer]) = unsafe {
            match n {
                0 => (&[], &mut []),
                _ => (std::slice::from_raw_parts(r#in, n), std::slice::from_raw_parts_mut(out, n)),
            }
        };
        // Whatever happens, each place holds a handle or NULL.
        output.fill(std::ptr::null_mut());
        for item in input {
            // SAFETY: as above: each item's bytes are there.
            unsafe { guard::bytes(item.data, item.len) }?;
        }
        let mut work = Strings { input, output, teller: Teller::new(&options, n) };
        map(&pool, function, user, &options, &mut work)
    })
}

fn map(
    pool: &Pool,
    function: mp_task_fn,
    user: *mut c_void,
    options: &mp_map_options,
    work: &mut dyn Work,
) -> Result<Status> {
    let Some(function) = function else { fail!(Invalid, "function is NULL") };
    let options = MapOptions {
        chunk: options.chunk,
        deadline: Deadline::after(options.timeout),
        run_all: options.run_all,
        function: function as usize as u64,
        user: user as usize as u64,
    };
    pool.map(work, &options)?;
    Ok(Status::Ok)
}

/// Who is told about progress.
struct Teller {
    function: mp_progress_fn,
    user: *mut c_void,
    total: usize,
}

impl Teller {
    fn new(options: &mp_map_options, total: usize) -> Self {
        Teller { function: options.progress, user: options.progress_user, total }
    }

    fn tell(&self, done: usize) -> bool {
        // SAFETY: the function is the caller's, called in its own thread with what its type promises.
        self.function.is_none_or(|f| unsafe { f(done, self.total, self.user) } == 0)
    }
}

/// The memory of a mp_pool_map_array.
struct Arrays<'a> {
    input: &'a [u8],
    output: &'a mut [u8],
    in_size: usize,
    out_size: usize,
    n: usize,
    teller: Teller,
}

impl Work for Arrays<'_> {
    fn len(&self) -> usize {
        self.n
    }

    fn sizes(&self) -> Option<(usize, usize)> {
        Some((self.in_size, self.out_size))
    }

    fn items(&self, first: usize, count: usize) -> &[u8] {
        &self.input[first * self.in_size..(first + count) * self.in_size]
    }

    fn put_all(&mut self, first: usize, results: Data) {
        let at = first * self.out_size;
        results.read(0, &mut self.output[at..at + results.len()]);
    }

    fn put(&mut self, _: usize, _: Data) -> Result<()> {
        fail!(Panic, "a result without a fixed size")
    }

    fn progress(&mut self, done: usize) -> bool {
        self.teller.tell(done)
    }
}

/// The memory of a mp_pool_map.
struct Strings<'a> {
    input: &'a [mp_bytes],
    output: &'a mut [*mut mp_buffer],
    teller: Teller,
}

impl Work for Strings<'_> {
    fn len(&self) -> usize {
        self.input.len()
    }

    fn sizes(&self) -> Option<(usize, usize)> {
        None
    }

    fn items(&self, first: usize, _: usize) -> &[u8] {
        let item = self.input[first];
        // SAFETY: checked when the call began, and the caller keeps it until the call ends.
        unsafe { guard::bytes(item.data, item.len) }.unwrap_or_default()
    }

    fn put_all(&mut self, _: usize, _: Data) {}

    fn put(&mut self, index: usize, result: Data) -> Result<()> {
        let mut bytes = buffer::reserve(result.len())?;
        bytes.resize(result.len(), 0);
        result.read(0, &mut bytes);
        self.output[index] = handle::new_boxed(bytes.into_boxed_slice())?;
        Ok(())
    }

    fn progress(&mut self, done: usize) -> bool {
        self.teller.tell(done)
    }
}

/// Ends the workers at once and frees the pool. NULL is fine. A map that runs in another thread
/// returns MP_ERR_CANCELLED. Idle workers leave by themselves; busy ones get SIGTERM, and a
/// second later SIGKILL.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_free(pool: *mut mp_pool) -> mp_status {
    guard("mp_pool_free", || {
        if !pool.is_null() {
            handle::object(pool)?.end();
        }
        handle::free_boxed(pool)
    })
}
