//! Contexts: a start method to hand on, or another executable, so that a library need not touch the
//! program's default.

use super::guard::{guard, guard_or, joined, out};
use super::handle;
use super::start;
use super::status::mp_status;
use super::strings;
use crate::error::{Result, Status, fail};
use crate::process::{self, Method};
use crate::sys::setup::Executable;
use core::ffi::{CStr, c_char, c_int};

/// A start method for the options of whatever starts processes, and what is run. Any object may go
/// to a child of any context.
pub struct mp_context {
    _private: [u8; 0],
}

/// What a context is: its method, None for the default one, and what runs, None for what
/// mp_set_executable says.
#[derive(Clone, Copy)]
pub(super) struct Chosen(Option<Method>, Option<&'static Executable>);

/// What the options say.
pub(super) struct Choice {
    pub(super) method: Option<Method>,
    /// A context has said it.
    pub(super) by_context: bool,
    pub(super) executable: Option<&'static Executable>,
}

/// Makes a context.
///
/// context: where the handle goes.
/// method: an mp_start_method; MP_START_DEFAULT for whatever the default is when a process is
///     started.
///
/// MP_ERR_INVALID: there is no such method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_context_new(context: *mut *mut mp_context, method: c_int) -> mp_status {
    guard("mp_context_new", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(context, "context") }?;
        let method = start::method(method)?;
        joined()?;
        place.write(handle::new_boxed(Chosen(method, None))?);
        Ok(Status::Ok)
    })
}

/// Makes a context whose processes and workers are spawned from another executable: for a program
/// whose own is not what they shall run, as one in another language. The executable's main must
/// begin with mp_bootstrap, and it finds its functions by name: see mp_get_target.
///
/// context: where the handle goes. Its start method is MP_START_SPAWN.
/// path: the executable; copied.
/// argv: its arguments, argv[0] first, ended by NULL; copied. libmp appends one of its own.
///     NULL for the path alone.
///
/// MP_ERR_INVALID: path is NULL.
///
/// Whether the executable can run, and is built with the same libmp, shows when it is started.
/// A child spawns this executable, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_context_new_executable(
    context: *mut *mut mp_context,
    path: *const c_char,
    argv: *const *const c_char,
) -> mp_status {
    guard("mp_context_new_executable", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(context, "context") }?;
        // SAFETY: C's promise: strings that are ended by zeros, in an array that is ended by NULL.
        let Some(executable) = (unsafe { strings::executable(path, argv) }) else {
            fail!(Invalid, "path is NULL")
        };
        joined()?;
        let executable = process::keep_executable(executable);
        place.write(handle::new_boxed(Chosen(Some(Method::Spawn), Some(executable)))?);
        Ok(Status::Ok)
    })
}

/// The context's start method.
///
/// method: where it goes; MP_START_DEFAULT for a context that follows the default.
///
/// MP_ERR_STATE: the context belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_context_start_method(
    context: *const mp_context,
    method: *mut c_int,
) -> mp_status {
    guard("mp_context_start_method", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(method, "method") }?;
        place.write(handle::object(context)?.0.map_or(0, |m| m as c_int));
        Ok(Status::Ok)
    })
}

/// Frees a context. What was made with it stays as it is. NULL is fine.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_context_free(context: *mut mp_context) -> mp_status {
    guard("mp_context_free", || handle::free_boxed(context))
}

/// What the options say: the context if there is one, else the method's number.
pub(super) fn chosen(context: *const mp_context, number: c_int) -> Result<Choice> {
    let method = start::method(number)?;
    if context.is_null() {
        return Ok(Choice { method, by_context: false, executable: None });
    }
    if method.is_some() {
        fail!(Invalid, "the options have a context and a start method");
    }
    let Chosen(method, executable) = *handle::object(context)?;
    Ok(Choice { method, by_context: method.is_some(), executable })
}

/// Every start method of this system, the library's default first.
///
/// methods: they go here, as many as fit; may be NULL where capacity is 0.
/// capacity: how many fit.
/// count: how many there are goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: there are more; none was written.
/// MP_ERR_INVALID: methods is NULL, and capacity is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_all_start_methods(
    methods: *mut c_int,
    capacity: usize,
    count: *mut usize,
) -> mp_status {
    guard("mp_get_all_start_methods", || {
        if methods.is_null() && capacity > 0 {
            fail!(Invalid, "methods is NULL, and capacity is {capacity}");
        }
        let all = Method::ALL;
        // SAFETY: C's promise: NULL or a place for the number.
        unsafe { super::guard::write_to(count, all.len()) };
        if capacity < all.len() {
            fail!(TooSmall, "there are {} start methods, and room for {capacity}", all.len());
        }
        for (at, method) in all.into_iter().enumerate() {
            // SAFETY: C's promise: room for `capacity` numbers.
            unsafe { methods.add(at).write(method as c_int) };
        }
        Ok(Status::Ok)
    })
}

/// A start method's name: "fork", "spawn" or "forkserver"; NULL with mp_last_error() for a number
/// that is none of theirs. The text is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_start_method_name(method: c_int) -> *const c_char {
    guard_or("mp_start_method_name", std::ptr::null(), || match start::method(method)? {
        Some(method) => Ok(method.name().as_ptr()),
        None => fail!(Invalid, "MP_START_DEFAULT names no method"),
    })
}

/// The start method of this name.
///
/// name: "fork", "spawn" or "forkserver". method: where the mp_start_method goes.
///
/// MP_ERR_INVALID: there is none of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_start_method_from_name(name: *const c_char, method: *mut c_int) -> mp_status {
    guard("mp_start_method_from_name", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(method, "method") }?;
        if name.is_null() {
            fail!(Invalid, "name is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        let name = unsafe { CStr::from_ptr(name) };
        match Method::ALL.into_iter().find(|m| m.name() == name) {
            Some(found) => place.write(found as c_int),
            None => fail!(Invalid, "there is no start method {name:?}"),
        };
        Ok(Status::Ok)
    })
}
