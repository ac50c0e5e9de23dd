//! What a pool and its workers share. The data of a pool's block is laid out as
//! carriers (two words a task, [`TARGETS`], and one for the initializer's bytes) | [`Shared`] | [`WorkerSlot`]s | [`TaskSlot`]s.

use super::carriers;
use super::layout::{PoolBlock, Words};
use super::objects::{self, Data};
use super::segment::TREE;
use crate::park::Spot;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many tasks may lie ahead of one worker.
pub(crate) const AHEAD: usize = 256;
/// How many different functions a pool of fresh images may be asked to run.
pub(crate) const TARGETS: usize = 256;
/// Input and output that fit in here need no block of their own.
pub(crate) const INLINE: usize = 128;

/// The input, and room for the output, are in a block and not in the slot.
pub(crate) const IN_BLOCK: u64 = 1;
/// The result did not fit there and has a block of its own.
pub(crate) const OUT_BLOCK: u64 = 2;

/// What the owner's threads sleep on.
#[repr(C, align(64))]
pub(crate) struct Shared {
    /// Rung by a worker that has something for the owner.
    pub(crate) bell: Spot,
    /// The pool is coming to its end: workers leave as soon as they see it.
    pub(crate) stop: AtomicU32,
    /// What a worker runs before its first task, written like a task's function, and the user's pointer; 0 for
    /// nothing.
    pub(crate) initializer: AtomicU64,
    pub(crate) user: AtomicU64,
    /// After so many tasks, or once it has grown by so many bytes, a worker leaves; 0 for never.
    pub(crate) most_tasks: AtomicU64,
    pub(crate) most_memory: AtomicU64,
    /// The signals that a worker has blocked: whichever thread starts it, it is as if the pool's maker had.
    pub(crate) mask: AtomicU64,
}

/// A worker's private pair of rings. Each is written by one process: `tail` by who puts, `head` by who takes.
#[repr(C, align(64))]
pub(crate) struct WorkerSlot {
    /// What the worker sleeps on.
    pub(crate) bell: Spot,
    /// The worker rings the owner when this many tasks are left ahead of it.
    pub(crate) refill_at: AtomicU32,
    /// Counts the worker's rings: what the owner looks at.
    pub(crate) news: AtomicU32,
    /// How far the worker is: see `pool/worker.rs`.
    pub(crate) phase: AtomicU32,
    _line: AtomicU32,
    /// Nanoseconds that this worker and those before it in this place have worked on tasks, and how many.
    pub(crate) busy: AtomicU64,
    pub(crate) worked: AtomicU64,
    _rest: [AtomicU64; 3],
    pub(crate) inbox: Ring,
    pub(crate) outbox: Ring,
    /// Why the initializer failed: a length, and so many bytes.
    sentence: [AtomicU64; SENTENCE / 8 + 1],
}

/// The longest sentence of an initializer.
const SENTENCE: usize = 248;

/// Task numbers with their turns, from one process to another.
#[repr(C, align(64))]
pub(crate) struct Ring {
    tail: AtomicU32,
    _apart: [AtomicU32; 15],
    head: AtomicU32,
    _apart_too: [AtomicU32; 15],
    items: [AtomicU64; AHEAD],
}

impl Ring {
    /// By the one who puts: false when the ring is full.
    pub(crate) fn push(&self, item: u64) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire: the place was read before it was given back.
        if tail.wrapping_sub(self.head.load(Ordering::Acquire)) as usize >= AHEAD {
            return false;
        }
        self.items[tail as usize % AHEAD].store(item, Ordering::Relaxed);
        // Release: the item, and the task that it names, are complete before they can be taken.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// By the one who takes.
    pub(crate) fn pop(&self) -> Option<u64> {
        let head = self.head.load(Ordering::Relaxed);
        let waiting = self.tail.load(Ordering::Acquire).wrapping_sub(head) as usize;
        // More than there is room for is a stray pointer's doing.
        if waiting == 0 || waiting > AHEAD {
            return None;
        }
        let item = self.items[head as usize % AHEAD].load(Ordering::Relaxed);
        self.head.store(head.wrapping_add(1), Ordering::Release);
        Some(item)
    }

    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(Ordering::Relaxed);
        (self.tail.load(Ordering::Acquire).wrapping_sub(head) as usize).min(AHEAD)
    }

    /// Empty, for a fresh worker; the old one is gone.
    pub(crate) fn reset(&self) {
        self.head.store(0, Ordering::Relaxed);
        self.tail.store(0, Ordering::Release);
    }
}

/// A task, or room for one.
#[repr(C, align(64))]
pub(crate) struct TaskSlot {
    /// Turn (32 bits), worker (16), stage (8): see `pool/task.rs`.
    pub(crate) state: AtomicU64,
    /// The function and the user's pointer.
    pub(crate) function: AtomicU64,
    pub(crate) user: AtomicU64,
    /// Index of the first item, and how many there are.
    pub(crate) first: AtomicU64,
    pub(crate) count: AtomicU64,
    /// Bytes of an item in and out; out is `u64::MAX` where items have their own lengths.
    pub(crate) in_size: AtomicU64,
    pub(crate) out_size: AtomicU64,
    /// Which of the task's carriers are in use: [`IN_BLOCK`], [`OUT_BLOCK`].
    pub(crate) place: AtomicU64,
    /// Where results begin in the task's bytes.
    pub(crate) out_at: AtomicU64,
    /// How it ended, at which item it is (where it failed, if it did), and how long the result or the
    /// sentence is.
    pub(crate) outcome: AtomicU64,
    pub(crate) position: AtomicU64,
    pub(crate) result: AtomicU64,
    /// Nanoseconds that it took.
    pub(crate) spent: AtomicU64,
    /// When it began, on the monotonic clock; 0 before.
    pub(crate) begun: AtomicU64,
    _room: [AtomicU64; 2],
    inline: [AtomicU64; INLINE / 8],
}

impl WorkerSlot {
    /// By the worker: why it cannot work. Cut to fit.
    pub(crate) fn say(&self, text: &str) {
        let bytes = &text.as_bytes()[..text.len().min(SENTENCE)];
        self.sentence[0].store(bytes.len() as u64, Ordering::Relaxed);
        for (word, part) in self.sentence[1..].iter().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            eight[..part.len()].copy_from_slice(part);
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
    }

    /// By the owner, once it knows that something was said.
    pub(crate) fn said(&self) -> String {
        let len = (self.sentence[0].load(Ordering::Relaxed) as usize).min(SENTENCE);
        let words = self.sentence[1..].iter();
        let mut bytes: Vec<u8> = words.flat_map(|w| w.load(Ordering::Relaxed).to_le_bytes()).collect();
        bytes.truncate(len);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

// SAFETY: repr(C), atomics only, alignment 64.
unsafe impl Words for Shared {}
// SAFETY: as above.
unsafe impl Words for WorkerSlot {}
// SAFETY: as above.
unsafe impl Words for TaskSlot {}

const _: () = assert!(size_of::<TaskSlot>() == 256);

/// A pool's shared part, found by owner and workers alike.
#[derive(Clone, Copy)]
pub(crate) struct PoolArea {
    at: usize,
    carriers: &'static [AtomicU64],
    workers: usize,
    tasks: usize,
}

impl PoolArea {
    /// Bytes for so many workers and tasks.
    pub(crate) fn size(workers: usize, tasks: usize) -> usize {
        Self::shared_at(tasks)
            + size_of::<Shared>()
            + workers * size_of::<WorkerSlot>()
            + tasks * size_of::<TaskSlot>()
    }

    fn shared_at(tasks: usize) -> usize {
        (Self::carriers(tasks) * size_of::<AtomicU64>()).next_multiple_of(64)
    }

    /// How many carriers a pool with so many tasks has.
    pub(crate) fn carriers(tasks: usize) -> usize {
        tasks * 2 + TARGETS + 1
    }

    /// Finds its parts. None when the block does not hold what it says.
    pub(crate) fn of(block: &PoolBlock) -> Option<Self> {
        let workers = block.workers.load(Ordering::Relaxed) as usize;
        let tasks = block.tasks.load(Ordering::Relaxed) as usize;
        let data = objects::data(&block.head)?;
        let carriers = carriers::carriers(block);
        let fits = workers <= 1 << 16 && tasks <= 1 << 20 && Self::size(workers, tasks) <= data.len();
        if !fits || carriers.len() != Self::carriers(tasks) {
            return None;
        }
        let at = block.head.data.load(Ordering::Relaxed) as usize;
        Some(PoolArea { at, carriers, workers, tasks })
    }

    pub(crate) fn shared(&self) -> &'static Shared {
        TREE.at(self.at + Self::shared_at(self.tasks))
    }

    pub(crate) fn worker_count(&self) -> usize {
        self.workers
    }

    pub(crate) fn worker(&self, number: usize) -> &'static WorkerSlot {
        assert!(number < self.workers);
        let first = self.at + Self::shared_at(self.tasks) + size_of::<Shared>();
        TREE.at(first + number * size_of::<WorkerSlot>())
    }

    pub(crate) fn task(&self, number: usize) -> &'static TaskSlot {
        TREE.at(self.task_at(number))
    }

    fn task_at(&self, number: usize) -> usize {
        assert!(number < self.tasks);
        let first = self.at
            + Self::shared_at(self.tasks)
            + size_of::<Shared>()
            + self.workers * size_of::<WorkerSlot>();
        first + number * size_of::<TaskSlot>()
    }

    /// The bytes inside a task's slot.
    pub(crate) fn inline(&self, number: usize) -> Data {
        let at = self.task_at(number) + std::mem::offset_of!(TaskSlot, inline);
        objects::data_at(at, INLINE)
    }

    /// Carries the block with a task's input, and room for its output.
    pub(crate) fn input(&self, number: usize) -> &'static AtomicU64 {
        &self.carriers[number * 2]
    }

    /// Carries the block that says what function `number` is.
    pub(crate) fn target(&self, number: usize) -> &'static AtomicU64 {
        &self.carriers[self.tasks * 2 + number]
    }

    /// Carries the block with the initializer's bytes.
    pub(crate) fn initial(&self) -> &'static AtomicU64 {
        &self.carriers[self.tasks * 2 + TARGETS]
    }

    /// Carries the block with a result that did not fit there.
    pub(crate) fn output(&self, number: usize) -> &'static AtomicU64 {
        &self.carriers[number * 2 + 1]
    }
}
