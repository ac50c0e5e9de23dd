//! The library.

use super::guard::{guard, joined};
use super::status::mp_status;
use crate::error::Status;
use core::ffi::{c_char, c_int};

/// The version of the library that the program runs with, "0.1.0" for example.
/// MP_VERSION_STRING is the one it was compiled with. The text is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Every main begins with this call. In a child that is a fresh run of the program (by spawn or by
/// the fork server) it does not return: the child does what it was started for, and exits.
/// Elsewhere it sets up what the program's processes share: one segment of memory without a name,
/// that goes with the last of them. Other calls do so as well when they need it; here is where a
/// failure is easiest to handle.
///
/// argc, argv: main's, unchanged.
///
/// MP_ERR_NO_MEMORY: RLIMIT_FSIZE, RLIMIT_AS or MP_SEGMENT_SIZE leaves no room for the segment.
/// MP_ERR_INVALID: MP_SEGMENT_SIZE is no number of bytes.
/// MP_ERR_OS: no descriptor is free, or the kernel refuses.
///
/// Threads: any; all but the first call do nothing. Fork: a child need not call it again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_bootstrap(argc: c_int, argv: *mut *mut c_char) -> mp_status {
    guard("mp_bootstrap", || {
        // SAFETY: C's promise: main's arguments.
        unsafe { super::start::run_if_child(argc, argv) };
        crate::process::note_bootstrap();
        joined()?;
        Ok(Status::Ok)
    })
}

/// How many CPUs this process may use: its affinity or its cgroup's quota, whichever is less,
/// and at least 1. The environment variable MP_CPU_COUNT overrides both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_cpu_count() -> usize {
    super::guard::guard_or("mp_cpu_count", 1, || Ok(crate::sys::cpu::usable()))
}
