//! Start methods, and which one is meant where none is named.

use crate::error::{Result, fail};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// How a child comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Method {
    /// As a copy of its parent.
    Fork = 1,
    /// As a fresh image of the executable.
    Spawn = 2,
    /// As a copy of a server that was run for the purpose.
    Forkserver = 3,
}

/// The method of those that name none; 0 not set. A child has its parent's.
static DEFAULT: AtomicU8 = AtomicU8::new(0);

impl Method {
    /// Every one, the default of the library first.
    pub(crate) const ALL: [Method; 3] = [Method::Fork, Method::Spawn, Method::Forkserver];

    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&m| m as u8 == bits)
    }

    /// As CPython calls it.
    pub(crate) fn name(self) -> &'static CStr {
        match self {
            Method::Fork => c"fork",
            Method::Spawn => c"spawn",
            Method::Forkserver => c"forkserver",
        }
    }

    /// What the processes of a context of this method are called by themselves.
    pub(crate) fn process_type(self) -> &'static str {
        match self {
            Method::Fork => "ForkProcess",
            Method::Spawn => "SpawnProcess",
            Method::Forkserver => "ForkServerProcess",
        }
    }

    /// The same of a pool's workers.
    pub(crate) fn worker_type(self) -> &'static str {
        match self {
            Method::Fork => "ForkPoolWorker",
            Method::Spawn => "SpawnPoolWorker",
            Method::Forkserver => "ForkServerPoolWorker",
        }
    }

    pub(crate) fn default_one() -> Self {
        Self::chosen().unwrap_or(Method::Fork)
    }

    /// What somebody has set, if anybody has.
    pub(crate) fn chosen() -> Option<Self> {
        Self::from_bits(DEFAULT.load(Ordering::Relaxed))
    }

    /// Sets the default, once, or by force again; by force also None, as if nobody had set it.
    pub(crate) fn set_default(method: Option<Self>, force: bool) -> Result<()> {
        let to = method.map_or(0, |m| m as u8);
        if DEFAULT.compare_exchange(0, to, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            if !force {
                fail!(State, "the start method has been set already");
            }
            DEFAULT.store(to, Ordering::Relaxed);
        }
        Ok(())
    }
}
