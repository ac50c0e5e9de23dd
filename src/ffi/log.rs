//! Logging: what libmp has to say of itself, and the program's own records in the same form.

use super::guard::{guard, guard_or};
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::log::{self, Call, Record};
use core::ffi::{CStr, c_char, c_int, c_void};

/// How much a record matters. Any number from 1 to 999 is a level; these have names.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_log_level {
    /// No level was set: records below MP_LOG_WARNING are dropped.
    MP_LOG_NOTSET = 0,
    /// More of it than anybody wants to read.
    MP_LOG_SUBDEBUG = 5,
    /// What processes do.
    MP_LOG_DEBUG = 10,
    /// How processes begin and end.
    MP_LOG_INFO = 20,
    /// What is worth a look.
    MP_LOG_SUBWARNING = 25,
    /// What may go wrong.
    MP_LOG_WARNING = 30,
    /// What went wrong.
    MP_LOG_ERROR = 40,
    /// What ends the program.
    MP_LOG_CRITICAL = 50,
    /// Above every level: no record is kept.
    MP_LOG_OFF = 1000,
}

/// One record, as a sink is given it; read only, and good until the sink returns. Later versions
/// may add members at its end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_log_record {
    /// sizeof(mp_log_record) of the library.
    pub size: usize,
    /// From 1 to 999.
    pub level: c_int,
    /// The process that logs.
    pub pid: c_int,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// "WARNING" for example; "Level 15" for a number without a name.
    pub level_name: *const c_char,
    /// What the process is called, "Process-1" for example.
    pub process_name: *const c_char,
    /// Without a line's end.
    pub message: *const c_char,
}

/// What is given the records of the process that it is set in, in the thread that logs; or those
/// that mp_log_listen takes out of a queue. It may use libmp; what it logs itself is not given to
/// it. An exception must not leave it.
pub type mp_log_fn = Option<unsafe extern "C-unwind" fn(record: *const mp_log_record, user: *mut c_void)>;

fn in_range(level: c_int, most: u16) -> Result<u16> {
    match u16::try_from(level) {
        Ok(level) if level <= most => Ok(level),
        _ => fail!(Invalid, "{level} is no level: 1 to {} are, or one of mp_log_level", log::OFF - 1),
    }
}

/// Drops records below a level from now on. Nothing is logged, whatever the level, before there is
/// a sink or a queue for it, or mp_log_to_stderr was called. The environment variable MP_LOG, a
/// level's name ("debug") or number, does what mp_log_to_stderr with that level would do at the
/// program's start.
///
/// level: an mp_log_level or a number from 1 to 999.
///
/// MP_ERR_INVALID: it is neither.
///
/// Threads: any. Children that are started later have this process's level, and the rest of what
/// is set here, by every start method; what is set later is each process's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_set_level(level: c_int) -> mp_status {
    guard("mp_log_set_level", || {
        log::set_level(in_range(level, log::OFF)?);
        Ok(Status::Ok)
    })
}

/// The level that was set; MP_LOG_NOTSET if none was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_get_level() -> c_int {
    guard_or("mp_log_get_level", 0, || Ok(log::level().into()))
}

/// Whether a record of this level would go anywhere: for records that cost something to make.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_enabled(level: c_int) -> bool {
    guard_or("mp_log_enabled", false, || Ok(in_range(level, log::OFF - 1).is_ok_and(log::enabled)))
}

/// Has every record written to stderr as "[LEVEL/Process-1] message", by one write, so that those
/// of several processes do not mix. A stderr that nobody reads does no harm.
///
/// level: sets the level, too; MP_LOG_NOTSET leaves it as it is.
///
/// MP_ERR_INVALID: it is no level.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_to_stderr(level: c_int) -> mp_status {
    guard("mp_log_to_stderr", || {
        match in_range(level, log::OFF)? {
            0 => {}
            level => log::set_level(level),
        }
        log::to_stderr();
        Ok(Status::Ok)
    })
}

/// Has every record given to a function, in the place of the one before. When the call returns
/// another thread may still be in that.
///
/// sink: NULL for none.
/// user: handed to sink. A child by spawn or by the fork server, which does not have this memory,
///     has the sink only where user is NULL and the function can be found as a target is.
///
/// Fork: a forked child has the sink, with its own copy of what user points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_set_sink(sink: mp_log_fn, user: *mut c_void) -> mp_status {
    guard("mp_log_set_sink", || {
        set_sink(sink.map(|sink| sink as usize), user as usize);
        Ok(Status::Ok)
    })
}

/// Logs a record of the program's own.
///
/// level: 1 to 999.
/// message: one line without its end.
///
/// MP_ERR_INVALID: level is out of its range, or message is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_log_write(level: c_int, message: *const c_char) -> mp_status {
    guard("mp_log_write", || {
        let level = in_range(level, log::OFF - 1)?;
        if level == 0 {
            fail!(Invalid, "MP_LOG_NOTSET is no level of a record");
        }
        if message.is_null() {
            fail!(Invalid, "message is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        log::write(level, unsafe { CStr::from_ptr(message) });
        Ok(Status::Ok)
    })
}

/// The sink by its address, here or in a child that has found it.
pub(super) fn set_sink(address: Option<usize>, user: usize) {
    log::set_sink(address.map(|address| (address, user, call as Call)));
}

pub(super) fn call(address: usize, user: usize, record: &Record<'_>) {
    let record = mp_log_record {
        size: size_of::<mp_log_record>(),
        level: record.level.into(),
        pid: record.pid,
        time: record.time,
        level_name: record.level_name.as_ptr(),
        process_name: record.process.as_ptr(),
        message: record.message.as_ptr(),
    };
    // SAFETY: the address is that of a sink of this process, which the program gave.
    let sink: mp_log_fn = unsafe { std::mem::transmute(address) };
    if let Some(sink) = sink {
        // SAFETY: called with what its type promises.
        unsafe { sink(&raw const record, user as *mut c_void) };
    }
}
