//! Statuses, and what the calling thread's last failure was.

use super::guard::guard_or;
use crate::error::{Error, Status};
use core::ffi::{c_char, c_int};
use std::cell::{Cell, UnsafeCell};
use std::io::Write;

/// What a call came to. 0 is success, negative numbers are errors, and the one positive number
/// is a success with news. The numbers never change and are never used again.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_status {
    /// Done.
    MP_OK = 0,
    /// Done: you hold the lock, and its last holder died holding it.
    MP_OWNER_DIED = 1,
    /// An argument makes no sense.
    MP_ERR_INVALID = -1,
    /// A handle is NULL, was freed, or is of another type.
    MP_ERR_BAD_HANDLE = -2,
    /// Not now, or not in this process.
    MP_ERR_STATE = -3,
    /// mp_bootstrap was not called.
    MP_ERR_NOT_INITIALIZED = -4,
    /// This system, or this version, cannot do it.
    MP_ERR_UNSUPPORTED = -5,
    /// Memory, or room in the shared segment, is exhausted.
    MP_ERR_NO_MEMORY = -6,
    /// A system call failed: see mp_last_errno.
    MP_ERR_OS = -7,
    /// A bug in libmp, caught at its border.
    MP_ERR_PANIC = -8,
    /// The time ran out.
    MP_ERR_TIMEOUT = -9,
    /// Nothing is in the queue.
    MP_ERR_EMPTY = -10,
    /// No room is in the queue.
    MP_ERR_FULL = -11,
    /// The other end is gone, and all it sent was received.
    MP_ERR_EOF = -12,
    /// This end was closed.
    MP_ERR_CLOSED = -13,
    /// The buffer is too small; the message waits.
    MP_ERR_TOO_SMALL = -14,
    /// The other side does not know the key.
    MP_ERR_AUTH = -15,
    /// The barrier is broken.
    MP_ERR_BROKEN_BARRIER = -16,
    /// Somebody else holds it.
    MP_ERR_NOT_OWNER = -17,
    /// It was released more often than it was acquired.
    MP_ERR_OVER_RELEASE = -18,
    /// The child has no such function.
    MP_ERR_UNKNOWN_TARGET = -19,
    /// A task's function said that it failed.
    MP_ERR_TASK_FAILED = -20,
    /// A worker died while it ran a task.
    MP_ERR_WORKER_DIED = -21,
    /// Cancelled before it was done.
    MP_ERR_CANCELLED = -22,
    /// The manager's server reports a failure.
    MP_ERR_REMOTE = -23,
    /// Something has that name already.
    MP_ERR_EXISTS = -24,
    /// Nothing has that name.
    MP_ERR_NOT_FOUND = -25,
}

// mp.h:
// /* Whether a status is a failure. */
// #define MP_FAILED(status) ((status) < 0)

/// Every status with its name.
const NAMES: [(Status, mp_status, &core::ffi::CStr); 27] = {
    use mp_status::*;
    [
        (Status::Ok, MP_OK, c"MP_OK"),
        (Status::OwnerDied, MP_OWNER_DIED, c"MP_OWNER_DIED"),
        (Status::Invalid, MP_ERR_INVALID, c"MP_ERR_INVALID"),
        (Status::BadHandle, MP_ERR_BAD_HANDLE, c"MP_ERR_BAD_HANDLE"),
        (Status::State, MP_ERR_STATE, c"MP_ERR_STATE"),
        (Status::NotInitialized, MP_ERR_NOT_INITIALIZED, c"MP_ERR_NOT_INITIALIZED"),
        (Status::Unsupported, MP_ERR_UNSUPPORTED, c"MP_ERR_UNSUPPORTED"),
        (Status::NoMemory, MP_ERR_NO_MEMORY, c"MP_ERR_NO_MEMORY"),
        (Status::Os, MP_ERR_OS, c"MP_ERR_OS"),
        (Status::Panic, MP_ERR_PANIC, c"MP_ERR_PANIC"),
        (Status::Timeout, MP_ERR_TIMEOUT, c"MP_ERR_TIMEOUT"),
        (Status::Empty, MP_ERR_EMPTY, c"MP_ERR_EMPTY"),
        (Status::Full, MP_ERR_FULL, c"MP_ERR_FULL"),
        (Status::Eof, MP_ERR_EOF, c"MP_ERR_EOF"),
        (Status::Closed, MP_ERR_CLOSED, c"MP_ERR_CLOSED"),
        (Status::TooSmall, MP_ERR_TOO_SMALL, c"MP_ERR_TOO_SMALL"),
        (Status::Auth, MP_ERR_AUTH, c"MP_ERR_AUTH"),
        (Status::BrokenBarrier, MP_ERR_BROKEN_BARRIER, c"MP_ERR_BROKEN_BARRIER"),
        (Status::NotOwner, MP_ERR_NOT_OWNER, c"MP_ERR_NOT_OWNER"),
        (Status::OverRelease, MP_ERR_OVER_RELEASE, c"MP_ERR_OVER_RELEASE"),
        (Status::UnknownTarget, MP_ERR_UNKNOWN_TARGET, c"MP_ERR_UNKNOWN_TARGET"),
        (Status::TaskFailed, MP_ERR_TASK_FAILED, c"MP_ERR_TASK_FAILED"),
        (Status::WorkerDied, MP_ERR_WORKER_DIED, c"MP_ERR_WORKER_DIED"),
        (Status::Cancelled, MP_ERR_CANCELLED, c"MP_ERR_CANCELLED"),
        (Status::Remote, MP_ERR_REMOTE, c"MP_ERR_REMOTE"),
        (Status::Exists, MP_ERR_EXISTS, c"MP_ERR_EXISTS"),
        (Status::NotFound, MP_ERR_NOT_FOUND, c"MP_ERR_NOT_FOUND"),
    ]
};

impl From<Status> for mp_status {
    #[inline(always)]
    fn from(status: Status) -> Self {
        if status == Status::Ok { mp_status::MP_OK } else { not_ok(status) }
    }
}

#[cold]
fn not_ok(status: Status) -> mp_status {
    NAMES.iter().find(|n| n.0 == status).map_or(mp_status::MP_ERR_PANIC, |n| n.1)
}

/// A failure's sentence, as long as it may get. No destructor and no allocation: it lives in
/// the thread's static storage, and a thread that ends leaves nothing to run.
const SENTENCE: usize = 512;

struct Last {
    sentence: UnsafeCell<[u8; SENTENCE]>,
    errno: Cell<c_int>,
}

thread_local! {
    static LAST: Last = const { Last { sentence: UnsafeCell::new([0; SENTENCE]), errno: Cell::new(0) } };
    static PANIC: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// "call: what was wrong: the errno's text", cut to fit, always ended by a zero.
pub(super) fn remember(call: &str, error: &Error) {
    LAST.with(|last| {
        last.errno.set(error.errno);
        // SAFETY: the thread's own, and nothing below comes back here.
        let sentence = unsafe { &mut *last.sentence.get() };
        let mut room = &mut sentence[..SENTENCE - 1];
        // What does not fit is cut: the begin of a sentence is better than none.
        let _ = write!(room, "{call}: {error}");
        let left = room.len();
        let mut end = SENTENCE - 1 - left;
        if left == 0 {
            // Not in the middle of a character.
            while end > 0 && std::str::from_utf8(&sentence[..end]).is_err() {
                end -= 1;
            }
        }
        sentence[end] = 0;
    });
}

/// Keeps what a panic said for the status that it becomes.
pub(super) fn note_panic(text: &str) {
    let _ = PANIC.try_with(|p| p.set(Some(text.into())));
}

pub(super) fn take_panic() -> String {
    let said = PANIC.try_with(Cell::take).ok().flatten();
    format!("this is a bug in libmp: {}", said.as_deref().unwrap_or("a panic without words"))
}

/// MP_FAILED as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_failed(status: c_int) -> bool {
    status < 0
}

/// The status's name, "MP_ERR_TIMEOUT" for example; "unknown status" for a number that is none.
/// The text is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_status_name(status: c_int) -> *const c_char {
    guard_or("mp_status_name", c"unknown status".as_ptr(), || {
        let name = NAMES.iter().find(|n| n.1 as c_int == status).map_or(c"unknown status", |n| n.2);
        Ok(name.as_ptr())
    })
}

/// One sentence about this thread's last failure: the call, what was wrong, and the system's
/// words where a system call failed. Success does not touch it; before the first failure it is
/// "". Never NULL. It is this thread's and good until the thread's next failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_last_error() -> *const c_char {
    LAST.with(|last| last.sentence.get().cast_const().cast())
}

/// The system's error number of this thread's last failure, 0 where no system call failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_last_errno() -> c_int {
    LAST.with(|last| last.errno.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_outside_agree() {
        for (inside, outside, name) in NAMES {
            assert_eq!(inside as i32, outside as i32, "{name:?}");
            assert_eq!(mp_status::from(inside), outside);
        }
    }

    #[test]
    fn a_long_sentence_is_cut_between_characters() {
        remember("call", &Error::new(Status::Invalid, "ä".repeat(SENTENCE)));
        // SAFETY: the text is ended by a zero.
        let text = unsafe { core::ffi::CStr::from_ptr(mp_last_error()) }.to_str().unwrap();
        assert!(text.starts_with("call: ä") && text.len() < SENTENCE && text.len() > SENTENCE - 4);
    }
}
