//! A queue: what its producers and consumers share, and the rings that hold its messages.

use super::layout::{BlockHead, Words};
use crate::park::{OwnerLock, Patience, Spot};
use std::sync::atomic::AtomicU64;

/// How many messages may lie outside a ring at a time.
pub(crate) const LARGE: usize = 16;

/// How many messages may be lent to consumers at a time.
pub(crate) const LENT: usize = 16;

/// A message that was lent to a consumer, or room for one. Which it is says `word`; the rest is valid where that is
/// not 0.
#[repr(C)]
pub(crate) struct Loan {
    /// See `queue/lend.rs`.
    pub(crate) word: AtomicU64,
    /// Which message it is, counted from the queue's first.
    pub(crate) number: AtomicU64,
    pub(crate) len: AtomicU64,
}

/// A queue.
#[repr(C, align(64))]
pub(crate) struct QueueBlock {
    pub(crate) head: BlockHead,
    /// What keeps puts and gets from the short way: see `queue/end.rs`.
    pub(crate) gate: AtomicU64,
    /// The most messages.
    pub(crate) maxsize: AtomicU64,
    /// The most bytes of messages.
    pub(crate) maxbytes: AtomicU64,
    /// Who puts: its position is the queue's end.
    pub(crate) producers: Side,
    /// Who gets: its position is the queue's begin.
    pub(crate) consumers: Side,
    /// Where who gets sleeps until there is a message.
    pub(crate) message: Spot,
    /// Where who puts sleeps until the queue is half empty, but not for long.
    pub(crate) half: Spot,
    /// Where it sleeps then, until there is room for what it has.
    pub(crate) room: Spot,
    /// Where who joins the queue sleeps until all is done.
    pub(crate) joined: Spot,
    /// How many messages were said to be done.
    pub(crate) done: AtomicU64,
    /// How many messages were dropped. Only the holder of the consumers' lock changes it.
    pub(crate) dropped: AtomicU64,
    /// Not 0: another ring is hung behind one that is full.
    pub(crate) grows: AtomicU64,
    /// Of one that waits to be freed: holds the next such.
    pub(super) behind: AtomicU64,
    /// See [`QueueBlock::first`] and [`QueueBlock::spare`].
    holds: [AtomicU64; 2 + LENT],
    pub(crate) loans: [Loan; LENT],
    _line: [AtomicU64; 6],
}

/// Producers or consumers. What is written by whom decides the cache line: the first by this side only, the
/// second by this side for the other one to read.
#[repr(C, align(64))]
pub(crate) struct Side {
    pub(crate) lock: OwnerLock,
    /// The other side's position as the lock's last holder saw it: at most too old.
    pub(crate) seen: AtomicU64,
    pub(crate) patience: Patience,
    /// Of producers: how many bytes of messages had been got then. Of consumers: the most bytes that they saw in the
    /// queue.
    pub(crate) seen_bytes: AtomicU64,
    /// Offset and length of the bytes of the ring that this side is in.
    pub(crate) data: AtomicU64,
    pub(crate) size: AtomicU64,
    _line: AtomicU64,
    /// See `queue/position.rs`. Only the lock's holder stores it.
    pub(crate) position: AtomicU64,
    /// The ring that this side is in.
    pub(crate) ring: AtomicU64,
    /// See `queue/tally.rs`.
    pub(crate) bytes: [AtomicU64; 2],
    pub(crate) messages: [AtomicU64; 2],
    /// How often somebody went to sleep on this side.
    pub(crate) waits: AtomicU64,
    /// Of consumers: the most messages that they saw in the queue.
    pub(crate) most: AtomicU64,
}

/// A ring: its bytes are the block's data.
#[repr(C, align(64))]
pub(crate) struct RingBlock {
    pub(crate) head: BlockHead,
    /// Holds the ring that comes after this one, once it was full.
    pub(crate) next: AtomicU64,
    _line: [AtomicU64; 2],
    /// Hold the blocks of messages that lie outside the ring, and spare ones: see `queue/large.rs`.
    pub(crate) carriers: [AtomicU64; LARGE],
    /// How long the message in each carrier's block is.
    pub(crate) lengths: [AtomicU64; LARGE],
    /// In which carrier the n-th such message is, at n modulo their number.
    pub(crate) order: [AtomicU64; LARGE],
}

// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for QueueBlock {}
// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for RingBlock {}

impl QueueBlock {
    /// Holds the ring that consumers are in.
    pub(crate) fn first(&self) -> &AtomicU64 {
        &self.holds[0]
    }

    /// Holds an empty ring, or nothing.
    pub(crate) fn spare(&self) -> &AtomicU64 {
        &self.holds[1]
    }

    /// Hold the blocks of the messages that were lent.
    pub(crate) fn lent(&self) -> &[AtomicU64] {
        &self.holds[2..]
    }

    /// The words that hold references.
    pub(super) fn carriers(&self) -> &[AtomicU64] {
        &self.holds
    }
}

const _: () = assert!(size_of::<Side>() == 128 && size_of::<QueueBlock>() == 960);
const _: () = assert!(size_of::<RingBlock>() == 448);
