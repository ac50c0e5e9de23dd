//! What MP_WITH_LOCK and the others call.

use super::status::mp_status;

/// Answers the handle where `acquire` took it, NULL with mp_last_error() where not.
pub(super) fn enter<T>(handle: *mut T, acquire: impl FnOnce(*mut T) -> mp_status) -> *mut T {
    if (acquire(handle) as i32) < 0 { std::ptr::null_mut() } else { handle }
}

/// Releases what `handle` points to, if anything.
///
/// # Safety
/// `handle` is NULL or points to a handle or to NULL.
pub(super) unsafe fn leave<T>(handle: *mut *mut T, release: impl FnOnce(*mut T) -> mp_status) {
    // SAFETY: the caller's promise.
    let held = unsafe { handle.as_mut() }.map_or(std::ptr::null_mut(), |handle| {
        // Once: a second call finds nothing.
        std::mem::replace(handle, std::ptr::null_mut())
    });
    if !held.is_null() {
        release(held);
    }
}
