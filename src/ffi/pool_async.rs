//! Calls that nobody waits for: a thread of the library's hands out their items and takes what
//! comes back. It comes into being with the first such call of a pool, has all signals blocked, and
//! ends with the pool.

use super::buffer::mp_bytes;
use super::guard::{self, guard, initialise, options};
use super::handle;
use super::pool::{mp_pool, mp_task_fn};
use super::pool_map::{self, mp_apply_options, mp_map_options};
use super::result::mp_result;
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::pool::{Answer, Batch, Callback, Pool, Progress, Request, Settled};
use crate::time::{Deadline, FOREVER};
use core::ffi::{c_int, c_void};
use std::sync::Arc;

/// Told that a call is over, by the pool's thread, before anybody else knows. All the pool's
/// asynchronous calls wait until it returns. result: a handle of its own, good until the function
/// returns, from which mp_result_get takes what there is without waiting. It may begin calls, but
/// not wait for them. An exception must not leave the function.
pub type mp_result_fn = Option<unsafe extern "C-unwind" fn(result: *mut mp_result, user: *mut c_void)>;

/// What an asynchronous call has beside the options of one that waits.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_async_options {
    /// sizeof(mp_async_options).
    pub size: usize,
    /// Told that the call is over and all is well; NULL for nobody.
    pub done: mp_result_fn,
    /// Told that the call is over and failed; NULL for nobody.
    pub failed: mp_result_fn,
    /// Handed to them.
    pub user: *mut c_void,
    /// Of the asynchronous calls that wait for a worker the one with the highest goes first, and
    /// of those with the same the one that came first. What lies ahead of a worker already, two
    /// tasks or more where they are short, is not overtaken.
    pub priority: c_int,
}

// mp.h:
// /* The defaults: mp_async_options o = MP_ASYNC_OPTIONS; */
// #define MP_ASYNC_OPTIONS { sizeof(mp_async_options), NULL, NULL, NULL, 0 }

const DEFAULTS: mp_async_options = mp_async_options {
    size: size_of::<mp_async_options>(),
    done: None,
    failed: None,
    user: std::ptr::null_mut(),
    priority: 0,
};

/// MP_ASYNC_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_async_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_async_options_init(options: *mut mp_async_options, size: usize) -> mp_status {
    guard("mp_async_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// The user's functions, on their way to the helper.
struct Tell(mp_async_options);

// SAFETY: the pointers are handed back to the caller's functions, as the header says by which thread.
unsafe impl Send for Tell {}

impl Tell {
    fn into_callback(self) -> Option<Callback> {
        if self.0.done.is_none() && self.0.failed.is_none() {
            return None;
        }
        Some(Box::new(move |answer: &Arc<Answer>, settled: &Settled| self.tell(answer, settled)))
    }

    fn tell(&self, answer: &Arc<Answer>, settled: &Settled) {
        let function = if settled.error.is_none() { self.0.done } else { self.0.failed };
        let Some(function) = function else { return };
        // Without a handle, which there is no memory for, it is told all the same.
        let handle = handle::new_boxed(Arc::clone(answer)).unwrap_or(std::ptr::null_mut());
        // SAFETY: called with what its type promises.
        unsafe { function(handle, self.0.user) };
        // It may have freed the handle itself.
        let _ = handle::free_boxed(handle);
    }
}

/// The user's function and its word, on their way to the helper.
struct Ask(mp_map_options);

// SAFETY: as above.
unsafe impl Send for Ask {}

impl Ask {
    fn into_progress(self, total: usize) -> Option<Progress> {
        self.0.progress?;
        Some(Box::new(move |done| self.goes_on(done, total)))
    }

    fn goes_on(&self, done: usize, total: usize) -> bool {
        // SAFETY: called with what its type promises.
        self.0.progress.is_none_or(|f| unsafe { f(done, total, self.0.progress_user) } == 0)
    }
}

/// The last step of all three.
///
/// # Safety
/// result is NULL or a place for a handle.
unsafe fn begin(
    pool: &Arc<Pool>,
    function: mp_task_fn,
    user: *mut c_void,
    batch: Batch,
    (how, and): (&mp_map_options, mp_async_options),
    result: *mut *mut mp_result,
) -> Result<Status> {
    if !how.statuses.is_null() {
        fail!(Invalid, "statuses is for maps that wait: see mp_result_statuses");
    }
    let total = batch.len();
    let plan = pool_map::plan(pool, function, user, how, total)?;
    let request = Request {
        plan,
        batch,
        priority: and.priority,
        deadline: match how.timeout {
            FOREVER => Deadline::Never,
            // One that is over already is looked at once, and then is over.
            timeout => Deadline::after(timeout.max(1)),
        },
        progress: Ask(*how).into_progress(total),
        callback: Tell(and).into_callback(),
    };
    let answer = pool.submit(request)?;
    if !result.is_null() {
        let handle = handle::new_boxed(answer)?;
        // SAFETY: the caller's promise.
        unsafe { result.write(handle) };
    }
    Ok(Status::Ok)
}

/// Has a function called once, in one worker.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// data: its mp_task_input; may be NULL where len is 0. len: bytes.
/// apply: how it shall run; NULL for the defaults. Its timeout counts from now: then the result is
///     MP_ERR_TIMEOUT, and what runs is stopped, as with time_limit.
/// options: NULL for the defaults.
/// result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it, and
///     done and failed are told all the same.
///
/// MP_ERR_INVALID: function is NULL.
/// MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
///     function.
/// MP_ERR_NO_MEMORY: there is none for the copy.
/// MP_ERR_OS: no thread is to be had.
/// MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
/// What the initializer came to: see mp_pool_options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_apply_async(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    data: *const c_void,
    len: usize,
    apply: *const mp_apply_options,
    options: *const mp_async_options,
    result: *mut *mut mp_result,
) -> mp_status {
    guard("mp_pool_apply_async", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (how, and) = unsafe { (pool_map::apply_options(apply)?, self::options(options, DEFAULTS)?) };
        let pool = handle::object(pool)?;
        // SAFETY: as above.
        let item = unsafe { guard::bytes(data, len) }?;
        let batch = Batch::each(std::iter::once(item), 1)?;
        // SAFETY: as above.
        unsafe { begin(&pool, function, user, batch, (&how, and), result) }
    })
}

/// Has a function called for each of n byte strings, as mp_pool_map does. The results come out of
/// mp_result_get_each.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// in: n items; may be NULL where n is 0.
/// map: how it shall run; NULL for the defaults. Its timeout counts from now, as that of
///     mp_pool_apply_async; its progress is told by the pool's thread, as mp_result_fn is; instead
///     of its statuses see mp_result_statuses.
/// options: NULL for the defaults.
/// result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it.
///
/// MP_ERR_INVALID: function is NULL, or in is, or statuses is not.
/// The rest as mp_pool_apply_async.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_map_async(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    r#in: *const mp_bytes,
    n: usize,
    map: *const mp_map_options,
    options: *const mp_async_options,
    result: *mut *mut mp_result,
) -> mp_status {
    guard("mp_pool_map_async", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (how, and) = unsafe { (pool_map::map_options(map)?, self::options(options, DEFAULTS)?) };
        let pool = handle::object(pool)?;
        // SAFETY: as above.
        let items = unsafe { pool_map::items(r#in, n) }?;
        let bytes = items.iter().map(|item| {
            // SAFETY: as above; `items` has checked them.
            unsafe { guard::bytes(item.data, item.len) }.unwrap_or_default()
        });
        let batch = Batch::each(bytes, n)?;
        // SAFETY: as above.
        unsafe { begin(&pool, function, user, batch, (&how, and), result) }
    })
}

/// Has a function called for each of n items that lie side by side, as mp_pool_map_array does.
/// The results come out of mp_result_get, side by side.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// in: n items of in_size bytes each; may be NULL where those are 0 bytes in all.
/// out_size: bytes of a result.
/// map: as in mp_pool_map_async.
/// options: NULL for the defaults.
/// result: where the handle goes, to be freed with mp_result_free; NULL: nobody asks for it.
///
/// MP_ERR_INVALID: function is NULL, the sizes overflow, or statuses is not NULL.
/// The rest as mp_pool_apply_async.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_map_array_async(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    r#in: *const c_void,
    in_size: usize,
    n: usize,
    out_size: usize,
    map: *const mp_map_options,
    options: *const mp_async_options,
    result: *mut *mut mp_result,
) -> mp_status {
    guard("mp_pool_map_array_async", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (how, and) = unsafe { (pool_map::map_options(map)?, self::options(options, DEFAULTS)?) };
        let pool = handle::object(pool)?;
        let Some(bytes) = n.checked_mul(in_size) else { fail!(Invalid, "the items have no such length") };
        // SAFETY: as above.
        let input = unsafe { guard::bytes(r#in, bytes) }?;
        let batch = Batch::array(input, n, (in_size, out_size))?;
        // SAFETY: as above.
        unsafe { begin(&pool, function, user, batch, (&how, and), result) }
    })
}
