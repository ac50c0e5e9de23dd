//! In a worker: the item that the task's function is called for.

use super::guard::{self, guard, guard_or};
use super::handle;
use super::pool::{mp_task, mp_task_fn};
use super::status::mp_status;
use crate::error::{Error, Status};
use crate::pool::Running;
use crate::sys::page::page;
use core::ffi::{CStr, c_char, c_void};
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// What a task's handle leads to: the worker's only [`Running`], at rest between the items.
pub(super) struct Current(*const Running);

// SAFETY: the object lives until the worker's end, and takes care of its own threads.
unsafe impl Send for Current {}
// SAFETY: as above.
unsafe impl Sync for Current {}

impl Current {
    fn running(&self) -> &Running {
        // SAFETY: a handle of this kind is only made by `call`, in a worker, which lives as long as its loop.
        unsafe { &*self.0 }
    }
}

/// Calls a task's function on the current item.
pub(super) fn call(running: &Running, function: u64, user: u64) {
    thread_local! {
        static HANDLE: Cell<(u64, *mut mp_task)> = const { Cell::new((0, std::ptr::null_mut())) };
    }
    let (epoch, mut handle) = HANDLE.get();
    let now = page().epoch.load(Ordering::Relaxed);
    // One slot for all the worker's items, of which each has a handle of its own; a worker of a worker has another.
    handle = match epoch == now {
        true => handle::renew(handle),
        false => handle::new_boxed(Current(&raw const *running)).unwrap_or(std::ptr::null_mut()),
    };
    HANDLE.set((now, handle));
    // SAFETY: the owner passed a pointer to such a function, and it was found to be executable here.
    let function: mp_task_fn = unsafe { std::mem::transmute(function as usize) };
    if let Some(function) = function {
        // SAFETY: called with what its type promises.
        unsafe { function(handle, user as usize as *mut c_void) };
    }
}

/// The item's bytes, in shared memory; good until the function returns. NULL with
/// mp_last_error() for a bad handle and when the function has returned. In mp_pool_map they are
/// aligned to 16 bytes, in mp_pool_map_array as in an array of such items that is aligned to 16
/// bytes. The address of an empty item is not NULL and must not be followed.
///
/// len: the number of bytes goes here; may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_task_input(task: *const mp_task, len: *mut usize) -> *const c_void {
    guard_or("mp_task_input", std::ptr::null(), || {
        let input = handle::lasting(task)?.running().input()?;
        // SAFETY: C's promise: len is NULL or a place for the number.
        unsafe { guard::write_to(len, input.len()) };
        Ok(input.address().cast_const().cast())
    })
}

/// The item's place among the map's items, from 0; 0 with mp_last_error() for a bad handle and
/// when the function has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_task_index(task: *const mp_task) -> usize {
    guard_or("mp_task_index", 0, || Ok(handle::lasting(task)?.running().index()? as usize))
}

/// Whether the function shall return, because its time is over or nobody wants the result any more:
/// what it returns is lost then. false with mp_last_error() for a bad handle and when the function
/// has returned. For functions that take long to ask now and then; one that does not is ended with
/// its worker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_task_cancelled(task: *const mp_task) -> bool {
    guard_or("mp_task_cancelled", false, || handle::lasting(task)?.running().is_cancelled())
}

/// Gives the item's result, which is copied. The last call counts: where it fails in the thread
/// that runs the function, so does the item, as by mp_task_fail with the call's sentence.
///
/// data: may be NULL where len is 0. len: bytes; in mp_pool_map_array exactly out_size.
///
/// MP_ERR_INVALID: len is not the map's out_size, or data is NULL and len is not 0.
/// MP_ERR_NO_MEMORY: there is no memory for the copy.
/// MP_ERR_STATE: the function has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_task_return(task: *mut mp_task, data: *const c_void, len: usize) -> mp_status {
    guard("mp_task_return", || {
        let running = handle::lasting(task)?.running();
        // SAFETY: C's promise for its arguments, as the header gives it.
        running.give(unsafe { guard::bytes(data, len) })?;
        Ok(Status::Ok)
    })
}

/// Says that the item failed: the map answers MP_ERR_TASK_FAILED, with this sentence in its
/// mp_last_error(). The last call counts. The function still has to return.
///
/// message: ended by a zero; copied.
///
/// MP_ERR_INVALID: message is NULL.
/// MP_ERR_STATE: the function has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_task_fail(task: *mut mp_task, message: *const c_char) -> mp_status {
    guard("mp_task_fail", || {
        if message.is_null() {
            return Err(Error::new(Status::Invalid, "message is NULL"));
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
        handle::lasting(task)?.running().fail(message)
    })
}
