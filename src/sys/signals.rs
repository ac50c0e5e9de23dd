//! Signals: held back while a child comes into being, and what a pool worker does with the terminal's.

use super::os;
use crate::error::Result;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction,
};

/// All signals held back in this thread until dropped.
pub(crate) struct Held {
    before: SigSet,
}

/// Holds them back.
pub(crate) fn hold() -> Result<Held> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
        .map_err(os("cannot block signals"))?;
    Ok(Held { before })
}

impl Held {
    /// The mask from before.
    pub(crate) fn before(&self) -> libc::sigset_t {
        *self.before.as_ref()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// Blocks SIGCHLD and gives a descriptor that is readable when one has come; SIGINT is not meant for a server.
pub(crate) fn for_server() -> Result<std::os::fd::OwnedFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&mask), None).map_err(os("cannot block SIGCHLD"))?;
    ignore_interrupt()?;
    // SAFETY: no handler is set. Ignored, children would leave no status.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: as above.
    unsafe { sigaction(Signal::SIGCHLD, &default) }.map_err(os("cannot set SIGCHLD's action"))?;
    child_descriptor()
}

/// What this process does about children that end, to be put back.
pub(crate) struct ChildAction(SigAction);

/// For a process that forks for others, but whose children are to have the program's actions.
pub(crate) fn for_zygote() -> Result<(std::os::fd::OwnedFd, ChildAction)> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is set.
    let before =
        unsafe { sigaction(Signal::SIGCHLD, &default) }.map_err(os("cannot set SIGCHLD's action"))?;
    Ok((child_descriptor()?, ChildAction(before)))
}

impl ChildAction {
    pub(crate) fn put_back(&self) {
        // SAFETY: the action that the program had set.
        let _ = unsafe { sigaction(Signal::SIGCHLD, &self.0) };
    }
}

/// Readable when a child has ended; SIGCHLD is blocked.
fn child_descriptor() -> Result<std::os::fd::OwnedFd> {
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(os("cannot make a signal descriptor"))?;
    super::fd::above_stdio(fd.into()).map_err(os("no descriptor is free for signals"))
}

/// The terminal's Ctrl-C is not meant for this process.
pub(crate) fn ignore_interrupt() -> Result<()> {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is set.
    unsafe { sigaction(Signal::SIGINT, &ignore) }.map(drop).map_err(os("cannot ignore SIGINT"))
}

/// Takes what such a descriptor has.
pub(crate) fn drain(fd: std::os::fd::BorrowedFd<'_>) {
    let mut some = [0; 1024];
    while matches!(nix::unistd::read(fd, &mut some), Ok(n) if n > 0) {}
}

extern "C" fn nothing(_: libc::c_int) {}

/// A worker outlives Ctrl-C, which is its owner's business, and dies of SIGTERM whatever the owner's handler
/// does. SIGINT gets an empty handler rather than SIG_IGN, so that a program which the worker runs has the
/// default again.
pub(crate) fn for_worker() -> Result<()> {
    let calm = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler is empty, so it is safe at any moment; the worker has one thread.
    unsafe { sigaction(Signal::SIGINT, &calm) }.map_err(os("cannot set SIGINT's action"))?;
    // SAFETY: the default action has no handler.
    unsafe { sigaction(Signal::SIGTERM, &default) }.map_err(os("cannot set SIGTERM's action"))?;
    unblock_for_worker()
}

/// What ends a worker, and what must not wait to be ignored, is not blocked in it.
pub(crate) fn unblock_for_worker() -> Result<()> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.add(Signal::SIGINT);
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&mask), None).map_err(os("cannot unblock SIGTERM"))
}

/// The calling thread's mask: a bit for each signal that is blocked.
pub(crate) fn mask() -> u64 {
    // SAFETY: all zero is a valid set; it is only asked for.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
        (1..=64).filter(|&s| libc::sigismember(&raw const set, s) == 1).fold(0, |m, s| m | 1 << (s - 1))
    }
}

/// In a worker: the mask of the thread that made its pool, but for what ends a worker, and what must not wait to be
/// ignored.
pub(crate) fn take_mask(mask: u64) {
    let mask = mask & !(1 << (SIGTERM - 1)) & !(1 << (SIGINT - 1));
    // SAFETY: all zero is a valid set, and the numbers are ones that it has room for.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        for signal in (1..=64).filter(|s| mask >> (s - 1) & 1 != 0) {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// "SIGKILL" for 9; the number where the name is unknown.
pub(crate) fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |s| s.as_str().to_owned())
}

/// Asks a process to end.
pub(crate) const SIGTERM: i32 = libc::SIGTERM;
/// Interrupts it, as Ctrl-C does.
pub(crate) const SIGINT: i32 = libc::SIGINT;
/// Ends it.
pub(crate) const SIGKILL: i32 = libc::SIGKILL;
/// Has it go on after a stop.
pub(crate) const SIGCONT: i32 = libc::SIGCONT;
