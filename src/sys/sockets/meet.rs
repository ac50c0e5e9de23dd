//! How two ends find each other: listening, accepting, connecting.

use super::address::{Address, other};
use super::{For, user, wait};
use crate::error::{Error, Result, Status};
use crate::sys::fd::{Identity, above_stdio};
use crate::sys::kept::{self, Kept};
use crate::sys::os;
use crate::time::Deadline;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{Backlog, SockFlag, SockType, accept4, getsockopt, setsockopt, socket, sockopt};
use nix::sys::stat::{Mode, SFlag, fchmod, lstat};
use nix::sys::time::{TimeVal, TimeValLike};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

fn new(at: &Address, flags: SockFlag) -> Result<OwnedFd> {
    socket(at.family(), SockType::Stream, SockFlag::SOCK_CLOEXEC | flags, None).and_then(above_stdio).map_err(
        |e| match e {
            Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT => {
                os("this kernel does not have this kind of socket")(e).with_status(Status::Unsupported)
            }
            e => os("cannot make a socket")(e),
        },
    )
}

/// A socket that is bound to an address, and listens as soon as `listen` is called. The file of one that has a file
/// is its user's alone, from the first moment on.
pub(crate) fn bind(at: &Address) -> Result<OwnedFd> {
    let fd = new(at, SockFlag::SOCK_NONBLOCK)?;
    match at {
        Address::Inet(_) => {
            setsockopt(&fd, sockopt::ReuseAddr, &true)
                .map_err(os("cannot prepare a socket (SO_REUSEADDR)"))?;
        }
        Address::Path(_) => {
            let mode = Mode::S_IRUSR | Mode::S_IWUSR;
            fchmod(&fd, mode).map_err(os("cannot prepare a socket (fchmod)"))?;
        }
        _ => {}
    }
    let raw = at.raw().map_err(os("this is no address"))?;
    nix::sys::socket::bind(fd.as_raw_fd(), &*raw).map_err(|e| match e {
        Errno::EADDRINUSE => os("somebody has this address (bind)")(e).with_status(Status::Exists),
        e => os("cannot have this address (bind)")(e),
    })?;
    Ok(fd)
}

/// Begins to listen, with room for so many who wait to be accepted.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: i32) -> Result<()> {
    let backlog = Backlog::new(backlog.min(libc::SOMAXCONN)).unwrap_or(Backlog::MAXCONN);
    nix::sys::socket::listen(&fd, backlog).map_err(os("cannot listen"))
}

/// A directory that is held.
pub(crate) struct Directory(Kept);

impl Drop for Directory {
    fn drop(&mut self) {
        // Should a fork of the host's have a copy of the descriptor, it does not hold it.
        // SAFETY: a system call on a descriptor of our own, with plain values.
        unsafe { libc::flock(self.0.fd().as_raw_fd(), libc::LOCK_UN) };
    }
}

/// Holds the directory that a socket's file is in, until it is dropped: meanwhile nobody else of those who ask
/// makes a socket there or removes one. None where it cannot be had.
pub(crate) fn hold_directory(path: &[u8]) -> Option<Directory> {
    let directory = match Path::new(OsStr::from_bytes(path)).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = {
        let mut list = kept::list();
        list.keep(above_stdio(std::fs::File::open(directory).ok()?.into()).ok()?)
    };
    for _ in 0..100 {
        // SAFETY: a system call on a descriptor of our own, with plain values.
        if unsafe { libc::flock(directory.fd().as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Some(Directory(directory));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Removes the file of a socket that nobody has, if it is this user's. Only with the directory held: of two who find
/// it so the second would remove what the first put there.
pub(crate) fn remove_stale(path: &[u8]) -> bool {
    let file = Path::new(OsStr::from_bytes(path));
    let Ok(stat) = lstat(file) else { return false };
    let is_socket = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFSOCK;
    if !is_socket || stat.st_uid != user() {
        return false;
    }
    let at = Address::Path(path.to_vec());
    let probe = {
        let mut list = kept::list();
        // A socket of the wrong type is told the difference between a socket of another type and none at all, and
        // whoever listens there does not get to know.
        let made =
            socket(at.family(), SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).and_then(above_stdio);
        made.map(|fd| list.keep(fd))
    };
    let (Ok(probe), Ok(raw)) = (probe, at.raw()) else { return false };
    let probe = probe.fd();
    nix::sys::socket::connect(probe.as_raw_fd(), &*raw) == Err(Errno::ECONNREFUSED)
        && std::fs::remove_file(file).is_ok()
}

/// Removes a file, if it still is this one.
pub(crate) fn remove_own(path: &[u8], identity: Identity) {
    if file_at(path) == Some(identity) {
        // Somebody else may have removed it first.
        let _ = std::fs::remove_file(OsStr::from_bytes(path));
    }
}

/// What `accept` found.
pub(crate) enum Came {
    One(OwnedFd, Address),
    Nobody,
}

/// Accepts one who waits, if there is one.
pub(crate) fn accept(fd: BorrowedFd<'_>) -> Result<Came> {
    loop {
        match accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Ok(raw) => {
                // SAFETY: the kernel has just made it.
                let fd = unsafe { OwnedFd::from_raw_fd(raw) };
                let fd = above_stdio(fd).map_err(os("no descriptor is free for a client"))?;
                let from = other(fd.as_fd()).unwrap_or(Address::Unnamed);
                prepare(fd.as_fd(), &from);
                return Ok(Came::One(fd, from));
            }
            Err(Errno::EAGAIN) => return Ok(Came::Nobody),
            // A client that has gone again, or whose network has: accept(2) says that these are no errors of ours.
            Err(
                Errno::EINTR
                | Errno::ECONNABORTED
                | Errno::EPROTO
                | Errno::ENETDOWN
                | Errno::ENOPROTOOPT
                | Errno::EHOSTDOWN
                | Errno::ENONET
                | Errno::EHOSTUNREACH
                | Errno::EOPNOTSUPP
                | Errno::ENETUNREACH,
            ) => {}
            Err(e) => return Err(os("cannot accept a client (accept)")(e)),
        }
    }
}

/// Messages go out when they are sent, not when the one before was acknowledged. And whoever is silent is asked whether
/// he is there at all: a machine that is switched off ends no connection.
fn prepare(fd: BorrowedFd<'_>, at: &Address) {
    if matches!(at, Address::Inet(_)) {
        // Only faster: what does not have it works as well.
        let _ = setsockopt(&fd, sockopt::TcpNoDelay, &true);
        // After a minute; four times, a quarter of a minute apart.
        let _ = setsockopt(&fd, sockopt::KeepAlive, &true);
        let _ = setsockopt(&fd, sockopt::TcpKeepIdle, &60);
        let _ = setsockopt(&fd, sockopt::TcpKeepInterval, &15);
        let _ = setsockopt(&fd, sockopt::TcpKeepCount, &4);
        // As long also where something is on its way to him: then nobody asks, and it would be sent again and again
        // for a quarter of an hour. Milliseconds.
        let _ = setsockopt(&fd, sockopt::TcpUserTimeout, &120_000);
    }
}

/// A socket that can be connected to this address.
pub(crate) fn unconnected(at: &Address) -> Result<OwnedFd> {
    new(at, SockFlag::SOCK_NONBLOCK)
}

/// Connects such a socket, and waits for that until the deadline.
pub(crate) fn connect(fd: BorrowedFd<'_>, at: &Address, deadline: Deadline) -> Result<()> {
    let raw = at.raw().map_err(os("this is no address"))?;
    if at.is_local() && !deadline.is_over() {
        set_blocking(fd)?;
    }
    loop {
        let left = deadline.remaining();
        if at.is_local() && !left.is_zero() {
            // There is no event for room in a listener's backlog: the kernel itself has to wait for it.
            let slice = TimeVal::milliseconds(left.as_millis().clamp(1, 60_000) as i64);
            setsockopt(&fd, sockopt::SendTimeout, &slice)
                .map_err(os("cannot prepare a socket (SO_SNDTIMEO)"))?;
        }
        match nix::sys::socket::connect(fd.as_raw_fd(), &*raw) {
            Ok(()) | Err(Errno::EISCONN) => break,
            Err(Errno::EAGAIN | Errno::EINTR) if at.is_local() => {}
            Err(Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR) => {
                if wait(fd, For::Writing, deadline.remaining().min(Duration::from_secs(60))) {
                    match getsockopt(&fd, sockopt::SocketError) {
                        Ok(0) => break,
                        Ok(e) => return Err(refused(Errno::from_raw(e))),
                        Err(e) => return Err(refused(e)),
                    }
                }
            }
            Err(e) => return Err(refused(e)),
        }
        if deadline.is_over() {
            return Err(Error::new(Status::Timeout, "the listener did not take the connection in time"));
        }
    }
    set_blocking(fd)?;
    if at.is_local() {
        // Nothing waits in the kernel any more; the default is only tidier for who else may use the socket.
        let _ = setsockopt(&fd, sockopt::SendTimeout, &TimeVal::milliseconds(0));
    }
    prepare(fd, at);
    Ok(())
}

fn refused(e: Errno) -> Error {
    match e {
        Errno::ENOENT | Errno::ECONNREFUSED => os("nobody listens there")(e).with_status(Status::NotFound),
        e => os("cannot connect")(e),
    }
}

fn set_blocking(fd: BorrowedFd<'_>) -> Result<()> {
    let flags = fcntl(fd, FcntlArg::F_GETFL).map_err(os("cannot prepare a socket (fcntl)"))?;
    let flags = OFlag::from_bits_retain(flags) & !OFlag::O_NONBLOCK;
    fcntl(fd, FcntlArg::F_SETFL(flags)).map(drop).map_err(os("cannot prepare a socket (fcntl)"))
}

/// Many descriptors that are waited for as one.
pub(crate) struct Many(Epoll);

impl Many {
    pub(crate) fn new() -> Result<Self> {
        let epoll =
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(os("no descriptor is free (epoll)"))?;
        Ok(Many(Epoll(above_stdio(epoll.0).map_err(os("no descriptor is free (epoll)"))?)))
    }

    /// From the descriptor that stands for them.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0.0
    }

    /// Waits for reading from this one, too.
    pub(crate) fn add(many: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<()> {
        Self::with(many, |epoll| epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0)))
            .map_err(os("cannot watch a client (epoll)"))
    }

    /// No longer.
    pub(crate) fn remove(many: BorrowedFd<'_>, fd: BorrowedFd<'_>) {
        // It can only fail where it was not there.
        let _ = Self::with(many, |epoll| epoll.delete(fd));
    }

    fn with<T>(many: BorrowedFd<'_>, what: impl FnOnce(&Epoll) -> T) -> T {
        // SAFETY: open for as long as it is borrowed, and not closed here.
        let epoll = std::mem::ManuallyDrop::new(Epoll(unsafe { OwnedFd::from_raw_fd(many.as_raw_fd()) }));
        what(&epoll)
    }
}

/// The identity of what is at a path; None where nothing is.
pub(crate) fn file_at(path: &[u8]) -> Option<Identity> {
    let stat = lstat(Path::new(OsStr::from_bytes(path))).ok()?;
    Some(Identity { device: stat.st_dev, inode: stat.st_ino })
}
