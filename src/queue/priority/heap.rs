//! The heap: four children a node, so that they are few levels, and the way down looks at neighbours.

use super::hold::damaged;
use super::state::{Move, State, copy, key};
use crate::error::Result;
use crate::shm::{CARRIER, FIRST, HEAP_PARTS, PriorityBlock, Slot};
use std::sync::atomic::Ordering::Relaxed;

const CHILDREN: u32 = 4;

/// In which part the n-th entry of a table is, and where in there.
#[inline(always)]
pub(super) fn place(n: u32) -> (usize, usize) {
    let n = n as usize + FIRST;
    let rank = (n / FIRST).ilog2() as usize;
    (rank, n - (FIRST << rank))
}

/// How many entries so many parts have.
pub(super) fn capacity(parts: u64) -> u64 {
    (FIRST as u64) * ((1 << parts) - 1)
}

/// The heap as the lock's holder sees it.
pub(super) struct Heap<'a> {
    block: &'a PriorityBlock,
    parts: u64,
}

impl<'a> Heap<'a> {
    pub(super) fn new(block: &'a PriorityBlock) -> Self {
        Heap { block, parts: block.heap_parts.load(Relaxed).min(HEAP_PARTS as u64) }
    }

    #[inline(always)]
    pub(super) fn slot(&self, n: u32) -> Result<&'static Slot> {
        let (rank, at) = place(n);
        match self.block.entry(rank, at).filter(|_| (rank as u64) < self.parts) {
            Some(slot) => Ok(slot),
            None => damaged(),
        }
    }

    /// Moves the element up from the hole to its place.
    pub(super) fn up(&self, mut hole: u32, count: u32) -> Result<()> {
        let element = key(&self.block.element);
        while hole > 0 {
            let parent = (hole - 1) / CHILDREN;
            let above = self.slot(parent)?;
            if key(above) <= element {
                break;
            }
            copy(above, self.slot(hole)?);
            hole = parent;
            self.block.set_state(State { under_way: Move::Up, hole, count });
        }
        self.fill(hole, count)
    }

    /// So many entries from the n-th on, where they lie together; else only as many as do.
    #[inline(always)]
    fn run(&self, n: u32, count: u32) -> Result<&'static [Slot]> {
        let (rank, at) = place(n);
        let count = (count as usize).min((FIRST << rank) - at);
        match self.block.entries(rank, at, count).filter(|_| (rank as u64) < self.parts) {
            Some(slots) => Ok(slots),
            None => damaged(),
        }
    }

    /// The least of the children of a node, by its number.
    #[inline(always)]
    fn least_child(&self, node: u32, count: u32) -> Result<Option<(u32, &'static Slot)>> {
        let mut next = node.saturating_mul(CHILDREN).saturating_add(1);
        let end = count.min(next.saturating_add(CHILDREN));
        let mut least: Option<(u32, &Slot, (i64, u64))> = None;
        // Once, or twice where they are in two parts.
        while next < end {
            for slot in self.run(next, end - next)? {
                let this = key(slot);
                if least.is_none_or(|(_, _, that)| this < that) {
                    least = Some((next, slot, this));
                }
                next += 1;
            }
        }
        Ok(least.map(|(child, slot, _)| (child, slot)))
    }

    /// Moves it down.
    pub(super) fn down(&self, mut hole: u32, count: u32) -> Result<()> {
        let element = key(&self.block.element);
        let mut at = self.slot(hole)?;
        while let Some((child, below)) = self.least_child(hole, count)?
            && key(below) < element
        {
            copy(below, at);
            (hole, at) = (child, below);
            self.block.set_state(State { under_way: Move::Down, hole, count });
        }
        self.fill(hole, count)
    }

    fn fill(&self, hole: u32, count: u32) -> Result<()> {
        copy(&self.block.element, self.slot(hole)?);
        self.block.set_state(State::idle(count));
        forget(&self.block.element);
        Ok(())
    }

    /// Before the root is taken out: the last of `count` messages goes to the element.
    pub(super) fn lift_last(&self, count: u32) -> Result<()> {
        if count > 1 {
            copy(self.slot(count - 1)?, &self.block.element);
        }
        Ok(())
    }

    /// After the state without the root was stored.
    pub(super) fn close(&self, left: u32) -> Result<()> {
        forget(self.slot(left)?);
        if left > 0 { self.down(0, left) } else { Ok(()) }
    }
}

/// The entry is nobody's any more.
fn forget(slot: &Slot) {
    if slot[CARRIER].load(Relaxed) != 0 {
        slot[CARRIER].store(0, Relaxed);
    }
}
