//! Processes: names, signals, results. What can be asked of a process, and done to it.

use super::buffer::{self, mp_buffer};
use super::guard::{guard, guard_or, out};
use super::handle;
use super::process::{mp_process, new_handle};
use super::status::mp_status;
use super::{strings, text};
use crate::error::{Status, fail};
use crate::sys::signals;
use core::ffi::{c_char, c_int};
use std::sync::Arc;

/// What the process is called. NULL with mp_last_error() for a bad handle. The text is good as
/// long as the handle, also when the name is changed. Names need not be unique.
///
/// MP_ERR_STATE: the handle is a parent's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_name(process: *const mp_process) -> *const c_char {
    guard_or("mp_process_name", std::ptr::null(), || {
        Ok(handle::object(process)?.with_name(|name| name.as_ptr()))
    })
}

/// Changes the name, at any time. A child that was started already does not learn of it.
///
/// name: copied.
///
/// MP_ERR_INVALID: name is NULL.
/// MP_ERR_STATE: the process is the caller's parent, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_set_name(process: *mut mp_process, name: *const c_char) -> mp_status {
    guard("mp_process_set_name", || {
        // SAFETY: C's promise: NULL or a string.
        let Some(name) = (unsafe { strings::optional(name) }) else { fail!(Invalid, "name is NULL") };
        handle::object(process)?.set_name(name)?;
        Ok(Status::Ok)
    })
}

/// Whether the process is a daemon: see mp_daemon.
///
/// daemon: where the answer goes.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_daemon(process: *const mp_process, daemon: *mut bool) -> mp_status {
    guard("mp_process_daemon", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(daemon, "daemon") }?;
        place.write(handle::object(process)?.is_daemon());
        Ok(Status::Ok)
    })
}

/// Makes the process a daemon, or not, before its start.
///
/// MP_ERR_STATE: it was started, is no child of the caller's, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_set_daemon(process: *mut mp_process, daemon: bool) -> mp_status {
    guard("mp_process_set_daemon", || {
        handle::object(process)?.set_daemon(daemon)?;
        Ok(Status::Ok)
    })
}

/// A descriptor for poll, select and epoll that is readable from the process's end on. It is the
/// library's: do not read from it, and do not close it. It is good until mp_process_free.
///
/// fd: where the number goes.
///
/// MP_ERR_STATE: the process was not started, had ended before the first call, is the caller
///     itself, or belongs to another process; or the host program has closed the descriptor.
///
/// Fork: a forked child has no use for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_sentinel(process: *mut mp_process, fd: *mut c_int) -> mp_status {
    guard("mp_process_sentinel", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(fd, "fd") }?;
        place.write(handle::object(process)?.sentinel()?);
        Ok(Status::Ok)
    })
}

/// Sends the child SIGTERM, and does not wait. Its own children stay, but daemons die with it.
/// Locks that it holds go on to the next who wants them; what it has printed and not flushed is
/// lost. Nothing happens if it has ended.
///
/// MP_ERR_STATE: it was not started, is no child of the caller's, or belongs to another process.
/// MP_ERR_OS: the caller may not signal it, because it runs as another user now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_terminate(process: *mut mp_process) -> mp_status {
    send("mp_process_terminate", process, signals::SIGTERM)
}

/// Sends the child SIGKILL, which it can neither catch nor ignore. Otherwise as
/// mp_process_terminate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_kill(process: *mut mp_process) -> mp_status {
    send("mp_process_kill", process, signals::SIGKILL)
}

/// Sends the child SIGINT, as Ctrl-C does. Otherwise as mp_process_terminate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_interrupt(process: *mut mp_process) -> mp_status {
    send("mp_process_interrupt", process, signals::SIGINT)
}

/// Sends the child any signal. Otherwise as mp_process_terminate.
///
/// signal_number: from 1 to 64.
///
/// MP_ERR_INVALID: it is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_signal(process: *mut mp_process, signal_number: c_int) -> mp_status {
    send("mp_process_signal", process, signal_number)
}

fn send(call: &'static str, process: *mut mp_process, number: c_int) -> mp_status {
    guard(call, || {
        if !(1..=64).contains(&number) {
            fail!(Invalid, "{number} is no signal");
        }
        handle::object(process)?.signal(number)?;
        Ok(Status::Ok)
    })
}

/// What the child has left by mp_child_return, in a new buffer at each call; or, of a process
/// that was not started, what its last run in place has.
///
/// result: where the buffer goes.
///
/// MP_ERR_STATE: it has not ended, or not run, is no child of the caller's, or belongs to another
///     process.
/// MP_ERR_EMPTY: it has left nothing.
/// MP_ERR_NO_MEMORY: there is no memory for the buffer.
///
/// Kill: what a child left before it was killed is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_result(
    process: *mut mp_process,
    result: *mut *mut mp_buffer,
) -> mp_status {
    guard("mp_process_result", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        let mut bytes = buffer::reserve(0)?;
        handle::object(process)?.result(&mut bytes)?;
        place.write(handle::new_boxed(bytes.into())?);
        Ok(Status::Ok)
    })
}

/// Runs the target here and now, in the calling thread, with copies of the arguments. The process
/// stays as it is, and can still be started.
///
/// code: what the target returned goes here; may be NULL.
///
/// MP_ERR_STATE: it was started, is no child of the caller's, or belongs to another process.
/// MP_ERR_NO_MEMORY: there is no memory for the arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_run(process: *mut mp_process, code: *mut c_int) -> mp_status {
    guard("mp_process_run", || {
        let returned = handle::object(process)?.run()?;
        // SAFETY: C's promise: code is NULL or a place for the number.
        unsafe { super::guard::write_to(code, returned) };
        Ok(Status::Ok)
    })
}

/// Makes one more process with the same target, options and arguments, which is not started. It
/// gets a new name if this one has its by itself.
///
/// again: where the handle goes.
///
/// MP_ERR_STATE: this one was started, and its options did not say keep_arguments; it is no child
///     of the caller's, or belongs to another process.
/// MP_ERR_NO_MEMORY: there is no memory for the arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_again(
    process: *const mp_process,
    again: *mut *mut mp_process,
) -> mp_status {
    guard("mp_process_again", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(again, "again") }?;
        let fresh = handle::object(process)?.again()?;
        place.write(new_handle(Arc::new(fresh))?);
        Ok(Status::Ok)
    })
}

/// The process in one line: `<Process name='Process-1' pid=16853 parent=16849 started>`. The
/// states are initial, started, and stopped with the exit code, by the signal's name where one
/// killed it; a daemon says so. A parent's state is unknown.
///
/// text: where it goes, ended by a zero; may be NULL where size is 0. size: bytes.
/// needed: the bytes that it takes, the zero included, go here also where they do not fit; may be
///     NULL.
///
/// MP_ERR_TOO_SMALL: size is less than that; nothing was written to text.
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_describe(
    process: *const mp_process,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_process_describe", || {
        let line = handle::object(process)?.describe();
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &line) }?;
        Ok(Status::Ok)
    })
}
