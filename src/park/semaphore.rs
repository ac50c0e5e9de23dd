//! Semaphores: a number of slots to take and to give back.
//!
//! The plain one is a word with the number of free slots, changed by compare-and-swap, and a spot. Anybody gives
//! back; a process that dies with a slot has taken it for ever.
//!
//! The accounted one keeps no number of free slots at all, but a word for each process that has some:
//!
//! | bits  | meaning                                  |
//! |-------|------------------------------------------|
//! | 0–31  | how many slots the process has           |
//! | 32–62 | the process, as an owner's bits; 0: nobody |
//!
//! | from       | to            | who                                   |
//! |------------|---------------|---------------------------------------|
//! | 0          | me, 1         | acquire                               |
//! | me, n      | me, n + 1     | acquire                               |
//! | me, n      | me, n - k, or 0 | release of k                        |
//! | X dead, n  | 0             | whoever finds all slots taken         |
//!
//! All are single stores by the holder of a lock, so a process killed anywhere has done its step or has not. What
//! is free is what the words leave of the limit.

use super::{Owner, OwnerLock, Patience, Spot, Tree, Wait};
use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::time::Deadline;
use std::convert::Infallible;
use std::time::Duration;

/// The most slots that any semaphore has.
pub(crate) const MOST_SLOTS: u64 = i32::MAX as u64;

/// For so long who takes a slot waits for one who is just changing the accounts, also where it should not wait: that
/// is over in a moment, unless that one was stopped there. Else a slot that is free would be said not to be.
const MOMENT: Duration = Duration::from_millis(20);

/// The number of free slots, and where who wants one sleeps.
#[repr(C)]
#[derive(Default)]
pub(crate) struct SemaphoreWord {
    free: AtomicU32,
    patience: Patience,
    spot: Spot,
}

impl SemaphoreWord {
    /// For a block that is claimed again.
    pub(crate) fn reset(&self, free: u64) {
        self.free.store(u32::try_from(free).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.patience.reset();
        self.spot.reset();
    }

    /// Takes a slot if there is one.
    #[inline(always)]
    pub(crate) fn try_acquire(&self) -> bool {
        // SeqCst, as the load of a sleeper that has just raised the count: see `Spot::notify_swapped`.
        let mut seen = self.free.load(Ordering::SeqCst);
        while seen > 0 {
            // Acquire pairs with the release of whoever gave the slot back.
            match self.free.compare_exchange_weak(seen, seen - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Takes a slot, waiting for one; false when the time ran out.
    pub(crate) fn acquire<T: Tree>(&self, tree: &T, deadline: Deadline) -> bool {
        if self.try_acquire() || !deadline.is_over() && self.patience.spin(|| self.try_acquire()) {
            return true;
        }
        let look = || self.try_acquire().then_some(());
        let ended = self.spot.wait_asleep(tree, deadline, false, look, || Ok::<(), Infallible>(()));
        matches!(ended, Ok(Wait::Found(())))
    }

    /// Gives `count` slots back in one step; false, and nothing changes, where that makes more than `most`.
    #[inline(always)]
    pub(crate) fn release<T: Tree>(&self, count: u64, most: u64) -> bool {
        let mut seen = self.free.load(Ordering::Relaxed);
        loop {
            // `most` is no more than MOST_SLOTS; what was overwritten may be.
            let sum = u64::from(seen).saturating_add(count);
            if sum > most.min(MOST_SLOTS) {
                return false;
            }
            // SeqCst: see `Spot::notify_swapped`.
            match self.free.compare_exchange_weak(seen, sum as u32, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        self.spot.notify_swapped::<T>(count.min(MOST_SLOTS) as i32);
        true
    }

    /// Where who wants a slot sleeps.
    pub(crate) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// How many slots are free, at some moment.
    pub(crate) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed).into()
    }
}

/// A semaphore that knows who has its slots.
#[derive(Clone, Copy)]
pub(crate) struct Accounts<'a> {
    pub(crate) lock: &'a OwnerLock,
    pub(crate) spot: &'a Spot,
    pub(crate) words: &'a [AtomicU64],
    pub(crate) limit: u64,
}

/// Why no slot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    TimedOut,
    /// So many processes have slots that there is no word for one more.
    TooManyHolders,
}

/// Why nothing was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotTaken(pub(crate) u64);

fn count(bits: u64) -> u64 {
    u64::from(bits as u32)
}

fn owner(bits: u64) -> Option<Owner> {
    Owner::from_bits((bits >> 32) as u32)
}

impl Accounts<'_> {
    /// How many slots are taken, at some moment.
    pub(crate) fn taken(&self) -> u64 {
        // SeqCst: see `Spot::notify_swapped`.
        self.words.iter().map(|word| count(word.load(Ordering::SeqCst))).sum()
    }

    fn is_free(&self) -> bool {
        self.taken() < self.limit
    }

    /// None where the time ran out.
    fn locked<T: Tree, R>(&self, tree: &T, deadline: Deadline, body: impl FnOnce() -> R) -> Option<R> {
        self.lock.acquire(tree, || deadline.or_after(MOMENT))?;
        let result = body();
        self.lock.release(tree);
        Some(result)
    }

    /// Takes a slot, waiting for one.
    pub(crate) fn acquire<T: Tree>(&self, tree: &T, deadline: Deadline) -> Result<(), NoSlot> {
        if self.try_acquire(tree, deadline)? {
            return Ok(());
        }
        loop {
            let look = || self.is_free().then_some(());
            let tick = || {
                self.give_back_of_dead(tree, deadline);
                Ok::<(), Infallible>(())
            };
            // Owned: somebody has the slots, and may be dead.
            match self.spot.wait(tree, deadline, true, look, tick) {
                Ok(Wait::Found(())) => {}
                Ok(Wait::TimedOut) => {
                    return if self.try_acquire(tree, deadline)? { Ok(()) } else { Err(NoSlot::TimedOut) };
                }
            }
            if self.try_acquire(tree, deadline)? {
                return Ok(());
            }
            if deadline.is_over() {
                return Err(NoSlot::TimedOut);
            }
        }
    }

    fn try_acquire<T: Tree>(&self, tree: &T, deadline: Deadline) -> Result<bool, NoSlot> {
        if !self.is_free() {
            self.give_back_of_dead(tree, deadline);
        }
        let taken = self.locked(tree, deadline, || {
            if !self.is_free() {
                return Ok(false);
            }
            let Some(word) = self.word_of(tree.me()).or_else(|| self.empty_word(tree)) else {
                return Err(NoSlot::TooManyHolders);
            };
            let had = count(word.load(Ordering::Relaxed));
            word.store(u64::from(tree.me().bits()) << 32 | (had + 1), Ordering::Release);
            Ok(true)
        });
        // Who changes the accounts for so long is no different from one who has the last slot.
        let taken = taken.unwrap_or(Ok(false));
        if taken.is_err() || taken == Ok(true) && self.is_free() {
            // A wake that came for two, or one that this call has no use for, may have been eaten here.
            self.spot.notify::<T>(1);
        }
        taken
    }

    /// Gives `n` slots back that this process has.
    pub(crate) fn release<T: Tree>(&self, tree: &T, n: u64) -> Result<(), NotTaken> {
        let given = self.locked(tree, Deadline::Never, || {
            let word = self.word_of(tree.me()).ok_or(NotTaken(0))?;
            let had = count(word.load(Ordering::Relaxed));
            match had.checked_sub(n) {
                None => return Err(NotTaken(had)),
                Some(0) => word.store(0, Ordering::Release),
                Some(left) => word.store(u64::from(tree.me().bits()) << 32 | left, Ordering::Release),
            }
            Ok(())
        });
        // Without a limit the lock comes.
        given.unwrap_or(Err(NotTaken(0)))?;
        self.spot.notify::<T>(n.min(MOST_SLOTS) as i32);
        Ok(())
    }

    fn word_of(&self, me: Owner) -> Option<&AtomicU64> {
        self.words.iter().find(|word| owner(word.load(Ordering::Relaxed)) == Some(me))
    }

    fn empty_word<T: Tree>(&self, tree: &T) -> Option<&AtomicU64> {
        let empty = || self.words.iter().find(|word| word.load(Ordering::Relaxed) == 0);
        empty().or_else(|| {
            self.clear_dead(tree);
            empty()
        })
    }

    /// What the dead had is free.
    pub(crate) fn give_back_of_dead<T: Tree>(&self, tree: &T, deadline: Deadline) {
        let dead = |word: &AtomicU64| is_dead(tree, word.load(Ordering::Relaxed));
        if self.words.iter().any(dead) && self.locked(tree, deadline, || self.clear_dead(tree)) == Some(true)
        {
            self.spot.notify::<T>(i32::MAX);
        }
    }

    /// With the lock.
    fn clear_dead<T: Tree>(&self, tree: &T) -> bool {
        let mut any = false;
        for word in self.words {
            if is_dead(tree, word.load(Ordering::Relaxed)) {
                word.store(0, Ordering::Release);
                tree.note_owner_death();
                any = true;
            }
        }
        any
    }
}

fn is_dead<T: Tree>(tree: &T, bits: u64) -> bool {
    // A word that names nobody but counts slots was overwritten: nobody will give those back.
    bits != 0 && owner(bits).is_none_or(|owner| owner != tree.me() && tree.is_dead(owner))
}
