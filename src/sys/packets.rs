//! Short messages with descriptors between two processes: a socket pair without a name.

use super::fd::above_stdio;
use super::{last_error, os};
use crate::error::{Result, fail};
pub(crate) use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socketpair};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The most descriptors that a message carries: the kernel's limit.
pub(crate) const MOST: usize = 253;
const CONTROL: usize = 1040;

/// Two ends; a message is received as it was sent.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .and_then(|(a, b)| Ok((above_stdio(a)?, above_stdio(b)?)))
        .map_err(os("cannot make a socket pair"))
}

#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// The head of a message with one part and room for descriptors, which is aligned for them.
pub(super) fn header(io: &mut libc::iovec, control: &mut [u8]) -> libc::msghdr {
    // SAFETY: all zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = io;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message
}

/// Sends a message with at most [`MOST`] descriptors. The errno on failure: EPIPE where nobody can receive it.
pub(crate) fn send(to: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd]) -> std::result::Result<(), Errno> {
    loop {
        match send_with(to, bytes, fds, 0) {
            Err(Errno::EINTR) => {}
            sent => return sent,
        }
    }
}

/// How long the message that comes next is, and its beginning; None when there is none yet. 0 is the end.
pub(crate) fn peek<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<([u8; N], usize)>> {
    let mut bytes = [0; N];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
    loop {
        match recv(from.as_raw_fd(), &mut bytes, flags) {
            Ok(len) => return Ok(Some((bytes, len))),
            Err(Errno::EAGAIN) => return Ok(None),
            // The second is said once, and before what is still to be read.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Err(e) => return Err(os("cannot look for what comes (recv)")(e)),
        }
    }
}

/// One try to do the same, with these flags.
pub(super) fn send_with(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[RawFd],
    flags: libc::c_int,
) -> std::result::Result<(), Errno> {
    assert!(fds.len() <= MOST);
    let mut io = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; CONTROL]);
    let mut message = header(&mut io, &mut control.0);
    let len = size_of_val(fds) as u32;
    if fds.is_empty() {
        message.msg_control = std::ptr::null_mut();
    } else {
        // SAFETY: the control buffer has room for one header and MOST descriptors; it is aligned for both.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(len) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const message);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(len) as _;
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast(), libc::CMSG_DATA(first), len as usize);
        }
    }
    // SAFETY: the message's parts live until the call returns; the kernel only reads them.
    let r = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL | flags) };
    if r >= 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Whether a failed send means that there is nobody at the other end.
pub(crate) fn is_gone(e: Errno) -> bool {
    matches!(e, Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN | Errno::ECONNREFUSED)
}

/// A message, with how many bytes it has: 0 is the end.
pub(crate) struct Message<const N: usize> {
    pub(crate) bytes: [u8; N],
    pub(crate) len: usize,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Receives one, without waiting; None when there is none yet.
pub(crate) fn receive<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<Message<N>>> {
    Ok(receive_with(from, 0)?.map(|(message, _)| message))
}

/// The same, and it stays: the descriptors are others, of the same files. All of them, or an error.
pub(crate) fn copy<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<Message<N>>> {
    match receive_with(from, libc::MSG_PEEK)? {
        Some((_, true)) => fail!(Os, "descriptors came, and this process has no room for so many: they wait"),
        copied => Ok(copied.map(|(message, _)| message)),
    }
}

/// Drops one, with its descriptors, which takes no room.
pub(crate) fn discard(from: BorrowedFd<'_>) -> Result<()> {
    loop {
        match recv(from.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Ok(_) | Err(Errno::EAGAIN) => return Ok(()),
            Err(e) => return Err(os("cannot receive from another process (recv)")(e)),
        }
    }
}

/// True: descriptors came with it for which this process has no room.
fn receive_with<const N: usize>(
    from: BorrowedFd<'_>,
    flags: libc::c_int,
) -> Result<Option<(Message<N>, bool)>> {
    let mut bytes = [0; N];
    let mut io = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: N };
    let mut control = Control([0; CONTROL]);
    let mut message = header(&mut io, &mut control.0);
    message.msg_controllen = CONTROL as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC | flags;
    loop {
        // SAFETY: the message's parts are ours to write until the call returns.
        let r = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, flags) };
        match Errno::last() {
            _ if r >= 0 => {
                let fds = descriptors(&message);
                let is_cut = message.msg_flags & libc::MSG_CTRUNC != 0;
                return Ok(Some((Message { bytes, len: r as usize, fds }, is_cut)));
            }
            Errno::EINTR => {}
            Errno::EAGAIN => return Ok(None),
            // The other end went with something unread in it. The kernel says that once, and before what is still
            // to be read here.
            Errno::ECONNRESET => {}
            _ => return Err(last_error("cannot receive from another process (recvmsg)")),
        }
    }
}

/// The descriptors that came with a message.
pub(super) fn descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: the kernel has filled the buffer in; the macros stay within msg_controllen, and each descriptor in it
    // is new and ours.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while !next.is_null() {
            if (*next).cmsg_level == libc::SOL_SOCKET && (*next).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(next);
                let len = (*next).cmsg_len as usize - (data as usize - next as usize);
                for i in 0..len / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.cast::<RawFd>().add(i).read_unaligned()));
                }
            }
            next = libc::CMSG_NXTHDR(message, next);
        }
    }
    fds
}

/// Waits until one of them can be read, or until `limit`; which ones can.
pub(crate) fn readable<const N: usize>(fds: [BorrowedFd<'_>; N], limit: Duration) -> [bool; N] {
    let end = Instant::now() + limit;
    loop {
        let mut polled = fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        let rest = end.saturating_duration_since(Instant::now()).as_millis().min(60_000) as libc::c_int;
        // SAFETY: N entries are there.
        let r = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, rest) };
        if r > 0 || rest == 0 {
            return polled.map(|p| p.revents != 0);
        }
    }
}
