//! The recursive lock: the lock word with the holder's thread in it, and how often that thread has it.
//!
//! The depth is changed by the holder alone, between taking the word and giving it back, so the two never
//! disagree for anybody who may act on them. Whoever takes the lock from a dead holder begins at one again.

use super::{Held, Owner, OwnerLock, Tree};
use crate::sys::atomic::Ordering;
use crate::time::Deadline;

/// How often a thread may hold one RLock.
const DEEPEST: u64 = u32::MAX as u64;

/// The lock is held as often as can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

/// A thread of a process as a holder. Thread numbers begin at 1 and have 30 bits.
#[inline(always)]
pub(crate) fn holder(owner: Owner, thread: u32) -> u64 {
    u64::from(owner.bits()) | u64::from(thread & 0x3FFF_FFFF) << 32
}

impl OwnerLock {
    /// Takes it once more, or for the first time; None when the time ran out.
    #[inline(always)]
    pub(crate) fn acquire_again<T: Tree>(
        &self,
        tree: &T,
        holder: u64,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<Option<Held>, TooDeep> {
        if self.is_held_as(holder) {
            // Relaxed: only this thread changes it now.
            let depth = self.depth.load(Ordering::Relaxed);
            if depth >= DEEPEST {
                return Err(TooDeep);
            }
            self.depth.store(depth + 1, Ordering::Relaxed);
            return Ok(Some(Held::Cleanly));
        }
        Ok(self.take_back(tree, holder, 1, deadline))
    }

    /// The same where that takes one look: false leaves everything as it was, also where the holder is dead.
    #[inline(always)]
    pub(crate) fn acquire_again_quickly(&self, holder: u64) -> bool {
        if self.is_held_as(holder) {
            let depth = self.depth.load(Ordering::Relaxed);
            if depth < DEEPEST {
                self.depth.store(depth + 1, Ordering::Relaxed);
            }
            return depth < DEEPEST;
        }
        let taken = self.take(holder);
        if taken {
            self.depth.store(1, Ordering::Relaxed);
        }
        taken
    }

    /// Takes it as somebody who has given it back wholly and had it `depth` times.
    #[inline(always)]
    pub(crate) fn take_back<T: Tree>(
        &self,
        tree: &T,
        holder: u64,
        depth: u64,
        deadline: impl FnOnce() -> Deadline,
    ) -> Option<Held> {
        let held = self.acquire_as(tree, holder, deadline)?;
        self.depth.store(depth, Ordering::Relaxed);
        Some(held)
    }

    /// Gives it back once; false when this thread does not hold it.
    #[inline(always)]
    pub(crate) fn release_once<T: Tree>(&self, tree: &T, holder: u64) -> bool {
        if !self.is_held_as(holder) {
            return false;
        }
        let depth = self.depth.load(Ordering::Relaxed);
        // Whoever was killed between taking the word and storing the depth is not here to release it.
        self.depth.store(depth.saturating_sub(1), Ordering::Relaxed);
        depth > 1 || self.release(tree)
    }

    /// The same where nobody sleeps and no dead holder is to be forgotten; false leaves it to `release_once`.
    #[inline(always)]
    pub(crate) fn release_once_quickly(&self, holder: u64) -> bool {
        if !self.is_held_as(holder) {
            return false;
        }
        let depth = self.depth.load(Ordering::Relaxed);
        // Before the word: after it the depth is the next holder's. Where the word stays, `release_once` makes
        // nothing less of nothing.
        self.depth.store(depth.saturating_sub(1), Ordering::Relaxed);
        if depth > 1 {
            return true;
        }
        self.give_back_quickly(holder)
    }

    /// Gives it back however often this thread has it; None when it does not.
    pub(crate) fn release_wholly<T: Tree>(&self, tree: &T, holder: u64) -> Option<u64> {
        if !self.is_held_as(holder) {
            return None;
        }
        let depth = self.depth.swap(0, Ordering::Relaxed);
        self.release(tree);
        Some(depth)
    }

    /// Whether this thread holds it, and how often.
    pub(crate) fn depth_of(&self, holder: u64) -> Option<u64> {
        self.is_held_as(holder).then(|| self.depth.load(Ordering::Relaxed))
    }

    /// How often its holder, whoever that is, has it, at some moment.
    pub(crate) fn depth(&self) -> u64 {
        if self.is_held() { self.depth.load(Ordering::Relaxed) } else { 0 }
    }
}
