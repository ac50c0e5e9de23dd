//! A pipe: for each way a ring of bytes, and what its two sides share. What is in the rings says `wire/pipe/way.rs`,
//! what is in the carriers `wire/pipe/parcels.rs`.

use super::layout::{BlockHead, UNIT, Words};
use crate::park::{OwnerLock, Patience, Spot};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Bytes of a ring, of which a pipe has one for each way that is used. A message of 64 KiB and what is said of it shall
/// fit: where they do not, the two sides wake each other three times for each, and it takes twice as long.
pub(crate) const RING: usize = 2 * UNIT;

/// How many messages outside the ring are on one way at a time.
pub(crate) const PARCELS: usize = 16;

/// How many blocks of messages that were read in place are kept on one way.
pub(crate) const SPARES: usize = 12;

/// A pipe. Its data is the ring of the only way, or of both.
#[repr(C, align(64))]
pub(crate) struct PipeBlock {
    pub(crate) head: BlockHead,
    /// While it waits to be freed: the next one that does.
    pub(super) behind: AtomicU64,
    _line: [AtomicU64; 2],
    /// What the first end sends, and what the second one does.
    pub(crate) ways: [WayBlock; 2],
    /// For each way the messages outside the ring, and spare blocks for such.
    pub(crate) carriers: [[AtomicU64; PARCELS + SPARES]; 2],
}

/// One way.
#[repr(C, align(64))]
pub(crate) struct WayBlock {
    pub(crate) sender: Edge,
    pub(crate) receiver: Edge,
}

/// One side of a way. What is written by whom decides the cache line: the first by this side only, the second by
/// this side for the other one to read.
#[repr(C, align(64))]
pub(crate) struct Edge {
    /// Held for a whole message.
    pub(crate) lock: OwnerLock,
    /// The other side's position as the lock's last holder saw it: at most too old.
    pub(crate) seen: AtomicU64,
    /// Of the sender: the receiver's position at which it is to be woken.
    pub(crate) wanted: AtomicU64,
    /// The number of the last descriptors that were sent, or found by who receives.
    pub(crate) descriptors: AtomicU64,
    pub(crate) patience: Patience,
    _room: AtomicU32,
    _line: [AtomicU64; 2],
    /// Bytes so far: they never wrap around. Only the lock's holder stores it.
    pub(crate) position: AtomicU64,
    /// Where the other side sleeps until that has changed.
    pub(crate) moved: Spot,
    /// Of the sender: who receives polls the socket, see `wire/pipe/bell.rs`.
    pub(crate) announced: AtomicU32,
    _room_too: AtomicU32,
    /// Of the sender: where its position will be in a moment, see there.
    pub(crate) next: AtomicU64,
    /// What the last bell in the socket says, or how far they were taken out.
    pub(crate) bell: AtomicU64,
    _line_too: [AtomicU64; 3],
}

// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for PipeBlock {}

const _: () = assert!(size_of::<Edge>() == 128 && size_of::<PipeBlock>() == 1024);
