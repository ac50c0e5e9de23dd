//! The word that says how many messages there are and what is under way, and what an entry says of itself.

use crate::shm::{CARRIER, PriorityBlock, Slot};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;

const BITS: u32 = 30;
/// So many messages there can be.
pub(super) const MOST: u32 = (1 << BITS) - 1;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Nothing.
    Idle,
    /// A block comes to the element, which is no message yet.
    Loading,
    /// The element moves up from the hole.
    Up,
    /// The element moves down from the hole.
    Down,
}

/// Count (30 bits), hole (30), what is under way (2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) under_way: Move,
    pub(super) hole: u32,
    pub(super) count: u32,
}

impl State {
    pub(super) fn idle(count: u32) -> Self {
        State { under_way: Move::Idle, hole: 0, count }
    }

    /// The root is out: `left` messages stay, the last of which is in the element.
    pub(super) fn without_root(left: u32) -> Self {
        if left == 0 { State::idle(0) } else { State { under_way: Move::Down, hole: 0, count: left } }
    }

    pub(super) fn bits(self) -> u64 {
        (self.under_way as u64) << (2 * BITS) | u64::from(self.hole) << BITS | u64::from(self.count)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        let under_way = match bits >> (2 * BITS) & 3 {
            0 => Move::Idle,
            1 => Move::Loading,
            2 => Move::Up,
            _ => Move::Down,
        };
        State { under_way, hole: (bits >> BITS) as u32 & MOST, count: bits as u32 & MOST }
    }
}

impl PriorityBlock {
    pub(super) fn state(&self) -> State {
        State::from_bits(self.state.load(Acquire))
    }

    /// The step that counts: what was stored before is there before it, and nothing that is stored behind it is
    /// there first. For who looks at what a killed process has left, that is the order of its instructions.
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state.bits(), Release);
        fence(Release);
    }
}

const PRIORITY: usize = 0;
pub(super) const SEQUENCE: usize = 1;
pub(super) const WHAT: usize = 2;
/// Of a lease who has it (32 bits; 0: nobody), and the number that it was given (32).
pub(super) const TAKER: usize = 4;
const BYTES: usize = 5;

const LENGTH_BITS: u32 = 40;
const NONE: u64 = 1 << 40;
const LONG: u64 = 1 << 41;
const DELIVERY: u64 = 1 << 42;

/// Length in bytes (40 bits), whether it is "none", whether it lies in a block of its own, and how often it was
/// leased (22 bits).
#[derive(Clone, Copy)]
pub(super) struct What(pub(super) u64);

impl What {
    /// The longest message.
    pub(super) const LONGEST: usize = (1 << LENGTH_BITS) - 1;

    pub(super) fn none() -> Self {
        What(NONE)
    }

    pub(super) fn bytes(len: usize, is_long: bool) -> Self {
        What(len as u64 | if is_long { LONG } else { 0 })
    }

    pub(super) fn len(self) -> usize {
        (self.0 & (NONE - 1)) as usize
    }

    pub(super) fn is_none(self) -> bool {
        self.0 & NONE != 0
    }

    pub(super) fn is_long(self) -> bool {
        self.0 & LONG != 0
    }

    pub(super) fn deliveries(self) -> u64 {
        self.0 / DELIVERY
    }

    /// Leased once more. What cannot be counted stays at the most.
    pub(super) fn delivered(self) -> Self {
        What(self.0.checked_add(DELIVERY).unwrap_or(self.0))
    }
}

pub(super) fn what(slot: &Slot) -> What {
    What(slot[WHAT].load(Relaxed))
}

/// What the heap is ordered by.
#[inline(always)]
pub(super) fn key(slot: &Slot) -> (i64, u64) {
    (slot[PRIORITY].load(Relaxed) as i64, slot[SEQUENCE].load(Relaxed))
}

pub(super) fn describe(slot: &Slot, priority: i64, sequence: u64, what: What) {
    slot[PRIORITY].store(priority as u64, Relaxed);
    slot[SEQUENCE].store(sequence, Relaxed);
    slot[WHAT].store(what.0, Relaxed);
}

/// Copies the whole entry.
#[inline(always)]
pub(super) fn copy(from: &Slot, to: &Slot) {
    to[PRIORITY].store(from[PRIORITY].load(Relaxed), Relaxed);
    to[SEQUENCE].store(from[SEQUENCE].load(Relaxed), Relaxed);
    to[CARRIER].store(from[CARRIER].load(Relaxed), Relaxed);
    let what = what(from);
    to[WHAT].store(what.0, Relaxed);
    if !what.is_long() {
        copy_bytes(from, to, what.len());
    }
}

/// Copies a short message.
#[inline(always)]
pub(super) fn copy_bytes(from: &Slot, to: &Slot, len: usize) {
    for (from, to) in from[BYTES..].iter().zip(&to[BYTES..]).take(len.div_ceil(8)) {
        to.store(from.load(Relaxed), Relaxed);
    }
}
