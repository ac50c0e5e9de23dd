//! Start methods: how child processes and workers come into being.

use super::guard::{guard, guard_or};
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::process::{self, Method};
use core::ffi::{CStr, c_char, c_int};
use std::ffi::CString;

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
}

/// A function of any type, to be cast to its own before it is called.
pub type mp_function = Option<unsafe extern "C-unwind" fn()>;

/// A method by its number in the API; None for the default one.
pub(super) fn method(number: c_int) -> Result<Option<Method>> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(Method::Fork)),
        2 => Ok(Some(Method::Spawn)),
        _ => fail!(Invalid, "{number} is no start method: MP_START_FORK and MP_START_SPAWN are"),
    }
}

/// Sets the start method of those that name none: once, near the beginning of main. A child has
/// its parent's.
///
/// method: MP_START_FORK or MP_START_SPAWN.
/// force: set it also where it was set before.
///
/// MP_ERR_STATE: it has been set already.
/// MP_ERR_INVALID: method is neither of the two.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_set_start_method(method: c_int, force: bool) -> mp_status {
    guard("mp_set_start_method", || {
        let Some(method) = self::method(method)? else {
            fail!(Invalid, "MP_START_DEFAULT names no method");
        };
        method.set_default(force)?;
        Ok(Status::Ok)
    })
}

/// The start method of those that name none: MP_START_FORK or MP_START_SPAWN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_start_method() -> c_int {
    guard_or("mp_get_start_method", 1, || Ok(if Method::default_one() == Method::Spawn { 2 } else { 1 }))
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

/// Sets what spawn runs instead of the program's own executable: for libraries in a host
/// program whose main is not theirs. The program's main must begin with mp_bootstrap, and
/// functions must be registered by name in both, or lie in a shared library.
///
/// path: the executable; copied. NULL for the program's own again.
/// argv: its arguments, argv[0] first, ended by NULL; copied. libmp appends one of its own.
///     NULL for the path alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_set_executable(path: *const c_char, argv: *const *const c_char) -> mp_status {
    guard("mp_set_executable", || {
        if path.is_null() {
            process::set_executable(None);
            return Ok(Status::Ok);
        }
        // SAFETY: C's promise: strings that are ended by zeros, in an array that is ended by NULL.
        let (path, argv) = unsafe { (CStr::from_ptr(path).to_owned(), strings(argv)) };
        let argv = if argv.is_empty() { vec![path.clone()] } else { argv };
        process::set_executable(Some((path, argv)));
        Ok(Status::Ok)
    })
}

/// Copies an array of strings.
///
/// # Safety `from` is NULL or points to pointers to strings, the last pointer being NULL.
unsafe fn strings(from: *const *const c_char) -> Vec<CString> {
    let mut copies = Vec::new();
    if from.is_null() {
        return copies;
    }
    loop {
        // SAFETY: the caller's promise: no NULL was met so far, so there is one more pointer.
        let next = unsafe { *from.add(copies.len()) };
        if next.is_null() {
            return copies;
        }
        // SAFETY: as above: a string.
        copies.push(unsafe { CStr::from_ptr(next) }.to_owned());
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
    match newborn.job {
        process::Job::Process { target, args } => {
            let address = target.map(|t| t.address()).transpose().unwrap_or_else(|e| process::refuse(&e));
            let child = process::Child::received(args);
            newborn.life.run(|| super::process::run_target(address, 0, child))
        }
        process::Job::Worker { pool, number, owner } => {
            newborn.life.run(|| crate::pool::serve(pool, number, owner, super::task::call))
        }
    }
}
