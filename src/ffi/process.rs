//! Processes. A process object belongs to the process that made it; the child gets a context of
//! its own.

use super::child::Context;
use super::connection::mp_connection;
use super::context::{self, Choice, mp_context};
use super::guard::{self, guard, initialise, joined, options, out};
use super::handle;
use super::listener::mp_listener;
use super::manager::mp_proxy;
use super::status::mp_status;
use super::time::mp_timeout;
use super::{slots, strings};
use crate::error::{Result, Status, fail};
use crate::process::{Body, Child, EXIT_UNKNOWN, Method, Plan, Process};
use crate::sys::outermost;
use crate::sys::setup::{self, Executable, Setup, Stream};
use crate::time::Deadline;
use core::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// A child process, before, while and after it runs; or the process itself, or its parent: see
/// mp_current_process.
pub struct mp_process {
    _private: [u8; 0],
}

/// What a child's function is given: the way to its arguments. Good while the child lives.
pub struct mp_child {
    _private: [u8; 0],
}

/// What a child runs. Its result is the exit code, of which the system keeps the low 8 bits. When
/// it returns, threads that it has begun end with the process, joined or not. A
/// C++ exception that leaves it ends the child with a report on its stderr and exit code 1.
pub type mp_process_fn =
    Option<unsafe extern "C-unwind" fn(child: *mut mp_child, user: *mut c_void) -> c_int>;

/// Where one of a child's standard streams leads, where it is no descriptor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_stream {
    /// stdin to /dev/null, so that the child does not take the parent's input; stdout and stderr
    /// where the parent's lead.
    MP_STREAM_DEFAULT = -1,
    /// Where the parent's leads.
    MP_STREAM_SAME = -2,
    /// To /dev/null.
    MP_STREAM_NULL = -3,
}

/// Whether a process is a daemon: one that does not keep its parent from ending, and dies with
/// it, however that dies. A child that the program forks itself, and that runs no other program,
/// counts as the parent here: where the parent is killed, its daemons live as long as that child.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_daemon {
    /// As the process that makes it.
    MP_DAEMON_INHERIT = -1,
    /// No: at its normal end the parent waits for it.
    MP_DAEMON_NO = 0,
    /// Yes.
    MP_DAEMON_YES = 1,
}

/// A child's process group, where it is no group's number.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_group {
    /// The parent's.
    MP_GROUP_INHERIT = -1,
    /// One of its own, which has its number.
    MP_GROUP_NEW = 0,
}

/// Options of mp_process_new. What it points to is copied by mp_process_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_process_options {
    /// sizeof(mp_process_options).
    pub size: usize,
    /// An mp_start_method; 0 for the default one at the start.
    pub start_method: c_int,
    /// What it is called; NULL for Process-N, N being the number of the child in its parent, or
    /// Process-P:N in a process whose own number is P.
    pub name: *const c_char,
    /// An mp_daemon; true and false will do.
    pub daemon: c_int,
    /// An mp_stream or a descriptor, which must be open at the start.
    pub stdin_fd: c_int,
    /// An mp_stream or a descriptor.
    pub stdout_fd: c_int,
    /// An mp_stream or a descriptor.
    pub stderr_fd: c_int,
    /// The child's whole environment as "NAME=value", ended by NULL; NULL for the parent's as it
    /// is at the start.
    pub environment: *const *const c_char,
    /// Its working directory; NULL for the parent's.
    pub directory: *const c_char,
    /// The numbers of the CPUs that it may run on; NULL for the parent's.
    pub cpus: *const usize,
    /// How many there are.
    pub cpu_count: usize,
    /// An mp_group, or the number of a group to join.
    pub process_group: c_int,
    /// The arguments stay with the object after the start, for mp_process_again.
    pub keep_arguments: bool,
    /// Instead of start_method; NULL for none.
    pub context: *const mp_context,
}

// mp.h:
// /* The defaults: mp_process_options o = MP_PROCESS_OPTIONS; */
// #define MP_PROCESS_OPTIONS { sizeof(mp_process_options), MP_START_DEFAULT, NULL,                  \
//     MP_DAEMON_INHERIT, MP_STREAM_DEFAULT, MP_STREAM_DEFAULT, MP_STREAM_DEFAULT, NULL, NULL, NULL, \
//     0, MP_GROUP_INHERIT, false, NULL }
// /* The exit code of a child that somebody else reaped and that could not leave its own. */
// #define MP_EXITCODE_UNKNOWN INT32_MIN

const DEFAULTS: mp_process_options = mp_process_options {
    size: size_of::<mp_process_options>(),
    start_method: 0,
    name: std::ptr::null(),
    daemon: mp_daemon::MP_DAEMON_INHERIT as c_int,
    stdin_fd: mp_stream::MP_STREAM_DEFAULT as c_int,
    stdout_fd: mp_stream::MP_STREAM_DEFAULT as c_int,
    stderr_fd: mp_stream::MP_STREAM_DEFAULT as c_int,
    environment: std::ptr::null(),
    directory: std::ptr::null(),
    cpus: std::ptr::null(),
    cpu_count: 0,
    process_group: mp_group::MP_GROUP_INHERIT as c_int,
    keep_arguments: false,
    context: std::ptr::null(),
};

/// MP_PROCESS_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_process_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_options_init(options: *mut mp_process_options, size: usize) -> mp_status {
    guard("mp_process_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
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
///
/// MP_ERR_INVALID: a member of options is out of its range, an environment string has no '=', a
///     CPU's number is over 65,535, or there are a context and a start method.
/// MP_ERR_BAD_HANDLE: the context is none.
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
        let Choice { method, by_context, executable } =
            context::chosen(options.context, options.start_method)?;
        let plan = Plan {
            body,
            address,
            has_user: !user.is_null(),
            method,
            type_name: method.filter(|_| by_context).map_or("Process", Method::process_type),
            // SAFETY: C's promise: NULL or a string.
            name: unsafe { strings::optional(options.name) },
            daemon: daemon(options.daemon)?,
            keep_arguments: options.keep_arguments,
            // SAFETY: C's promise for the members of the options.
            setup: unsafe { setup(&options, executable) }?,
        };
        place.write(new_handle(Arc::new(Process::new(plan)))?);
        Ok(Status::Ok)
    })
}

/// A handle for the program.
pub(super) fn new_handle(process: Arc<Process>) -> Result<*mut mp_process> {
    process.note_handle();
    handle::new_boxed(process)
}

fn daemon(number: c_int) -> Result<Option<bool>> {
    match number {
        -1 => Ok(None),
        0 => Ok(Some(false)),
        1 => Ok(Some(true)),
        _ => fail!(Invalid, "daemon is {number}: MP_DAEMON_INHERIT, true or false is expected"),
    }
}

fn stream(number: c_int, default: Stream, name: &str) -> Result<Stream> {
    match number {
        0.. => Ok(Stream::Fd(number)),
        -1 => Ok(default),
        -2 => Ok(Stream::Same),
        -3 => Ok(Stream::Null),
        _ => fail!(Invalid, "{name} is {number}: an mp_stream or a descriptor is expected"),
    }
}

/// # Safety
/// What the options point to is what the header asks for.
unsafe fn setup(options: &mp_process_options, executable: Option<&'static Executable>) -> Result<Setup> {
    // SAFETY: the caller's promise.
    let environment = unsafe { strings::array(options.environment) };
    if let Some(bad) = environment.iter().flatten().find(|s| !s.as_bytes().iter().skip(1).any(|&b| b == b'='))
    {
        fail!(Invalid, "{bad:?} is no part of an environment: NAME=value is expected");
    }
    let group = match options.process_group {
        -1 => None,
        group @ 0.. => Some(group),
        bad => fail!(Invalid, "process_group is {bad}: an mp_group or a group's number is expected"),
    };
    // SAFETY: the caller's promise.
    let cpus = setup::cpu_mask(unsafe { guard::cpus(options.cpus, options.cpu_count) }?);
    Ok(Setup {
        streams: [
            stream(options.stdin_fd, Stream::Null, "stdin_fd")?,
            stream(options.stdout_fd, Stream::Same, "stdout_fd")?,
            stream(options.stderr_fd, Stream::Same, "stderr_fd")?,
        ],
        // SAFETY: the caller's promise.
        directory: unsafe { strings::optional(options.directory) },
        cpus,
        group,
        environment,
        executable,
    })
}

/// In the child: calls the target with its context. In the parent, for a run in place: the same,
/// and what was made for it goes again.
pub(super) fn run_target(address: Option<usize>, user: usize, child: Child) -> c_int {
    // SAFETY: the address is that of the target that the caller of mp_process_new gave, in this process.
    let target: mp_process_fn = unsafe { std::mem::transmute(address.unwrap_or(0)) };
    let Some(target) = target else { return 0 };
    let is_here = child.is_here();
    match handle::new_boxed::<mp_child>(Context::new(child)) {
        Ok(context) => {
            if !is_here {
                // SAFETY: pointers and numbers are passed alike; the function is the target with its arguments.
                let target: outermost::Function = unsafe { std::mem::transmute(target) };
                return outermost::call(target, context.addr(), user);
            }
            // SAFETY: called with what its type promises.
            let code = unsafe { target(context, user as *mut c_void) };
            if let Ok(c) = handle::object(context) {
                c.end();
                let _ = handle::free_boxed(context);
            }
            code
        }
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
/// child holds the object itself; the caller may free its handle at once. A connection or a
/// listener costs a descriptor until the child has it, and where keep_arguments is set until the
/// process is freed.
///
/// MP_ERR_UNSUPPORTED: a handle of this type cannot be handed to another process.
/// MP_ERR_INVALID: the process has 65,536 arguments already.
/// MP_ERR_NO_MEMORY: there is no room to write down who holds it.
/// MP_ERR_STATE: the process was started, or belongs to another process; or a connection is in
///     the middle of a message.
/// MP_ERR_CLOSED: the connection or the listener was closed.
/// MP_ERR_OS: no descriptor is free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_add_handle(process: *mut mp_process, handle: *const c_void) -> mp_status {
    guard("mp_process_add_handle", || {
        let process = handle::object(process)?;
        if handle::is_of::<mp_connection>(handle.cast()) {
            process.add_carried(handle::object::<mp_connection>(handle.cast())?.carry()?)?;
            return Ok(Status::Ok);
        }
        if handle::is_of::<mp_listener>(handle.cast()) {
            process.add_carried(handle::object::<mp_listener>(handle.cast())?.carry()?)?;
            return Ok(Status::Ok);
        }
        if handle::is_of::<mp_proxy>(handle.cast()) {
            process.add_voucher(Arc::new(handle::object::<mp_proxy>(handle.cast())?.clone()))?;
            return Ok(Status::Ok);
        }
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
/// MP_ERR_OS: no process or descriptor is to be had, the executable cannot run, or the child
///     cannot have the streams, the directory, the CPUs or the group of the options; nothing was
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
        place.write(handle::object(process)?.exit_code()?);
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

/// Frees the handle of a process that was not started or has ended. NULL is fine. Of several
/// handles for one process all but the last may be freed while it runs.
///
/// MP_ERR_STATE: it still runs: join it first; it is the calling process or its parent; or it
///     belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_process_free(process: *mut mp_process) -> mp_status {
    guard("mp_process_free", || {
        if !process.is_null() {
            handle::object(process)?.drop_handle()?;
        }
        handle::free_boxed(process)
    })
}
