//! The lock, held; and what its next holder completes where the last one was killed.

use super::heap::{Heap, capacity};
use super::state::{Move, SEQUENCE, State};
use crate::error::{Result, fail};
use crate::park::{Held, Tree};
use crate::shm::{
    self, BytesBlock, CARRIER, HEAP_PARTS, Kind, LEASE_PARTS, Object, PriorityBlock, TREE, ThisTree,
};
use crate::sys::cpu;
use crate::time::{Deadline, Instant};
use std::ops::Deref;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

/// How long even a call that must not wait waits for the lock. Who holds it is about to be done, or dead: "full"
/// or "empty" would be the wrong answer.
const GRACE: Duration = Duration::from_millis(20);
/// How long the queue's end waits for threads that are about to release the lock.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// How far a queue is shut down.
pub(super) const OPEN: u64 = 0;
pub(super) const DRAINING: u64 = 1;
pub(super) const SHUT: u64 = 2;

/// The lock, until dropped. Nothing is under way.
pub(super) struct Hold<'a> {
    pub(super) block: &'a PriorityBlock,
    /// The queue cannot go away under the caller.
    pub(super) stays: bool,
}

impl Deref for Hold<'_> {
    type Target = PriorityBlock;

    fn deref(&self) -> &PriorityBlock {
        self.block
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.block.lock.release(&ThisTree);
    }
}

impl PriorityBlock {
    fn held(&self, stays: bool) -> Hold<'_> {
        Hold { block: self, stays }
    }

    /// The lock, if it is free this very moment and nothing is to be completed.
    #[inline(always)]
    pub(super) fn hold_quickly(&self) -> Option<Hold<'_>> {
        if !self.lock.try_quickly(ThisTree.me()) {
            return None;
        }
        Some(self.held(false)).filter(|hold| hold.is_settled())
    }

    /// The lock, None when the time ran out. For who has made sure that the queue stays.
    pub(super) fn hold(&self, deadline: Deadline) -> Result<Option<Hold<'_>>> {
        let patient = || match deadline.remaining() {
            short if short < GRACE => Deadline::after(GRACE.as_nanos() as i64),
            _ => deadline,
        };
        match self.lock.acquire(&ThisTree, patient) {
            Some(held) => self.settled(held).map(Some),
            None => Ok(None),
        }
    }

    /// The same for who does not wait at all, but for who is dead.
    pub(super) fn hold_now(&self) -> Result<Option<Hold<'_>>> {
        match self.lock.acquire(&ThisTree, || Deadline::NoWait) {
            Some(held) => self.settled(held).map(Some),
            None => Ok(None),
        }
    }

    fn settled(&self, held: Held) -> Result<Hold<'_>> {
        let hold = self.held(true);
        if held == Held::AfterDeath || !hold.is_settled() {
            hold.settle()?;
        }
        Ok(hold)
    }

    /// Waits until no thread of this process is about to release the lock: whoever has got a message may free the
    /// queue through which it came. Bounded, because a thread may have been torn out of there for good.
    pub(crate) fn part_with(&self) {
        let began = Instant::now();
        while self.lock.owner() == Some(ThisTree.me()) && began.elapsed() < STRAGGLERS {
            cpu::give_way();
        }
    }
}

impl<'a> Hold<'a> {
    #[inline(always)]
    pub(super) fn heap(&self) -> Heap<'a> {
        Heap::new(self.block)
    }
}

impl Hold<'_> {
    #[inline(always)]
    fn is_settled(&self) -> bool {
        self.state().under_way == Move::Idle
            && self.garbage.load(Relaxed) == 0
            && !(self.closed.load(Relaxed) == SHUT && self.state().count > 0)
            && !self.redo.is_pending()
    }

    /// Completes what a dead holder has left.
    #[cold]
    fn settle(&self) -> Result<()> {
        // What is entered in the books and not applied yet may be our words.
        shm::settle(self.block);
        self.redo.replay(&TREE);
        for (parts, carriers) in [
            (&self.heap_parts, &self.carriers[..HEAP_PARTS]),
            (&self.lease_parts, &self.carriers[HEAP_PARTS..]),
        ] {
            let beyond = carriers.get(parts.load(Relaxed) as usize..).unwrap_or(&[]);
            beyond.iter().for_each(shm::drop_carried);
        }
        let State { under_way, hole, count } = self.state();
        match under_way {
            Move::Idle => {}
            Move::Loading => {
                shm::drop_carried(&self.element[CARRIER]);
                self.set_state(State::idle(count));
            }
            Move::Up => {
                self.count_put(self.element[SEQUENCE].load(Relaxed));
                self.heap().up(hole, count)?;
            }
            Move::Down => self.heap().down(hole, count)?,
        }
        shm::drop_carried(&self.garbage);
        self.drain()
    }

    /// The message with this number is in.
    pub(super) fn count_put(&self, sequence: u64) {
        let next = sequence.wrapping_add(1);
        if self.sequence.load(Relaxed) < next {
            self.sequence.store(next, Relaxed);
        }
    }

    /// Several words at once.
    pub(super) fn change(&self, words: &[(&AtomicU64, u64)]) {
        let mut tx = self.redo.begin(&TREE);
        for &(word, value) in words {
            tx.set(word, value);
        }
        tx.commit();
        // What follows is not there before the record is done with.
        fence(Ordering::Release);
    }

    /// Drops what is there after [`SHUT`].
    pub(super) fn drain(&self) -> Result<()> {
        let heap = self.heap();
        while self.closed.load(Relaxed) == SHUT
            && let Some(left) = self.state().count.checked_sub(1)
        {
            let last = heap.slot(left)?;
            let carrier = &last[CARRIER];
            self.change(&[
                (&self.state, State::idle(left).bits()),
                (&self.done, self.done_with_one_more()),
                (&self.garbage, carrier.load(Relaxed)),
                (carrier, 0),
            ]);
            shm::drop_carried(&self.garbage);
        }
        Ok(())
    }

    /// What `done` becomes: never more than there were.
    pub(super) fn done_with_one_more(&self) -> u64 {
        let done = self.done.load(Relaxed);
        if done < self.sequence.load(Relaxed) { done + 1 } else { done }
    }
}

/// Part number `rank` of one of the tables is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    carrier: usize,
    rank: usize,
}

/// A block on its way to one of the tables.
pub(super) struct Spare {
    object: Option<Object>,
    pub(super) missing: Missing,
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            shm::release(object.entry);
        }
    }
}

impl Missing {
    /// Makes it, without the lock: it may be large, and all of its memory is found now.
    pub(super) fn make(self) -> Result<Spare> {
        let object = shm::create::<BytesBlock>(Kind::Part, shm::part_bytes(self.rank), |_| {})?;
        Ok(Spare { object: Some(object), missing: self })
    }
}

impl Hold<'_> {
    /// What the heap lacks for so many entries.
    #[inline(always)]
    pub(super) fn heap_lacks(&self, entries: u64) -> Result<Option<Missing>> {
        let parts = self.heap_parts.load(Relaxed);
        // It never lacks more than one: the next one may be large.
        if parts > HEAP_PARTS as u64 || capacity(parts + 1) < entries {
            return damaged();
        }
        if capacity(parts) >= entries {
            return Ok(None);
        }
        if parts == HEAP_PARTS as u64 {
            fail!(NoMemory, "there are {} messages, which is all that a queue can have", entries - 1);
        }
        Ok(Some(Missing { carrier: parts as usize, rank: parts as usize }))
    }

    /// What the table of leases lacks for so many.
    pub(super) fn leases_lack(&self, entries: u64) -> Result<Option<Missing>> {
        let parts = self.lease_parts.load(Relaxed);
        // It never lacks more than one: the next one may be large.
        if parts > LEASE_PARTS as u64 || capacity(parts + 1) < entries {
            return damaged();
        }
        if capacity(parts) >= entries {
            return Ok(None);
        }
        if parts == LEASE_PARTS as u64 {
            fail!(NoMemory, "{} messages are leased, which is all that can be", entries - 1);
        }
        Ok(Some(Missing { carrier: HEAP_PARTS + parts as usize, rank: parts as usize }))
    }

    /// Adds a part, if that is still the one that is missing.
    pub(super) fn add(&self, spare: &mut Spare) {
        let Missing { carrier, rank } = spare.missing;
        let parts = if carrier < HEAP_PARTS { &self.heap_parts } else { &self.lease_parts };
        if parts.load(Relaxed) == rank as u64
            && let Some(object) = spare.object.take()
        {
            shm::drop_carried(&self.carriers[carrier]);
            shm::carry(object, &self.carriers[carrier]);
            if self.note_part(carrier, rank) {
                parts.store(rank as u64 + 1, Ordering::Release);
            }
        }
    }

    /// Takes the last part off a table that has no need for it and for the one before: the caller releases it
    /// without the lock.
    pub(super) fn take_spare_part(&self) -> Option<shm::Entry> {
        let used = u64::from(self.state().count) + self.leased();
        let heap = self.heap_parts.load(Relaxed);
        if heap > 2 && heap <= HEAP_PARTS as u64 && used <= capacity(heap - 2) {
            let last = heap as usize - 1;
            return shm::take_carried(&self.carriers[last], &self.heap_parts, heap - 1).ok().flatten();
        }
        let leases = self.lease_parts.load(Relaxed);
        if leases > 2 && leases <= LEASE_PARTS as u64 && self.made() <= capacity(leases - 2) {
            let last = leases as usize - 1;
            let carrier = &self.carriers[HEAP_PARTS + last];
            return shm::take_carried(carrier, &self.lease_parts, leases - 1).ok().flatten();
        }
        None
    }

    /// Whether [`take_spare_part`](Self::take_spare_part) would find any.
    #[inline(always)]
    pub(super) fn has_spare_part(&self) -> bool {
        let used = u64::from(self.state().count) + self.leased();
        let heap = self.heap_parts.load(Relaxed);
        let leases = self.lease_parts.load(Relaxed);
        heap > 2 && heap <= HEAP_PARTS as u64 && used <= capacity(heap - 2)
            || leases > 2 && leases <= LEASE_PARTS as u64 && self.made() <= capacity(leases - 2)
    }
}

#[cold]
pub(super) fn damaged<T>() -> Result<T> {
    fail!(State, "the queue's block in shared memory is damaged")
}
