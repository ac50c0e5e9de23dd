//! What a process has from its parent in the kernel, for one whose parent there is another than the one that
//! asked for it: directory, limits, signals, CPUs, process group.

use super::os;
use super::setup;
use crate::error::Result;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

/// Limits that Linux knows.
const LIMITS: u32 = 16;

/// The state of the process that asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Caller {
    environment: Vec<CString>,
    limits: Vec<(u64, u64)>,
    umask: u32,
    /// A bit for each signal that is blocked, or ignored.
    blocked: u64,
    ignored: u64,
    cpus: Vec<u64>,
    group: i32,
}

/// Of the process and thread that asks.
pub(crate) fn of_this_thread() -> Caller {
    // SAFETY: all zero is a valid set.
    let mut blocked: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: only asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut blocked) };
    let mut limits = Vec::new();
    for resource in 0..LIMITS {
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: limit is ours to write.
        unsafe { libc::getrlimit(resource as _, &raw mut limit) };
        limits.push((limit.rlim_cur, limit.rlim_max));
    }
    let mut cpus = vec![0u64; 1024];
    // SAFETY: the kernel writes at most so many bytes, and says how many.
    let bytes =
        unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&cpus[..]), cpus.as_mut_ptr()) };
    cpus.truncate(usize::try_from(bytes).unwrap_or(0).div_ceil(8));
    let signals = |has: &dyn Fn(i32) -> bool| (1..=64).filter(|&s| has(s)).fold(0, |m, s| m | 1 << (s - 1));
    Caller {
        environment: setup::environment(),
        limits,
        umask: umask(),
        // SAFETY: a signal set, and numbers that a set has room for.
        blocked: signals(&|s| unsafe { libc::sigismember(&raw const blocked, s) } == 1),
        ignored: signals(&|s| handler(s) == Some(libc::SIG_IGN)),
        cpus,
        // SAFETY: asks for a number.
        group: unsafe { libc::getpgrp() },
    }
}

/// Read where the kernel shows it: umask(2) can only be asked by setting it, which other threads would notice.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok()).unwrap_or(0o022)
}

fn handler(signal: i32) -> Option<libc::sighandler_t> {
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asked for.
    (unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0)
        .then_some(action.sa_sigaction)
}

impl Caller {
    /// In the child, whose signals are all held back: it is as if the caller had started it itself.
    pub(crate) fn put_on(self, directory: Option<OwnedFd>) -> Result<()> {
        if let Some(directory) = directory {
            // SAFETY: a descriptor that is open.
            let r = unsafe { libc::fchdir(directory.as_raw_fd()) };
            Errno::result(r).map_err(os("the child cannot enter its parent's working directory"))?;
        }
        setup::set_environment(self.environment);
        for (resource, (current, most)) in (0..LIMITS).zip(self.limits) {
            let limit = libc::rlimit { rlim_cur: current, rlim_max: most };
            // SAFETY: plain numbers. What cannot be had (a raised limit) stays as the server's.
            unsafe { libc::setrlimit(resource as _, &raw const limit) };
        }
        // SAFETY: plain numbers.
        unsafe { libc::umask(self.umask as libc::mode_t) };
        for signal in 1..=64 {
            let wanted = if self.ignored >> (signal - 1) & 1 != 0 { libc::SIG_IGN } else { libc::SIG_DFL };
            if handler(signal).is_some_and(|now| now != wanted) {
                // SAFETY: the default or ignored: no handler.
                unsafe { libc::signal(signal, wanted) };
            }
        }
        if !self.cpus.is_empty() {
            // SAFETY: the kernel reads so many bytes. A CPU that is gone is no reason not to begin.
            unsafe { libc::sched_setaffinity(0, size_of_val(&self.cpus[..]), self.cpus.as_ptr().cast()) };
        }
        // SAFETY: plain numbers. A group of another session, or one that is gone, cannot be joined.
        unsafe { libc::setpgid(0, self.group) };
        Ok(())
    }

    /// What the caller's thread had blocked.
    pub(crate) fn mask(&self) -> u64 {
        self.blocked
    }
}

/// Sets the signal mask of this thread.
pub(crate) fn set_mask(blocked: u64) {
    // SAFETY: the set is made of what sigemptyset and sigaddset leave.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in (1..=64).filter(|s| blocked >> (s - 1) & 1 != 0) {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}
