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
