//! Strings that C passes.

use crate::sys::setup::Executable;
use core::ffi::{CStr, c_char};
use std::ffi::CString;

/// A copy of a string; None for NULL.
///
/// # Safety
/// `from` is NULL or a string that is ended by a zero.
pub(super) unsafe fn optional(from: *const c_char) -> Option<CString> {
    // SAFETY: the caller's promise.
    (!from.is_null()).then(|| unsafe { CStr::from_ptr(from) }.to_owned())
}

/// A copy of an array of strings; None for NULL.
///
/// # Safety
/// `from` is NULL or points to pointers to strings, the last pointer being NULL.
pub(super) unsafe fn array(from: *const *const c_char) -> Option<Vec<CString>> {
    if from.is_null() {
        return None;
    }
    let mut copies = Vec::new();
    loop {
        // SAFETY: the caller's promise: no NULL was met so far, so there is one more pointer.
        let next = unsafe { *from.add(copies.len()) };
        if next.is_null() {
            return Some(copies);
        }
        // SAFETY: as above: a string.
        copies.push(unsafe { CStr::from_ptr(next) }.to_owned());
    }
}

/// An executable and its arguments, of which there is one at least; None where `path` is NULL.
///
/// # Safety
/// `path` is as `optional` wants it, and `argv` as `array` does.
pub(super) unsafe fn executable(path: *const c_char, argv: *const *const c_char) -> Option<Executable> {
    // SAFETY: the caller's promise.
    let (path, argv) = unsafe { (optional(path)?, array(argv)) };
    let argv = argv.filter(|a| !a.is_empty()).unwrap_or_else(|| vec![path.clone()]);
    Some((path, argv))
}
