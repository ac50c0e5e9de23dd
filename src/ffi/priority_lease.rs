//! Leases: messages that are handed out until they are acknowledged. If the process that has one
//! ends before that, however it does, the message is back in its old place and handed out again,
//! to whoever waits or asks within 100 ms. So each message is worked on at least once.
//!
//!     while (mp_priority_queue_lease(q, &job, sizeof job, NULL, NULL, NULL, &lease,
//!                                    MP_FOREVER) == MP_OK) {
//!         work_on(&job);
//!         mp_priority_queue_acknowledge(q, lease);
//!     }

use super::buffer::mp_buffer;
use super::guard::{bytes_out, guard, out, write_to};
use super::handle;
use super::priority_queue::{ask, copy, mp_priority_queue, on, wrap};
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::Status;
use crate::queue::priority::Taken;
use crate::shm::PriorityBlock;
use core::ffi::c_void;

/// Hands the first message out, into the caller's buffer, waiting for one for up to timeout. It
/// counts as out of the queue, and is the calling process's until the lease ends: by
/// mp_priority_queue_acknowledge, by mp_priority_queue_return, or with the process, however that
/// ends.
///
/// buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
/// len: how many bytes the message has goes here; may be NULL.
/// priority: its priority goes here; may be NULL.
/// none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
/// lease: the lease's number, which is not 0, goes here.
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_CLOSED: the queue was shut down, and there is no message, nor has any other process
///     one that may come back.
/// MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the first, and its
///     length is in len.
/// MP_ERR_INVALID: lease is NULL, or the message is "none" and the pointer none is NULL. It
///     stays the first.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for one more lease. The
///     message stays the first.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: any thread of any process that has the queue may end the lease.
/// Kill: a message that a killed process has is handed out again, before others of its
/// priority.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_lease(
    queue: *mut mp_priority_queue,
    buffer: *mut c_void,
    size: usize,
    len: *mut usize,
    priority: *mut i64,
    none: *mut bool,
    lease: *mut u64,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_lease", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (room, place) = unsafe { (bytes_out(buffer, size)?, out(lease, "lease")?) };
        let stay = || handle::pin_block(queue);
        // SAFETY: as above.
        let copy = |taken| unsafe { copy(taken, room, len, priority, none) };
        place.write(handle::block(queue)?.lease(timeout, stay, copy)?.1);
        Ok(Status::Ok)
    })
}

/// Hands the first message out, as mp_priority_queue_lease does, in a new buffer.
///
/// buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
///     message "none".
/// priority: its priority goes here; may be NULL.
/// lease: the lease's number, which is not 0, goes here.
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_CLOSED: as mp_priority_queue_lease.
/// MP_ERR_INVALID: lease is NULL.
/// MP_ERR_NO_MEMORY: there is no memory for the buffer, or for the lease. The message stays the
///     first.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_lease_buffer(
    queue: *mut mp_priority_queue,
    buffer: *mut *mut mp_buffer,
    priority: *mut i64,
    lease: *mut u64,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_priority_queue_lease_buffer", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, number) = unsafe { (out(buffer, "buffer")?, out(lease, "lease")?) };
        let stay = || handle::pin_block(queue);
        let wrap = |taken: Taken| Ok((wrap(taken)?, taken.priority));
        let ((bytes, of), leased) = handle::block(queue)?.lease(timeout, stay, wrap)?;
        place.write(bytes);
        number.write(leased);
        // SAFETY: as above.
        unsafe { write_to(priority, of) };
        Ok(Status::Ok)
    })
}

/// Ends a lease: the message is done, and counts as such for mp_priority_queue_join.
///
/// lease: what mp_priority_queue_lease gave; any process that has the queue may use it.
///
/// MP_ERR_INVALID: there is no such lease, or it has ended.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Kill: a process killed in here has ended the lease, or still has it, and then the message is
/// handed out again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_acknowledge(
    queue: *mut mp_priority_queue,
    lease: u64,
) -> mp_status {
    on("mp_priority_queue_acknowledge", queue, |block| block.acknowledge(lease))
}

/// Ends a lease: the message is in the queue again, in its old place, which is before others of
/// its priority that were put later. In a queue that was shut down immediately it is dropped.
///
/// lease: what mp_priority_queue_lease gave; any process that has the queue may use it.
///
/// MP_ERR_INVALID: there is no such lease, or it has ended.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Kill: a process killed in here has returned the message, or still has it, which comes to the
/// same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_return(queue: *mut mp_priority_queue, lease: u64) -> mp_status {
    on("mp_priority_queue_return", queue, |block| block.give_back(lease))
}

/// How often the message of a lease was handed out, this time included: more than 1 says that
/// somebody returned it, or died over it.
///
/// lease: what mp_priority_queue_lease gave.
/// deliveries: where the number goes; 4194303 is the most that is counted.
///
/// MP_ERR_INVALID: deliveries is NULL, or there is no such lease, or it has ended.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_deliveries(
    queue: *const mp_priority_queue,
    lease: u64,
    deliveries: *mut u64,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe {
        ask("mp_priority_queue_deliveries", queue, (deliveries, "deliveries"), |block| {
            block.deliveries(lease)
        })
    }
}

/// How many messages are leased, as mp_priority_queue_size.
///
/// unacknowledged: where the number goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_priority_queue_unacknowledged(
    queue: *const mp_priority_queue,
    unacknowledged: *mut usize,
) -> mp_status {
    let place = (unacknowledged, "unacknowledged");
    // SAFETY: C's promise for its arguments, as the header gives it.
    unsafe { ask("mp_priority_queue_unacknowledged", queue, place, PriorityBlock::unacknowledged) }
}
