//! A task: its state in shared memory, and how its bytes lie.
//!
//! | stage     | from           | by                                                       |
//! |-----------|----------------|----------------------------------------------------------|
//! | FREE      | any end        | the owner, once it has the result                        |
//! | QUEUED    | FREE           | the owner                                                |
//! | RUNNING w | QUEUED         | worker w: the compare-and-swap decides who runs it       |
//! | ASKED w   | RUNNING        | the owner: the function shall stop                       |
//! | DOOMED w  | ASKED          | the owner, before it kills w, which begins no other task |
//! | DONE w    | RUNNING, ASKED | worker w, after the result is in place                   |
//! | CANCELLED | QUEUED         | the owner                                                |
//!
//! The word also holds the turn, which grows with each use of the slot, so that what still lies in a ring
//! from an earlier use names nothing.

use crate::error::{Result, fail};
use crate::shm::{self, BytesBlock, Data, IN_BLOCK, INLINE, Kind, OUT_BLOCK, PoolArea, TaskSlot, WorkerSlot};
use std::sync::atomic::Ordering;

/// See the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Free = 0,
    Queued,
    Running,
    Done,
    Cancelled,
    Asked,
    Doomed,
}

/// A task's word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskState {
    pub(super) turn: u32,
    pub(super) worker: u16,
    pub(super) stage: Stage,
}

impl TaskState {
    fn bits(self) -> u64 {
        u64::from(self.turn) << 32 | u64::from(self.worker) << 8 | self.stage as u64
    }

    pub(super) fn of(slot: &TaskSlot) -> Self {
        // Acquire: behind DONE the result is in place, behind QUEUED the input.
        let bits = slot.state.load(Ordering::Acquire);
        let stage = match bits as u8 {
            1 => Stage::Queued,
            2 => Stage::Running,
            3 => Stage::Done,
            4 => Stage::Cancelled,
            5 => Stage::Asked,
            6 => Stage::Doomed,
            _ => Stage::Free,
        };
        TaskState { turn: (bits >> 32) as u32, worker: (bits >> 8) as u16, stage }
    }

    /// Moves the task on; false if somebody else did.
    pub(super) fn change(self, slot: &TaskSlot, to: TaskState) -> bool {
        slot.state.compare_exchange(self.bits(), to.bits(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// By the owner, for a slot that nobody else uses.
    pub(super) fn put(self, slot: &TaskSlot) {
        slot.state.store(self.bits(), Ordering::Release);
    }
}

/// How far a worker is, as its slot says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Phase {
    /// It does not run yet.
    Coming = 0,
    /// It runs the initializer.
    Initializing,
    /// It works.
    Ready,
    /// It has done its share, touches nothing of the pool's any more, and ends.
    Leaving,
    /// The initializer failed: the slot says why, and the worker ends.
    Failed,
}

impl Phase {
    pub(super) fn of(slot: &WorkerSlot) -> Self {
        // Acquire: what the worker did before it said so is there.
        match slot.phase.load(Ordering::Acquire) {
            1 => Phase::Initializing,
            2 => Phase::Ready,
            3 => Phase::Leaving,
            4 => Phase::Failed,
            _ => Phase::Coming,
        }
    }

    /// By the worker, or by the owner while there is none.
    pub(super) fn put(self, slot: &WorkerSlot) {
        slot.phase.store(self as u32, Ordering::Release);
    }
}

/// What lies in a ring.
pub(super) fn ticket(number: u32, turn: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(number)
}

/// Number and turn.
pub(super) fn read_ticket(ticket: u64) -> (usize, u32) {
    (ticket as u32 as usize, (ticket >> 32) as u32)
}

/// How a task ended, as its slot says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Outcome {
    Ok = 0,
    Failed,
    UnknownTarget,
    NoMemory,
    Panicked,
    /// The function was asked to stop, and has returned.
    Stopped,
}

impl Outcome {
    pub(super) fn of(slot: &TaskSlot) -> Self {
        match slot.outcome.load(Ordering::Relaxed) {
            0 => Outcome::Ok,
            1 => Outcome::Failed,
            2 => Outcome::UnknownTarget,
            3 => Outcome::NoMemory,
            5 => Outcome::Stopped,
            _ => Outcome::Panicked,
        }
    }
}

/// Items with lengths of their own lie one after the other: the length as 8 bytes, then, at the next multiple
/// of 16, the bytes.
pub(super) const ALIGN: usize = 16;

/// How much of it an item of `len` bytes takes.
pub(super) fn framed(len: usize) -> usize {
    ALIGN + len.next_multiple_of(ALIGN)
}

/// Adds such an item.
pub(super) fn push_frame(frames: &mut Vec<u8>, item: &[u8]) -> std::result::Result<(), ()> {
    let len = framed(item.len());
    frames.try_reserve(len).map_err(drop)?;
    let end = frames.len() + len;
    frames.extend_from_slice(&(item.len() as u64).to_le_bytes());
    frames.resize(frames.len() + ALIGN - 8, 0);
    frames.extend_from_slice(item);
    frames.resize(end, 0);
    Ok(())
}

/// Takes such items apart. Ends early where the lengths make no sense.
pub(super) struct Frames {
    data: Data,
    at: usize,
}

impl Frames {
    pub(super) fn new(data: Data) -> Self {
        Frames { data, at: 0 }
    }
}

impl Iterator for Frames {
    type Item = Data;

    fn next(&mut self) -> Option<Data> {
        let mut head = [0; 8];
        if self.data.len() < self.at + ALIGN {
            return None;
        }
        self.data.read(self.at, &mut head);
        let len = usize::try_from(u64::from_le_bytes(head)).ok()?;
        let from = self.at + ALIGN;
        if len > self.data.len() - from {
            return None;
        }
        self.at = from + len.next_multiple_of(ALIGN);
        Some(self.data.part(from, len))
    }
}

/// The task's input and the room behind it.
pub(super) fn bytes(area: &PoolArea, number: usize) -> Option<Data> {
    if area.task(number).place.load(Ordering::Relaxed) & IN_BLOCK == 0 {
        return Some(area.inline(number));
    }
    shm::data(&shm::carried(area.input(number))?.head)
}

/// By the owner: room for `len` bytes, in the slot or in a block that is kept for the next task.
pub(super) fn make_room(area: &PoolArea, number: usize, len: usize) -> Result<Data> {
    let place = &area.task(number).place;
    place.store(0, Ordering::Relaxed);
    if len <= INLINE {
        return Ok(area.inline(number));
    }
    let carrier = area.input(number);
    place.store(IN_BLOCK, Ordering::Relaxed);
    if let Some(data) = bytes(area, number).filter(|d| d.len() >= len) {
        return Ok(data);
    }
    shm::drop_carried(carrier);
    shm::carry(shm::create::<BytesBlock>(Kind::Bytes, len, |_| {})?, carrier);
    match bytes(area, number) {
        Some(data) => Ok(data),
        None => fail!(State, "the pool's shared memory is damaged"),
    }
}

/// By the owner, when a task is over: a large block is not kept for the next one.
pub(super) fn trim(area: &PoolArea, number: usize) {
    const KEEP: usize = 1 << 20;
    if area.task(number).place.load(Ordering::Relaxed) & IN_BLOCK != 0
        && bytes(area, number).is_some_and(|d| d.len() > KEEP)
    {
        shm::drop_carried(area.input(number));
    }
    shm::drop_carried(area.output(number));
}

/// By the worker: puts a result or a sentence where the owner finds it, which is `at` in the task's bytes if
/// there is room.
pub(super) fn deliver(area: &PoolArea, number: usize, at: usize, result: &[u8]) -> Result<()> {
    let slot = area.task(number);
    slot.result.store(result.len() as u64, Ordering::Relaxed);
    if let Some(data) = bytes(area, number)
        && at <= data.len()
        && result.len() <= data.len() - at
    {
        data.write(at, result);
        return Ok(());
    }
    let object = shm::create::<BytesBlock>(Kind::Bytes, result.len(), |_| {})?;
    if let Some(data) = shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| shm::data(&b.head)) {
        data.write(0, result);
    }
    shm::carry(object, area.output(number));
    slot.place.fetch_or(OUT_BLOCK, Ordering::Relaxed);
    Ok(())
}

/// By the owner: what the worker delivered there.
pub(super) fn delivered(area: &PoolArea, number: usize, at: usize) -> Option<Data> {
    let slot = area.task(number);
    let len = slot.result.load(Ordering::Relaxed) as usize;
    if slot.place.load(Ordering::Relaxed) & OUT_BLOCK != 0 {
        return part(shm::data(&shm::carried(area.output(number))?.head)?, 0, len);
    }
    part(bytes(area, number)?, at, len)
}

/// A part of bytes whose bounds came out of shared memory.
pub(super) fn part(data: Data, at: usize, len: usize) -> Option<Data> {
    (at <= data.len() && len <= data.len() - at).then(|| data.part(at, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_comes_back_as_it_went() {
        let state = TaskState { turn: u32::MAX, worker: 0xFFFF, stage: Stage::Cancelled };
        let bits = state.bits();
        assert_eq!((bits >> 32) as u32, u32::MAX);
        assert_eq!((bits >> 8) as u16, 0xFFFF);
        assert_eq!(bits as u8, 4);
        assert_eq!(read_ticket(ticket(7, 9)), (7, 9));
    }

    #[test]
    fn frames_are_multiples_of_the_alignment() {
        assert_eq!(framed(0), 16);
        assert_eq!(framed(1), 32);
        assert_eq!(framed(16), 32);
    }
}
