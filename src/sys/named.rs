//! Files with names in /dev/shm, as far as the kernel knows them: what is in them is the business of `shm`.

use super::fd::{Identity, above_stdio};
use super::{last_error, os};
use crate::error::{Error, Result, Status};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, lstat};
use nix::unistd::{UnlinkatFlags, ftruncate, linkat, unlinkat};
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Where names are.
const DIRECTORY: &CStr = c"/dev/shm";
/// Nobody who plays by the rules has one of the short locks below for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A name's place in the file system.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place(CString);

impl Place {
    /// `file` has no slash and no zero.
    pub(crate) fn of(file: &[u8]) -> Self {
        let path = [DIRECTORY.to_bytes(), b"/", file].concat();
        Place(CString::new(path).unwrap_or_default())
    }
}

/// A file that a name led to, found out about without opening it.
pub(crate) struct Seen {
    path: OwnedFd,
    stat: FileStat,
}

/// This process's user.
pub(crate) fn own_user() -> u32 {
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() }
}

/// A sparse file of that size which has no name yet.
pub(crate) fn make(size: usize, mode: u32) -> Result<OwnedFd> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let fd = open(DIRECTORY, flags, Mode::from_bits_truncate(0o600))
        .and_then(above_stdio)
        .map_err(os("cannot make a file in /dev/shm"))?;
    // Not by open: a mode there goes through the umask.
    fchmod(&fd, Mode::from_bits_truncate(mode)).map_err(os("cannot set the file's mode (fchmod)"))?;
    if size as u64 > super::memory::reservation_limit()? {
        return Err(Error::new(
            Status::NoMemory,
            format!("RLIMIT_FSIZE or RLIMIT_AS allows no {size} bytes"),
        ));
    }
    ftruncate(&fd, size as i64).map_err(os("cannot size a file in /dev/shm (ftruncate)"))?;
    Ok(fd)
}

/// Gives the file its name; false if that leads to something already.
pub(crate) fn link(fd: &OwnedFd, to: &Place) -> Result<bool> {
    // A file that was made without a name is linked by the one that /proc has for it; no other way is open to all.
    let from = format!("/proc/self/fd/{}", fd.as_raw_fd());
    match linkat(AT_FDCWD, from.as_str(), AT_FDCWD, to.0.as_c_str(), AtFlags::AT_SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(e) => Err(os("cannot link the file to its name (/proc is needed)")(e)),
    }
}

/// What a name leads to, None if to nothing. A symbolic link is not followed.
pub(crate) fn look(at: &Place) -> Result<Option<Seen>> {
    // Closing such a descriptor drops no record locks, as closing one that can be read from would.
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let path = match open(at.0.as_c_str(), flags, Mode::empty()).and_then(above_stdio) {
        Ok(fd) => fd,
        // Not because there is no place for names at all.
        Err(Errno::ENOENT) if lstat(DIRECTORY).is_ok() => return Ok(None),
        Err(e) => return Err(os("cannot look at the name")(e)),
    };
    Seen::of(path).map(Some)
}

/// What a descriptor of another process leads to; None if it has none such, or does not let us see.
pub(crate) fn look_at_descriptor(process: u32, fd: RawFd) -> Result<Option<Seen>> {
    let link = format!("/proc/{process}/fd/{fd}");
    match open(link.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).and_then(above_stdio) {
        Ok(path) => Seen::of(path).map(Some),
        Err(Errno::ENOENT | Errno::EACCES | Errno::EPERM | Errno::ESRCH) => Ok(None),
        Err(e) => Err(os("cannot look at another process's descriptor")(e)),
    }
}

impl Seen {
    fn of(path: OwnedFd) -> Result<Self> {
        let stat = fstat(&path).map_err(os("cannot look at what the name leads to (fstat)"))?;
        Ok(Seen { path, stat })
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { device: self.stat.st_dev, inode: self.stat.st_ino }
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.stat.st_mode & libc::S_IFMT == libc::S_IFREG
    }

    pub(crate) fn user(&self) -> u32 {
        self.stat.st_uid
    }

    /// Opens it for use. Not of a file that this process has open: closing this one would drop its record locks.
    pub(crate) fn open(&self) -> Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.path.as_raw_fd());
        open(path.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
            .and_then(above_stdio)
            .map_err(os("cannot open what the name leads to"))
    }
}

/// The size of an open file.
pub(crate) fn size(fd: &OwnedFd) -> Result<u64> {
    let stat = fstat(fd).map_err(os("cannot look at what the name leads to (fstat)"))?;
    Ok(u64::try_from(stat.st_size).unwrap_or(0))
}

/// The same of one that may be closed.
pub(crate) fn size_of(fd: RawFd) -> Option<u64> {
    // SAFETY: fstat only asks about the number; a closed one answers EBADF.
    let stat = fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    u64::try_from(stat.st_size).ok()
}

/// Its first bytes, copied: what is copied nobody can change or cut short meanwhile.
pub(crate) fn first_words<const N: usize>(fd: &OwnedFd) -> Option<[u64; N]> {
    let mut words = [0_u64; N];
    // SAFETY: the buffer is ours and has that size.
    let read = unsafe { libc::pread(fd.as_raw_fd(), words.as_mut_ptr().cast(), N * 8, 0) };
    (read == (N * 8) as isize).then_some(words)
}

/// Whether the name leads to this file now.
pub(crate) fn leads_to(at: &Place, file: Identity) -> bool {
    lstat(at.0.as_c_str()).is_ok_and(|s| Identity { device: s.st_dev, inode: s.st_ino } == file)
}

/// Locks the file as one of its users, for as long as the open file lives, here and in forked children. None
/// while somebody has it alone.
pub(crate) fn lock_shared(fd: &OwnedFd) -> Result<bool> {
    flock(fd, libc::LOCK_SH)
}

/// Locks it alone: true if it has no user with an open file.
pub(crate) fn lock_alone(fd: &OwnedFd) -> Result<bool> {
    flock(fd, libc::LOCK_EX)
}

fn flock(fd: &OwnedFd, how: libc::c_int) -> Result<bool> {
    // SAFETY: an open descriptor and plain numbers. nix wraps flock only for descriptors that it owns.
    if unsafe { libc::flock(fd.as_raw_fd(), how | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    match last_error("cannot lock what the name leads to (flock)") {
        e if e.errno == libc::EWOULDBLOCK => Ok(false),
        e => Err(e),
    }
}

/// Tries again and again what others let us do any moment.
pub(crate) fn soon<T>(attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    within(PATIENCE, attempt)?.ok_or_else(|| {
        let text = "somebody has kept the name's file locked for seconds: a stopped process, or a stranger";
        Error::new(Status::Timeout, text)
    })
}

/// The same, None where they do not for so long.
pub(crate) fn within<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let began = Instant::now();
    loop {
        let done = attempt()?;
        if done.is_some() || began.elapsed() > limit {
            return Ok(done);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Takes the name away if it still leads to this file, which is open as `fd`; false if it does not. All who do so
/// hold the lock of the file's byte 0 meanwhile, so that nobody takes away what came after it.
pub(crate) fn unlink(at: &Place, fd: RawFd, file: Identity) -> Result<bool> {
    soon(|| match super::fd::lock_byte(fd, 0) {
        Ok(()) => Ok(Some(())),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(e) => Err(os("cannot lock the name's file")(e)),
    })?;
    let gone = match leads_to(at, file) {
        true => unlinkat(AT_FDCWD, at.0.as_c_str(), UnlinkatFlags::NoRemoveDir).map(|()| true),
        false => Ok(false),
    };
    super::fd::unlock_byte(fd, 0);
    match gone {
        Err(Errno::ENOENT) => Ok(false),
        gone => gone.map_err(os("cannot remove the name")),
    }
}

/// The files there whose names begin so.
pub(crate) fn list(prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
    let folder = std::path::Path::new(std::ffi::OsStr::from_bytes(DIRECTORY.to_bytes()));
    let entries = std::fs::read_dir(folder)
        .map_err(|e| Error::os(e.raw_os_error().unwrap_or(0), "cannot list /dev/shm"))?;
    let names = entries.flatten().map(|e| e.file_name().as_bytes().to_vec());
    Ok(names.filter(|n| n.starts_with(prefix)).collect())
}

/// Maps the whole file, at `at` if something was mapped there before that was at least as large.
pub(crate) fn map(fd: &OwnedFd, size: usize, at: Option<*mut u8>) -> Result<*mut u8> {
    map_there(Some(fd.as_raw_fd()), size, at)
}

/// Puts private zeros in the place of a mapping: addresses that led there lead nowhere, and fault nobody.
pub(crate) fn unmap(at: *mut u8, size: usize) -> Result<()> {
    map_there(None, size, Some(at)).map(drop)
}

fn map_there(fd: Option<RawFd>, size: usize, at: Option<*mut u8>) -> Result<*mut u8> {
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let flags = match fd {
        Some(_) => libc::MAP_SHARED,
        None => libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
    };
    // SAFETY: either the kernel chooses the place, or it is one that only this room's caller maps things in.
    let got = unsafe {
        let at = at.unwrap_or(std::ptr::null_mut()).cast();
        libc::mmap(at, size, libc::PROT_READ | libc::PROT_WRITE, flags | fixed, fd.unwrap_or(-1), 0)
    };
    if got == libc::MAP_FAILED {
        return Err(last_error("cannot map what the name leads to").with_status(Status::NoMemory));
    }
    // SAFETY: the range was mapped just now. Failure is no matter: core dumps are then larger.
    unsafe { libc::madvise(got, size, libc::MADV_DONTDUMP) };
    Ok(got.cast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::identity;

    /// Whoever has judged a file and is slow takes its name away, and not that of the next one.
    #[test]
    fn only_the_name_of_this_file_goes() {
        let at = Place::of(format!("mp.{}.test-{}-unlink", own_user(), std::process::id()).as_bytes());
        let (first, second) = (make(4096, 0o600).unwrap(), make(4096, 0o600).unwrap());
        let file = |fd: &OwnedFd| identity(fd.as_raw_fd()).unwrap();
        assert!(link(&first, &at).unwrap());
        assert!(!link(&second, &at).unwrap(), "the name is taken");
        assert!(leads_to(&at, file(&first)) && !leads_to(&at, file(&second)));
        assert!(unlink(&at, first.as_raw_fd(), file(&first)).unwrap());
        assert!(link(&second, &at).unwrap());
        assert!(!unlink(&at, first.as_raw_fd(), file(&first)).unwrap());
        assert!(leads_to(&at, file(&second)), "the second one kept its name");
        assert!(unlink(&at, second.as_raw_fd(), file(&second)).unwrap());
        assert!(look(&at).unwrap().is_none());
    }

    #[test]
    fn who_is_alone_is_alone() {
        let at = Place::of(format!("mp.{}.test-{}-flock", own_user(), std::process::id()).as_bytes());
        let fd = make(4096, 0o640).unwrap();
        assert!(link(&fd, &at).unwrap());
        let seen = look(&at).unwrap().unwrap();
        assert!(seen.is_regular() && seen.user() == own_user());
        let (one, two) = (seen.open().unwrap(), seen.open().unwrap());
        assert!(lock_shared(&one).unwrap() && lock_shared(&two).unwrap());
        assert!(!lock_alone(&one).unwrap());
        drop(two);
        // The attempt may have cost the shared lock; nobody relies on it then.
        assert!(lock_alone(&one).unwrap() && !lock_shared(&fd).unwrap());
        assert!(unlink(&at, fd.as_raw_fd(), seen.identity()).unwrap());
    }
}
