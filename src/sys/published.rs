//! A reference that is exchanged as a whole, and whose content is never freed: read without a lock, so that a
//! fork at any moment leaves it good.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The place of such a reference.
pub(crate) struct Published<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Published<T> {
    pub(crate) const fn new() -> Self {
        Published(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or what somebody put there: a reference that is good for ever. Acquire pairs with the
        // Release of the store, so that the content is seen complete.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn set(&self, to: Option<&'static T>) {
        self.0.store(address(to), Ordering::Release);
    }

    /// Sets it if it still is what it was; false otherwise.
    pub(crate) fn set_if(&self, before: Option<&'static T>, to: &'static T) -> bool {
        // Relaxed on failure: the caller reads again.
        let (before, to) = (address(before), address(Some(to)));
        self.0.compare_exchange(before, to, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

fn address<T>(of: Option<&'static T>) -> *mut T {
    of.map_or(ptr::null_mut(), |t| ptr::from_ref(t).cast_mut())
}
