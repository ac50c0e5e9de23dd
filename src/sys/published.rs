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

    /// Sets it, and tells what it was.
    pub(crate) fn swap(&self, to: Option<&'static T>) -> Option<&'static T> {
        // SAFETY: as in get. Acquire and Release as in get and set.
        unsafe { self.0.swap(address(to), Ordering::AcqRel).as_ref() }
    }

    /// Sets it if it still is what it was; false otherwise.
    pub(crate) fn set_if(&self, before: Option<&'static T>, to: &'static T) -> bool {
        // Relaxed on failure: the caller reads again.
        let (before, to) = (address(before), address(Some(to)));
        self.0.compare_exchange(before, to, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

/// Values that are added and stay.
pub(crate) struct List<T: 'static>(Published<Node<T>>);

struct Node<T: 'static> {
    value: T,
    before: Option<&'static Node<T>>,
}

impl<T: Sync> List<T> {
    pub(crate) const fn new() -> Self {
        List(Published::new())
    }

    /// The first that is it, the latest first.
    pub(crate) fn find(&self, is: impl Fn(&T) -> bool) -> Option<&'static T> {
        Self::find_from(self.0.get(), is)
    }

    fn find_from(latest: Option<&'static Node<T>>, is: impl Fn(&T) -> bool) -> Option<&'static T> {
        let mut nodes = std::iter::successors(latest, |node| node.before);
        nodes.find(|node| is(&node.value)).map(|node| &node.value)
    }

    /// The one that is it; if there is none, what is made.
    pub(crate) fn find_or_add(&self, is: impl Fn(&T) -> bool, make: impl Fn() -> T) -> &'static T {
        loop {
            let latest = self.0.get();
            if let Some(known) = Self::find_from(latest, &is) {
                return known;
            }
            let node = Box::into_raw(Box::new(Node { value: make(), before: latest }));
            // SAFETY: just made, and freed only where nobody has seen it.
            if self.0.set_if(latest, unsafe { &*node }) {
                // SAFETY: as above.
                return unsafe { &(*node).value };
            }
            // SAFETY: nobody has seen it.
            drop(unsafe { Box::from_raw(node) });
        }
    }
}

fn address<T>(of: Option<&'static T>) -> *mut T {
    of.map_or(ptr::null_mut(), |t| ptr::from_ref(t).cast_mut())
}
