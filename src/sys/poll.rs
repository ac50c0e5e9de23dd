//! Waiting for descriptors that others made.

use super::last_error;
use crate::error::{Result, fail};
use std::os::fd::RawFd;
use std::time::Duration;

/// A row of descriptors to wait for.
#[derive(Clone, Default)]
pub(crate) struct Row(Vec<libc::pollfd>);

impl Row {
    /// One more, of which is waited until it can be read without waiting, or is broken. Answers its place.
    pub(crate) fn push(&mut self, fd: RawFd) -> usize {
        // A negative number would be skipped by the kernel; the number that no process has is found out instead.
        let fd = if fd < 0 { RawFd::MAX } else { fd };
        self.0.push(libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        self.0.len() - 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_ready(&self, place: usize) -> bool {
        self.0[place].revents != 0
    }

    /// Waits until one of them is ready, at most `limit`; a signal ends the wait too. How many are.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<usize> {
        let limit = libc::timespec {
            tv_sec: limit.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: limit.subsec_nanos().into(),
        };
        self.0.iter_mut().for_each(|fd| fd.revents = 0);
        let count = self.0.len() as libc::nfds_t;
        // SAFETY: so many structs are there, and nobody else has them; no mask is given.
        let ready = unsafe { libc::ppoll(self.0.as_mut_ptr(), count, &raw const limit, std::ptr::null()) };
        if ready < 0 {
            let e = last_error("cannot wait for so many descriptors (ppoll)");
            return if e.errno == libc::EINTR { Ok(0) } else { Err(e) };
        }
        if let Some(bad) = self.0.iter().find(|fd| fd.revents & libc::POLLNVAL != 0) {
            fail!(Invalid, "descriptor {} is not open", bad.fd);
        }
        Ok(ready as usize)
    }
}
