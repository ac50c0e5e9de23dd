//! A descriptor that is readable or not, as its owner says: an eventfd.

use super::kept::{self, Kept};
use super::os;
use crate::error::Result;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Not readable at first. A child that libmp forks does not have it.
pub(crate) struct Flag(Kept, RawFd);

impl Flag {
    pub(crate) fn new() -> Result<Self> {
        let mut list = kept::list();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let fd = EventFd::from_value_and_flags(0, flags).map_err(os("no descriptor is free for an event"))?;
        let fd = super::fd::above_stdio(fd.into()).map_err(os("no descriptor is free for an event"))?;
        let raw = fd.as_raw_fd();
        Ok(Flag(list.keep(fd), raw))
    }

    /// For the host to poll.
    pub(crate) fn fd(&self) -> RawFd {
        self.1
    }

    /// The same, to be watched.
    pub(crate) fn borrowed(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// It is readable.
    pub(crate) fn raise(&self) {
        // Nothing to do about a host that has closed it; and full is readable, too.
        let _ = self.0.ours().map(|fd| nix::unistd::write(fd, &1u64.to_ne_bytes()));
    }

    /// It is not.
    pub(crate) fn lower(&self) {
        let _ = self.0.ours().map(|fd: BorrowedFd<'_>| nix::unistd::read(fd, &mut [0; 8]));
    }
}
