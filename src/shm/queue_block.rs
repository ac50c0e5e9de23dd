//! A queue: what its producers and consumers share. The block's data is the ring.

use super::layout::{BlockHead, Words};
use crate::park::{OwnerLock, Patience, Spot};
use std::sync::atomic::AtomicU64;

/// How many messages may lie outside the ring at a time.
pub(crate) const LARGE: usize = 16;

/// A queue.
#[repr(C, align(64))]
pub(crate) struct QueueBlock {
    pub(crate) head: BlockHead,
    /// The most messages, 0: as many as fit.
    pub(crate) maxsize: AtomicU64,
    _room: [AtomicU64; 2],
    /// Who puts: its position is the ring's end.
    pub(crate) producers: Side,
    /// Who gets: its position is the ring's begin.
    pub(crate) consumers: Side,
    /// Where who gets sleeps until there is a message.
    pub(crate) message: Spot,
    /// Where who puts sleeps until the queue is half empty, but not for long.
    pub(crate) half: Spot,
    /// Where it sleeps then, until there is room for what it has.
    pub(crate) room: Spot,
    _line: [AtomicU64; 5],
    /// Hold the blocks of messages that lie outside the ring, and spare ones: see `queue/large.rs`.
    pub(crate) carriers: [AtomicU64; LARGE],
    /// How long the message in each carrier's block is.
    pub(crate) lengths: [AtomicU64; LARGE],
    /// In which carrier the n-th such message is, at n modulo their number.
    pub(crate) order: [AtomicU64; LARGE],
}

/// Producers or consumers. What is written by whom decides the cache line: the first by this side only, the
/// second by this side for the other one to read.
#[repr(C, align(64))]
pub(crate) struct Side {
    pub(crate) lock: OwnerLock,
    /// The other side's position as the lock's last holder saw it: at most too old.
    pub(crate) seen: AtomicU64,
    pub(crate) patience: Patience,
    _line: [AtomicU64; 4],
    /// See `queue/position.rs`. Only the lock's holder stores it.
    pub(crate) position: AtomicU64,
    _line_too: [AtomicU64; 7],
}

// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for QueueBlock {}

const _: () = assert!(size_of::<Side>() == 128 && size_of::<QueueBlock>() == 768);
