//! Doorbells: how a change reaches who waits for any of many things at once.
//!
//! Who watches a thing cannot sleep on its spot: it would need one for each. So each process has a bell, a word to
//! sleep on, and a table says who wants its bell rung when something happens at a place in shared memory. Places
//! share the table's words, as hashes do, and processes share bells where there are many: a bell that rings for
//! nothing costs a look, because a ring carries no information (rule 1).
//!
//! | word             | from | to      | who                                   | by              |
//! |------------------|------|---------|---------------------------------------|-----------------|
//! | the table's      | m    | m, me   | who watches, before each look         | bit or          |
//! | the table's      | m    | 0       | who wakes somebody at such a place    | exchange        |
//! | a spot's count   | n    | n, WATCHED | who watches, after the table       | bit or          |
//! | a spot's count   | n, WATCHED | n | who wakes, before the table           | bit and         |
//! | a bell           | n    | n + 1   | who took the bell's bit               | add; wakes all  |
//!
//! A watcher reads its bell, asks for it with every thing it watches, fences, looks at all the things, and sleeps only
//! if the bell is what it was. Who changes a thing stores the state, fences and reads the count (rule 4): it sees that
//! the thing is watched, or the watcher's look sees the state. (A lock has no count: its word's mark for sleepers is
//! set, and its release reads the table.) From there on it rings each bell that the table names;
//! and if somebody else has just taken the bit, that one rings, and later than the watcher's reading.
//!
//! The bits are taken by who rings and set again by who goes on watching. So nobody has to take back what a dead
//! watcher asked for: it is gone with the next ring. A waker that is killed between its two steps costs a slice.

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::futex;

/// The order in which a watcher goes about it: what the bells were, who is asked, and the look; then a sleep on the
/// states that this answers, which ends with a ring since they were read. None: something is ready, or was while it was asked.
pub(crate) fn round<S>(
    states: impl FnOnce() -> S,
    watch: impl FnOnce() -> bool,
    look: impl FnOnce() -> bool,
) -> Option<S> {
    let states = states();
    let ready = watch();
    fence(Ordering::SeqCst);
    (!ready && !look()).then_some(states)
}

/// All zero is that nobody watches anything. So many processes have a bell to themselves, at most 64; and so many
/// words has the table.
#[repr(C)]
pub(crate) struct Bells<const BELLS: usize = 64, const PLACES: usize = 128> {
    bells: [AtomicU32; BELLS],
    wanted: [AtomicU64; PLACES],
}

impl<const BELLS: usize, const PLACES: usize> Default for Bells<BELLS, PLACES> {
    fn default() -> Self {
        Bells {
            bells: std::array::from_fn(|_| AtomicU32::default()),
            wanted: std::array::from_fn(|_| AtomicU64::default()),
        }
    }
}

impl<const BELLS: usize, const PLACES: usize> Bells<BELLS, PLACES> {
    /// The word of the table for a place, which is an offset in the segment.
    fn wanted_at(&self, place: usize) -> &AtomicU64 {
        // Objects lie at multiples of 64; what sleeps at different words of one of them may share.
        let hash = (place as u64 >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57;
        &self.wanted[hash as usize % PLACES]
    }

    /// The bell's state, to be read before anything is watched.
    pub(crate) fn state(&self, bell: usize) -> u32 {
        // Acquire: what happened before the ring is seen by the look that follows.
        self.bells[bell % BELLS].load(Ordering::Acquire)
    }

    /// Asks for a ring. To be followed by the spot's or the lock's `watch`, a fence, and a look.
    pub(crate) fn watch(&self, bell: usize, place: usize) {
        // AcqRel with the ringer's exchange: who takes this bit has it from us, so it rings after our reading.
        self.wanted_at(place).fetch_or(1 << (bell % BELLS), Ordering::AcqRel);
    }

    /// Rings for all who watch this place.
    pub(crate) fn ring(&self, place: usize) {
        // With what a lock's word was told when it was watched, the table is seen, too.
        fence(Ordering::SeqCst);
        let wanted = self.wanted_at(place);
        if wanted.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut who = wanted.swap(0, Ordering::AcqRel);
        while who != 0 {
            self.shake(who.trailing_zeros() as usize);
            who &= who - 1;
        }
    }

    /// Rings one bell.
    pub(crate) fn shake(&self, bell: usize) {
        let bell = &self.bells[bell % BELLS];
        bell.fetch_add(1, Ordering::Release);
        futex::wake(bell, i32::MAX);
    }

    /// The bell's word, to sleep on while it is in the state that was read.
    pub(crate) fn word(&self, bell: usize) -> &AtomicU32 {
        &self.bells[bell % BELLS]
    }
}
