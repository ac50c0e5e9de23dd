//! Processes. A process object belongs to the process that made it; the child gets a context of
//! its own.

use super::child::Context;
use super::guard::{self, guard, joined, options, out};
use super::handle;
use super::status::mp_status;
use super::time::mp_timeout;
use super::{slots, start};
use crate::error::{Status, fail};
use crate::process::{Body, Child, EXIT_UNKNOWN, Plan, Process};
use crate::time::Deadline;
use core::ffi::{c_int, c_void};
use std::sync::Arc;

/// A child process, before, while and after it runs.
pub struct mp_process {
    _private: [u8; 0],
}

/// What a child's function is given: the way to its arguments. Good while the child lives.
pub struct mp_child {
    _private: [u8; 0],
}

/// What a child runs. Its result is the exit code, of which the system keeps the low 8 bits. An
/// exception must not leave it.
pub type mp_process_fn =
    Option<unsafe extern "C-unwind" fn(child: *mut mp_child, user: *mut c_void) -> c_int>;

/// How a process shall be.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_process_options {
    /// sizeof(mp_process_options).
    pub size: usize,
    /// The child reads the parent's stdin; otherwise its stdin is /dev/null.
    pub keep_stdin: bool,
    /// An mp_start_method; 0 for the default one at the start.
    pub start_method: c_int,
}

// mp.h:
// /* The defaults: mp_process_options o = MP_PROCESS_OPTIONS; */
// #define MP_PROCESS_OPTIONS { sizeof(mp_process_options), false, MP_START_DEFAULT }
// /* The exit code of a child that somebody else reaped and that could not leave its own. */
// #define MP_EXITCODE_UNKNOWN INT32_MIN

const DEFAULTS: mp_process_options =
    mp_process_options { size: size_of::<mp_process_options>(), keep_stdin: false, start_method: 0 };

/// MP_PROCESS_OPTIONS as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_options_init(options: *mut mp_process_options) -> mp_status {
    guard("mp_process_options_init", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { out(options, "options") }?.write(DEFAULTS);
        Ok(Status::Ok)
    })
}

/// MP_EXITCODE_UNKNOWN as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_exitcode_unknown() -> c_int {
    EXIT_UNKNOWN
}

/// Makes a process that is not started yet.
///
/// process: where the handle goes.
/// target: what the child runs; NULL for a child that does nothing and exits with 0.
/// user: handed to target. The child has a copy of the parent's memory, as it was at the start.
/// options: NULL for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_new(
    process: *mut *mut mp_process,
    target: mp_process_fn,
    user: *mut c_void,
    options: *const mp_process_options,
) -> mp_status {
    guard("mp_process_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(process, "process")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let address = target.map(|t| t as usize);
        let user_number = user as usize;
        let body: Body = Arc::new(move |child| run_target(address, user_number, child));
        let plan = Plan {
            body,
            address,
            has_user: !user.is_null(),
            keep_stdin: options.keep_stdin,
            method: start::method(options.start_method)?,
        };
        place.write(handle::new_boxed(Process::new(plan))?);
        Ok(Status::Ok)
    })
}

/// In the child: calls the target with its context.
pub(super) fn run_target(address: Option<usize>, user: usize, child: Child) -> c_int {
    // SAFETY: the address is that of the target that the caller of mp_process_new gave, in this process.
    let target: mp_process_fn = unsafe { std::mem::transmute(address.unwrap_or(0)) };
    let Some(target) = target else { return 0 };
    match handle::new_boxed::<mp_child>(Context::new(child)) {
        // SAFETY: called with what its type promises.
        Ok(context) => unsafe { target(context, user as *mut c_void) },
        Err(_) => 255,
    }
}

/// Adds bytes to the child's arguments, which count from 0. They are copied now.
///
/// data: may be NULL where len is 0. len: bytes.
///
/// MP_ERR_INVALID: the process has 65,536 arguments already, or they would be more than a GiB
///     in all.
/// MP_ERR_NO_MEMORY: there is no memory for the copy.
/// MP_ERR_STATE: the process was started, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_add_bytes(
    process: *mut mp_process,
    data: *const c_void,
    len: usize,
) -> mp_status {
    guard("mp_process_add_bytes", || {
        let process = handle::object(process)?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        process.add_bytes(unsafe { guard::bytes(data, len) }?)?;
        Ok(Status::Ok)
    })
}

/// Adds a handle to the child's arguments: anything that there is an mp_child_<noun> for. The
/// child holds the object itself; the caller may free its handle at once.
///
/// MP_ERR_UNSUPPORTED: a handle of this type cannot be handed to another process.
/// MP_ERR_INVALID: the process has 65,536 arguments already.
/// MP_ERR_NO_MEMORY: there is no room to write down who holds it.
/// MP_ERR_STATE: the process was started, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_add_handle(process: *mut mp_process, handle: *const c_void) -> mp_status {
    guard("mp_process_add_handle", || {
        let process = handle::object(process)?;
        let known = slots::known(handle.addr() as u64)?;
        process.add_object(known.kind, known.r, known.entry)?;
        Ok(Status::Ok)
    })
}

/// Starts the child, by the start method of its options. stdout and stderr are flushed before,
/// and in a program with one thread every stream, so that nothing in their buffers is written
/// twice. The child runs the target and leaves without the parent's atexit handlers. By spawn
/// the call returns when the child has found its target.
///
/// MP_ERR_STATE: it was started before, or belongs to another process.
/// MP_ERR_OS: no process or descriptor is to be had, or the executable cannot run; nothing was
///     started, and it may be tried again.
/// MP_ERR_NO_MEMORY: the segment has no room for a process more, or for its arguments. By spawn
///     also:
/// MP_ERR_NOT_INITIALIZED: main does not begin with mp_bootstrap, or the child ended before it
///     did.
/// MP_ERR_UNKNOWN_TARGET: the target lies in no module, or the child does not have it.
/// MP_ERR_UNSUPPORTED: user is not NULL, or the child runs another build of libmp.
///
/// Threads: as with any fork, a forked child has only the calling thread, and must not need a
/// lock that another one held.
/// Kill: a child that is killed gives back what it held; so does the parent, and the child runs
/// on, unless it was not up yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_start(process: *mut mp_process) -> mp_status {
    guard("mp_process_start", || {
        handle::object(process)?.start()?;
        Ok(Status::Ok)
    })
}

/// Waits until the child has ended, however it did. May be called again.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: it still runs.
/// MP_ERR_STATE: it was not started, or belongs to another process; so nobody joins itself.
///
/// Threads: any number may join.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_join(process: *mut mp_process, timeout: mp_timeout) -> mp_status {
    guard("mp_process_join", || {
        handle::object(process)?.join(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// How the child ended: its exit code, or -N where signal N killed it. MP_EXITCODE_UNKNOWN
/// where the host program reaped it and it could not leave its code behind.
///
/// code: where it goes.
///
/// MP_ERR_STATE: it was not started, still runs, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_exitcode(process: *const mp_process, code: *mut c_int) -> mp_status {
    guard("mp_process_exitcode", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(code, "code") }?;
        match handle::object(process)?.exit_code() {
            Some(code) => place.write(code),
            None => fail!(State, "the process has not ended"),
        };
        Ok(Status::Ok)
    })
}

/// The child's process id, also after its end.
///
/// pid: where it goes.
///
/// MP_ERR_STATE: it was not started, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_pid(process: *const mp_process, pid: *mut c_int) -> mp_status {
    guard("mp_process_pid", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(pid, "pid") }?;
        match handle::object(process)?.pid() {
            Some(pid) => place.write(pid as c_int),
            None => fail!(State, "the process was not started"),
        };
        Ok(Status::Ok)
    })
}

/// Whether the child runs: from the moment mp_process_start returns until it ends.
///
/// alive: where the answer goes.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_is_alive(process: *const mp_process, alive: *mut bool) -> mp_status {
    guard("mp_process_is_alive", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(alive, "alive") }?;
        place.write(handle::object(process)?.is_alive());
        Ok(Status::Ok)
    })
}

/// Frees the handle of a process that was not started or has ended. NULL is fine.
///
/// MP_ERR_STATE: it still runs: join it first; or it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_free(process: *mut mp_process) -> mp_status {
    guard("mp_process_free", || {
        if !process.is_null() && handle::object(process)?.is_alive() {
            fail!(State, "the process still runs: join it first");
        }
        handle::free_boxed(process)
    })
}
