//! What else a queue can be asked for and told.

use super::hold::{DRAINING, Hold, OPEN, SHUT};
use super::wake::Bell;
use crate::error::{Result, fail};
use crate::shm::{self, PriorityBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering::{Relaxed, Release};

impl PriorityBlock {
    /// Completes what the dead have left and takes back what they had, unless somebody is at work for long.
    fn freshen(&self) -> Result<()> {
        if let Some(hold) = self.hold(Deadline::NoWait)?
            && hold.is_due()
        {
            let ended = hold.give_back_of_dead()?;
            drop(hold);
            self.notify_of_ends(ended);
        }
        Ok(())
    }

    /// The lock, however long that takes.
    fn hold_surely(&self) -> Result<Hold<'_>> {
        match self.hold(Deadline::Never)? {
            Some(hold) => Ok(hold),
            None => fail!(Panic, "a wait without limit has ended"),
        }
    }

    /// How many messages there are.
    pub(crate) fn count(&self) -> Result<usize> {
        self.freshen()?;
        Ok(self.state().count as usize)
    }

    /// Whether there are as many as there may be.
    pub(crate) fn has_no_room(&self) -> Result<bool> {
        self.freshen()?;
        Ok(self.is_full())
    }

    /// How many are leased.
    pub(crate) fn unacknowledged(&self) -> Result<usize> {
        self.freshen()?;
        Ok(self.leased() as usize)
    }

    /// How many were put and are not done.
    pub(crate) fn still_unfinished(&self) -> Result<usize> {
        self.freshen()?;
        Ok(self.unfinished() as usize)
    }

    pub(super) fn unfinished(&self) -> u64 {
        // The other way round, one that is put and done between the two looks would be less than none.
        let done = self.done.load(Relaxed);
        self.sequence.load(Relaxed).saturating_sub(done)
    }

    /// One message more is done.
    pub(crate) fn task_done(&self) -> Result<()> {
        let hold = self.hold_surely()?;
        let done = self.done.load(Relaxed);
        if done >= self.sequence.load(Relaxed) {
            fail!(OverRelease, "there is no message that was put and is not done");
        }
        let bell = Bell::of(&self.finished);
        self.done.store(done + 1, Release);
        let finished = self.unfinished() == 0;
        drop(hold);
        if finished {
            bell.ring(i32::MAX);
        }
        Ok(())
    }

    /// Waits until all that was put is done.
    pub(crate) fn join(&self, timeout: i64) -> Result<()> {
        let deadline = Deadline::after(timeout);
        loop {
            // A put that was killed half way counts.
            self.freshen()?;
            if self.unfinished() == 0 {
                return Ok(());
            }
            if deadline.is_over() || !self.wait_for_end(deadline) {
                fail!(Timeout, "{} messages are not done", self.unfinished());
            }
        }
    }

    /// Nothing more is put; with `immediately` nothing more is taken either.
    pub(crate) fn shut_down(&self, immediately: bool) -> Result<()> {
        let hold = self.hold_surely()?;
        let bells = [Bell::of(&self.message), Bell::of(&self.room), Bell::of(&self.finished)];
        let to = if immediately { SHUT } else { DRAINING };
        if self.closed.load(Relaxed) < to {
            self.closed.store(to, Release);
        }
        hold.drain()?;
        while let Some(part) = hold.take_spare_part() {
            shm::release(part);
        }
        drop(hold);
        bells.into_iter().for_each(|bell| bell.ring(i32::MAX));
        Ok(())
    }

    /// The lease ends: its message is done.
    pub(crate) fn acknowledge(&self, lease: u64) -> Result<()> {
        let hold = self.hold_surely()?;
        let bell = Bell::of(&self.finished);
        hold.acknowledge(lease)?;
        let garbage = hold.drop_garbage();
        let spare = hold.take_spare_part();
        let finished = self.unfinished() == 0;
        let closed = self.closed.load(Relaxed) != OPEN;
        drop(hold);
        if finished {
            bell.ring(i32::MAX);
        }
        if closed {
            self.message.notify::<shm::ThisTree>(i32::MAX);
        }
        garbage.into_iter().chain(spare).for_each(shm::release);
        Ok(())
    }

    /// The lease ends: its message is in its old place.
    pub(crate) fn give_back(&self, lease: u64) -> Result<()> {
        let hold = self.hold_surely()?;
        let bell = Bell::of(&self.message);
        let is_there = hold.give_back(lease)?;
        let garbage = hold.drop_garbage();
        let closed = self.closed.load(Relaxed) != OPEN;
        drop(hold);
        bell.ring(if closed { i32::MAX } else { 1 });
        if !is_there {
            self.notify_if_finished();
        }
        garbage.into_iter().for_each(shm::release);
        Ok(())
    }

    /// How often the message that is leased was handed out.
    pub(crate) fn deliveries(&self, lease: u64) -> Result<u64> {
        self.hold_surely()?.deliveries(lease)
    }
}
