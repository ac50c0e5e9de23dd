//! What processes wait for together.

use super::carriers::carried_ref;
use super::layout::{BlockHead, BytesBlock, GRAIN, Kind, Ref, Words};
use super::objects;
use super::queue_block::QueueBlock;
use super::segment::{self, Segment};
use super::tree::In;
use crate::park::{Barrier, BarrierWords, ConditionWords, EventWord, Nodes, Owner, PARTS};
use std::sync::atomic::{AtomicU64, Ordering};

/// An event.
#[repr(C)]
pub(crate) struct EventBlock {
    pub(crate) head: BlockHead,
    pub(crate) event: EventWord,
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
    _room: [AtomicU64; 5],
}

/// A condition.
#[repr(C, align(64))]
pub(crate) struct ConditionBlock {
    pub(crate) head: BlockHead,
    /// Hold the lock, and the blocks of the table's other parts.
    pub(crate) carriers: [AtomicU64; PARTS],
    pub(crate) words: ConditionWords,
}

// SAFETY: repr(C), atomics only, alignment 8.
unsafe impl Words for EventBlock {}
// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for ConditionBlock {}
// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for BarrierBlock {}

const _: () = assert!(size_of::<EventBlock>() == GRAIN && size_of::<BarrierBlock>() == 2 * GRAIN);
const _: () = assert!(size_of::<ConditionBlock>() == 4 * GRAIN);

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

impl ConditionBlock {
    /// How many nodes a part has that is not in the block itself.
    pub(crate) fn part_size(part: usize) -> usize {
        16 << part
    }

    /// All that there are.
    pub(crate) fn nodes(&self) -> Nodes<'_> {
        let part = |part: usize| -> &[AtomicU64] {
            let words = || {
                let r = carried_ref(&self.carriers[part]).filter(|_| part > 0)?;
                let s = segment::of((&raw const self.head).addr())?;
                let block = objects::resolve_in::<BytesBlock>(s, r, Kind::Bytes)?;
                objects::words(&block.head, Self::part_size(part))
            };
            words().unwrap_or(&[])
        };
        self.words.with(std::array::from_fn(part))
    }
}

/// A process has died that held this block; its slot is still its own.
pub(super) fn note_death(s: &'static Segment, kind: Kind, r: Ref, dead: Owner, normally: bool) {
    match kind {
        Kind::Barrier => {
            if let Some(barrier) = s.at::<BarrierBlock>(r.offset()).barrier() {
                barrier.note_death(&In(s), dead, normally);
            }
        }
        Kind::Queue => s.at::<QueueBlock>(r.offset()).note_death(dead),
        Kind::Condition => s.at::<ConditionBlock>(r.offset()).nodes().note_death(&In(s), dead),
        _ => {}
    }
}
