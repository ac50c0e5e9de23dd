//! Queues of messages between processes: first in, first out, for any number of producers and
//! consumers. A message is bytes, also none at all, or "none", a sentinel that is not the empty
//! message and tells consumers to stop, for example. What a put that returned has put is in the
//! queue, whatever becomes of who put it.

use super::buffer::{self, Buffer, mp_buffer};
use super::guard::{self, bytes_out, guard, initialise, joined, options, out, write_to};
use super::handle;
use super::name;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::queue::{self, Limits, Message};
use crate::shm::{Data, Entry, Kind, QueueBlock, ThisTree};
use crate::time::Deadline;
use core::ffi::{c_char, c_int, c_uint, c_void};

/// A queue.
pub struct mp_queue {
    _private: [u8; 0],
}

/// Options of mp_queue_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_queue_options {
    /// sizeof(mp_queue_options).
    pub size: usize,
    /// The most messages at a time; 0: no limit, that is 268435455.
    pub maxsize: usize,
    /// The most bytes of messages at a time, 0: no limit.
    pub maxbytes: usize,
    /// 0: its memory grows with what is in it, and goes back to the kernel when that was got, but
    /// for 2 MiB. Otherwise the bytes of a ring of fixed size, which is a limit, too; rounded up
    /// to a power of two, 256 at least and 1 GiB at most. A message takes its own length and 8
    /// bytes there, in steps of 8. One of more than a quarter of the ring lies outside it; there
    /// are at most 16 such at a time, of together at most a MiB or the ring's bytes, whichever
    /// is more, and a longer one only by itself.
    pub ring: usize,
    /// The name by which other processes, relatives or not, open the same object: see
    /// mp_name_unlink. NULL for none: the object goes with its last handle.
    pub name: *const c_char,
    /// Where there is a name: whether to create the object or to open it, an mp_open.
    pub open: c_int,
    /// Where an object with a name is created: who may open it, as for chmod. 0600, and what is
    /// given here besides; 0 for this user alone.
    pub mode: c_uint,
    /// Where an object with a name is created: the most bytes of memory that it may take, with
    /// all that is in it, lent out, or kept to be used again; 0: 1 GiB, and twice its ring. These
    /// are addresses in each process that opens it; memory is what its messages take.
    pub memory: usize,
}

// mp.h:
// /* The defaults: mp_queue_options o = MP_QUEUE_OPTIONS; */
// #define MP_QUEUE_OPTIONS { sizeof(mp_queue_options), 0, 0, 0, NULL, 0, 0, 0 }

const DEFAULTS: mp_queue_options = mp_queue_options {
    size: size_of::<mp_queue_options>(),
    maxsize: 0,
    maxbytes: 0,
    ring: 0,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
    memory: 0,
};

/// MP_QUEUE_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_queue_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_options_init(options: *mut mp_queue_options, size: usize) -> mp_status {
    guard("mp_queue_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes an empty queue, by default one without limits: where CPython has Queue and SimpleQueue,
/// this is both. It costs 4.5 KiB of shared memory, or 1 KiB and its fixed ring, and no
/// descriptor.
///
/// queue: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_INVALID: ring is more than 1 GiB, or memory was given without a name.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same queue through the same
/// handle.
/// Kill: what is in a queue with a name stays there for as long as one process has it open, and
/// after that where all freed their handles. What a killed one had peeked is handed out again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_new(
    queue: *mut *mut mp_queue,
    options: *const mp_queue_options,
) -> mp_status {
    guard("mp_queue_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(queue, "queue")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let limits = Limits { maxsize: options.maxsize, maxbytes: options.maxbytes, ring: options.ring };
        let memory = name::memory(options.name, options.memory, options.ring.saturating_mul(2))?;
        let name = (options.name, options.open, options.mode);
        let create = |s| queue::create(s, limits);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object =
            unsafe { name::open(name, (Kind::Queue, memory), create, |q: &QueueBlock| q.fits(limits)) }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Copies a message into the queue, waiting for room for up to timeout. When this returns MP_OK
/// the message is there for consumers, and the caller may exit at once.
///
/// data: may be NULL where len is 0. len: bytes.
/// timeout: nanoseconds.
///
/// MP_ERR_FULL: there was no room all the time.
/// MP_ERR_CLOSED: the queue was shut down, or this handle closed, before or meanwhile.
/// MP_ERR_INVALID: the message has more bytes than the queue's maxbytes.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for the message.
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
        put_message(queue, Message::Bytes(unsafe { guard::bytes(data, len) }?), timeout)
    })
}

/// Puts the message "none", as mp_queue_put does others. A consumer takes it as its sign to
/// stop; put as many as there are consumers.
///
/// timeout: nanoseconds.
///
/// MP_ERR_FULL, MP_ERR_CLOSED, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_put_none(queue: *mut mp_queue, timeout: mp_timeout) -> mp_status {
    guard("mp_queue_put_none", || put_message(queue, Message::None, timeout))
}

#[inline(always)]
pub(super) fn put_message(queue: *mut mp_queue, message: Message<'_>, timeout: i64) -> Result<Status> {
    if let Some(block) = handle::block_quickly(queue)
        && block.put_quickly(&ThisTree, message)?
    {
        return Ok(Status::Ok);
    }
    // What may sleep, or hands blocks on, needs the queue to stay, also when another thread frees the handle.
    let found = handle::find(queue)?;
    found.block().put(&found.tree(), message, Deadline::after(timeout), || found.check())?;
    Ok(Status::Ok)
}

#[inline(always)]
fn get_message<R>(
    queue: *mut mp_queue,
    timeout: i64,
    mut take: impl FnMut(Option<Data>) -> Result<R>,
    parcel: Option<&mut Option<Entry>>,
) -> Result<R> {
    if let Some(block) = handle::block_quickly(queue)
        && let Some(taken) = block.get_quickly(&ThisTree, &mut take)?
    {
        return Ok(taken);
    }
    let found = handle::find(queue)?;
    found.block().get(&found.tree(), Deadline::after(timeout), || found.check(), &mut take, parcel)
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
/// MP_ERR_CLOSED: the queue was shut down and has no more messages, or this handle was closed,
///     before or meanwhile.
/// MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the oldest, and its
///     length is in len.
/// MP_ERR_INVALID: the message is "none", and the pointer none is NULL. It stays the oldest.
/// MP_ERR_UNSUPPORTED: the message carries handles, and stays the oldest: mp_queue_get_buffer
///     gets it.
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
        let take = |message: Option<Data>| {
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
        };
        let got = get_message(queue, timeout, take, None);
        handle::took(queue);
        got?;
        Ok(Status::Ok)
    })
}

/// Takes the oldest message out of the queue, as mp_queue_get does, into a new buffer, with the
/// handles that it carries: see mp_buffer_handle.
///
/// buffer: where the buffer goes, which is the caller's to free; NULL goes there for the
///     message "none".
/// timeout: nanoseconds.
///
/// MP_ERR_EMPTY, MP_ERR_CLOSED: as mp_queue_get.
/// MP_ERR_NO_MEMORY: there is no memory for the buffer, or no room to write down that this process
///     has its handles. The message stays the oldest.
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
        let mut made = None;
        let take = |message: Option<Data>| {
            let Some(data) = message else { return Ok(()) };
            let mut bytes = buffer::reserve(data.len())?;
            data.append_to(0, data.len(), &mut bytes);
            made = Some((handle::room()?, bytes));
            Ok(())
        };
        let mut parcel = None;
        let got = get_message(queue, timeout, take, Some(&mut parcel));
        handle::took(queue);
        got?;
        let made = made.map(|(room, bytes)| room.put(Buffer::holding(bytes, parcel)));
        place.write(made.unwrap_or(std::ptr::null_mut()));
        Ok(Status::Ok)
    })
}
