//! What every fallible function of the library answers with: a status, a sentence, an errno.

use std::borrow::Cow;
use std::fmt;

/// The outcomes that a caller can tell apart. The numbers are the C ABI's and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "each is described once, where C programmers read it: ffi/status.rs")]
pub(crate) enum Status {
    Ok = 0,
    OwnerDied = 1,
    Invalid = -1,
    BadHandle = -2,
    State = -3,
    NotInitialized = -4,
    Unsupported = -5,
    NoMemory = -6,
    Os = -7,
    Panic = -8,
    Timeout = -9,
    Empty = -10,
    Full = -11,
    Eof = -12,
    Closed = -13,
    TooSmall = -14,
    Auth = -15,
    BrokenBarrier = -16,
    NotOwner = -17,
    OverRelease = -18,
    UnknownTarget = -19,
    TaskFailed = -20,
    WorkerDied = -21,
    Cancelled = -22,
    Remote = -23,
    Exists = -24,
    NotFound = -25,
}

impl Status {
    /// The status of this number, which somebody else has sent.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        let all = [
            Self::Ok,
            Self::OwnerDied,
            Self::Invalid,
            Self::BadHandle,
            Self::State,
            Self::NotInitialized,
            Self::Unsupported,
            Self::NoMemory,
            Self::Os,
            Self::Panic,
            Self::Timeout,
            Self::Empty,
            Self::Full,
            Self::Eof,
            Self::Closed,
            Self::TooSmall,
            Self::Auth,
            Self::BrokenBarrier,
            Self::NotOwner,
            Self::OverRelease,
            Self::UnknownTarget,
            Self::TaskFailed,
            Self::WorkerDied,
            Self::Cancelled,
            Self::Remote,
            Self::Exists,
            Self::NotFound,
        ];
        all.into_iter().find(|&status| status as i32 == number)
    }
}

/// A failure on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    /// Which failure it is.
    pub(crate) status: Status,
    /// The system's error number, 0 where no system call failed.
    pub(crate) errno: i32,
    text: Cow<'static, str>,
}

/// What the rooms return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure that no system call is to blame for.
    pub(crate) fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Error { status, errno: 0, text: text.into() }
    }

    /// A failed system call. Exhausted memory keeps its own status whichever call met it.
    pub(crate) fn os(errno: i32, text: impl Into<Cow<'static, str>>) -> Self {
        let status = if errno == ENOMEM { Status::NoMemory } else { Status::Os };
        Error { status, errno, text: text.into() }
    }

    /// The same failure under another status.
    pub(crate) fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The same failure, and before it what it prevents.
    pub(crate) fn with_text(mut self, text: String) -> Self {
        self.text = format!("{text}: {}", self.text).into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.errno != 0 {
            write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        }
        Ok(())
    }
}

/// The same on every Linux; leaves name no crate.
const ENOMEM: i32 = 12;

/// Leaves the function with a status and a formatted sentence.
macro_rules! fail {
    ($status:ident, $($arg:tt)+) => {
        return Err($crate::error::Error::new($crate::error::Status::$status, format!($($arg)+)))
    };
}
pub(crate) use fail;
