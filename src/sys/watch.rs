//! Many descriptors that are waited for together, each by a number of its owner's.

use super::fd::above_stdio;
use super::kept::{self, Kept};
use super::os;
use crate::error::Result;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// What is waited for at a descriptor; its end always is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    /// Nothing else.
    End,
    Reading,
    Writing,
}

impl Interest {
    fn event(self, number: u64) -> EpollEvent {
        let more = match self {
            Interest::End => EpollFlags::empty(),
            Interest::Reading => EpollFlags::EPOLLIN,
            Interest::Writing => EpollFlags::EPOLLOUT,
        };
        EpollEvent::new(more | EpollFlags::EPOLLRDHUP, number)
    }
}

/// What happened at a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    /// The owner's number.
    pub(crate) number: u64,
    /// Nobody sends there any more. There may be something to read yet.
    pub(crate) over: bool,
}

/// They.
pub(crate) struct Watch(Kept);

impl Watch {
    pub(crate) fn new() -> Result<Self> {
        let mut list = kept::list();
        let made = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).and_then(|made| above_stdio(made.0));
        Ok(Watch(list.keep(made.map_err(os("no descriptor is free (epoll)"))?)))
    }

    fn with<T>(&self, what: impl FnOnce(&Epoll) -> T) -> T {
        let raw = self.0.fd().as_raw_fd();
        // SAFETY: open for as long as `self` is, and not closed here.
        let epoll = std::mem::ManuallyDrop::new(Epoll(unsafe { OwnedFd::from_raw_fd(raw) }));
        what(&epoll)
    }

    pub(crate) fn add(&self, fd: BorrowedFd<'_>, number: u64, interest: Interest) -> Result<()> {
        self.with(|epoll| epoll.add(fd, interest.event(number)))
            .map_err(os("cannot watch a descriptor (epoll)"))
    }

    pub(crate) fn change(&self, fd: BorrowedFd<'_>, number: u64, interest: Interest) -> Result<()> {
        let mut event = interest.event(number);
        self.with(|epoll| epoll.modify(fd, &mut event)).map_err(os("cannot watch a descriptor (epoll)"))
    }

    /// Before it is closed.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
        // It can only fail where it was not there.
        let _ = self.with(|epoll| epoll.delete(fd));
    }

    /// Waits until something happens, at most `limit`; a signal ends the wait too. `found` gets some of it.
    pub(crate) fn wait(&self, found: &mut Vec<Happened>, limit: Duration) -> Result<()> {
        let mut events = [EpollEvent::empty(); 64];
        // Rounded up: a wait that ends too early would be begun again at once, many times.
        let limit = limit.as_nanos().div_ceil(1_000_000).min(60_000) as u16;
        found.clear();
        match self.with(|epoll| epoll.wait(&mut events, EpollTimeout::from(limit))) {
            Ok(count) => {
                let ends = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
                found.extend(
                    events[..count]
                        .iter()
                        .map(|e| Happened { number: e.data(), over: e.events().intersects(ends) }),
                );
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(os("cannot wait (epoll)")(e)),
        }
    }
}
