//! Addresses of sockets, and the kernel's form of them.

use nix::sys::socket::{
    AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr, VsockAddr, getpeername, getsockname,
};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// In place of a vsock's context: any of this machine's.
pub(crate) const ANY_CONTEXT: u32 = u32::MAX;
/// In place of a vsock's port: one that the kernel chooses.
const ANY_PORT: u32 = u32::MAX;
/// The most bytes that the path of a socket has, and one more than the name of one without a file.
pub(crate) const MOST_PATH: usize = 107;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// TCP.
    Inet(SocketAddr),
    /// A file.
    Path(Vec<u8>),
    /// A name without a file.
    Abstract(Vec<u8>),
    /// Between machines on one host: a context and a port, of which 0 means any.
    Vsock(u32, u32),
    /// A socket of this machine that nobody can connect to.
    Unnamed,
}

impl Address {
    /// Whether both ends are on this machine, so that descriptors can go along.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Address::Path(_) | Address::Abstract(_) | Address::Unnamed)
    }

    pub(super) fn family(&self) -> AddressFamily {
        match self {
            Address::Inet(SocketAddr::V4(_)) => AddressFamily::Inet,
            Address::Inet(SocketAddr::V6(_)) => AddressFamily::Inet6,
            Address::Vsock(..) => AddressFamily::Vsock,
            _ => AddressFamily::Unix,
        }
    }

    /// The kernel's form; an error for a name that is too long.
    pub(super) fn raw(&self) -> nix::Result<Box<dyn SockaddrLike>> {
        Ok(match self {
            Address::Inet(at) => Box::new(SockaddrStorage::from(*at)),
            Address::Path(path) => Box::new(UnixAddr::new(OsStr::from_bytes(path))?),
            Address::Abstract(name) => Box::new(UnixAddr::new_abstract(name)?),
            Address::Vsock(context, 0) => Box::new(VsockAddr::new(*context, ANY_PORT)),
            Address::Vsock(context, port) => Box::new(VsockAddr::new(*context, *port)),
            Address::Unnamed => Box::new(UnixAddr::new_unnamed()),
        })
    }

    fn known(raw: &SockaddrStorage) -> Option<Self> {
        if let Some(v4) = raw.as_sockaddr_in() {
            return Some(Address::Inet(SocketAddr::V4((*v4).into())));
        }
        if let Some(v6) = raw.as_sockaddr_in6() {
            return Some(Address::Inet(SocketAddr::V6((*v6).into())));
        }
        if let Some(vsock) = raw.as_vsock_addr() {
            return Some(Address::Vsock(vsock.cid(), vsock.port()));
        }
        let unix = raw.as_unix_addr()?;
        Some(match (unix.path(), unix.as_abstract()) {
            (Some(path), _) => Address::Path(path.as_os_str().as_bytes().to_vec()),
            (None, Some(name)) => Address::Abstract(name.to_vec()),
            _ => Address::Unnamed,
        })
    }
}

/// Where a socket is bound; None for one of a family that is none of ours.
pub(crate) fn own(fd: BorrowedFd<'_>) -> Option<Address> {
    Address::known(&getsockname(fd.as_raw_fd()).ok()?)
}

/// Where the other end is.
pub(crate) fn other(fd: BorrowedFd<'_>) -> Option<Address> {
    Address::known(&getpeername(fd.as_raw_fd()).ok()?)
}
