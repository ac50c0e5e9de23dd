//! Start methods: how child processes and workers come into being.

use super::guard::{guard, guard_or, out};
use super::status::mp_status;
use super::strings;
use crate::error::{Result, Status, fail};
use crate::process::{self, Method};
use core::ffi::{CStr, c_char, c_int};

/// How a child comes into being.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_start_method {
    /// Whatever mp_set_start_method has set, fork if nothing.
    MP_START_DEFAULT = 0,
    /// As a copy of its parent, memory and descriptors included. In a process with several
    /// threads the copy may lack what the other threads were doing.
    MP_START_FORK = 1,
    /// As a fresh run of the program's executable, which inherits nothing but its arguments,
    /// stdin if asked for, stdout and stderr. It costs about a millisecond, whatever the
    /// parent's size.
    MP_START_SPAWN = 2,
    /// As a copy of a server, which is a fresh run of the program that has one thread and is
    /// started with the first such child. The child has its parent's environment, directory,
    /// limits, stdout and stderr, as by fork; its memory is the server's. It costs about as much
    /// as a fork of a small program, whatever the parent's size. The server is not the program's
    /// own child, so that its wait, waitpid and SIGCHLD handler learn nothing of it; it takes no
    /// part in the terminal's Ctrl-C, and ends with the last process that can reach it; one that
    /// dies is replaced, and its children run on.
    MP_START_FORKSERVER = 3,
}

/// A function of any type, to be cast to its own before it is called.
pub type mp_function = Option<unsafe extern "C-unwind" fn()>;

/// A method by its number in the API; None for the default one.
pub(super) fn method(number: c_int) -> Result<Option<Method>> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(Method::Fork)),
        2 => Ok(Some(Method::Spawn)),
        3 => Ok(Some(Method::Forkserver)),
        _ => fail!(Invalid, "{number} is no mp_start_method"),
    }
}

/// Sets the start method of those that name none: once, near the beginning of main. A child has
/// its parent's.
///
/// method: an mp_start_method; with force also MP_START_DEFAULT, as if none had been set.
/// force: set it also where it was set before.
///
/// MP_ERR_STATE: it has been set already.
/// MP_ERR_INVALID: there is no such method, or it is MP_START_DEFAULT without force.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_set_start_method(method: c_int, force: bool) -> mp_status {
    guard("mp_set_start_method", || {
        let method = self::method(method)?;
        if method.is_none() && !force {
            fail!(Invalid, "MP_START_DEFAULT names no method");
        }
        Method::set_default(method, force)?;
        Ok(Status::Ok)
    })
}

/// The start method of those that name none: MP_START_FORK, if none was set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_start_method() -> c_int {
    guard_or("mp_get_start_method", 1, || Ok(Method::default_one() as c_int))
}

/// Has the fork server run a function before it makes its first child, so that what the function
/// prepares is there in all of them. Before the first child is started by the fork server, which
/// finds the function as a spawned child finds its target; one that it does not find is left out.
///
/// function: a function without arguments.
///
/// MP_ERR_INVALID: function is NULL.
/// MP_ERR_STATE: the fork server was started already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_forkserver_preload(function: mp_function) -> mp_status {
    guard("mp_forkserver_preload", || {
        let Some(function) = function else { fail!(Invalid, "function is NULL") };
        super::guard::joined()?;
        process::preload(function as usize)?;
        Ok(Status::Ok)
    })
}

/// Starts the fork server now, which is otherwise done with the first child that needs it. Nothing
/// is done if there is one.
///
/// MP_ERR_NOT_INITIALIZED: main does not begin with mp_bootstrap.
/// MP_ERR_OS: no process or descriptor is to be had, or the executable cannot run.
/// MP_ERR_NO_MEMORY: the segment has no room for a process more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_forkserver_start() -> mp_status {
    guard("mp_forkserver_start", || {
        super::guard::joined()?;
        process::run_server()?;
        Ok(Status::Ok)
    })
}

/// Gives up the fork server, which ends when nobody else uses it: neither a child that it made and
/// that still runs, nor the process that first used it. The next child that needs one has a new
/// one started. A process does this by itself at its normal end.
///
/// If this process has started the server, and nobody else uses it, the call waits for its end;
/// for at most a second, should a preloaded function or a stop signal keep the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_forkserver_stop() -> mp_status {
    guard("mp_forkserver_stop", || {
        super::guard::joined()?;
        process::stop_server();
        Ok(Status::Ok)
    })
}

/// Names a function, so that spawned children find it by this name. Without a name it is found
/// by its module and its place there, which needs the same build of the same module; a name
/// also works where the child runs another executable. Call it before mp_bootstrap, since a
/// child registers its functions by the same call and does not return from there.
///
/// name: 1 to 255 bytes, ended by a zero; copied.
/// function: an mp_process_fn or mp_task_fn, cast.
///
/// MP_ERR_INVALID: name or function is NULL, or name has no such length.
/// MP_ERR_STATE: the name is another function's already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_register_target(name: *const c_char, function: mp_function) -> mp_status {
    guard("mp_register_target", || {
        let Some(function) = function else { fail!(Invalid, "function is NULL") };
        if name.is_null() {
            fail!(Invalid, "name is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        process::register(name, function as usize)?;
        Ok(Status::Ok)
    })
}

/// The function that has this name: the program's own where it has registered one, else what stands
/// for the function that another executable registers by this name. That can only be given to a
/// process or to a pool which is spawned, see mp_context_new_executable. Do not call it.
///
/// name: 1 to 255 bytes, ended by a zero; copied.
/// function: where it goes; to be cast to an mp_process_fn or mp_task_fn.
///
/// MP_ERR_INVALID: name or function is NULL, or name has no such length.
/// MP_ERR_NO_MEMORY: 1,024 names of other executables' functions are in use.
///
/// What stands for a function does so until the program ends: mp_register_target answers
/// MP_ERR_STATE for its name, and a process or a pool that is not spawned MP_ERR_UNKNOWN_TARGET.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_target(name: *const c_char, function: *mut mp_function) -> mp_status {
    guard("mp_get_target", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(function, "function") }?;
        if name.is_null() {
            fail!(Invalid, "name is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        let address = process::named(unsafe { CStr::from_ptr(name) }.to_bytes())?;
        // SAFETY: a function's address, or that of one of libmp's bytes, which nobody calls; neither is null.
        place.write(unsafe { std::mem::transmute::<usize, mp_function>(address) });
        Ok(Status::Ok)
    })
}

/// Sets what spawn runs instead of the program's own executable: for libraries in a host
/// program whose main is not theirs; for some of its children alone see
/// mp_context_new_executable. The program's main must begin with mp_bootstrap, and
/// functions must be registered by name in both, or lie in a shared library.
///
/// path: the executable; copied. NULL for the program's own again.
/// argv: its arguments, argv[0] first, ended by NULL; copied. libmp appends one of its own.
///     NULL for the path alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_set_executable(path: *const c_char, argv: *const *const c_char) -> mp_status {
    guard("mp_set_executable", || {
        // SAFETY: C's promise: strings that are ended by zeros, in an array that is ended by NULL.
        process::set_executable(unsafe { strings::executable(path, argv) });
        Ok(Status::Ok)
    })
}

/// What spawn runs: the path that mp_set_executable was given last, or the name under which the
/// system knows a program's own executable.
///
/// path: where it goes, ended by a zero; may be NULL where size is 0. size: bytes.
/// needed: the bytes that it takes, the zero included, go here also where they do not fit; may be
///     NULL.
///
/// MP_ERR_TOO_SMALL: size is less than that; nothing was written to path.
/// MP_ERR_INVALID: path is NULL, and size is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_executable(path: *mut c_char, size: usize, needed: *mut usize) -> mp_status {
    guard("mp_get_executable", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { super::text::write(path, size, needed, process::executable().to_bytes()) }?;
        Ok(Status::Ok)
    })
}

/// Runs a hook that is preloaded, or a manager's initializer.
pub(super) fn hook(address: usize) {
    // SAFETY: the address is that of the function that the caller of mp_forkserver_preload, or the manager's
    // options, gave, in this process.
    let hook: mp_function = unsafe { std::mem::transmute(address) };
    if let Some(hook) = hook {
        // SAFETY: called as its type is in the header.
        let hook: unsafe extern "C-unwind" fn() = hook;
        // SAFETY: as above.
        unsafe { hook() };
    }
}

/// The last of main's arguments.
///
/// # Safety `argv` is NULL or main's.
unsafe fn last_argument(argc: c_int, argv: *mut *mut c_char) -> Option<String> {
    if argv.is_null() || argc < 2 {
        return None;
    }
    // SAFETY: the caller's promise: argc strings.
    let last = unsafe { *argv.add(argc as usize - 1) };
    // SAFETY: as above.
    (!last.is_null()).then(|| unsafe { CStr::from_ptr(last) }.to_string_lossy().into_owned())
}

/// Where this process is a spawned child: runs what it was started for, and does not return.
///
/// # Safety `argv` is NULL or main's.
pub(super) unsafe fn run_if_child(argc: c_int, argv: *mut *mut c_char) {
    // SAFETY: the caller's promise.
    let last = unsafe { last_argument(argc, argv) };
    let Some(newborn) = last.as_deref().and_then(process::newborn) else { return };
    execute(newborn);
}

/// Runs what a child was started for, and ends it; the fork server returns its exit code.
fn execute(newborn: process::Newborn) -> i32 {
    // Only a hint: one that this image does not have stays away. So does a queue that is gone.
    if let Some(sink) = newborn.sink.and_then(|sink| sink.address().ok()) {
        super::log::set_sink(Some(sink), 0);
    }
    super::log_queue::inherit(newborn.log_queue);
    match newborn.job {
        process::Job::Process { target, args } => {
            let address = target.map(|t| t.address()).transpose().unwrap_or_else(|e| process::refuse(&e));
            let child = process::Child::received(args);
            newborn.life.run(|| super::process::run_target(address, 0, child))
        }
        process::Job::Worker { pool, number, owner } => {
            newborn.life.run(|| crate::pool::serve(pool, number, owner, super::task::call))
        }
        process::Job::Server { requests, preload } => {
            let calls = process::Calls::new(hook, execute);
            newborn.life.run(|| process::serve(requests, &preload, &calls))
        }
    }
}
