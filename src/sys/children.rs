//! Making a child by fork, following it by pidfd, and ending a process.

use super::fd::above_stdio;
use super::{last_error, os};
use crate::error::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Which side of a fork this is.
pub(crate) enum Fork {
    Parent { pid: u32 },
    Child,
}

/// Forks, with the C library's own handlers, so that the child may allocate. The host's handlers run too, and
/// may use libmp: no lock of ours is held here but the list of descriptors.
pub(crate) fn fork() -> Result<Fork> {
    // SAFETY: the C library's locks are its fork's business. Ours are free in the child, whose page the kernel
    // has wiped; what they guard may be torn there, and is begun anew when the child enters the tree. The
    // host's code runs in the child only as POSIX allows it.
    match unsafe { libc::fork() } {
        -1 => Err(last_error("cannot fork")),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent { pid: pid as u32 }),
    }
}

/// Ends the process at once: no handler of the parent's runs a second time here.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit does not return and runs nothing of the program.
    unsafe { libc::_exit(code) }
}

/// A descriptor of a child that was just forked. Should its number be somebody else's by now, `ended` notices,
/// because it asks for a child of ours.
pub(crate) fn open_pidfd(pid: u32) -> Trace {
    // SAFETY: pidfd_open takes no pointer.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return if Errno::last() == Errno::ESRCH { Trace::Lost } else { Trace::Number };
    }
    // SAFETY: the kernel just gave us this descriptor; it is close-on-exec from birth.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    above_stdio(fd).map_or(Trace::Number, Trace::Descriptor)
}

/// The errno where the table of descriptors is full.
pub(crate) const NO_DESCRIPTOR: i32 = libc::EMFILE;

/// What there is to follow a child by. A child that runs is never given up because a descriptor is not to be
/// had: its function may have begun.
pub(crate) enum Trace {
    Descriptor(OwnedFd),
    /// Only its number, which leads to it until it is reaped.
    Number,
    /// Nothing: the host, which reaps everything, was faster.
    Lost,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It left with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// The host reaped it before us, so the kernel has forgotten.
    Reaped,
}

/// A child of this process, by its descriptor, or, where the host has closed that, by its number, which is its
/// own at least until somebody reaps it.
#[derive(Clone, Copy)]
pub(crate) enum Followed<'a> {
    Descriptor(BorrowedFd<'a>),
    Number(u32),
}

/// Asks, without waiting, whether the child has ended, and if so reaps it.
pub(crate) fn ended(child: Followed<'_>) -> Option<End> {
    let (kind, id) = match child {
        Followed::Descriptor(fd) => (libc::P_PIDFD, fd.as_raw_fd() as libc::id_t),
        Followed::Number(pid) => (libc::P_PID, pid),
    };
    // Not nix's waitid: it knows no real-time signals, of which a child can die like of any other.
    loop {
        // SAFETY: all zero is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: info is ours to write; the descriptor, if it is one, is open.
        let r = unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | libc::WNOHANG) };
        if r == 0 {
            // SAFETY: waitid succeeded, so these fields are the ones of a SIGCHLD; a pid of 0 means that
            // nothing has happened yet.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            return match (pid, info.si_code) {
                (0, _) => None,
                (_, libc::CLD_EXITED) => Some(End::Exited(status)),
                _ => Some(End::Killed(status)),
            };
        }
        match (Errno::last(), child) {
            (Errno::EINTR, _) => {}
            // Somebody else reaps this host's children (or nobody has to: SIGCHLD is ignored). The
            // descriptor still tells when the process is gone.
            (Errno::ECHILD, Followed::Descriptor(_)) => {
                return is_over(child, Duration::ZERO).then_some(End::Reaped);
            }
            (Errno::ECHILD, Followed::Number(_)) => return Some(End::Reaped),
            _ => return None,
        }
    }
}

/// Reaps any child that has ended. Only for a process that is all libmp's own.
pub(crate) fn reap_any() -> Option<(u32, End)> {
    loop {
        // SAFETY: all zero is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: info is ours to write.
        let r = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG) };
        if r == 0 {
            // SAFETY: waitid succeeded, so these fields are the ones of a SIGCHLD; a pid of 0: nothing happened.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            let end =
                if info.si_code == libc::CLD_EXITED { End::Exited(status) } else { End::Killed(status) };
            return (pid != 0).then_some((pid as u32, end));
        }
        if Errno::last() != Errno::EINTR {
            return None;
        }
    }
}

/// A descriptor for the working directory; None where it is gone or may not be looked at.
pub(crate) fn open_directory() -> Result<Option<OwnedFd>> {
    let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC;
    match nix::fcntl::open(".", flags, nix::sys::stat::Mode::empty()) {
        Ok(fd) => above_stdio(fd).map(Some).map_err(os("no descriptor is free for the working directory")),
        Err(e) => Err(os("cannot open the working directory")(e)),
    }
}

/// The number of this process's parent in the kernel.
pub(crate) fn parent_pid() -> u32 {
    // SAFETY: asks for a number.
    unsafe { libc::getppid() as u32 }
}

/// Calls this thread something else, for `ps`; what it was called before.
pub(crate) fn rename(name: &std::ffi::CStr) -> [u8; 16] {
    let mut before = [0; 16];
    // SAFETY: the kernel writes 16 bytes at most, and reads a string.
    unsafe {
        libc::prctl(libc::PR_GET_NAME, before.as_mut_ptr());
        libc::prctl(libc::PR_SET_NAME, name.as_ptr());
    }
    before
}

/// Calls this thread what [`rename`] said.
pub(crate) fn set_thread_name(name: &[u8; 16]) {
    // SAFETY: the kernel reads 16 bytes at most.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// A descriptor of this process itself, for others to follow it by.
pub(crate) fn own_pidfd() -> Trace {
    open_pidfd(std::process::id())
}

/// Waits until the process has ended, at most `limit`; true if it has. A signal may cut the wait short, and
/// without a descriptor it is always short: the caller asks again.
pub(crate) fn is_over(child: Followed<'_>, limit: Duration) -> bool {
    match child {
        Followed::Descriptor(fd) => {
            let limit = limit.as_nanos().div_ceil(1_000_000).min(60_000) as u16;
            let mut polled = [PollFd::new(fd, PollFlags::POLLIN)];
            matches!(poll(&mut polled, PollTimeout::from(limit)), Ok(n) if n > 0)
        }
        Followed::Number(pid) => {
            std::thread::sleep(limit.min(Duration::from_millis(5)));
            // SAFETY: all zero is a valid siginfo_t.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            // SAFETY: info is ours to write, and the child stays to be reaped.
            let r = unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, how) };
            // SAFETY: a pid of 0 means that nothing has happened yet; ECHILD that it is reaped.
            r != 0 || unsafe { info.si_pid() } != 0
        }
    }
}

/// A descriptor for this process's parent, which has this number; None when the parent is gone: the kernel gives
/// its children another one then, so the number is the parent's for as long as it is what getppid says.
pub(crate) fn open_parent(pid: u32) -> Result<Option<OwnedFd>> {
    // SAFETY: asks for a number.
    let is_parent = || unsafe { libc::getppid() } as u32 == pid;
    if !is_parent() {
        return Ok(None);
    }
    match open_pidfd(pid) {
        Trace::Descriptor(fd) => Ok(is_parent().then_some(fd)),
        Trace::Number if is_parent() => Err(last_error("no descriptor is free for following the parent")),
        Trace::Number | Trace::Lost => Ok(None),
    }
}

/// Sends a signal to exactly this process; one that is gone is no error.
pub(crate) fn signal(child: Followed<'_>, signal: i32) -> Result<()> {
    // SAFETY: system calls on plain values; no siginfo is passed. A child that is followed by its number has
    // not been reaped by us, so the number is still its own.
    let r = unsafe {
        match child {
            Followed::Descriptor(fd) => {
                let none = std::ptr::null::<libc::c_void>();
                libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, none, 0)
            }
            Followed::Number(pid) => libc::kill(pid as libc::pid_t, signal).into(),
        }
    };
    if r == 0 || Errno::last() == Errno::ESRCH {
        return Ok(());
    }
    Err(last_error("cannot send the signal"))
}

/// A descriptor's place in the table, to be given up for the one that must be had after a fork: a table that
/// is full is an error before there is a child, not after.
pub(crate) fn reserve_descriptor() -> Result<OwnedFd> {
    nix::fcntl::open(
        "/",
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )
    .map_err(os("no descriptor is free for following the child"))
}

/// Waits for the end of a child that is about to end, and reaps it, if it is one of this process's.
pub(super) fn bury(child: BorrowedFd<'_>) {
    loop {
        // SAFETY: all zero is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let id = child.as_raw_fd() as libc::id_t;
        // SAFETY: info is ours to write; the descriptor is open.
        let r = unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) };
        if r == 0 || Errno::last() != Errno::EINTR {
            return;
        }
    }
}

/// Ends and reaps a child that cannot be followed.
pub(crate) fn abandon(pid: u32) {
    // SAFETY: a child of ours that nobody has waited for.
    unsafe {
        libc::kill(pid as libc::pid_t, libc::SIGKILL);
        while libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0) < 0 && Errno::last() == Errno::EINTR
        {
        }
    }
}
