//! Messages that carry handles: a request with the queue for its answer, work with the array that
//! it is about. Who gets the message has handles of its own to the same objects.

use super::buffer::mp_buffer;
use super::cargo::{Cargo, Way};
use super::guard::{self, guard, guard_or};
use super::handle;
use super::kind::Kind;
use super::queue::mp_queue;
use super::slots;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Status, fail};
use crate::shm;
use crate::time::Deadline;
use core::ffi::c_void;

/// Puts a message as mp_queue_put does, which carries handles besides. The message holds what they
/// stand for until it was got or dropped; the caller may free its own at once. Only
/// mp_queue_get_buffer gets such a message.
///
/// It lies outside the ring, as long ones do: in a queue with a ring of fixed size there are at
/// most 16 such at a time, and one without has another ring for each 16.
///
/// data: may be NULL where len is 0. len: bytes.
/// handles: locks, rlocks, semaphores, events, barriers, conditions, values, arrays, shared
///     memory, lists, queues and priority queues, of this tree of processes; may be NULL where
///     count is 0. count: how many, at most 65,536.
/// timeout: nanoseconds.
///
/// MP_ERR_UNSUPPORTED: a handle stands on a descriptor, as those of connections, listeners and
///     objects with names do, or is for one process only; or the queue has a name. Through a pipe
///     connections and listeners go: see mp_connection_send_handles.
/// MP_ERR_BAD_HANDLE: one of them is NULL, or was freed.
/// MP_ERR_CLOSED: one of them was closed; or as mp_queue_put.
/// MP_ERR_INVALID: a handle is of the queue itself, handles is NULL, or count is more than 65,536;
///     or as mp_queue_put.
/// MP_ERR_FULL, MP_ERR_NO_MEMORY, MP_ERR_STATE: as mp_queue_put.
///
/// Threads: as mp_queue_put.
/// Kill: of a process killed in here the message and its handles are in the queue, or nothing is.
/// What a message holds is freed once, whoever dies with it. Queues that are in messages of each
/// other stay for as long as the tree of processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_put_handles(
    queue: *mut mp_queue,
    data: *const c_void,
    len: usize,
    handles: *const *const c_void,
    count: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_queue_put_handles", || {
        let found = handle::find(queue)?;
        if found.entry().is_named() {
            fail!(Unsupported, "a queue with a name carries no handles: who opens it may be of another tree");
        }
        // SAFETY: C's promise for its arguments, as the header gives it.
        let bytes = unsafe { guard::bytes(data, len) }?;
        // SAFETY: as above.
        let cargo = unsafe { Cargo::of(handles, count, Way::Queue) }?;
        let itself = (&raw const *found.block()).addr();
        if cargo.addresses().any(|address| address == itself) {
            fail!(Invalid, "one of the handles is of the queue itself, which would hold itself for ever");
        }
        found.block().put_handles(
            &found.tree(),
            bytes,
            cargo.contents(),
            Deadline::after(timeout),
            || found.check(),
        )?;
        Ok(Status::Ok)
    })
}

/// How many handles came with a message; 0 with mp_last_error() for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_handles(buffer: *const mp_buffer) -> usize {
    guard_or("mp_buffer_handles", 0, || Ok(handle::object(buffer)?.handles()))
}

/// A handle that came with a message: one of this process's own, another one at each call, for the
/// caller to free. It is of the noun that was put, which whoever uses it must know; NULL with
/// mp_last_error() where there is none, or no room for it. A buffer that is freed gives up what
/// nobody took out of it.
///
/// index: from 0, in the order in which they were put.
///
/// Threads: any number at a time, but mp_buffer_free.
/// Kill: what a killed process had is given up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_handle(buffer: *mut mp_buffer, index: usize) -> *mut c_void {
    guard_or("mp_buffer_handle", std::ptr::null_mut(), || {
        let buffer = handle::object(buffer)?;
        let parcel = buffer.parcel();
        if let Some(handle) = buffer.carried(index)? {
            return Ok(handle);
        }
        let Some(taken) = parcel.and_then(|parcel| parcel.take(index)) else {
            fail!(Invalid, "handle {index} is out of range: there are {}", buffer.handles());
        };
        let (object, block, what) = taken?;
        // What says so lies in shared memory; the block has the last word.
        let kind = Kind::from_bits(what).filter(|kind| kind.block() == Some(block)).or(Kind::of_block(block));
        let Some(kind) = kind else {
            shm::release(object.entry);
            fail!(State, "the message was overwritten by a stray pointer");
        };
        Ok(std::ptr::without_provenance_mut(slots::put_object(kind, object)? as usize))
    })
}
