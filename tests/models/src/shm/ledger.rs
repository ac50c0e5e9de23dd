//! What each process holds.

use super::layout::Ref;
use super::segment::{Segment, TREE};
use crate::sys::atomic::{AtomicU64, Ordering};

const HELD: u64 = 1;

#[derive(Clone, Copy)]
pub(crate) struct Entry(&'static AtomicU64);

pub(super) enum Line {
    Empty,
    Held(Ref),
}

pub(super) fn held(r: Ref) -> u64 {
    HELD << 62 | r.bits()
}

pub(super) fn read(word: &AtomicU64) -> Line {
    let bits = word.load(Ordering::Acquire);
    if bits >> 62 == HELD { Line::Held(Ref::from_bits(bits)) } else { Line::Empty }
}

impl Entry {
    pub(super) fn of(_: &'static Segment, word: &'static AtomicU64) -> Self {
        Entry(word)
    }

    pub(super) fn segment(self) -> &'static Segment {
        &TREE
    }

    pub(super) fn word(self) -> &'static AtomicU64 {
        self.0
    }
}

#[derive(Default)]
pub(super) struct Chunk {
    pub(super) entries: [AtomicU64; 2],
}

pub(super) fn chunks(s: &'static Segment, slot: u32) -> impl Iterator<Item = &'static Chunk> {
    std::iter::once(s.ledger(slot))
}

/// Each process here is one thread, and needs no lock for what only it knows.
pub(super) struct Open {
    pub(super) private: Private,
}

pub(super) struct Private;

pub(super) fn private(_: &'static Segment) -> Open {
    Open { private: Private }
}

impl Private {
    pub(super) fn reserve(&self, s: &'static Segment) -> crate::error::Result<&'static AtomicU64> {
        let free = |word: &&AtomicU64| word.load(Ordering::Relaxed) == 0;
        Ok(s.ledger(s.me() >> 16).entries.iter().find(free).expect("a free entry"))
    }

    pub(super) fn note_used(&self, _: &'static Segment, _: &AtomicU64) {}

    pub(super) fn note_unused(&self, _: &'static Segment, _: &AtomicU64) {}
}
