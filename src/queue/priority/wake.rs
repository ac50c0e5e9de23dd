//! Who sleeps where, and who wakes whom.
//!
//! | who                            | wakes              | when                                             |
//! |--------------------------------|--------------------|--------------------------------------------------|
//! | a put, a return                | one taker          | always                                           |
//! | who finds a taker dead         | a taker for each   | its messages are back                            |
//! | a get or lease                 | who puts, one      | always                                           |
//! | who leaves without its message | one taker          | always                                           |
//! | what makes all done            | who joins, all     | always                                           |
//! | the first lease ever           | all takers         | from then on they look more often who is dead    |
//! | the end of a lease             | all takers         | the queue is shut down: it may have been the last |
//! | shutdown                       | all                | always                                           |

use super::hold::{Hold, OPEN};
use crate::error::Result;
use crate::park::{Spot, Wait, Waking};
use crate::shm::{PriorityBlock, ThisTree};
use crate::time::Deadline;
use std::convert::Infallible;
use std::sync::atomic::Ordering::{self, Relaxed};
use std::sync::atomic::fence;

/// A spot that is about to be woken.
pub(super) struct Bell<'a> {
    spot: &'a Spot,
    waking: Option<Waking<'static, ThisTree>>,
}

impl<'a> Bell<'a> {
    /// Before the state is stored.
    #[inline(always)]
    pub(super) fn of(spot: &'a Spot) -> Self {
        Bell { spot, waking: spot.announce(&ThisTree) }
    }

    /// After that, and after the lock was released.
    #[inline(always)]
    pub(super) fn ring(self, count: i32) {
        self.spot.notify::<ThisTree>(count);
    }

    /// After that: releases the lock, and wakes whoever sleeps. Once the lock is free whoever has got a message may
    /// free the queue through which it came; so what has not made sure that the queue stays touches nothing of it
    /// any more, and wakes before, which happens if somebody has gone to sleep in this very moment.
    #[inline(always)]
    pub(super) fn ring_for(self, hold: Hold<'_>, count: i32) {
        // Rule 4 of sleeping.
        fence(Ordering::SeqCst);
        let wanted = self.spot.has_sleepers();
        if !wanted || hold.stays {
            drop(hold);
        }
        if wanted {
            self.spot.wake::<ThisTree>(count);
        }
    }

    /// Whether somebody slept there before.
    #[inline(always)]
    pub(super) fn is_awaited(&self) -> bool {
        self.waking.is_some()
    }
}

/// What a taker has seen with the lock, and found no message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    closed: u64,
    /// Whether there ever were leases.
    leases: bool,
    /// How many there are, where that matters.
    leased: u64,
}

impl PriorityBlock {
    /// Sleeps in a spot until `look` says yes; false when the time ran out. `owned`: somebody may be dead whose
    /// messages are to be found soon.
    fn sleep(&self, spot: &Spot, deadline: Deadline, owned: bool, look: impl Fn() -> bool) -> bool {
        let found = || look().then_some(());
        let tick = || {
            // Whatever is wrong there, the next call with the lock says so.
            let _ = self.tend();
            Ok::<_, Infallible>(())
        };
        match spot.wait_asleep(&ThisTree, deadline, owned, found, tick) {
            Ok(Wait::Found(())) => true,
            Ok(Wait::TimedOut) => false,
            Err(never) => match never {},
        }
    }

    /// Completes what a dead process has left, and takes back what it had.
    fn tend(&self) -> Result<()> {
        if let Some(hold) = self.hold_now()?
            && hold.is_due()
        {
            let ended = hold.give_back_of_dead()?;
            drop(hold);
            self.notify_of_ends(ended);
        }
        Ok(())
    }

    /// So many leases have ended because their takers are dead.
    pub(super) fn notify_of_ends(&self, ended: i32) {
        if ended > 0 {
            let all = self.closed.load(Relaxed) != OPEN;
            self.message.notify::<ThisTree>(if all { i32::MAX } else { ended });
            self.notify_if_finished();
        }
    }

    /// Wakes who joins if all is done.
    pub(super) fn notify_if_finished(&self) {
        if self.unfinished() == 0 {
            self.finished.notify::<ThisTree>(i32::MAX);
        }
    }

    pub(super) fn seen(&self) -> Seen {
        let closed = self.closed.load(Relaxed);
        Seen {
            closed,
            leases: self.given.load(Relaxed) != 0,
            leased: if closed == OPEN { 0 } else { self.leased() },
        }
    }

    /// False when the time ran out.
    pub(super) fn wait_for_message(&self, seen: Seen, deadline: Deadline) -> bool {
        let some = || self.state().count > 0 || self.seen() != seen;
        if some() {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        self.takers.spin(some) || self.sleep(&self.message, deadline, seen.leases, some)
    }

    pub(super) fn is_full(&self) -> bool {
        let maxsize = self.maxsize.load(Relaxed);
        maxsize != 0 && u64::from(self.state().count) >= maxsize
    }

    /// False when the time ran out.
    pub(super) fn wait_for_room(&self, deadline: Deadline) -> bool {
        let room = || !self.is_full() || self.closed.load(Relaxed) != OPEN;
        if room() {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        self.putters.spin(room) || self.sleep(&self.room, deadline, false, room)
    }

    /// False when the time ran out.
    pub(super) fn wait_for_end(&self, deadline: Deadline) -> bool {
        let finished = || self.unfinished() == 0;
        finished() || self.sleep(&self.finished, deadline, self.given.load(Relaxed) != 0, finished)
    }
}
