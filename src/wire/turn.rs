//! What one thread at a time uses, the others waiting for it, each until its own deadline.

use crate::error::Result;
use crate::time::Deadline;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// How long a thread sleeps at most before it looks whether it still shall.
pub(super) const SLICE: Duration = Duration::from_millis(500);

pub(crate) struct Turn<T> {
    place: Mutex<Place<T>>,
    back: Condvar,
}

struct Place<T> {
    /// None while a thread has it.
    what: Option<T>,
    /// How many threads wait for it: to tell nobody that it is back is a system call, too.
    waiting: usize,
}

impl<T> Turn<T> {
    pub(crate) fn new(what: T) -> Self {
        Turn { place: Mutex::new(Place { what: Some(what), waiting: 0 }), back: Condvar::new() }
    }

    /// Nothing that could panic runs while the mutex is held.
    fn lock(&self) -> MutexGuard<'_, Place<T>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it until what comes back is dropped. None: the time ran out. `check` ends the wait with its error.
    pub(crate) fn take(
        &self,
        deadline: Deadline,
        check: impl Fn() -> Result<()>,
    ) -> Result<Option<Taken<'_, T>>> {
        let mut place = self.lock();
        loop {
            if let Some(what) = place.what.take() {
                return Ok(Some(Taken { turn: self, what: Some(what) }));
            }
            check()?;
            let left = deadline.remaining();
            if left.is_zero() {
                return Ok(None);
            }
            place.waiting += 1;
            let woken = self.back.wait_timeout(place, left.min(SLICE));
            place = woken.unwrap_or_else(PoisonError::into_inner).0;
            place.waiting -= 1;
        }
    }

    /// Looks at it, if nobody has it.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.lock().what.as_ref().map(look)
    }

    /// The same in a fork, without whose other threads the mutex may stay locked for ever.
    pub(super) fn peek_in_fork<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let place = match self.place.try_lock() {
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Poisoned(place)) => place.into_inner(),
            Ok(place) => place,
        };
        place.what.as_ref().map(look)
    }

    /// Whoever waits looks whether it still shall.
    pub(super) fn disturb(&self) {
        drop(self.lock());
        self.back.notify_all();
    }
}

/// It, and the turn.
pub(crate) struct Taken<'a, T> {
    turn: &'a Turn<T>,
    what: Option<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // It is there until the drop.
        self.what.as_ref().expect("taken")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.what.as_mut().expect("taken")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut place = self.turn.lock();
        place.what = self.what.take();
        let is_awaited = place.waiting > 0;
        drop(place);
        if is_awaited {
            self.turn.back.notify_one();
        }
    }
}
