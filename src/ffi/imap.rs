//! imap: items are taken from a source, one result at a time is taken from the iterator, and no
//! more items than a window holds are on their way meanwhile.

use super::buffer::{self, mp_buffer, mp_bytes};
use super::guard::{self, guard, initialise, options, out};
use super::handle;
use super::pool::{mp_pool, mp_task_fn};
use super::pool_map::GRACE;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Error, Result, Status, fail};
use crate::pool::{self, Imap, Pool, Source};
use crate::time::{Deadline, FOREVER};
use core::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;

/// An iterator over the results of a function.
pub struct mp_imap {
    _private: [u8; 0],
}

/// Gives the next item: 1 and item is set; 0: there are no more. A negative number is an error:
/// it comes out of the iterator at this item's place, and the source is not asked again. item's
/// bytes are copied when the source returns.
pub type mp_source_fn = Option<unsafe extern "C-unwind" fn(item: *mut mp_bytes, user: *mut c_void) -> c_int>;

/// Options of mp_pool_imap.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_imap_options {
    /// sizeof(mp_imap_options).
    pub size: usize,
    /// Items that make a task, which goes out when the source has given all of them; 0 is 1. More
    /// are faster where the function is quick. Where the window is smaller, that is a task.
    pub chunk: usize,
    /// How many items may have come from the source whose results were not taken; 0: 16 tasks for
    /// each worker.
    pub window: usize,
    /// Results come as they are ready, and not in the items' order. With one worker it is the same.
    pub unordered: bool,
    /// As in mp_map_options.
    pub retries: c_uint,
    /// As in mp_map_options.
    pub time_limit: mp_timeout,
    /// As in mp_map_options.
    pub grace: mp_timeout,
}

// mp.h:
// /* The defaults: mp_imap_options o = MP_IMAP_OPTIONS; */
// #define MP_IMAP_OPTIONS { sizeof(mp_imap_options), 0, 0, false, 0, MP_FOREVER, MP_MS(100) }

pub(super) const DEFAULTS: mp_imap_options = mp_imap_options {
    size: size_of::<mp_imap_options>(),
    chunk: 0,
    window: 0,
    unordered: false,
    retries: 0,
    time_limit: FOREVER,
    grace: GRACE,
};

/// MP_IMAP_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_imap_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_imap_options_init(options: *mut mp_imap_options, size: usize) -> mp_status {
    guard("mp_imap_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Items from the caller's function.
struct Called {
    function: unsafe extern "C-unwind" fn(*mut mp_bytes, *mut c_void) -> c_int,
    user: *mut c_void,
    count: usize,
}

// SAFETY: called only by who calls mp_imap_next, which is the caller's own doing, in one thread at a time.
unsafe impl Send for Called {}

impl Source for Called {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut item = mp_bytes { data: std::ptr::null(), len: 0 };
        // SAFETY: called with what its type promises.
        match unsafe { (self.function)(&raw mut item, self.user) } {
            0 => return Ok(None),
            code if code < 0 => {
                let text = format!("item {}: the source failed with {code}", self.count);
                return Err(Error::new(Status::TaskFailed, text));
            }
            _ => self.count += 1,
        }
        // SAFETY: the source's promise.
        buffer::copied(unsafe { guard::bytes(item.data, item.len) }?).map(Some)
    }
}

/// Makes an iterator over the results of a function for the items of a source. Nothing is asked
/// of the source before the first mp_imap_next. The source and whatever else has to be done here
/// run in the thread that calls mp_imap_next, and only then: where nobody takes results, no more
/// items are handed out.
///
/// function: not NULL. user: handed to it, see mp_task_fn.
/// source: not NULL. source_user: handed to it.
/// options: NULL for the defaults.
/// imap: where the handle goes, to be freed with mp_imap_free.
///
/// MP_ERR_INVALID: function, source or imap is NULL.
/// MP_ERR_UNSUPPORTED: the workers are not forked, and user is not NULL, or this is the 257th
///     function.
/// MP_ERR_STATE: the pool was closed or ended, or belongs to another process.
/// What the initializer came to: see mp_pool_options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_imap(
    pool: *mut mp_pool,
    function: mp_task_fn,
    user: *mut c_void,
    source: mp_source_fn,
    source_user: *mut c_void,
    options: *const mp_imap_options,
    imap: *mut *mut mp_imap,
) -> mp_status {
    guard("mp_pool_imap", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (options, place) = unsafe { (self::options(options, DEFAULTS)?, out(imap, "imap")?) };
        let pool = handle::object(pool)?;
        let Some(source) = source else { fail!(Invalid, "source is NULL") };
        let source = Box::new(Called { function: source, user: source_user, count: 0 });
        place.write(handle::new_boxed(begin(&pool, (function, user), &options, source)?)?);
        Ok(Status::Ok)
    })
}

pub(super) fn begin(
    pool: &Arc<Pool>,
    (function, user): (mp_task_fn, *mut c_void),
    options: &mp_imap_options,
    source: Box<dyn Source>,
) -> Result<Imap> {
    let Some(function) = function else { fail!(Invalid, "function is NULL") };
    let plan = pool::plan(
        (function as usize as u64, user as usize as u64),
        options.chunk.max(1),
        true,
        options.retries,
        (options.time_limit, options.grace),
    );
    Imap::new(pool, plan, options.window, !options.unordered, source)
}

/// Takes the next result.
///
/// timeout: nanoseconds to wait for it, not counting what the source takes.
/// result: where the handle of the result goes, to be freed with mp_buffer_free. It gets NULL
///     where there is none.
/// index: the item's place in the source, from 0, goes here, also where the item failed; may be
///     NULL.
///
/// MP_ERR_EOF: all results were taken. So it is from then on.
/// MP_ERR_TIMEOUT: nothing came in time, and the next call may get it; or this item ran for longer
///     than time_limit, as mp_last_error() says then.
/// MP_ERR_TASK_FAILED, MP_ERR_WORKER_DIED, MP_ERR_UNKNOWN_TARGET: this item failed, as in
///     mp_pool_map; the ones after it come all the same. So it is with MP_ERR_NO_MEMORY where
///     mp_last_error() names an item.
/// MP_ERR_INVALID: result is NULL; or the source has given NULL for bytes, which ends it.
/// MP_ERR_CANCELLED: the pool was ended.
/// MP_ERR_NO_MEMORY: the shared segment has no room for a single task; or there is no handle for
///     the result, and the next call may get it.
/// MP_ERR_STATE: another thread is in a call with the same iterator, or the source calls it; or it
///     belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_imap_next(
    imap: *mut mp_imap,
    timeout: mp_timeout,
    result: *mut *mut mp_buffer,
    index: *mut usize,
) -> mp_status {
    guard("mp_imap_next", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(std::ptr::null_mut());
        let imap = handle::object(imap)?;
        let room = handle::room::<mp_buffer>()?;
        let Some((at, taken)) = imap.next(Deadline::after(timeout))? else {
            fail!(Eof, "all results were taken");
        };
        // SAFETY: C's promise: NULL, or a place for the number.
        unsafe { guard::write_to(index, at) };
        place.write(room.put(taken?.into()));
        Ok(Status::Ok)
    })
}

/// Frees an iterator. Items that no worker has begun are taken back; what runs is left to run, and
/// its results are lost. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_imap_free(imap: *mut mp_imap) -> mp_status {
    guard("mp_imap_free", || handle::free_boxed(imap))
}
