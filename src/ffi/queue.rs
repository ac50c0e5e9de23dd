//! Queues of messages between processes: first in, first out, for any number of producers and
//! consumers. A message is bytes, also none at all, or "none", a sentinel that is not the empty
//! message and tells consumers to stop, for example. What a put that returned has put is in the
//! queue, whatever becomes of who put it.

use super::buffer::{self, mp_buffer};
use super::guard::{self, bytes_out, guard, joined, options, out, write_to};
use super::handle;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::queue::{self, Message};
use core::ffi::c_void;

/// A queue of a fixed size.
pub struct mp_queue {
    _private: [u8; 0],
}

/// How a queue shall be.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_queue_options {
    /// sizeof(mp_queue_options).
    pub size: usize,
    /// Bytes of its ring, 0 for 64 KiB; rounded up to a power of two, 256 at least and 1 GiB at
    /// most. A message takes its own length and 8 bytes, in steps of 8.
    pub bytes: usize,
    /// The most messages at a time; 0: as many as the ring holds, which always is a limit too.
    pub maxsize: usize,
}

// mp.h:
// /* The defaults: mp_queue_options o = MP_QUEUE_OPTIONS; */
// #define MP_QUEUE_OPTIONS { sizeof(mp_queue_options), 0, 0 }

const DEFAULTS: mp_queue_options =
    mp_queue_options { size: size_of::<mp_queue_options>(), bytes: 0, maxsize: 0 };

/// MP_QUEUE_OPTIONS as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_options_init(options: *mut mp_queue_options) -> mp_status {
    guard("mp_queue_options_init", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { out(options, "options") }?.write(DEFAULTS);
        Ok(Status::Ok)
    })
}

/// Makes an empty queue. It costs a KiB of shared memory and its ring, and no descriptor.
///
/// queue: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_INVALID: bytes is more than 1 GiB.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
///
/// Fork: a child, also one that libmp did not make, uses the same queue through the same
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_new(
    queue: *mut *mut mp_queue,
    options: *const mp_queue_options,
) -> mp_status {
    guard("mp_queue_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(queue, "queue")?, self::options(options, DEFAULTS)?) };
        joined()?;
        place.write(handle::new_shared(queue::create(options.bytes, options.maxsize)?)?);
        Ok(Status::Ok)
    })
}

/// Copies a message into the queue, waiting for room for up to timeout. When this returns MP_OK
/// the message is there for consumers, and the caller may exit at once.
///
/// data: may be NULL where len is 0. len: bytes. A message of more than a quarter of the ring
///     lies outside it; there are at most 16 such at a time, of together at most a MiB or the
///     ring's bytes, whichever is more, and a longer one only by itself.
/// timeout: nanoseconds.
///
/// MP_ERR_FULL: there was no room all the time.
/// MP_ERR_NO_MEMORY: the message does not fit into the ring, and the shared segment, or the
///     machine, has no room for it.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: the messages of one thread come out in the order in which it put them. A call that
/// meets another producer at work waits for it, 20 ms if the timeout is less.
/// Kill: a process killed in here has put the whole message or nothing; others that put
/// meanwhile go on within 100 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_put(
    queue: *mut mp_queue,
    data: *const c_void,
    len: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_put", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let message = Message::Bytes(unsafe { guard::bytes(data, len) }?);
        handle::block(queue)?.put(message, timeout, || handle::pin_block(queue))?;
        Ok(Status::Ok)
    })
}

/// Puts the message "none", as mp_queue_put does others. A consumer takes it as its sign to
/// stop; put as many as there are consumers.
///
/// timeout: nanoseconds.
///
/// MP_ERR_FULL: there was no room all the time.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_put_none(queue: *mut mp_queue, timeout: mp_timeout) -> mp_status {
    guard("mp_queue_put_none", || {
        handle::block(queue)?.put(Message::None, timeout, || handle::pin_block(queue))?;
        Ok(Status::Ok)
    })
}

/// Takes the oldest message out of the queue, into the caller's buffer, waiting for one for up
/// to timeout.
///
/// buffer: where its bytes go; may be NULL where size is 0. size: bytes of the buffer.
/// len: how many bytes the message has goes here; may be NULL.
/// none: whether it is "none", which has no bytes, goes here; may be NULL where none is put.
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the oldest, and its
///     length is in len.
/// MP_ERR_INVALID: the message is "none", and the pointer none is NULL. It stays the oldest.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: each message goes to one consumer. A call that meets another consumer at work waits
/// for it, 20 ms if the timeout is less.
/// Kill: a process killed in here leaves the message where it was for the next consumer, until
/// the moment that takes it out, which is the call's last step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_get(
    queue: *mut mp_queue,
    buffer: *mut c_void,
    size: usize,
    len: *mut usize,
    none: *mut bool,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_get", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let room = unsafe { bytes_out(buffer, size) }?;
        let stay = || handle::pin_block(queue);
        let got = handle::block(queue)?.get(timeout, stay, |message| {
            let bytes = message.map_or(0, |data| data.len());
            if message.is_none() && none.is_null() {
                fail!(Invalid, "the message is \"none\", and there is no place to say so");
            }
            // SAFETY: as above.
            unsafe { write_to(len, bytes) };
            if bytes > size {
                fail!(TooSmall, "the message has {bytes} bytes, and the buffer {size}");
            }
            if let Some(data) = message {
                data.read(0, &mut room[..bytes]);
            }
            // SAFETY: as above.
            unsafe { write_to(none, message.is_none()) };
            Ok(())
        });
        handle::took(queue);
        got?;
        Ok(Status::Ok)
    })
}

/// Takes the oldest message out of the queue, as mp_queue_get does, into a new buffer.
///
/// buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
///     message "none".
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY: there was no message all the time.
/// MP_ERR_NO_MEMORY: there is no memory for the buffer. The message stays the oldest.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_get_buffer(
    queue: *mut mp_queue,
    buffer: *mut *mut mp_buffer,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_get_buffer", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(buffer, "buffer") }?;
        let stay = || handle::pin_block(queue);
        let got = handle::block(queue)?.get(timeout, stay, |message| {
            let Some(data) = message else { return Ok(std::ptr::null_mut()) };
            let mut bytes = buffer::reserve(data.len())?;
            data.append_to(0, data.len(), &mut bytes);
            handle::new_boxed(bytes.into_boxed_slice())
        });
        handle::took(queue);
        place.write(got?);
        Ok(Status::Ok)
    })
}

/// How many messages are in the queue, at some moment during the call: others may put and get
/// at any time.
///
/// size: where the number goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_size(queue: *const mp_queue, size: *mut usize) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_size", || unsafe { put(size, "size", || Ok(handle::block(queue)?.count())) })
}

/// Whether the queue has no message, as mp_queue_size.
///
/// empty: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_empty(queue: *const mp_queue, empty: *mut bool) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_empty", || unsafe { put(empty, "empty", || Ok(handle::block(queue)?.count() == 0)) })
}

/// Whether the queue has no room even for an empty message, as mp_queue_size. Where it has,
/// there may still be none for a longer one.
///
/// full: where the answer goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_full(queue: *const mp_queue, full: *mut bool) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_full", || unsafe { put(full, "full", || handle::block(queue)?.is_full()) })
}

/// Writes an answer to where the caller wants it.
///
/// # Safety `place` is NULL or points to memory that a `T` may be written to.
unsafe fn put<T>(place: *mut T, name: &str, answer: impl FnOnce() -> Result<T>) -> Result<Status> {
    // SAFETY: the caller's promise.
    let place = unsafe { out(place, name) }?;
    place.write(answer()?);
    Ok(Status::Ok)
}

/// Frees this handle. NULL is fine. The queue, and what is in it, goes with the last handle to
/// it in any process. Whoever has got a message may free the queue through which it came: the
/// put of it may still be returning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_free(queue: *mut mp_queue) -> mp_status {
    guard("mp_queue_free", || {
        if !queue.is_null() {
            handle::block(queue)?.part();
        }
        handle::free_shared(queue)
    })
}
