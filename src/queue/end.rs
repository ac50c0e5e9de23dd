//! How a queue ends: it is shut down, for everybody.
//!
//! | gate      | meaning                                                        |
//! |-----------|----------------------------------------------------------------|
//! | 0         | open                                                           |
//! | SHUT      | nothing more is put; what is there can be got                  |
//! | SHUT, CUT | nor can that: who finds it there drops it                      |
//! | ORPHANS   | beside these: there is something to hand out again, see `lend.rs` |
//!
//! It is closed with the producers' lock held, which every put holds when it looks at the gate: so what is there
//! then is all that there will ever be, and the producers' position does not move any more. Killed between closing
//! the gate and dropping what is there, the next consumer drops it.

use super::ring::Ring;
use super::side::Hold;
use crate::error::{Error, Result, Status};
use crate::park::Tree;
use crate::shm::{self, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering;

const SHUT: u64 = 1;
const CUT: u64 = 2;

impl QueueBlock {
    /// Nobody puts anything any more; what is there can be got, or, `at_once`, is dropped.
    pub(crate) fn shut_down<T: Tree>(&self, tree: &T, at_once: bool) -> Result<()> {
        let producers = self.producers.hold(tree, Deadline::Never);
        // Release: who sees the gate closed sees the last position.
        self.gate.fetch_or(if at_once { SHUT | CUT } else { SHUT }, Ordering::Release);
        drop(producers);
        let mut dropped = Ok(());
        if at_once && let Some(consumers) = self.consumers.hold(tree, Deadline::Never) {
            dropped = self.drop_all(tree, &consumers);
        }
        self.wake_all(tree);
        dropped
    }

    pub(super) fn is_shut(&self) -> bool {
        self.gate.load(Ordering::Acquire) & SHUT != 0
    }

    pub(super) fn is_cut_short(&self) -> bool {
        self.gate.load(Ordering::Acquire) & CUT != 0
    }

    /// Whether nothing will come any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_shut() && self.used().messages == 0 && !self.has_orphans()
    }

    pub(super) fn check_open_for_puts(&self) -> Result<()> {
        if self.is_shut() { Err(closed()) } else { Ok(()) }
    }

    /// With the consumers' lock, of a queue that was cut short.
    pub(super) fn drop_all<T: Tree>(&self, tree: &T, _consumers: &Hold<'_, T>) -> Result<()> {
        let head = self.head();
        let (tail, put) = self.producers.position_and_tally();
        let count = put.messages.wrapping_sub(head.tally.messages);
        if count != 0 {
            let to = head.at.catching_up_with(tail).turned();
            self.consumers.prepare(to, put);
            // Relaxed: only who has the lock changes it.
            let dropped = self.dropped.load(Ordering::Relaxed).wrapping_add(count);
            shm::skip_all(self, to.bits(), dropped)?;
        }
        Ring::of(&self.consumers)?;
        let carriers = shm::ring_of(&self.consumers).map_or(&[][..], |ring| &ring.carriers);
        carriers.iter().for_each(shm::drop_carried);
        if self.has_orphans() {
            self.drop_orphans();
        }
        self.wake_all(tree);
        Ok(())
    }
}

#[cold]
pub(super) fn closed() -> Error {
    Error::new(Status::Closed, "the queue was shut down")
}
