//! Messages without a copy: written where they will lie, and read where they are. Others put and
//! get meanwhile. For messages of some KiB and more; smaller ones are faster copied.

use super::guard::{guard, out, write_to};
use super::handle;
use super::queue::mp_queue;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::Status;
use crate::park::Tree;
use crate::time::Deadline;
use core::ffi::c_void;

/// Makes room for a message of at most len bytes, which the caller then writes there, and puts by
/// mp_queue_commit or gives up by mp_queue_cancel. It is in no order with others before the
/// commit.
///
/// len: bytes. data: where the room's address goes, at a multiple of 64. The bytes are undefined.
///
/// MP_ERR_INVALID: data is NULL, or len is more than the queue's maxbytes.
/// MP_ERR_CLOSED: the queue was shut down, or this handle closed.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
///
/// Threads: any thread of this process may commit or cancel it, one of them.
/// Fork: a child has no part in what its parent reserved.
/// Kill: what a killed process had reserved is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_reserve(
    queue: *mut mp_queue,
    len: usize,
    data: *mut *mut c_void,
) -> mp_status {
    guard("mp_queue_reserve", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(data, "data") }?;
        place.write(handle::find(queue)?.block().reserve(len)?.address().cast());
        Ok(Status::Ok)
    })
}

/// Puts what was written to the room at data, waiting until the queue has place for it for up to
/// timeout. The room is the caller's no more; after a failure it still is.
///
/// data: from mp_queue_reserve of the same queue. len: how many of its bytes are the message, at
///     most as many as were reserved.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: nothing is reserved there, or less than len.
/// MP_ERR_FULL, MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
///
/// Kill: a process killed in here has put the whole message or nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_commit(
    queue: *mut mp_queue,
    data: *mut c_void,
    len: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_commit", || {
        let found = handle::find(queue)?;
        let deadline = Deadline::after(timeout);
        found.block().commit(&found.tree(), data.addr(), len, deadline, || found.check())?;
        Ok(Status::Ok)
    })
}

/// Gives up the room at data.
///
/// data: from mp_queue_reserve of the same queue.
///
/// MP_ERR_INVALID: nothing is reserved there.
/// MP_ERR_CLOSED: this handle was closed. The room goes with the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_cancel(queue: *mut mp_queue, data: *mut c_void) -> mp_status {
    guard("mp_queue_cancel", || {
        handle::find(queue)?.block().cancel(data.addr())?;
        Ok(Status::Ok)
    })
}

/// Takes the oldest message out of the queue to be read where it is, waiting for one for up to
/// timeout. It is not counted in the queue any more. At most 16 of a queue are peeked at a time.
///
/// data: where the message's address goes: until mp_queue_release it stays there, and nobody
///     writes to it. NULL for the message "none", which is not to be released.
/// len: how many bytes it has goes here.
/// none: whether it is "none" goes here; may be NULL where none is put.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: data or len is NULL.
/// MP_ERR_UNSUPPORTED, MP_ERR_EMPTY, MP_ERR_CLOSED, MP_ERR_STATE: as mp_queue_get.
/// MP_ERR_NO_MEMORY: 16 messages are peeked, or there is no memory for one to be moved out of
///     the ring, as a small one is. It stays the oldest.
///
/// Threads: any thread of this process may release it, one of them.
/// Fork: a child has no part in what its parent peeked.
/// Kill: what a process had peeked when it ended without release is handed out again, as soon as
/// anybody has found out: at the latest when a consumer finds the queue empty, or has waited for
/// 750 ms. It then comes before all that is in the queue. So a message is peeked at least once,
/// and, where nobody peeks, got exactly once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_peek(
    queue: *mut mp_queue,
    data: *mut *const c_void,
    len: *mut usize,
    none: *mut bool,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_peek", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, len) = unsafe { (out(data, "data")?, out(len, "len")?) };
        let found = handle::find(queue)?;
        let message = found.block().peek(&found.tree(), Deadline::after(timeout), || found.check());
        handle::took(queue);
        let message = message?;
        place.write(message.map_or(std::ptr::null(), |data| data.address().cast_const().cast()));
        len.write(message.map_or(0, |data| data.len()));
        // SAFETY: as above.
        unsafe { write_to(none, message.is_none()) };
        Ok(Status::Ok)
    })
}

/// Ends the reading of a peeked message, which is then gone.
///
/// data: from mp_queue_peek of the same queue.
///
/// MP_ERR_INVALID: nothing was peeked there.
/// MP_ERR_CLOSED: this handle was closed. The message is handed out again when this process has
///     ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_release(queue: *mut mp_queue, data: *const c_void) -> mp_status {
    guard("mp_queue_release", || {
        let found = handle::find(queue)?;
        found.block().release(found.tree().me(), data.addr())?;
        Ok(Status::Ok)
    })
}
