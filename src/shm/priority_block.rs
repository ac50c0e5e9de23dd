//! A priority queue: what everybody who uses it shares. Its entries lie in parts, blocks of their own that the
//! queue carries: each one twice as long as the one before, so that a table grows and shrinks by its last part
//! and no entry ever moves for that.

use super::carriers::carried_ref;
use super::layout::{BlockHead, BytesBlock, Kind, Words};
use super::objects::{self, Data};
use super::redo::Redo;
use super::segment::TREE;
use crate::park::{OwnerLock, Patience, Spot};
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of an entry: priority, sequence, what it is, a carrier, who has it; and then the message if it is short.
pub(crate) const ENTRY: usize = 16;
/// Which word of an entry holds the block of a long message.
pub(crate) const CARRIER: usize = 3;
/// Where the bytes of a short one begin.
const BYTES: usize = 5;
/// The longest short one.
pub(crate) const SHORT: usize = (ENTRY - BYTES) * 8;
/// Parts of the heap, and of the table of leases.
pub(crate) const HEAP_PARTS: usize = 26;
pub(crate) const LEASE_PARTS: usize = 24;
/// Entries of the first part.
pub(crate) const FIRST: usize = 16;

/// An entry.
pub(crate) type Slot = [AtomicU64; ENTRY];

/// A priority queue. All of it is changed with the lock, see `queue/priority`.
#[repr(C, align(64))]
pub(crate) struct PriorityBlock {
    pub(crate) head: BlockHead,
    /// The most messages that put makes it; 0: no limit.
    pub(crate) maxsize: AtomicU64,
    /// How far it was shut down.
    pub(crate) closed: AtomicU64,
    _room: AtomicU64,
    pub(crate) lock: OwnerLock,
    /// How many messages there are, and which move of the heap is under way.
    pub(crate) state: AtomicU64,
    /// How many messages were put: what the next one is numbered.
    pub(crate) sequence: AtomicU64,
    /// How many of them are done.
    pub(crate) done: AtomicU64,
    /// Parts in use.
    pub(crate) heap_parts: AtomicU64,
    pub(crate) lease_parts: AtomicU64,
    /// When somebody last asked which takers are dead, in milliseconds of any clock.
    pub(crate) asked: AtomicU64,
    /// Lease entries from this one on were never used since the table was empty.
    pub(crate) made: AtomicU64,
    /// The first that is free again, counted from 1; its sequence names the next.
    pub(crate) free: AtomicU64,
    /// How many are in use.
    pub(crate) leased: AtomicU64,
    /// How many leases there ever were.
    pub(crate) given: AtomicU64,
    /// Where takers sleep until there is a message.
    pub(crate) message: Spot,
    /// Where who puts sleeps until there is room.
    pub(crate) room: Spot,
    /// Where who joins sleeps until all is done.
    pub(crate) finished: Spot,
    /// Holds the block of a message that is gone, until it is dropped.
    pub(crate) garbage: AtomicU64,
    pub(crate) takers: Patience,
    pub(crate) putters: Patience,
    _line: [AtomicU64; 4],
    /// What is on its way through the heap.
    pub(crate) element: Slot,
    /// Hold the parts: the heap's, and then those of the leases.
    pub(crate) carriers: [AtomicU64; HEAP_PARTS + LEASE_PARTS],
    /// Where the entries of those begin in the segment.
    places: [AtomicU64; HEAP_PARTS + LEASE_PARTS],
    pub(crate) redo: Redo,
}

// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for PriorityBlock {}

const _: () = assert!(size_of::<PriorityBlock>() <= 2048 && (ENTRY * 8).is_multiple_of(64));

/// Bytes of a part.
pub(crate) fn part_bytes(rank: usize) -> usize {
    (FIRST << rank) * ENTRY * 8
}

impl PriorityBlock {
    /// A carrier has a part now: notes where its entries are. False where it is none.
    pub(crate) fn note_part(&self, carrier: usize, rank: usize) -> bool {
        let words = || {
            let block = objects::resolve::<BytesBlock>(carried_ref(&self.carriers[carrier])?, Kind::Part)?;
            objects::words(&block.head, part_bytes(rank) / 8)
        };
        let Some(words) = words() else { return false };
        self.places[carrier].store(TREE.offset_of_address(words.as_ptr().addr()) as u64, Ordering::Relaxed);
        true
    }

    /// Entries of the part that a carrier has, which the caller knows to be so long; None where there can be none.
    /// What was overwritten leads anywhere but to the tables.
    #[inline(always)]
    pub(crate) fn entries(&self, carrier: usize, at: usize, count: usize) -> Option<&'static [Slot]> {
        let offset =
            (self.places.get(carrier)?.load(Ordering::Relaxed) as usize).checked_add(at * ENTRY * 8)?;
        if offset < TREE.tables_end() || !offset.is_multiple_of(64) {
            return None;
        }
        let place = TREE.bytes_at(offset, count * ENTRY * 8)?;
        // SAFETY: in the mapping, which is never undone, aligned, and any bytes are atomic numbers.
        Some(unsafe { std::slice::from_raw_parts(place.cast::<Slot>(), count) })
    }

    /// One of them.
    #[inline(always)]
    pub(crate) fn entry(&self, carrier: usize, at: usize) -> Option<&'static Slot> {
        self.entries(carrier, at, 1)?.first()
    }
}

/// Where an entry has a short message's bytes.
pub(crate) fn short_bytes(slot: &Slot, len: usize) -> Data {
    assert!(len <= SHORT);
    Data { at: slot[BYTES..].as_ptr().cast_mut().cast(), len }
}
