//! Queues that hand out the message with the lowest priority first, and the oldest among those of
//! the same priority. A message is bytes, also none at all, or "none", as in other queues. What a
//! put that returned has put is in the queue, whatever becomes of who put it.
//!
//! A message is taken in one of two ways. mp_priority_queue_get takes it out: it is the caller's,
//! and gone with the caller. mp_priority_queue_lease, further down, hands it out until it is
//! acknowledged, and again if its taker dies before that. With the same priority for all this is
//! a plain queue that hands messages out at least once.

use super::buffer::{self, mp_buffer};
use super::guard::{self, bytes_out, guard, initialise, joined, options, out, write_to};
use super::handle;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::queue::priority::{self, Taken};
use crate::shm::PriorityBlock;
use core::ffi::c_void;

/// A queue whose messages have priorities.
pub struct mp_priority_queue {
    _private: [u8; 0],
}

/// Options of mp_priority_queue_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_priority_queue_options {
    /// sizeof(mp_priority_queue_options).
    pub size: usize,
    /// The most messages that a put makes it; 0: no limit but memory's. Leased ones do not count,
    /// and those that come back are let in whatever the limit is.
    pub maxsize: usize,
}

// mp.h:
// /* The defaults: mp_priority_queue_options o = MP_PRIORITY_QUEUE_OPTIONS; */
// #define MP_PRIORITY_QUEUE_OPTIONS { sizeof(mp_priority_queue_options), 0 }

const DEFAULTS: mp_priority_queue_options =
    mp_priority_queue_options { size: size_of::<mp_priority_queue_options>(), maxsize: 0 };

/// MP_PRIORITY_QUEUE_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_priority_queue_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_options_init(
    options: *mut mp_priority_queue_options,
    size: usize,
) -> mp_status {
    guard("mp_priority_queue_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes an empty queue. It costs 2 KiB of shared memory and no descriptor; a message costs 128
/// bytes, one of more than 88 bytes a block of its own besides. What messages took goes back as
/// they are taken.
///
/// queue: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
///
/// Fork: a child, also one that libmp did not make, uses the same queue through the same
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_new(
    queue: *mut *mut mp_priority_queue,
    options: *const mp_priority_queue_options,
) -> mp_status {
    guard("mp_priority_queue_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(queue, "queue")?, self::options(options, DEFAULTS)?) };
        joined()?;
        place.write(handle::new_shared(priority::create(options.maxsize)?)?);
        Ok(Status::Ok)
    })
}

/// Copies a message into the queue, waiting for room for up to timeout. When this returns MP_OK
/// the message is there for consumers, and the caller may exit at once.
///
/// data: may be NULL where len is 0. len: bytes.
/// priority: any number; the lowest is taken first.
/// timeout: nanoseconds. Only a queue with a maxsize is ever full.
///
/// MP_ERR_FULL: there was no room all the time.
/// MP_ERR_CLOSED: the queue was shut down.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: messages of one thread with the same priority are taken in the order in which it put
/// them. A call that meets another one at work waits for it, 20 ms if the timeout is less.
/// Kill: a process killed in here has put the whole message or nothing; others go on within 100
/// ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_put(
    queue: *mut mp_priority_queue,
    data: *const c_void,
    len: usize,
    priority: i64,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_put", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let message = Some(unsafe { guard::bytes(data, len) }?);
        handle::block(queue)?.put(message, priority, timeout, || handle::pin_block(queue))?;
        Ok(Status::Ok)
    })
}

/// Puts the message "none", as mp_priority_queue_put does others. With a priority that is higher
/// than all others a consumer meets it when the queue has nothing else.
///
/// priority: any number; the lowest is taken first.
/// timeout: nanoseconds.
///
/// MP_ERR_FULL: there was no room all the time.
/// MP_ERR_CLOSED: the queue was shut down.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for it.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_put_none(
    queue: *mut mp_priority_queue,
    priority: i64,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_put_none", || {
        handle::block(queue)?.put(None, priority, timeout, || handle::pin_block(queue))?;
        Ok(Status::Ok)
    })
}

/// Takes the first message out of the queue, into the caller's buffer, waiting for one for up to
/// timeout.
///
/// buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
/// len: how many bytes the message has goes here; may be NULL.
/// priority: its priority goes here; may be NULL.
/// none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_CLOSED: the queue was shut down, and there is no message, nor has any other process
///     one that may come back.
/// MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the first, and its
///     length is in len.
/// MP_ERR_INVALID: the message is "none", and the pointer none is NULL. It stays the first.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: each message goes to one consumer. A call that meets another one at work waits for
/// it, 20 ms if the timeout is less.
/// Kill: a process killed in here leaves the message for the next consumer, until the moment
/// that takes it out; then it is gone with the process. Use mp_priority_queue_lease where that
/// must not be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_get(
    queue: *mut mp_priority_queue,
    buffer: *mut c_void,
    size: usize,
    len: *mut usize,
    priority: *mut i64,
    none: *mut bool,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_get", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let room = unsafe { bytes_out(buffer, size) }?;
        let stay = || handle::pin_block(queue);
        // SAFETY: as above.
        let copy = |taken| unsafe { copy(taken, room, len, priority, none) };
        handle::block(queue)?.get(timeout, stay, copy)?;
        Ok(Status::Ok)
    })
}

/// Takes the first message out of the queue, as mp_priority_queue_get does, into a new buffer.
///
/// buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
///     message "none".
/// priority: its priority goes here; may be NULL.
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_CLOSED: as mp_priority_queue_get.
/// MP_ERR_NO_MEMORY: there is no memory for the buffer. The message stays the first.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_get_buffer(
    queue: *mut mp_priority_queue,
    buffer: *mut *mut mp_buffer,
    priority: *mut i64,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_get_buffer", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(buffer, "buffer") }?;
        let stay = || handle::pin_block(queue);
        let (bytes, of) =
            handle::block(queue)?.get(timeout, stay, |taken| Ok((wrap(taken)?, taken.priority)))?;
        place.write(bytes);
        // SAFETY: as above.
        unsafe { write_to(priority, of) };
        Ok(Status::Ok)
    })
}

/// How many messages are in the queue, at some moment during the call: others may put and take
/// at any time. Leased ones are not among them.
///
/// size: where the number goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_size(
    queue: *const mp_priority_queue,
    size: *mut usize,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe { ask("mp_priority_queue_size", queue, (size, "size"), PriorityBlock::count) }
}

/// Whether the queue has no message, as mp_priority_queue_size.
///
/// empty: where the answer goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_empty(
    queue: *const mp_priority_queue,
    empty: *mut bool,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe { ask("mp_priority_queue_empty", queue, (empty, "empty"), |block| Ok(block.count()? == 0)) }
}

/// Whether the queue has as many messages as its maxsize, as mp_priority_queue_size. Without one
/// it never is full.
///
/// full: where the answer goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_full(
    queue: *const mp_priority_queue,
    full: *mut bool,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe { ask("mp_priority_queue_full", queue, (full, "full"), PriorityBlock::has_no_room) }
}

/// How many messages were put and are not done: neither acknowledged, nor told of by
/// mp_priority_queue_task_done.
///
/// unfinished: where the number goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_unfinished(
    queue: *const mp_priority_queue,
    unfinished: *mut usize,
) -> mp_status {
    let place = (unfinished, "unfinished");
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe { ask("mp_priority_queue_unfinished", queue, place, PriorityBlock::still_unfinished) }
}

/// Tells that a message that mp_priority_queue_get took is done. One that was leased is done when
/// it is acknowledged, without this.
///
/// MP_ERR_OVER_RELEASE: all that was put is done already.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_task_done(queue: *mut mp_priority_queue) -> mp_status {
    on("mp_priority_queue_task_done", queue, PriorityBlock::task_done)
}

/// Waits for up to timeout until all that was put is done.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: it was not all the time.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Kill: what a killed process had leased comes back and is not done; what it had got, it is to
/// be told of by somebody else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_join(
    queue: *mut mp_priority_queue,
    timeout: mp_timeout,
) -> mp_status {
    on("mp_priority_queue_join", queue, |block| block.join(timeout))
}

/// Ends the queue for those who put: they get MP_ERR_CLOSED from now on, also who waits for room.
/// Those who take get what there is, and then MP_ERR_CLOSED. It cannot be undone.
///
/// immediate: what there is is dropped and counts as done; those who take get MP_ERR_CLOSED at
///     once. What is leased may still be acknowledged.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Kill: a process killed in here has shut the queue down or done nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_shutdown(
    queue: *mut mp_priority_queue,
    immediate: bool,
) -> mp_status {
    on("mp_priority_queue_shutdown", queue, |block| block.shut_down(immediate))
}

/// Frees this handle. NULL is fine. The queue, and what is in it, goes with the last handle to
/// it in any process. Whoever has taken a message may free the queue through which it came: the
/// put of it may still be returning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_free(queue: *mut mp_priority_queue) -> mp_status {
    guard("mp_priority_queue_free", || {
        if !queue.is_null() {
            handle::block(queue)?.part_with();
        }
        handle::free_shared(queue)
    })
}

/// Does something with a queue, which stays meanwhile.
pub(super) fn on(
    call: &'static str,
    queue: *const mp_priority_queue,
    what: impl FnOnce(&PriorityBlock) -> Result<()>,
) -> mp_status {
    guard(call, || {
        what(handle::find(queue)?.block())?;
        Ok(Status::Ok)
    })
}

/// The same for an answer, which goes to `place`.
///
/// # Safety
/// `place` is NULL or points to memory that a `T` may be written to.
pub(super) unsafe fn ask<T>(
    call: &'static str,
    queue: *const mp_priority_queue,
    (place, name): (*mut T, &str),
    what: impl FnOnce(&PriorityBlock) -> Result<T>,
) -> mp_status {
    guard(call, || {
        // SAFETY: the caller's promise.
        let place = unsafe { out(place, name) }?;
        place.write(what(handle::find(queue)?.block())?);
        Ok(Status::Ok)
    })
}

/// Copies a message to where the caller wants it.
///
/// # Safety
/// The pointers are NULL or point to memory that may be written to.
pub(super) unsafe fn copy(
    taken: Taken,
    room: &mut [u8],
    len: *mut usize,
    priority: *mut i64,
    none: *mut bool,
) -> Result<()> {
    let bytes = taken.bytes.map_or(0, |data| data.len());
    if taken.bytes.is_none() && none.is_null() {
        fail!(Invalid, "the message is \"none\", and there is no place to say so");
    }
    // SAFETY: the caller's promise.
    unsafe { write_to(len, bytes) };
    if bytes > room.len() {
        fail!(TooSmall, "the message has {bytes} bytes, and the buffer {}", room.len());
    }
    if let Some(data) = taken.bytes {
        data.read(0, &mut room[..bytes]);
    }
    // SAFETY: as above.
    unsafe {
        write_to(priority, taken.priority);
        write_to(none, taken.bytes.is_none());
    }
    Ok(())
}

/// A message in a buffer of its own; NULL for "none".
pub(super) fn wrap(taken: Taken) -> Result<*mut mp_buffer> {
    let Some(data) = taken.bytes else { return Ok(std::ptr::null_mut()) };
    let mut bytes = buffer::reserve(data.len())?;
    data.append_to(0, data.len(), &mut bytes);
    handle::new_boxed(bytes.into())
}
