//! What values and arrays have in common: the lock beside them.

use crate::error::{Result, Status, fail};
use crate::shm::{self, Object, Ref, Segment};
use crate::sync::guarding::{self, Guard, Guarding};
use std::sync::atomic::{AtomicU64, Ordering};

/// A block with a lock, or with none.
pub(crate) trait Guarded {
    /// The word that holds it.
    fn lock_word(&self) -> &AtomicU64;

    /// Completes what a dead holder of the lock had begun. The caller holds it.
    fn settle(&self) {}

    /// The lock; STATE where there is none.
    fn guarding(&self) -> Result<Guarding> {
        match guarding::find(self.lock_word()) {
            Some(lock) => Ok(lock),
            None if self.is_raw() => fail!(State, "it was made without a lock"),
            None => fail!(State, "the word for its lock in shared memory is damaged"),
        }
    }

    /// Whether the lock of one that was found by its name is as it was asked for.
    fn lock_fits(&self, guard: Guard) -> Result<()> {
        guarding::fits(self.lock_word(), guard)
    }

    fn is_raw(&self) -> bool {
        self.lock_word().load(Ordering::Relaxed) == 0
    }

    /// Acquires the lock. `keep` is called before that may sleep; what it gives is kept meanwhile.
    fn acquire<K>(&self, keep: impl FnOnce() -> Result<K>, timeout: i64) -> Result<Status> {
        self.take(keep, timeout).map(|(_, status)| status)
    }

    /// The same, and the lock.
    fn take<K>(&self, keep: impl FnOnce() -> Result<K>, timeout: i64) -> Result<(Guarding, Status)> {
        let lock = self.guarding()?;
        let mut status = Status::Ok;
        if !lock.acquire_quickly() {
            let _kept = keep()?;
            status = lock.acquire(timeout)?;
        }
        self.settle();
        Ok((lock, status))
    }

    /// Runs this with the lock held, if there is one.
    fn under<K>(&self, keep: impl FnOnce() -> Result<K>, run: impl FnOnce() -> Result<()>) -> Result<Status> {
        if self.is_raw() {
            return run().map(|()| Status::Ok);
        }
        let (lock, status) = self.take(keep, i64::MAX)?;
        let _held = Held(lock);
        run().map(|()| status)
    }
}

/// Releases the lock, however it ends.
struct Held(Guarding);

impl Drop for Held {
    fn drop(&mut self) {
        // Where somebody else has released it, there is nothing to be done here.
        let _ = self.0.release();
    }
}

/// Makes an object and gives it its lock. This process holds both until that is done, so a kill loses neither.
pub(super) fn create(
    s: &'static Segment,
    guard: Guard,
    make: impl FnOnce() -> Result<Object>,
    lock_word: impl FnOnce(Ref) -> Option<&'static AtomicU64>,
) -> Result<Object> {
    let lock = guard.prepare(s)?;
    let undo = |lock: Option<Object>| lock.into_iter().for_each(|lock| shm::release(lock.entry));
    let object = match make() {
        Ok(object) => object,
        Err(e) => {
            undo(lock);
            return Err(e);
        }
    };
    match lock_word(object.r) {
        Some(word) => guarding::attach(lock, word),
        None => undo(lock),
    }
    Ok(object)
}
