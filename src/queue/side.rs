//! A side of the queue: its lock, held, and its position.

use super::position::Position;
use crate::park::{Held, OwnerLock, Tree};
use crate::shm::{self, Side, ThisTree};
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
pub(super) struct Hold<'a>(&'a OwnerLock);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.release(&ThisTree);
    }
}

impl Side {
    /// The lock, if it is free this very moment.
    #[inline(always)]
    pub(super) fn hold_quickly(&self) -> Option<Hold<'_>> {
        // Not then_some: a Hold that is made is released.
        self.lock.try_quickly(ThisTree.me()).then(|| Hold(&self.lock))
    }

    /// The lock, None when the time ran out.
    pub(super) fn hold(&self, deadline: Deadline) -> Option<Hold<'_>> {
        let patient = || match deadline.remaining() {
            short if short < GRACE => Deadline::after(GRACE.as_nanos() as i64),
            _ => deadline,
        };
        let held = self.lock.acquire(&ThisTree, patient)?;
        let hold = Hold(&self.lock);
        if held == Held::AfterDeath {
            // The dead one's last step may be entered and not yet applied; a position read before that would
            // be overwritten later.
            shm::settle();
        }
        Some(hold)
    }

    /// Waits until no thread of this process is between a message's publication and the lock's release. Bounded,
    /// because a thread may have been torn out of there for good.
    pub(super) fn await_stragglers(&self) {
        let began = Instant::now();
        while self.lock.owner() == Some(ThisTree.me()) && began.elapsed() < STRAGGLERS {
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

    /// Release: the bytes are in place, or were read, before the position says so.
    #[inline(always)]
    pub(super) fn publish(&self, to: Position) {
        self.position.store(to.bits(), Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn seen(&self) -> Position {
        // Relaxed: whoever stored it had acquired the position and then released the lock that we hold.
        Position::from_bits(self.seen.load(Ordering::Relaxed))
    }

    /// Looks at the other side anew, and notes what it sees.
    #[inline(always)]
    pub(super) fn look_at(&self, other: &Side) -> Position {
        let now = other.position();
        self.seen.store(now.bits(), Ordering::Relaxed);
        now
    }
}
