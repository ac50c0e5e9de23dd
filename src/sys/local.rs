//! What one process knows of itself: begun anew in a child, whatever another thread was doing to it when the
//! child was forked.

use super::page::page;
use std::cell::UnsafeCell;
use std::sync::atomic::Ordering;

/// A value of this process's own. All of them share one mutex, so what runs in [`Local::with`] is short, and
/// uses no other one.
pub(crate) struct Local<T>(UnsafeCell<(u64, Option<T>)>);

// SAFETY: the content is reached through `with` and `begin` only, which hold the page's mutex.
unsafe impl<T: Send> Sync for Local<T> {}

impl<T: Default> Local<T> {
    pub(crate) const fn new() -> Self {
        Local(UnsafeCell::new((0, None)))
    }

    /// Works with the value; in a process that is new to it, with a default one.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let _guard = page().family.lock();
        // SAFETY: the mutex is held for as long as the reference lives.
        let (epoch, value) = unsafe { &mut *self.0.get() };
        let now = page().epoch.load(Ordering::Relaxed);
        if *epoch != now {
            // A parent's, and it may be torn: forget, do not free.
            std::mem::forget(value.take());
            *epoch = now;
        }
        work(value.get_or_insert_default())
    }

    /// Begins with this value.
    pub(crate) fn begin(&self, value: T) {
        self.with(|v| std::mem::forget(std::mem::replace(v, value)));
    }
}
