//! The tree: the process itself, its parent, its children, and what runs at a process's end.

use super::guard::{guard, guard_or, joined};
use super::handle;
use super::process::{mp_process, new_handle};
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::process::own::{self, Hook};
use crate::process::{Process, end};
use crate::sys::local::Local;
use core::ffi::{c_int, c_void};
use std::sync::Arc;

/// What runs at a moment of a process's life. An exception must not leave it.
pub type mp_hook_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void)>;

/// The handles for the process itself and for its parent, 0 while there is none.
#[derive(Default)]
struct Relatives {
    own: usize,
    parent: usize,
}

static RELATIVES: Local<Relatives> = Local::new();

/// The one handle of its sort, made when it is first asked for.
fn relative(
    place: fn(&mut Relatives) -> &mut usize,
    make: impl FnOnce() -> Option<Process>,
) -> Result<*mut mp_process> {
    joined()?;
    let known = RELATIVES.with(|r| *place(r));
    if known != 0 {
        return Ok(std::ptr::without_provenance_mut(known));
    }
    let Some(process) = make() else { fail!(State, "a main process has no parent") };
    // The library holds one handle more than there is, so that the program cannot free the last.
    let fresh = new_handle(Arc::new(process))?;
    let first = RELATIVES.with(|r| {
        let place = place(r);
        if *place == 0 {
            *place = fresh.addr();
        }
        *place
    });
    if first != fresh.addr() {
        handle::free_boxed(fresh)?;
    }
    Ok(std::ptr::without_provenance_mut(first))
}

/// The calling process: the same handle at each call. It has a name, a number and a description,
/// is alive, and can neither be started nor joined. mp_process_free answers MP_ERR_STATE. NULL
/// with mp_last_error() where the process cannot use libmp.
///
/// Fork: a forked child has a handle of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_current_process() -> *mut mp_process {
    guard_or("mp_current_process", std::ptr::null_mut(), || relative(|r| &mut r.own, || Some(Process::own())))
}

/// The process that started the calling one, by libmp: the same handle at each call. It has a
/// name, a number and a description; mp_process_is_alive, mp_process_join and
/// mp_process_sentinel tell of its end; mp_process_free answers MP_ERR_STATE. NULL in a main
/// process, one that libmp has not started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_parent_process() -> *mut mp_process {
    guard_or("mp_parent_process", std::ptr::null_mut(), || relative(|r| &mut r.parent, Process::parent))
}

/// Whether the calling process is a main process: one that libmp has not started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_is_main_process() -> bool {
    guard_or("mp_is_main_process", true, || {
        joined()?;
        Ok(own::parent().is_none())
    })
}

/// The children that were started and have not ended. Those that have are reaped by this call;
/// their handles still tell their exit codes.
///
/// children: handles go here, as many as fit, in no order; to be freed like others, which may be
///     done while they run. NULL where capacity is 0.
/// capacity: how many fit.
/// count: how many children there are goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: there are more than fit; no handle was made.
/// MP_ERR_INVALID: children is NULL, and capacity is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_active_children(
    children: *mut *mut mp_process,
    capacity: usize,
    count: *mut usize,
) -> mp_status {
    guard("mp_active_children", || {
        if children.is_null() && capacity > 0 {
            fail!(Invalid, "children is NULL, and capacity is {capacity}");
        }
        joined()?;
        let alive: Vec<_> = own::children().into_iter().filter(|c| c.is_alive()).collect();
        // SAFETY: C's promise: NULL or a place for the number.
        unsafe { super::guard::write_to(count, alive.len()) };
        if alive.len() > capacity {
            fail!(TooSmall, "there are {} children, and room for {capacity}", alive.len());
        }
        let mut handles = Vec::with_capacity(alive.len());
        for child in alive {
            match new_handle(child) {
                Ok(handle) => handles.push(handle),
                Err(e) => {
                    for handle in handles {
                        give_back(handle);
                    }
                    return Err(e);
                }
            }
        }
        for (at, handle) in handles.into_iter().enumerate() {
            // SAFETY: C's promise: room for `capacity` handles.
            unsafe { children.add(at).write(handle) };
        }
        Ok(Status::Ok)
    })
}

fn give_back(handle: *mut mp_process) {
    if handle::object(handle).and_then(|p| p.drop_handle()).is_ok() {
        let _ = handle::free_boxed(handle);
    }
}

fn hook(function: mp_hook_fn, user: *mut c_void, priority: c_int) -> Result<Hook> {
    let Some(function) = function else { fail!(Invalid, "function is NULL") };
    joined()?;
    let user = user as usize;
    // SAFETY: called with what its type promises.
    Ok(Hook { priority, call: Arc::new(move || unsafe { function(user as *mut c_void) }) })
}

/// Has a function called at the normal end of this process: once, and only in this process. A
/// child that libmp started ends when its target returns or by mp_exit; another process when
/// main returns or by exit. Functions with a priority of 0 and more run first; then daemons are
/// terminated, and the other children joined; then the rest run. The highest priority runs first,
/// and of those the latest.
///
/// user: handed to function.
///
/// MP_ERR_INVALID: function is NULL.
///
/// Fork: a child does not have its parent's. Kill: a process that is killed, or calls _exit, runs
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_at_exit(function: mp_hook_fn, user: *mut c_void, priority: c_int) -> mp_status {
    guard("mp_at_exit", || {
        own::add_exit_hook(hook(function, user, priority)?);
        Ok(Status::Ok)
    })
}

/// Has a function called in every child that this process, or one of its children in turn, starts
/// by fork, before the target. In the order in which they were given.
///
/// user: handed to function.
///
/// MP_ERR_INVALID: function is NULL.
///
/// Fork: a child that the program forks itself does not run it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_after_fork(function: mp_hook_fn, user: *mut c_void) -> mp_status {
    guard("mp_after_fork", || {
        own::add_fork_hook(hook(function, user, 0)?);
        Ok(Status::Ok)
    })
}

/// Ends the process from wherever it is called. A child that libmp started flushes its streams,
/// runs what mp_at_exit was given, ends its daemons and joins its other children, as it does when
/// its target returns; nothing is unwound, and the parent's atexit functions do not run. Another
/// process calls exit.
///
/// code: the exit code, of which the system keeps the low 8 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_exit(code: c_int) {
    end::exit(code);
}

/// The key by which connections and managers of this program prove themselves: 32 random bytes,
/// unless mp_set_authkey was called. Children have their parent's.
///
/// key: where it goes. size: bytes of room.
/// len: how long it is goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it is longer than size; nothing was written to key.
/// MP_ERR_INVALID: key is NULL, and size is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_authkey(key: *mut c_void, size: usize, len: *mut usize) -> mp_status {
    guard("mp_get_authkey", || {
        joined()?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        let room = unsafe { super::guard::bytes_out(key, size) }?;
        let mine = own::authkey()?;
        // SAFETY: C's promise: NULL or a place for the number.
        unsafe { super::guard::write_to(len, mine.len()) };
        if room.len() < mine.len() {
            fail!(TooSmall, "the key has {} bytes, and there is room for {size}", mine.len());
        }
        room[..mine.len()].copy_from_slice(&mine);
        Ok(Status::Ok)
    })
}

/// Sets the key of this process and of the children that it will start.
///
/// key: copied. len: from 1 to 65,536 bytes.
///
/// MP_ERR_INVALID: it has no such length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_set_authkey(key: *const c_void, len: usize) -> mp_status {
    guard("mp_set_authkey", || {
        if len == 0 || len > 65_536 {
            fail!(Invalid, "a key has 1 to 65,536 bytes, and this one has {len}");
        }
        // SAFETY: C's promise for its arguments, as the header gives it.
        let key = unsafe { super::guard::bytes(key, len) }?.to_vec();
        joined()?;
        own::set_authkey(key);
        Ok(Status::Ok)
    })
}
