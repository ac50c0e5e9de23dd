//! Messages as tasks: how many are not done yet. That is a difference: what was put, less what was said to be done,
//! less what was dropped; so a put and a get have nothing to do for it, and no death can leave it wrong.

use super::wake::sleep;
use crate::error::{Result, fail};
use crate::park::Tree;
use crate::shm::QueueBlock;
use crate::time::Deadline;
use std::sync::atomic::Ordering;

impl QueueBlock {
    /// How many messages that were put are not done yet, at some moment during the call.
    pub(crate) fn unfinished(&self) -> u64 {
        let both = || (self.done.load(Ordering::Acquire), self.dropped.load(Ordering::Acquire));
        let mut gone = both();
        loop {
            let put = self.producers.position_and_tally().1;
            let now = both();
            // Neither ever falls: unchanged, they were so when the other number was read.
            if now == gone {
                return put.messages.saturating_sub(gone.0).saturating_sub(gone.1);
            }
            gone = now;
        }
    }

    /// One message more is done.
    pub(crate) fn task_done<T: Tree>(&self, tree: &T) -> Result<()> {
        let _waking = self.joined.announce(tree);
        let mut done = self.done.load(Ordering::Acquire);
        loop {
            let put = self.producers.position_and_tally().1;
            if done.saturating_add(self.dropped.load(Ordering::Acquire)) >= put.messages {
                fail!(OverRelease, "all {done} messages that were put are done");
            }
            match self.done.compare_exchange(done, done + 1, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        if self.unfinished() == 0 {
            self.joined.notify::<T>(i32::MAX);
        }
        Ok(())
    }

    /// Waits until all is done. `open` as for [`QueueBlock::put`].
    pub(crate) fn join<T: Tree>(
        &self,
        tree: &T,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let done = || self.unfinished() == 0;
        if done() || sleep(&self.joined, tree, deadline, || done() || open().is_err()) {
            return if done() { Ok(()) } else { open() };
        }
        let left = self.unfinished();
        fail!(Timeout, "{left} messages were not done in time");
    }
}
