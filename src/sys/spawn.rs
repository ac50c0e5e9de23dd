//! Running a program in a child without copying this process: clone that shares memory until the exec, so
//! that the cost does not grow with the parent, with the child's pidfd from the kernel itself.

use super::children::Trace;
use super::setup::{self, Setup};
use super::{last_error, os, signals};
use crate::error::Result;
use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

/// What to run.
pub(crate) struct Image<'a> {
    pub(crate) path: CString,
    /// With argv[0].
    pub(crate) argv: Vec<CString>,
    /// The only descriptors, beside stdin, stdout and stderr, that it inherits.
    pub(crate) keep: Vec<RawFd>,
    pub(crate) setup: &'a Setup,
    /// It is no child of this process, whose `wait` and SIGCHLD handler do not learn of it.
    pub(crate) detached: bool,
}

/// What the child reads in the memory that it shares with us, and where it leaves its failure.
struct Order<'a> {
    image: &'a Image<'a>,
    argv: *const *const libc::c_char,
    environment: *const *const libc::c_char,
    mask: libc::sigset_t,
    /// The child's stack, by its end.
    stack: *mut libc::c_void,
    pid: libc::c_int,
    pidfd: libc::c_int,
    error: libc::c_int,
    /// Which part of the setup the error is about; 0: the exec.
    part: libc::c_int,
}

/// Runs the image: its process id and its trace. A failed exec is an error here, and leaves no child.
pub(crate) fn spawn(image: &Image<'_>) -> Result<(u32, Trace)> {
    const STACK: usize = 64 << 10;
    /// For the one that only makes another.
    const BETWEEN: usize = 16 << 10;
    let argv = setup::array(&image.argv);
    let environment = image.setup.environment.as_deref().map(setup::array);
    let held = signals::hold()?;
    let mut order = Order {
        image,
        argv: argv.as_ptr(),
        environment: environment.as_ref().map_or_else(setup::own_array, |e| e.as_ptr()),
        mask: held.before(),
        stack: std::ptr::null_mut(),
        pid: -1,
        pidfd: -1,
        error: 0,
        part: 0,
    };
    let room = if image.detached { STACK + BETWEEN } else { STACK };
    let mut stack = Vec::<u128>::new();
    stack
        .try_reserve_exact(room / 16)
        .map_err(|_| crate::error::Error::os(libc::ENOMEM, "no memory for the child's stack"))?;
    // SAFETY: within the memory that was just reserved, or at its end.
    order.stack = unsafe { stack.as_mut_ptr().add(STACK / 16) }.cast();
    if image.detached {
        // SAFETY: at its end.
        make_detached(unsafe { stack.as_mut_ptr().add(room / 16) }.cast(), &mut order)?;
    } else {
        make(&mut order);
    }
    if order.pid < 0 {
        return Err(os("cannot make a process (clone)")(Errno::from_raw(order.error)));
    }
    // SAFETY: the kernel has just made it, close-on-exec.
    let pidfd = unsafe { OwnedFd::from_raw_fd(order.pidfd) };
    drop(held);
    if order.error != 0 {
        // It ends by itself. Whose child it is, if it is detached, this process may find out here.
        super::children::bury(pidfd.as_fd());
        let failed = setup::failure(order.part, order.error);
        return Err(
            failed.unwrap_or_else(|| os("cannot run the executable (execve)")(Errno::from_raw(order.error)))
        );
    }
    let trace = super::fd::above_stdio(pidfd).map_or(Trace::Number, Trace::Descriptor);
    Ok((order.pid as u32, trace))
}

/// Makes the child, and waits until it has left this memory.
fn make(order: &mut Order<'_>) {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let (stack, pidfd) = (order.stack, &raw mut order.pidfd);
    let order: *mut Order<'_> = order;
    // SAFETY: the stack is ours and large enough for `run`; this thread does not go on before the child has
    // left the shared memory by exec or exit (CLONE_VFORK), so order and stack outlive its use of them; with
    // all signals held no handler runs in the child. It allocates nothing and takes no lock.
    unsafe {
        let pid = libc::clone(run, stack, flags, order.cast(), pidfd);
        (*order).pid = pid;
        if pid < 0 {
            (*order).error = Errno::last_raw();
        }
    }
}

/// Has it made by a process in between, which shares memory and descriptors with this one, ends at once, and by
/// that leaves its child to the system. Of its own end no signal tells, and no plain wait: it has no exit
/// signal. The child itself could not be made so, for exec gives it SIGCHLD back.
fn make_detached(stack: *mut libc::c_void, order: &mut Order<'_>) -> Result<()> {
    extern "C" fn between(order: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the Order of `make_detached`, whose thread waits.
        make(unsafe { &mut *order.cast::<Order<'_>>() });
        0
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    let order: *mut Order<'_> = order;
    // SAFETY: as in `make`; the stack is another one than the child's.
    let pid = unsafe { libc::clone(between, stack, flags, order.cast()) };
    if pid < 0 {
        return Err(last_error("cannot make a process (clone)"));
    }
    // A host that waits for everything may have been faster.
    // SAFETY: a child of ours that nobody else knows of.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } < 0
        && Errno::last() == Errno::EINTR
    {}
    Ok(())
}

/// In the child, in the parent's memory: only system calls, and nothing that the parent would notice.
extern "C" fn run(order: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent's Order, which waits for us; the rest are system calls on plain values.
    unsafe {
        let order = &mut *order.cast::<Order<'_>>();
        // A handler must not run here: the signals that have one get the default, as exec would do it.
        for signal in 1..=64 {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction != libc::SIG_DFL
                && action.sa_sigaction != libc::SIG_IGN
            {
                action = std::mem::zeroed();
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        for &fd in &order.image.keep {
            libc::fcntl(fd, libc::F_SETFD, 0);
        }
        if let Err((part, errno)) = order.image.setup.apply() {
            (order.part, order.error) = (part, errno);
            libc::_exit(127);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const order.mask, std::ptr::null_mut());
        libc::execve(order.image.path.as_ptr(), order.argv, order.environment);
        order.error = *libc::__errno_location();
        libc::_exit(127)
    }
}
