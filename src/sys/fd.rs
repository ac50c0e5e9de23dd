//! Descriptors: which file one leads to, and record locks as proof of life.

use crate::error::Error;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Which file a descriptor led to when it was ours for certain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The identity of the file behind `fd`, None when the descriptor is closed.
pub(crate) fn identity(fd: RawFd) -> Option<Identity> {
    if fd < 0 {
        return None;
    }
    // SAFETY: fstat only asks about the number; a closed one answers EBADF.
    let stat = fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    Some(Identity { device: stat.st_dev, inode: stat.st_ino })
}

/// The same open file at a number that is not one of stdin's, stdout's and stderr's: where a host has closed
/// one of those, what is opened next gets its number, and a child's new stdin would replace it.
pub(crate) fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    copy(fd.as_fd())
}

/// One more for the same open file, above stdio's numbers.
pub(crate) fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let raw = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: fcntl has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// One more for what the program says it has open there.
pub(crate) fn copy_of_program(fd: RawFd) -> crate::error::Result<OwnedFd> {
    if fd < 0 {
        return Err(Error::os(libc::EBADF, format!("{fd} is no descriptor")));
    }
    // SAFETY: only asked for a copy; should nothing be open there, fcntl says EBADF.
    copy(unsafe { BorrowedFd::borrow_raw(fd) }).map_err(super::os("cannot copy a descriptor"))
}

/// As many descriptors for this process as the system lets it have.
pub(crate) fn allow_all() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it may not, it has those that it has.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Takes over a descriptor that this process inherited for a purpose of libmp's.
pub(crate) fn adopt(fd: RawFd) -> crate::error::Result<OwnedFd> {
    // SAFETY: only asked about; should nothing be open there, fcntl says EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .map_err(super::os("an inherited descriptor is closed"))?;
    // SAFETY: open, as was just seen; the parent kept it open for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Locks one byte of the file for as long as this process lives and keeps the descriptor open. The lock is
/// not inherited by fork, and the kernel drops it at death.
pub(crate) fn lock_byte(fd: RawFd, at: u64) -> Result<(), Errno> {
    // SAFETY: the caller owns fd; fcntl does not keep it.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(fd, FcntlArg::F_SETLK(&record(at))).map(drop)
}

/// Gives it up.
pub(crate) fn unlock_byte(fd: RawFd, at: u64) {
    // SAFETY: as above.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let unlock = libc::flock { l_type: libc::F_UNLCK as i16, ..record(at) };
    // It can only fail where nothing was locked.
    let _ = fcntl(fd, FcntlArg::F_SETLK(&unlock));
}

/// Whether another process holds the byte's lock. None: the question could not be put.
pub(crate) fn byte_is_locked(fd: RawFd, at: u64) -> Option<bool> {
    let mut lock = record(at);
    // SAFETY: as above.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(fd, FcntlArg::F_GETLK(&mut lock)).ok()?;
    Some(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn record(at: u64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: at as i64,
        l_len: 1,
        l_pid: 0,
    }
}
