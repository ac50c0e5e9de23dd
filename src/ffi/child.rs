//! In the child: the arguments that the parent added, by their index.

use super::array::mp_array;
use super::barrier::mp_barrier;
use super::condition::mp_condition;
use super::connection::mp_connection;
use super::event::mp_event;
use super::guard::{self, guard, guard_or};
use super::handle::{self, Boxed, Shared};
use super::kind::Kind;
use super::listener::mp_listener;
use super::lock::mp_lock;
use super::manager::mp_proxy;
use super::priority_queue::mp_priority_queue;
use super::process::mp_child;
use super::queue::mp_queue;
use super::rlock::mp_rlock;
use super::semaphore::mp_semaphore;
use super::shareable_list::mp_shareable_list;
use super::shared_memory::mp_shared_memory;
use super::slots;
use super::status::mp_status;
use super::value::mp_value;
use crate::error::{Result, Status, fail};
use crate::manager::Proxy;
use crate::process::{Arg, Child};
use crate::wire::{Carried, Unpacked};
use core::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// The arguments, and the handles that were made for them.
pub(super) struct Context {
    child: Child,
    handles: Mutex<Vec<u64>>,
}

impl Context {
    pub(super) fn new(child: Child) -> Self {
        let handles = Mutex::new(vec![0; child.args.len()]);
        Context { child, handles }
    }

    pub(super) fn child(&self) -> &Child {
        &self.child
    }

    fn arg(&self, index: usize) -> Result<&Arg> {
        match self.child.args.get(index) {
            Some(arg) => Ok(arg),
            None => fail!(Invalid, "argument {index} is out of range: there are {}", self.child.args.len()),
        }
    }

    /// After a run in the parent itself: what was made for it goes.
    pub(super) fn end(&self) {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        for (arg, &handle) in self.child.args.iter().zip(handles.iter()) {
            match arg {
                Arg::Carried(_) | Arg::Voucher(_) if handle != 0 => drop(slots::free_any(handle)),
                // Nobody asked for it.
                Arg::Carried(place) => drop(place.lock().unwrap_or_else(PoisonError::into_inner).take()),
                Arg::Object(kind, Some(_)) if handle != 0 => {
                    // The function may have freed it itself.
                    let _ = Kind::of_block(*kind).map(|kind| slots::free(handle, kind));
                }
                Arg::Object(_, Some(object)) => crate::shm::release(object.entry),
                _ => {}
            }
        }
    }

    /// The child's handle for an object, the same each time.
    fn object(&self, index: usize, kind: Kind) -> Result<u64> {
        let object = match self.arg(index)? {
            Arg::Object(found, Some(object)) if kind.block() == Some(*found) => object,
            Arg::Object(found, _) => {
                fail!(Invalid, "argument {index} is not {}: it is of kind {found:?}", kind.name())
            }
            Arg::Bytes(_) => fail!(Invalid, "argument {index} is not {}: it is bytes", kind.name()),
            Arg::Carried(_) | Arg::Voucher(_) => {
                fail!(Invalid, "argument {index} is not {}", kind.name())
            }
        };
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles[index] == 0 {
            handles[index] = slots::put_object(kind, *object)?;
        }
        Ok(handles[index])
    }
}

/// The child's handle for what stands on a descriptor, the same each time.
fn carried<T: Boxed>(
    call: &'static str,
    child: *mut mp_child,
    index: usize,
    unpack: fn(Carried) -> Unpacked<T::Object>,
) -> *mut T {
    guard_or(call, std::ptr::null_mut(), || {
        let context = handle::object(child)?;
        let Arg::Carried(place) = context.arg(index)? else {
            fail!(Invalid, "argument {index} is not {}", T::KIND.name());
        };
        let mut handles = context.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_some() {
            // What there is no room for stays for the next call.
            let room = handle::room::<T>()?;
            match place.take().map(unpack) {
                Some(Ok(object)) => handles[index] = room.put(object).addr() as u64,
                Some(Err(failed)) => {
                    let (what, why) = *failed;
                    *place = Some(what);
                    return Err(why.with_text(format!("argument {index} is not {}", T::KIND.name())));
                }
                None => {}
            }
        }
        let known = std::ptr::without_provenance_mut(handles[index] as usize);
        if !handle::is_of::<T>(known) {
            fail!(Invalid, "argument {index} is not {}", T::KIND.name());
        }
        Ok(known)
    })
}

fn object<T: Shared>(call: &'static str, child: *mut mp_child, index: usize) -> *mut T {
    guard_or(call, std::ptr::null_mut(), || {
        let handle = handle::object(child)?.object(index, T::KIND)?;
        Ok(std::ptr::without_provenance_mut(handle as usize))
    })
}

/// How many arguments there are; 0 with mp_last_error() for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_count(child: *const mp_child) -> usize {
    guard_or("mp_child_count", 0, || Ok(handle::object(child)?.child.args.len()))
}

/// An argument's bytes, good while the child lives; NULL with mp_last_error() where there is no
/// such argument or it is a handle. The address of empty bytes is not NULL and must not be
/// followed. They are aligned for any type.
///
/// index: from 0.
/// len: the number of bytes goes here; may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_bytes(
    child: *mut mp_child,
    index: usize,
    len: *mut usize,
) -> *const c_void {
    guard_or("mp_child_bytes", std::ptr::null(), || {
        let context = handle::object(child)?;
        let bytes = match context.arg(index)? {
            Arg::Bytes(bytes) => bytes,
            Arg::Object(..) | Arg::Carried(_) | Arg::Voucher(_) => {
                fail!(Invalid, "argument {index} is a handle, not bytes")
            }
        };
        // SAFETY: C's promise: len is NULL or a place for the number.
        unsafe { super::guard::write_to(len, bytes.len()) };
        Ok(bytes.as_ptr().cast())
    })
}

/// Leaves bytes for the parent, which has them from mp_process_result. Those of an earlier call
/// are given up.
///
/// data: may be NULL where len is 0; copied. len: bytes.
///
/// MP_ERR_NO_MEMORY: the shared segment has no room for them; those of an earlier call stay.
///
/// Kill: what was left before the child was killed is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_return(child: *mut mp_child, data: *const c_void, len: usize) -> mp_status {
    guard("mp_child_return", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        handle::object(child)?.child.leave(unsafe { guard::bytes(data, len) }?)?;
        Ok(Status::Ok)
    })
}

/// An argument that is a lock: this process's own handle, the same at each call, which need not
/// be freed. NULL with mp_last_error() where there is no such argument or it is something else.
///
/// index: from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_lock(child: *mut mp_child, index: usize) -> *mut mp_lock {
    object("mp_child_lock", child, index)
}

/// An argument that is an RLock, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_rlock(child: *mut mp_child, index: usize) -> *mut mp_rlock {
    object("mp_child_rlock", child, index)
}

/// An argument that is a semaphore, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_semaphore(child: *mut mp_child, index: usize) -> *mut mp_semaphore {
    object("mp_child_semaphore", child, index)
}

/// An argument that is a value, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_value(child: *mut mp_child, index: usize) -> *mut mp_value {
    object("mp_child_value", child, index)
}

/// An argument that is an array, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_array(child: *mut mp_child, index: usize) -> *mut mp_array {
    object("mp_child_array", child, index)
}

/// An argument that is shared memory, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_shared_memory(child: *mut mp_child, index: usize) -> *mut mp_shared_memory {
    object("mp_child_shared_memory", child, index)
}

/// An argument that is a shareable list, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_shareable_list(
    child: *mut mp_child,
    index: usize,
) -> *mut mp_shareable_list {
    object("mp_child_shareable_list", child, index)
}

/// An argument that is a queue, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_queue(child: *mut mp_child, index: usize) -> *mut mp_queue {
    object("mp_child_queue", child, index)
}

/// An argument that is a priority queue, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_priority_queue(
    child: *mut mp_child,
    index: usize,
) -> *mut mp_priority_queue {
    object("mp_child_priority_queue", child, index)
}

/// An argument that is a connection, as mp_child_lock. To free or close it is to close the
/// child's end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_connection(child: *mut mp_child, index: usize) -> *mut mp_connection {
    carried("mp_child_connection", child, index, Carried::into_connection)
}

/// An argument that is a listener, as mp_child_lock. It is the same as the parent's: each client
/// goes to one of those who accept. The socket's file stays the parent's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_listener(child: *mut mp_child, index: usize) -> *mut mp_listener {
    carried("mp_child_listener", child, index, Carried::into_listener)
}

/// An argument that is a proxy, as mp_child_lock. The first call for it asks the manager's server.
/// NULL also where that cannot be reached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_proxy(child: *mut mp_child, index: usize) -> *mut mp_proxy {
    guard_or("mp_child_proxy", std::ptr::null_mut(), || {
        let context = handle::object(child)?;
        let Arg::Voucher(voucher) = context.arg(index)? else {
            fail!(Invalid, "argument {index} is not {}", Kind::Proxy.name());
        };
        let mut handles = context.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles[index] == 0 {
            handles[index] = handle::new_boxed::<mp_proxy>(Proxy::import(voucher)?)?.addr() as u64;
        }
        Ok(std::ptr::without_provenance_mut(handles[index] as usize))
    })
}

/// An argument that is an event, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_event(child: *mut mp_child, index: usize) -> *mut mp_event {
    object("mp_child_event", child, index)
}

/// An argument that is a barrier, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_barrier(child: *mut mp_child, index: usize) -> *mut mp_barrier {
    object("mp_child_barrier", child, index)
}

/// An argument that is a condition, as mp_child_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_child_condition(child: *mut mp_child, index: usize) -> *mut mp_condition {
    object("mp_child_condition", child, index)
}
