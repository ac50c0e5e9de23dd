//! Logging of many processes in one place: they put their records into a queue, and one of them, or a
//! thread of it, takes them out and does with them what is to be done.

use super::buffer;
use super::guard::guard;
use super::handle;
use super::log::mp_log_fn;
use super::queue::{mp_queue, put_message};
use super::slots;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Error, Result, Status, fail};
use crate::log::{self, Call, Record};
use crate::queue::Message;
use crate::shm::{self, Object, Ref};
use crate::time::Deadline;
use core::ffi::c_void;

/// Has every record of this process put into a queue, in the place of the one before, besides what
/// mp_log_to_stderr and mp_log_set_sink ask for. mp_log_listen takes them out. Logging never waits
/// for room: where the queue has none the record is lost.
///
/// queue: NULL for none. The handle may be freed: the log holds the queue by one of its own.
///
/// MP_ERR_BAD_HANDLE: queue is none.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
///
/// Threads: any. Children that are started later, workers of pools too, put theirs into the same
/// queue, by every start method; by spawn and by the fork server not where the queue has a name.
/// Kill: a record is in the queue, whole, or it is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_to_queue(queue: *mut mp_queue) -> mp_status {
    guard("mp_log_to_queue", || {
        replace(if queue.is_null() { None } else { Some(one_more(queue)?) });
        Ok(Status::Ok)
    })
}

/// Takes records out of a queue, which mp_log_to_queue has put there, and hands each to a sink,
/// until the message "none" comes or the queue is at its end. Run it in a thread or process of its
/// own; a process that logs into the same queue must not log from the sink, or there is no end.
///
/// queue: nothing else should be in it.
/// sink: called in this thread; NULL: the records go where this process's own go, to stderr and
///     its sink, whatever its level.
/// user: handed to sink.
/// timeout: nanoseconds to wait in all. What is there already is taken in any case.
///
/// MP_OK: "none" came, or the queue was shut down and is empty.
/// MP_ERR_CLOSED: this handle was closed, before or meanwhile.
/// MP_ERR_TIMEOUT: the time is over, and the queue empty.
/// MP_ERR_INVALID: a message was no record; it is gone, and the call may be made again.
/// MP_ERR_NO_MEMORY: there is no memory for a record, which stays the oldest.
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: each record goes to one of those who listen.
/// Kill: a record that a killed process had taken out and not yet handed on is lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_listen(
    queue: *mut mp_queue,
    sink: mp_log_fn,
    user: *mut c_void,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_log_listen", || {
        let deadline = Deadline::after(timeout);
        while let Some(bytes) = next(queue, deadline)? {
            let Some(record) = Record::decode(&bytes) else {
                fail!(Invalid, "a message of {} bytes in the queue is no record", bytes.len());
            };
            match sink {
                Some(sink) => super::log::call(sink as usize, user as usize, &record),
                None => log::hand_out(&record),
            }
        }
        Ok(Status::Ok)
    })
}

/// The next message; None: there are no more.
fn next(queue: *mut mp_queue, deadline: Deadline) -> Result<Option<Vec<u8>>> {
    let found = handle::find(queue)?;
    let mut take = |message: Option<shm::Data>| {
        message
            .map(|data| {
                let mut bytes = buffer::reserve(data.len())?;
                data.append_to(0, data.len(), &mut bytes);
                Ok(bytes)
            })
            .transpose()
    };
    // A message that carries handles is no record, and must not stay for ever.
    let mut parcel = None;
    let got = found.block().get(&found.tree(), deadline, || found.check(), &mut take, Some(&mut parcel));
    if let Some(parcel) = parcel {
        shm::release(parcel);
    }
    handle::took(queue);
    match got {
        Err(e) if e.status == Status::Closed => found.check().map(|()| None),
        Err(e) if e.status == Status::Empty => Err(Error::new(Status::Timeout, "no record came any more")),
        got => got,
    }
}

/// In a child that does not have its parent's memory: the queue that its parent had when it started it.
pub(super) fn inherit(bits: u64) {
    let r = Ref::from_bits(bits);
    // The parent may have let go of it meanwhile.
    if bits != 0
        && let Ok(entry) = shm::hold(r, shm::Kind::Queue)
        && let Ok(own) = handle::new_shared(Object { r, entry })
    {
        replace(Some((own, bits)));
    }
}

/// A handle of the log's own, and what a child by spawn finds the queue by; 0: it does not.
fn one_more(queue: *mut mp_queue) -> Result<(*mut mp_queue, u64)> {
    handle::find(queue)?;
    let known = slots::known(queue.addr() as u64)?;
    let entry = handle::hold_beside(known.entry, known.r, shm::Kind::Queue)?;
    let bits = if entry.is_named() { 0 } else { known.r.bits() };
    Ok((handle::new_shared(Object { r: known.r, entry })?, bits))
}

fn replace(queue: Option<(*mut mp_queue, u64)>) {
    let before = log::set_queue(queue.map(|(own, bits)| (bits as usize, own.addr(), put as Call)));
    if let Some(before) = before {
        // Freed by nobody else. A thread that is about to put a record there finds the handle gone, and loses it.
        let _ = handle::free_shared(std::ptr::without_provenance_mut::<mp_queue>(before.user));
    }
}

fn put(_: usize, handle: usize, record: &Record<'_>) {
    if let Some(bytes) = record.encode() {
        let _ = put_message(std::ptr::without_provenance_mut(handle), Message::Bytes(&bytes), 0);
    }
}
