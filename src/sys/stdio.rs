//! The C library's streams: what is in their buffers must be written once.

use core::ffi::{c_int, c_void};

/// A FILE of the C library's.
type Stream = *mut c_void;

// What the libc crate does not declare. This is no room whose declarations get into mp.h.
unsafe extern "C" {
    static stdout: Stream;
    static stderr: Stream;
    fn fflush(stream: Stream) -> c_int;
    fn __fpurge(stream: Stream);
    fn ftrylockfile(stream: Stream) -> c_int;
    fn funlockfile(stream: Stream);
}

/// Before a fork, in the parent: writes out what is buffered, so that the child does not write it again. To
/// flush a stream is to lock it, and to wait for a thread that sits in a read of it. So where there are other
/// threads only stdout and stderr are flushed, and only if nobody is using them.
pub(crate) fn flush_before_fork() {
    if is_single_threaded() {
        return flush_all();
    }
    // SAFETY: the C library sets these before main; a host that stores another stream in one means that one.
    let outputs = unsafe { [stdout, stderr] };
    for output in outputs {
        // SAFETY: one of the streams that are always there.
        if unsafe { ftrylockfile(output) } == 0 {
            // SAFETY: locked by this thread, which may lock it again.
            unsafe { fflush(output) };
            // SAFETY: locked above.
            unsafe { funlockfile(output) };
        }
    }
}

/// Whether there certainly is no other thread. glibc (2.32) knows; elsewhere the kernel is asked.
fn is_single_threaded() -> bool {
    // SAFETY: looks a name up; what is found is a char that the C library keeps.
    let known = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
    if !known.is_null() {
        // SAFETY: as above.
        return unsafe { known.cast::<core::ffi::c_char>().read_volatile() } != 0;
    }
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// After a fork, in the child: what another thread of the parent's has left in the buffers since they were written
/// out is the parent's to write.
pub(crate) fn forget_parents() {
    // SAFETY: the streams that are always there; the C library's fork has freed their locks for this one thread.
    unsafe {
        __fpurge(stdout);
        __fpurge(stderr);
    }
}

/// At a child's end, where there is no other thread to wait for.
pub(crate) fn flush_all() {
    // SAFETY: NULL means all streams; every stream has its own lock.
    unsafe { fflush(std::ptr::null_mut()) };
}

/// Writes a record to stderr by one system call. A reader that is gone, and a file that is too large, are no
/// reason for a signal that would end the host.
pub(crate) fn write_record(line: &[u8]) {
    // SAFETY: all zero is a valid set, and the rest are calls on sets and bytes that are ours.
    unsafe {
        let mut harm: libc::sigset_t = std::mem::zeroed();
        let (mut before, mut pending) = (harm, harm);
        libc::sigemptyset(&raw mut harm);
        libc::sigaddset(&raw mut harm, libc::SIGPIPE);
        libc::sigaddset(&raw mut harm, libc::SIGXFSZ);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const harm, &raw mut before);
        libc::sigpending(&raw mut pending);
        let mut rest = line;
        while !rest.is_empty() {
            let written = libc::write(2, rest.as_ptr().cast(), rest.len());
            if written < 0 && *libc::__errno_location() == libc::EINTR {
                continue;
            }
            // What a pipe that does not block has no room for is lost.
            let Some(left) = usize::try_from(written).ok().and_then(|n| rest.get(n..)) else { break };
            rest = left;
        }
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
            // One that was there before, and held back by the host, is the host's.
            if !rest.is_empty() && libc::sigismember(&raw const pending, signal) == 0 {
                let mut one: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&raw mut one);
                libc::sigaddset(&raw mut one, signal);
                libc::sigtimedwait(&raw const one, std::ptr::null_mut(), &raw const now);
            }
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
}
