//! Pools: worker processes that take tasks until the pool is freed. A worker that dies fails
//! what it was running, and only that; another takes its place. Only the process that made a
//! pool may use it.

use super::context::{self, Choice, mp_context};
use super::guard::{self, guard, initialise, joined, options, out};
use super::handle;
use super::scope;
use super::status::mp_status;
use super::task;
use super::time::mp_timeout;
use crate::error::Status;
use crate::pool::{Initializer, Pool, PoolOptions};
use crate::time::Deadline;
use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A pool.
pub struct mp_pool {
    _private: [u8; 0],
}

/// One item of a map, in the worker that works on it. Good in all threads of the worker until the
/// task's function returns. A thread that uses it later is answered MP_ERR_STATE, and harms no
/// other item.
pub struct mp_task {
    _private: [u8; 0],
}

/// What a worker runs for each item. user is handed over as the number that it is: it points
/// into the worker's copy of the owner's memory, as that was when the pool was made. An
/// exception must not leave the function.
pub type mp_task_fn = Option<unsafe extern "C-unwind" fn(task: *mut mp_task, user: *mut c_void)>;

/// Options of mp_pool_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_pool_options {
    /// sizeof(mp_pool_options).
    pub size: usize,
    /// How many workers, 4096 at most; 0 for mp_cpu_count().
    pub workers: usize,
    /// An mp_start_method; 0 for the default one.
    pub start_method: c_int,
    /// Instead of start_method; NULL for none.
    pub context: *const mp_context,
    /// Runs in each worker before its first task: its mp_task_input is initializer_data, its
    /// mp_task_index the worker's number in the pool, from 0. NULL for none. One that calls
    /// mp_task_fail breaks the pool: every call answers with its sentence, and no more workers are
    /// started.
    pub initializer: mp_task_fn,
    /// Handed to it, see mp_task_fn.
    pub initializer_user: *mut c_void,
    /// May be NULL where initializer_len is 0; copied by mp_pool_new.
    pub initializer_data: *const c_void,
    /// Bytes.
    pub initializer_len: usize,
    /// After so many tasks a worker ends, and another takes its place; 0 for never. A task is
    /// what is handed out as one: see chunk in mp_map_options.
    pub max_tasks: usize,
    /// The same for a worker that, since it was initialized, has grown by more than so many bytes
    /// of memory of its own; 0 for never. It is looked at after each task.
    pub max_memory: usize,
    /// What the workers' names begin with, see mp_process_name; NULL for ForkPoolWorker,
    /// SpawnPoolWorker or ForkServerPoolWorker. Copied.
    pub name: *const c_char,
    /// A thread of the library's replaces workers that die while the pool has nothing to do; it
    /// looks four times a second. Without it the next call does.
    pub watch: bool,
    /// A file for a timeline, in the format of chrome://tracing and ui.perfetto.dev: each task a bar
    /// on its worker's row, with the time that it waited, and what befell the workers. %p in the
    /// name is the process's number; without it that is added in the children of a process that
    /// writes one. NULL for what MP_TRACE in the environment says; "" for none. A file that cannot
    /// be written is a warning in the log. Copied.
    pub trace: *const c_char,
    /// The numbers of CPUs: worker i runs on the CPU cpus[i % cpu_count], and so does whoever comes
    /// in its place. NULL for those of the pool's owner. Copied.
    pub cpus: *const usize,
    /// How many there are.
    pub cpu_count: usize,
    /// What the workers write to stderr comes out of the program's stderr line by line, each line
    /// whole and after the worker's name: "[baker-1] no flour". A thread of the library's sees to
    /// that, which has written everything when mp_pool_free or mp_pool_join returns; so those wait
    /// for whoever reads the program's stderr. Lines over 64 KiB come in pieces.
    pub tag_stderr: bool,
}

// mp.h:
// /* The defaults: mp_pool_options o = MP_POOL_OPTIONS; */
// #define MP_POOL_OPTIONS { sizeof(mp_pool_options), 0, MP_START_DEFAULT, NULL, NULL, NULL, NULL, 0, \
//     0, 0, NULL, false, NULL, NULL, 0, false }

pub(super) const DEFAULTS: mp_pool_options = mp_pool_options {
    size: size_of::<mp_pool_options>(),
    workers: 0,
    start_method: 0,
    context: std::ptr::null(),
    initializer: None,
    initializer_user: std::ptr::null_mut(),
    initializer_data: std::ptr::null(),
    initializer_len: 0,
    max_tasks: 0,
    max_memory: 0,
    name: std::ptr::null(),
    watch: false,
    trace: std::ptr::null(),
    cpus: std::ptr::null(),
    cpu_count: 0,
    tag_stderr: false,
};

/// MP_POOL_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_pool_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_options_init(options: *mut mp_pool_options, size: usize) -> mp_status {
    guard("mp_pool_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Starts the workers, by the start method of the options. By fork they have the program's
/// functions and a copy of its memory, as it is now; by spawn they are fresh runs of the
/// program, and find the functions by module or by registered name. Their stdin is /dev/null;
/// Ctrl-C at the terminal does not end them, and SIGTERM does.
///
/// A worker that dies is replaced by the call that is running then, or by the next one. By fork,
/// who takes its place is forked from a zygote: a process with one thread that is forked together
/// with the first workers, runs nothing of the program's, takes no signals and ends with the pool.
/// So all workers have the program's memory, descriptors and directory as they were then; and the
/// program, which may have grown since and have threads, does not fork again. A zygote that is
/// killed is logged, and forked again when it is needed.
///
/// A worker whose initializer fails breaks the pool, and so do five in a row that die in it.
///
/// pool: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_INVALID: more than 4096 workers, a context and a start method, no initializer_data of
///     the length given, no cpus though cpu_count is not 0, or a CPU's number over 65,535.
/// MP_ERR_UNSUPPORTED: the workers are not forked, and initializer_user is not NULL.
/// MP_ERR_BAD_HANDLE: the context is none.
/// MP_ERR_NO_MEMORY: the shared segment has no room for the pool.
/// MP_ERR_NOT_INITIALIZED: by spawn, and main does not begin with mp_bootstrap.
/// MP_ERR_WORKER_DIED: a worker was killed before the pool was there.
/// MP_ERR_OS: no process or descriptor is to be had, or a worker cannot have its CPU; none is left
///     over. Each worker takes two descriptors; by fork, one that took another's place takes
///     three, and so does the zygote. With tag_stderr each takes one more.
///
/// Kill: workers die with the process that made the pool, however it dies and whatever they are
/// doing. Only where a child that the program forked itself lives on does a busy worker finish
/// its task first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_new(pool: *mut *mut mp_pool, options: *const mp_pool_options) -> mp_status {
    guard("mp_pool_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(pool, "pool")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let Choice { method, executable, .. } = context::chosen(options.context, options.start_method)?;
        // SAFETY: as above: the options' members, too, are what the header says.
        let (bytes, cpus, prefix, trace) = unsafe {
            let bytes = guard::bytes(options.initializer_data, options.initializer_len)?;
            let cpus = guard::cpus(options.cpus, options.cpu_count)?;
            let name = (!options.name.is_null()).then(|| CStr::from_ptr(options.name));
            let trace = (!options.trace.is_null()).then(|| CStr::from_ptr(options.trace));
            (bytes, cpus, name.map(|name| name.to_string_lossy().into_owned()), trace)
        };
        let initializer = options.initializer.map(|function| Initializer {
            function: function as usize as u64,
            user: options.initializer_user as usize as u64,
            bytes,
        });
        let options = PoolOptions {
            workers: options.workers,
            method,
            executable,
            initializer,
            most_tasks: options.max_tasks as u64,
            most_memory: options.max_memory as u64,
            prefix,
            watch: options.watch,
            trace: trace.map(|path| OsStr::from_bytes(path.to_bytes()).into()),
            cpus: cpus.to_vec(),
            tag_stderr: options.tag_stderr,
        };
        let made = Pool::new(options, task::call);
        crate::process::note_starts(method);
        place.write(handle::new_boxed(made?)?);
        Ok(Status::Ok)
    })
}

/// How many workers the pool has.
///
/// workers: where the number goes.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_workers(pool: *const mp_pool, workers: *mut usize) -> mp_status {
    guard("mp_pool_workers", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(workers, "workers") }?;
        place.write(handle::object(pool)?.workers());
        Ok(Status::Ok)
    })
}

/// The pool takes no more calls. Those that are on their way go on; when the last one is over the
/// workers leave. A pool that was closed already stays so.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_close(pool: *mut mp_pool) -> mp_status {
    guard("mp_pool_close", || {
        handle::object(pool)?.close();
        Ok(Status::Ok)
    })
}

/// Ends the workers at once: idle ones leave by themselves, busy ones get SIGTERM, and half a
/// second later SIGKILL. They are gone when the call returns. What others wait for comes back as
/// MP_ERR_CANCELLED. A pool that was ended already stays so.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_terminate(pool: *mut mp_pool) -> mp_status {
    guard("mp_pool_terminate", || {
        handle::object(pool)?.end();
        Ok(Status::Ok)
    })
}

/// Waits until all calls are over and the workers are gone.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: they were not gone in time; they go all the same.
/// MP_ERR_STATE: the pool was neither closed nor terminated; or an mp_imap of it is neither at its
///     end nor freed, without which this would wait for ever; or it belongs to another process.
///
/// Kill: a worker that is killed meanwhile fails what it was running, and is replaced where there
/// is still something to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_join(pool: *mut mp_pool, timeout: mp_timeout) -> mp_status {
    guard("mp_pool_join", || {
        handle::object(pool)?.join(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Closes the pool and waits until all calls are over and the workers are gone: how a pool that is
/// used as an executor comes to its end.
///
/// cancel_pending: asynchronous calls of which no worker has begun anything come back as
///     MP_ERR_CANCELLED. Without it they are done, too.
/// timeout: nanoseconds to wait.
///
/// Returns what mp_pool_join returns; MP_ERR_TIMEOUT leaves the pool closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_shutdown(
    pool: *mut mp_pool,
    cancel_pending: bool,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_pool_shutdown", || {
        handle::object(pool)?.shut_down(cancel_pending, Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// /* MP_WITH_POOL(pool) { ... } terminates and frees the pool on every way out of the braces, see
//  * MP_WITH_LOCK. What was asked for and shall be done comes first: mp_pool_shutdown in them. A
//  * pool that was closed before is passed over, and is still there. */
// #define MP_WITH_POOL(pool) MP_SCOPE_(mp_pool, pool)
// #endif

/// The begin of MP_WITH_POOL. Answers the handle, or NULL with mp_last_error() where the pool takes
/// no calls, or is another process's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_enter(pool: *mut mp_pool) -> *mut mp_pool {
    scope::enter(pool, |wanted| {
        guard("mp_pool_enter", || {
            handle::object(wanted)?.must_run()?;
            Ok(Status::Ok)
        })
    })
}

/// The end of MP_WITH_POOL: terminates and frees the pool, and sets the pointer to NULL.
///
/// pool: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_leave(pool: *mut *mut mp_pool) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(pool, |held| mp_pool_free(held)) }
}

/// Terminates the pool, see mp_pool_terminate, and frees it. NULL is fine.
///
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_free(pool: *mut mp_pool) -> mp_status {
    guard("mp_pool_free", || {
        if !pool.is_null() {
            handle::object(pool)?.end_with_helper();
        }
        handle::free_boxed(pool)
    })
}
