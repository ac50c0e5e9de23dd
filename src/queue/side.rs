//! A side of the queue: its lock, held, and its position.

use super::position::Position;
use super::tally::Tally;
use crate::park::{Held, OwnerLock, Tree, Waking};
use crate::shm::{self, Side};
use crate::sys::cpu;
use crate::time::Deadline;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long even a call that must not wait waits for the lock. Who holds it is in the middle of a put or get
/// and about to be done, or dead: "full" or "empty" would be the wrong answer.
const GRACE: Duration = Duration::from_millis(20);

/// How long the queue's end waits for threads that are in the middle of a put or get.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// A side's lock, held until dropped.
pub(super) struct Hold<'a, T: Tree> {
    lock: &'a OwnerLock,
    tree: &'a T,
    /// The queue cannot go away under the caller.
    stays: bool,
}

impl<T: Tree> Drop for Hold<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.release(self.tree);
    }
}

impl<'a, T: Tree> Hold<'a, T> {
    /// For who has made sure that the queue stays.
    pub(super) fn of_pinned(mut self) -> Self {
        self.stays = true;
        self
    }

    pub(super) fn tree(&self) -> &'a T {
        self.tree
    }

    /// Releases the lock, and wakes whom `wake` wakes if anybody is to be `woken`. Once the lock is free whoever has
    /// got a message may free the queue through which it came; so what has not made sure that the queue stays
    /// touches nothing of it any more, and wakes before.
    #[inline(always)]
    pub(super) fn release_and(self, waking: Option<Waking<'_, T>>, woken: bool, wake: impl FnOnce()) {
        let keep = woken && !self.stays;
        let waking = waking.filter(|_| woken);
        let held = keep.then_some(self);
        if woken {
            wake();
        }
        drop(waking);
        drop(held);
    }
}

impl Side {
    /// The lock, if it is free this very moment.
    #[inline(always)]
    pub(super) fn hold_quickly<'a, T: Tree>(&'a self, tree: &'a T) -> Option<Hold<'a, T>> {
        // Not then_some: a Hold that is made is released.
        self.lock.try_quickly(tree.me()).then(|| Hold { lock: &self.lock, tree, stays: false })
    }

    /// The lock, None when the time ran out. For who has made sure that the queue stays.
    pub(super) fn hold<'a, T: Tree>(&'a self, tree: &'a T, deadline: Deadline) -> Option<Hold<'a, T>> {
        let patient = || match deadline.remaining() {
            short if short < GRACE => Deadline::after(GRACE.as_nanos() as i64),
            _ => deadline,
        };
        let held = self.lock.acquire(tree, patient)?;
        let hold = Hold { lock: &self.lock, tree, stays: true };
        if held == Held::AfterDeath {
            // The dead one's last step may be entered and not yet applied; a position read before that would
            // be overwritten later.
            shm::settle(self);
        }
        Some(hold)
    }

    /// Waits until no thread of this process is between a message's publication and the lock's release. Bounded,
    /// because a thread may have been torn out of there for good.
    pub(super) fn await_stragglers<T: Tree>(&self, tree: &T) {
        let began = Instant::now();
        while self.lock.owner() == Some(tree.me()) && began.elapsed() < STRAGGLERS {
            cpu::give_way();
        }
    }

    /// Acquire: what was done to the ring before this position was stored is seen.
    #[inline(always)]
    pub(super) fn position(&self) -> Position {
        Position::from_bits(self.position.load(Ordering::Acquire))
    }

    /// The same for the lock's holder, who sees what those before it did.
    #[inline(always)]
    pub(super) fn own_position(&self) -> Position {
        Position::from_bits(self.position.load(Ordering::Relaxed))
    }

    /// From here to there, where so much will have passed. Release: the bytes are in place, or were read, before
    /// the position says so.
    #[inline(always)]
    pub(super) fn publish(&self, to: Position, tally: Tally) {
        let to = to.turned();
        self.prepare(to, tally);
        self.position.store(to.bits(), Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn seen(&self) -> Position {
        // Relaxed: whoever stored it had acquired the position and then released the lock that we hold.
        Position::from_bits(self.seen.load(Ordering::Relaxed))
    }

    /// Whether this side's lock's holder is in the same ring as the other side. Acquire: if so, the other's
    /// position is one in there.
    pub(super) fn is_in_ring_of(&self, other: &Side) -> bool {
        other.ring.load(Ordering::Acquire) == self.ring.load(Ordering::Relaxed)
    }
}
