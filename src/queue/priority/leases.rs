//! Leases: messages that are handed out and not yet acknowledged. Each has its entry in a table of its own, which
//! says who has it; what a dead process has goes back to its old place.
//!
//! A lease's number is its entry's (32 bits, from 1) and, above that, how many there were before it: so one that
//! has ended is not taken for the next one in its entry. Entries that are free make a list; when none is in use,
//! the list and the table begin anew.

use super::heap::place;
use super::hold::{Hold, SHUT, damaged};
use super::state::{Move, SEQUENCE, State, TAKER, copy, copy_bytes, describe, key, what};
use crate::error::{Result, fail};
use crate::park::{Owner, Tree};
use crate::shm::{self, CARRIER, HEAP_PARTS, PriorityBlock, Slot, ThisTree};
use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

/// Who holds leases is asked at most so often: in milliseconds.
const APART: u64 = 20;

fn taker(slot: &Slot) -> Option<Owner> {
    Owner::from_bits((slot[TAKER].load(Relaxed) >> 32) as u32)
}

/// Of whatever clock there is: it may jump, which costs a look.
fn now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}

impl PriorityBlock {
    /// How many leases there are, and how many entries they may be in. No sum of them wraps, whatever is there.
    #[inline(always)]
    pub(super) fn leased(&self) -> u64 {
        self.leased.load(Relaxed).min(u32::MAX.into())
    }

    #[inline(always)]
    pub(super) fn made(&self) -> u64 {
        self.made.load(Relaxed).min(u32::MAX.into())
    }

    /// Whether it is time to ask who of the takers is dead.
    #[inline(always)]
    pub(super) fn is_due(&self) -> bool {
        self.leased() > 0 && now().wrapping_sub(self.asked.load(Relaxed)) >= APART
    }
}

impl Hold<'_> {
    fn lease(&self, n: u32) -> Result<&'static Slot> {
        let (rank, at) = place(n);
        match self.entry(HEAP_PARTS + rank, at).filter(|_| (rank as u64) < self.lease_parts.load(Relaxed)) {
            Some(slot) => Ok(slot),
            None => damaged(),
        }
    }

    /// The message at the root is this process's from now on; `left` are in the heap then. There is an entry for it.
    pub(super) fn commit_lease(&self, root: &Slot, left: u32) -> Result<u64> {
        let free = self.free.load(Relaxed);
        let made = self.made();
        let (n, next_free, next_made) = match (free as u32).checked_sub(1) {
            Some(n) => (n, self.lease(n)?[SEQUENCE].load(Relaxed), made),
            None => (made as u32, 0, made + 1),
        };
        let slot = self.lease(n)?;
        let (priority, sequence) = key(root);
        let of = what(root).delivered();
        // The sequence is the list's as long as the entry is free.
        describe(slot, priority, slot[SEQUENCE].load(Relaxed), of);
        if !of.is_long() {
            copy_bytes(root, slot, of.len());
        }
        let given = self.given.load(Relaxed).wrapping_add(1);
        let number = given & u64::from(u32::MAX);
        self.change(&[
            (&slot[SEQUENCE], sequence),
            (&slot[CARRIER], root[CARRIER].load(Relaxed)),
            (&slot[TAKER], u64::from(ThisTree.me().bits()) << 32 | number),
            (&self.free, next_free),
            (&self.made, next_made),
            (&self.leased, self.leased() + 1),
            (&self.given, given),
            (&self.state, State::without_root(left).bits()),
        ]);
        Ok(number << 32 | (u64::from(n) + 1))
    }

    /// The entry of a lease that has not ended.
    fn find(&self, lease: u64) -> Result<(u32, &'static Slot)> {
        let n = (lease as u32).wrapping_sub(1);
        if u64::from(n) < self.made() {
            let slot = self.lease(n)?;
            let number = u64::from(slot[TAKER].load(Relaxed) as u32);
            if taker(slot).is_some() && number == lease >> 32 {
                return Ok((n, slot));
            }
        }
        fail!(Invalid, "{lease:#x} is no lease of this queue's, or one that has ended")
    }

    /// How often the message was handed out.
    pub(super) fn deliveries(&self, lease: u64) -> Result<u64> {
        Ok(what(self.find(lease)?.1).deliveries())
    }

    /// The message is done. What it lay in is garbage then.
    pub(super) fn acknowledge(&self, lease: u64) -> Result<()> {
        let (n, slot) = self.find(lease)?;
        self.end(n, slot);
        Ok(())
    }

    fn end(&self, n: u32, slot: &Slot) {
        let (next, free, made) = self.freed(n);
        self.change(&[
            (&slot[TAKER], 0),
            (&slot[SEQUENCE], next),
            (&self.free, free),
            (&self.made, made),
            (&self.leased, self.leased().saturating_sub(1)),
            (&self.done, self.done_with_one_more()),
            (&self.garbage, slot[CARRIER].load(Relaxed)),
            (&slot[CARRIER], 0),
        ]);
    }

    /// Once this entry is free: what it names as the next, what the list begins with, and how many are in use or
    /// in the list.
    fn freed(&self, n: u32) -> (u64, u64, u64) {
        if self.leased() <= 1 { (0, 0, 0) } else { (self.free.load(Relaxed), u64::from(n) + 1, self.made()) }
    }

    /// The message goes back to its old place, or, where everything was dropped meanwhile, the same way. True when
    /// it is there.
    pub(super) fn give_back(&self, lease: u64) -> Result<bool> {
        let (n, slot) = self.find(lease)?;
        self.put_back(n, slot)
    }

    fn put_back(&self, n: u32, slot: &Slot) -> Result<bool> {
        if self.closed.load(Relaxed) == SHUT {
            self.end(n, slot);
            return Ok(false);
        }
        let count = self.state().count;
        // A put makes room for what is leased too, so there is some.
        let heap = self.heap();
        heap.slot(count)?;
        let element = &self.element;
        copy(slot, element);
        let (next, free, made) = self.freed(n);
        self.change(&[
            (&slot[TAKER], 0),
            (&slot[SEQUENCE], next),
            (&slot[CARRIER], 0),
            (&self.free, free),
            (&self.made, made),
            (&self.leased, self.leased().saturating_sub(1)),
            (&self.state, State { under_way: Move::Up, hole: count, count: count + 1 }.bits()),
        ]);
        heap.up(count, count + 1)?;
        Ok(true)
    }

    /// What the dead had goes back; how many leases that were.
    pub(super) fn give_back_of_dead(&self) -> Result<i32> {
        self.asked.store(now(), Relaxed);
        // Whom we have asked about already: to ask costs system calls.
        let mut known = [(0, false); 16];
        let mut ended = 0;
        let mut n = 0;
        while u64::from(n) < self.made() {
            let slot = self.lease(n)?;
            if let Some(owner) = taker(slot).filter(|&owner| owner != ThisTree.me()) {
                let at = owner.slot() as usize % known.len();
                if known[at].0 != owner.bits() {
                    known[at] = (owner.bits(), ThisTree.is_dead(owner));
                }
                if known[at].1 {
                    self.put_back(n, slot)?;
                    shm::drop_carried(&self.garbage);
                    ended += 1;
                }
            }
            n += 1;
        }
        Ok(ended)
    }

    /// Whether any other process has a lease.
    pub(super) fn others_have_some(&self) -> Result<bool> {
        if self.leased() > 0 {
            for n in 0..self.made() as u32 {
                if taker(self.lease(n)?).is_some_and(|owner| owner != ThisTree.me()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
