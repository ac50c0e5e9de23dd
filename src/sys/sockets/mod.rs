//! Sockets that carry a stream of bytes. None of the calls waits unless its name says so, and a descriptor's own
//! mode does not matter: it may be shared with somebody who wants it to block.

mod address;
mod meet;

pub(crate) use address::{ANY_CONTEXT, Address, MOST_PATH, other, own};
pub(crate) use meet::{
    Came, Many, accept, bind, connect, file_at, hold_directory, listen, remove_own, remove_stale, unconnected,
};

use super::fd::{self, identity};
use super::os;
use super::packets::{descriptors, header};
use crate::error::{Error, Result, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{MsgFlags, SockType, getsockopt, recv, sendmsg, sockopt};
use nix::sys::time::TimeSpec;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

/// What came of moving bytes.
pub(crate) enum Moved {
    /// So many, at least one.
    Bytes(usize),
    /// None at the moment.
    NotNow,
    /// None any more: the other end is closed.
    End,
    /// The same, and it did not read all that was sent to it.
    Reset,
}

/// What one can wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Reading,
    Writing,
}

/// Sends what the socket takes of `first` and then of `second`.
pub(crate) fn send(to: BorrowedFd<'_>, first: &[u8], second: &[u8]) -> Result<Moved> {
    let parts = [IoSlice::new(first), IoSlice::new(second)];
    let parts = if second.is_empty() { &parts[..1] } else { &parts[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    loop {
        match sendmsg::<()>(to.as_raw_fd(), parts, &[], flags, None) {
            Ok(n) => return Ok(Moved::Bytes(n)),
            Err(e) => match failed(e) {
                Some(moved) => return Ok(moved),
                None if e == Errno::EINTR => {}
                None => return Err(os("cannot send (sendmsg)")(e)),
            },
        }
    }
}

/// What an error means that is none.
fn failed(e: Errno) -> Option<Moved> {
    match e {
        Errno::EAGAIN => Some(Moved::NotNow),
        Errno::ECONNRESET => Some(Moved::Reset),
        Errno::EPIPE | Errno::ENOTCONN => Some(Moved::End),
        _ => None,
    }
}

/// Receives into `room`, which is not empty.
pub(crate) fn receive(from: BorrowedFd<'_>, room: &mut [u8]) -> Result<Moved> {
    loop {
        match recv(from.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Ok(Moved::End),
            Ok(n) => return Ok(Moved::Bytes(n)),
            Err(e) => match failed(e) {
                Some(moved) => return Ok(moved),
                None if e == Errno::EINTR => {}
                None => return Err(os("cannot receive (recv)")(e)),
            },
        }
    }
}

/// Receives at most `most` bytes, at least one, behind what is in `room`, for which there is capacity.
pub(crate) fn receive_behind(from: BorrowedFd<'_>, room: &mut Vec<u8>, most: usize) -> Result<Moved> {
    let free = room.spare_capacity_mut();
    let len = free.len().min(most);
    loop {
        // SAFETY: `len` bytes of capacity are there, which the kernel writes to; nothing is read from them.
        let r = unsafe { libc::recv(from.as_raw_fd(), free.as_mut_ptr().cast(), len, libc::MSG_DONTWAIT) };
        if r > 0 {
            let len = room.len() + r as usize;
            // SAFETY: so many bytes the kernel has written behind those that were there.
            unsafe { room.set_len(len) };
            return Ok(Moved::Bytes(r as usize));
        }
        if r == 0 {
            return Ok(Moved::End);
        }
        let e = Errno::last();
        match failed(e) {
            Some(moved) => return Ok(moved),
            None if e == Errno::EINTR => {}
            None => return Err(os("cannot receive (recv)")(e)),
        }
    }
}

/// What comes with bytes over a socket of this machine.
#[derive(Default)]
pub(crate) struct Along {
    pub(crate) fds: Vec<OwnedFd>,
    /// Some were lost: there were too many, or this process has no descriptor free.
    pub(crate) lost: bool,
}

/// Room for the descriptors that one byte may bring; what is more gets lost.
const CONTROL: usize = 128;

#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Receives into `room`, with the descriptors that come along.
pub(crate) fn receive_along(from: BorrowedFd<'_>, room: &mut [u8], along: &mut Along) -> Result<Moved> {
    let mut io = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let mut control = Control([0; CONTROL]);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    loop {
        let mut message = header(&mut io, &mut control.0);
        message.msg_controllen = CONTROL as _;
        // SAFETY: the message's parts are ours to write until the call returns.
        let r = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, flags) };
        if r < 0 {
            let e = Errno::last();
            match failed(e) {
                Some(moved) => return Ok(moved),
                None if e == Errno::EINTR => continue,
                None => return Err(os("cannot receive (recvmsg)")(e)),
            }
        }
        let fds = descriptors(&message);
        along.lost |= message.msg_flags & libc::MSG_CTRUNC != 0 && r > 0;
        along.fds.extend(fds);
        return Ok(if r == 0 { Moved::End } else { Moved::Bytes(r as usize) });
    }
}

/// Sends a few bytes with one descriptor: both or nothing.
pub(crate) fn send_along(to: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd]) -> Result<Moved> {
    if fds.iter().any(|&fd| identity(fd).is_none()) {
        return Err(Error::os(libc::EBADF, "there is no such descriptor"));
    }
    loop {
        match super::packets::send_with(to, bytes, fds, libc::MSG_DONTWAIT) {
            Ok(()) => return Ok(Moved::Bytes(bytes.len())),
            Err(e) => match failed(e) {
                Some(moved) => return Ok(moved),
                None if e == Errno::EINTR => {}
                None => return Err(os("cannot send a descriptor (sendmsg)")(e)),
            },
        }
    }
}

/// Whether somebody at the socket's other end has closed it, or something can be read.
pub(crate) fn wait(fd: BorrowedFd<'_>, what: For, limit: Duration) -> bool {
    let events = if what == For::Reading { PollFlags::POLLIN } else { PollFlags::POLLOUT };
    let mut polled = [PollFd::new(fd, events)];
    // A signal counts as too early an end; whoever waits looks at the clock anyway.
    ppoll(&mut polled, Some(TimeSpec::from_duration(limit)), None).is_ok_and(|n| n > 0)
}

/// Whether nobody has the other end any more.
pub(crate) fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(fd, PollFlags::empty())];
    ppoll(&mut polled, Some(TimeSpec::from_duration(Duration::ZERO)), None).is_ok_and(|n| n > 0)
}

/// An error unless this is a socket that carries a stream and is connected.
pub(crate) fn check_stream(fd: RawFd) -> Result<()> {
    let wrong = || Error::new(Status::Unsupported, format!("descriptor {fd} is no connected stream socket"));
    if identity(fd).is_none() {
        return Err(Error::os(libc::EBADF, format!("descriptor {fd} is closed")).with_status(Status::Invalid));
    }
    // SAFETY: open, as was just seen; only asked about.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    match getsockopt(&fd, sockopt::SockType) {
        Ok(SockType::Stream) if other(fd).is_some() => Ok(()),
        _ => Err(wrong()),
    }
}

/// The process at the other end of a socket of this machine, and its user: of a listener's, whoever called listen.
pub(crate) fn peer(fd: BorrowedFd<'_>) -> Option<(u32, u32)> {
    let known = getsockopt(&fd, sockopt::PeerCredentials).ok()?;
    Some((known.pid() as u32, known.uid()))
}

/// Whom this process acts for.
pub(crate) fn user() -> u32 {
    // SAFETY: asks the kernel for a number.
    unsafe { libc::geteuid() }
}

/// One descriptor more for the same socket.
pub(crate) fn again(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd::copy(fd).map_err(os("no descriptor is free"))
}
