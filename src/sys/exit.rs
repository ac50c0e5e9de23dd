//! The program's normal end.

use std::sync::atomic::{AtomicBool, Ordering};

/// Has `call` run when this process, or a fork of it, calls exit or returns from main. One function for the whole
/// program; again is once.
pub(crate) fn at_exit(call: extern "C" fn()) {
    static DONE: AtomicBool = AtomicBool::new(false);
    // Looked at first, so that the line stays shared among threads.
    if !DONE.load(Ordering::Relaxed) && !DONE.swap(true, Ordering::Relaxed) {
        // SAFETY: a function that is there for as long as the program: the library is never unloaded (nodelete).
        // Where there is no room for it, exits are taken for sudden ends.
        unsafe { libc::atexit(call) };
    }
}

/// The same for what has to be done at the program's end; what is noted then comes after it.
pub(crate) fn at_end(call: extern "C" fn()) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) && !DONE.swap(true, Ordering::Relaxed) {
        // SAFETY: as above. Where there is no room for it, children outlive the program.
        unsafe { libc::atexit(call) };
    }
}

/// Ends the program with what it has to do at its end.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: what runs is the program's.
    unsafe { libc::exit(code) }
}
