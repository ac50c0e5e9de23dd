//! A child that must not outlive its parent holds one end of a socket pair whose other end only the parent
//! has. Nothing is ever sent: the parent's end closes with its death, and the kernel then sends the child a
//! SIGKILL, also when it is busy, and whichever way the parent died. PDEATHSIG would follow the thread that
//! forked.

use super::fd::above_stdio;
use super::{last_error, os};
use crate::error::Result;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Not in the libc crate; the same on every architecture.
const F_SETSIG: i32 = 10;

/// The parent's end and the child's.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .and_then(|(parents, childs)| Ok((above_stdio(parents)?, above_stdio(childs)?)))
        .map_err(os("cannot make a lifeline (socketpair)"))
}

/// In the child: from now on it dies with whoever holds the other end. False: that end is closed already.
pub(crate) fn arm(end: &OwnedFd) -> Result<bool> {
    let fd = end.as_raw_fd();
    // SAFETY: plain fcntl calls on a descriptor that we own.
    unsafe {
        if libc::fcntl(fd, libc::F_SETOWN, libc::getpid()) < 0 || libc::fcntl(fd, F_SETSIG, libc::SIGKILL) < 0
        {
            return Err(last_error("cannot arm the lifeline (F_SETSIG)"));
        }
    }
    fcntl(end, FcntlArg::F_SETFL(OFlag::O_ASYNC | OFlag::O_NONBLOCK))
        .map_err(os("cannot arm the lifeline (O_ASYNC)"))?;
    // The parent may have died before the arming, when no signal was due.
    let mut polled = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).map_err(os("cannot poll the lifeline"))?;
    Ok(polled[0].revents().is_none_or(|r| r.is_empty()))
}
