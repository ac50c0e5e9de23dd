//! What processes wait for together.

use super::layout::{BlockHead, GRAIN, Kind, Ref, Words};
use super::objects;
use super::segment::Segment;
use super::tree::In;
use crate::park::{Barrier, BarrierWords, EventWord, Owner};
use std::sync::atomic::{AtomicU64, Ordering};

/// An event.
#[repr(C)]
pub(crate) struct EventBlock {
    pub(crate) head: BlockHead,
    pub(crate) event: EventWord,
    _room: AtomicU64,
}

/// A barrier. Its data are two rows of parties, and what names the action.
#[repr(C, align(64))]
pub(crate) struct BarrierBlock {
    pub(crate) head: BlockHead,
    pub(crate) parties: AtomicU64,
    /// The most that any wait takes, in nanoseconds.
    pub(crate) timeout: AtomicU64,
    /// For the action.
    pub(crate) user: AtomicU64,
    /// Changed by all parties: on a line of their own.
    pub(crate) words: BarrierWords,
    _room: [AtomicU64; 4],
}

// SAFETY: repr(C), atomics only, alignment 8.
unsafe impl Words for EventBlock {}
// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for BarrierBlock {}

const _: () = assert!(size_of::<EventBlock>() == GRAIN && size_of::<BarrierBlock>() == 2 * GRAIN);

impl BarrierBlock {
    /// What may be done with it; None where the block was overwritten.
    pub(crate) fn barrier(&self) -> Option<Barrier<'_>> {
        let parties = self.parties.load(Ordering::Relaxed) as usize;
        let members = objects::words(&self.head, parties.checked_mul(2)?)?;
        let rows = size_of_val(members) as u64;
        (parties > 0)
            .then(|| Barrier::new(&self.words, members, self.head.size.load(Ordering::Relaxed) > rows))
    }
}

/// A process has died that held this block; its slot is still its own.
pub(super) fn note_death(s: &'static Segment, kind: Kind, r: Ref, dead: Owner, normally: bool) {
    if kind == Kind::Barrier
        && let Some(barrier) = s.at::<BarrierBlock>(r.offset()).barrier()
    {
        barrier.note_death(&In(s), dead, normally);
    }
}
