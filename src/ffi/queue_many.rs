//! Several messages at once, which is much faster than one after the other where they are small.

use super::guard::{self, bytes_out, guard, out, write_to};
use super::handle;
use super::queue::mp_queue;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Error, Status, fail};
use crate::queue::Message;
use crate::time::Deadline;
use core::ffi::c_void;

/// A message for mp_queue_put_many.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_message {
    /// May be NULL where len is 0 or MP_NONE.
    pub data: *const c_void,
    /// Bytes, or MP_NONE for the message "none".
    pub len: usize,
}

// mp.h:
// /* In place of a length: the message is "none". */
// #define MP_NONE SIZE_MAX

const NONE: usize = usize::MAX;

/// MP_NONE as a function.
#[unsafe(no_mangle)]
pub extern "C" fn mp_none() -> usize {
    NONE
}

/// Puts messages as mp_queue_put does, in their order and as many at a time as there is room for:
/// these appear all at once.
///
/// messages: may be NULL where count is 0. count: how many.
/// put: how many of them are in the queue, the first ones, goes here, also when this fails; may
///     be NULL.
/// timeout: nanoseconds, for all of them together.
///
/// MP_ERR_FULL: there was no room for the rest all the time.
/// MP_ERR_INVALID: the next one's data is NULL or longer than the queue's maxbytes.
/// MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put, for the rest.
///
/// Threads: others may put theirs in between where there was not room for all.
/// Kill: a process killed in here has put the first few, all or none of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_put_many(
    queue: *mut mp_queue,
    messages: *const mp_message,
    count: usize,
    put: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_put_many", || {
        let mut done = 0;
        let message = |n: usize| {
            // SAFETY: C's promise: there are so many, and n is less.
            let mp_message { data, len } = unsafe { *messages.add(n) };
            if len == NONE {
                return Ok(Message::None);
            }
            // SAFETY: C's promise for each of them.
            Ok(Message::Bytes(unsafe { guard::bytes(data, len) }?))
        };
        let found = handle::find(queue);
        let result = match found {
            Ok(_) if messages.is_null() && count > 0 => {
                Err(Error::new(Status::Invalid, format!("messages is NULL, and count is {count}")))
            }
            Ok(found) => found.block().put_many(
                &found.tree(),
                count,
                message,
                &mut done,
                Deadline::after(timeout),
                || found.check(),
            ),
            Err(e) => Err(e),
        };
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { write_to(put, done) };
        result?;
        Ok(Status::Ok)
    })
}

/// Takes messages as mp_queue_get does: waits for the first, and takes along what else is there
/// already and fits, all in one step. The rest stays for the next call, which may be before count
/// or the buffer is used up.
///
/// buffer: where their bytes go, one message behind the other; may be NULL where size is 0.
/// size: bytes of the buffer.
/// lens: the messages' lengths go here, MP_NONE for a "none". count: how many it has room for, at
///     least 1.
/// got: how many messages there were goes here.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: a pointer is NULL, or count is 0.
/// MP_ERR_TOO_SMALL: the first message does not fit into the buffer. It stays the oldest, and its
///     length is in lens.
/// MP_ERR_UNSUPPORTED, MP_ERR_EMPTY, MP_ERR_CLOSED, MP_ERR_STATE: as mp_queue_get. After any
///     failure got is 0.
///
/// Kill: a process killed in here has taken all of them or none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_get_many(
    queue: *mut mp_queue,
    buffer: *mut c_void,
    size: usize,
    lens: *mut usize,
    count: usize,
    got: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_get_many", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (room, got) = unsafe { (bytes_out(buffer, size)?, out(got, "got")?) };
        got.write(0);
        if lens.is_null() || count == 0 {
            fail!(Invalid, "there is no room for a length: lens is NULL, or count 0");
        }
        let (mut used, mut taken) = (0, 0);
        let found = handle::find(queue)?;
        let mut take = |message: Option<crate::shm::Data>| {
            let len = message.map_or(0, |data| data.len());
            // SAFETY: as above; fewer than count were taken.
            let place = unsafe { lens.add(taken) };
            if len > size - used {
                if taken > 0 {
                    return Ok(false);
                }
                // SAFETY: as above.
                unsafe { place.write(len) };
                fail!(TooSmall, "the message has {len} bytes, and the buffer {size}");
            }
            if let Some(data) = message {
                data.read(0, &mut room[used..used + len]);
            }
            // SAFETY: as above.
            unsafe { place.write(if message.is_some() { len } else { NONE }) };
            used += len;
            taken += 1;
            Ok(true)
        };
        let deadline = Deadline::after(timeout);
        let many = found.block().get_many(&found.tree(), count, deadline, || found.check(), &mut take);
        handle::took(queue);
        got.write(many?);
        Ok(Status::Ok)
    })
}
