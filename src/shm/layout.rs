//! What lies where in a segment. Everything shared is a struct of atomics, and every one of them is here, so
//! that the layout hash covers them all.

use crate::park::{Bells, Owner, OwnerLock, SemaphoreWord, Spot};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Types that may be looked at in shared memory whatever its bytes are.
///
/// # Safety
/// `repr(C)`, made of atomics and padding only, alignment at most 64.
pub(crate) unsafe trait Words: 'static {}

/// What is handed out and pre-faulted at a time, and what page runs are counted in.
pub(crate) const UNIT: usize = 64 << 10;
/// The smallest block; what a reference counts in.
pub(crate) const GRAIN: usize = 64;
/// The largest block that shares its unit with others.
pub(crate) const MAX_SMALL: usize = UNIT / 2;
/// How many sizes of small blocks there are.
pub(crate) const CLASSES: usize = 10;
const _: () = assert!(MAX_SMALL == GRAIN << (CLASSES - 1));
/// "libmp" and the format's number.
pub(crate) const MAGIC: u64 = 0x6C69_626D_7000_0001;

/// A segment begins with this.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: AtomicU64,
    pub(crate) layout: AtomicU64,
    pub(crate) size: AtomicU64,
    /// Process slots that have memory behind them.
    pub(crate) slots_ready: AtomicU64,
    /// Where the search for a free slot goes on: round and round, so that the oldest is reused first.
    pub(crate) slot_cursor: AtomicU64,
    /// Entries of the unit table that have memory behind them.
    pub(crate) units_ready: AtomicU64,
    /// No extent before this unit is free. Changed with the extents, under the books.
    pub(crate) first_free: AtomicU64,
    /// Sleeps that found work without having been woken.
    pub(crate) rescued: AtomicU64,
    /// Locks taken from dead processes.
    pub(crate) owner_deaths: AtomicU64,
    /// Process slots cleaned up after a death.
    pub(crate) sweeps: AtomicU64,
    /// Releases that are about to wake somebody, and those whom they woke and who do not run yet; a killed one counts
    /// for ever.
    pub(crate) waking: AtomicU32,
    /// Sleepers that releases have woken.
    pub(crate) woken: AtomicU32,
    /// In a named segment the carrier that holds its object.
    pub(crate) object: AtomicU64,
    /// Holds the first of the queues that wait to be freed: see `parcels.rs`.
    pub(crate) waiting: AtomicU64,
    _apart: [AtomicU64; 3],
    /// Guards extents, references and the ledgers of other processes.
    pub(crate) books: OwnerLock,
    _apart_too: [AtomicU64; 6],
    pub(crate) redo: super::redo::Redo,
    /// For who waits for any of many things.
    pub(crate) bells: Bells,
}

/// A process, or room for one.
///
/// | from           | to             | who                          |
/// |----------------|----------------|------------------------------|
/// | FREE g         | STARTING g+1   | the parent, before it starts the child |
/// | FREE g         | JOINING g+1    | a process that nobody started for the tree: its first, or the host's own fork |
/// | STARTING, JOINING | LIVE        | the process itself           |
/// | STARTING, JOINING, LIVE | DEAD  | whoever found it dead        |
/// | DEAD           | FREE           | whoever completed the sweep  |
#[repr(C)]
pub(crate) struct ProcessSlot {
    /// State (8 bits), generation (16), and the parent as an owner or the own pid (31).
    pub(crate) word: AtomicU64,
    pub(crate) pid: AtomicU64,
    /// When it was there, in clock ticks since boot; 0: not known.
    pub(crate) seen: AtomicU64,
    /// First chunk of the ledger, as a reference's bits; 0: none.
    pub(crate) ledger: AtomicU64,
    /// The block that the process is just claiming; 0: none.
    pub(crate) claiming: AtomicU64,
    /// What the process said of its end: bit 32 set, and the exit code; bit 33: it has called exit.
    pub(crate) exit: AtomicU64,
    /// What a fresh image said of its birth: bit 63 set, and a status with an errno.
    pub(crate) born: AtomicU64,
    /// Where its parent waits for that.
    pub(crate) cradle: Spot,
    /// Of each size class the unit that the process claims blocks in, 0: none. Nobody else makes that unit into
    /// something else. Changed by the process itself, under the books.
    pub(crate) claims_in: [AtomicU32; CLASSES],
    /// Carries the block that the process leaves for its parent; 0: none.
    pub(crate) result: AtomicU64,
    _room: [AtomicU64; 18],
}

/// One entry of the unit table.
#[repr(C)]
pub(crate) struct Unit {
    /// Valid only where an extent begins: what it is (8 bits), size class (8), length in units (32).
    pub(crate) extent: AtomicU64,
    /// Free blocks of a unit of small blocks; errs high only.
    pub(crate) free: AtomicU32,
    /// What is added to the generations of the blocks in a unit of small blocks: they begin at 0 again when the
    /// unit was something else meanwhile, and old references must not find the new blocks.
    pub(crate) past: AtomicU32,
}

/// What an extent of units is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Free { units: u32 },
    Small { class: u8 },
    Run { units: u32 },
}

impl Extent {
    pub(crate) fn bits(self) -> u64 {
        match self {
            Extent::Free { units } => 1 << 56 | u64::from(units),
            Extent::Small { class } => 2 << 56 | u64::from(class) << 48 | 1,
            Extent::Run { units } => 3 << 56 | u64::from(units),
        }
    }

    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        let units = bits as u32;
        match bits >> 56 {
            1 if units > 0 => Some(Extent::Free { units }),
            2 if units == 1 => {
                let class = (bits >> 48) as u8;
                (class_size(class) <= MAX_SMALL).then_some(Extent::Small { class })
            }
            3 if units > 0 => Some(Extent::Run { units }),
            _ => None,
        }
    }

    pub(crate) fn units(self) -> u32 {
        match self {
            Extent::Free { units } | Extent::Run { units } => units,
            Extent::Small { .. } => 1,
        }
    }
}

/// Bytes of a block of this class.
pub(crate) fn class_size(class: u8) -> usize {
    GRAIN.checked_shl(class.into()).unwrap_or(usize::MAX)
}

/// The class whose blocks hold `bytes`, which are at most [`MAX_SMALL`].
pub(crate) fn class_for(bytes: usize) -> u8 {
    bytes.max(GRAIN).next_power_of_two().ilog2() as u8 - GRAIN.ilog2() as u8
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Ledger = 1,
    Lock,
    Value,
    Array,
    Pool,
    Bytes,
    Queue,
    RLock,
    Semaphore,
    Event,
    Barrier,
    Condition,
    Memory,
    Priority,
    /// Of a priority queue's tables.
    Part,
    /// Of a queue.
    Ring,
    Pipe,
    /// A message that carries handles.
    Parcel,
}

impl Kind {
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        use Kind::*;
        const ALL: [Kind; 18] = [
            Ledger, Lock, Value, Array, Pool, Bytes, Queue, RLock, Semaphore, Event, Barrier, Condition,
            Memory, Priority, Part, Ring, Pipe, Parcel,
        ];
        ALL.into_iter().find(|&k| k as u8 == bits)
    }
}

/// Every block begins with this.
#[repr(C)]
pub(crate) struct BlockHead {
    /// Kind (8 bits, 0: free), the claimer's slot (16), generation (28): one word, so that claiming and
    /// freeing are one step each.
    pub(crate) state: AtomicU64,
    /// How many ledger entries and carriers name the block (32 bits), and above that how many have come since the
    /// first: so who has seen it once knows whether any came or went. Changed under the books.
    pub(crate) refs: AtomicU64,
    /// The run of units that belongs to the block: first unit (32), length (32); 0: none.
    pub(crate) run: AtomicU64,
    /// Offset and length of the block's data, be it behind the head or in the run.
    pub(crate) data: AtomicU64,
    pub(crate) size: AtomicU64,
}

impl BlockHead {
    /// How many name the block.
    pub(crate) fn holders(&self) -> u32 {
        self.refs.load(Ordering::Relaxed) as u32
    }

    /// What `refs` is with one more.
    pub(crate) fn one_more(&self) -> u64 {
        self.refs.load(Ordering::Relaxed).wrapping_add(1 << 32 | 1)
    }
}

/// A block's state, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) kind: u8,
    pub(crate) slot: u16,
    pub(crate) generation: u32,
}

impl State {
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.kind) << 56 | u64::from(self.slot) << 40 | u64::from(self.generation)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        State {
            kind: (bits >> 56) as u8,
            slot: (bits >> 40) as u16,
            generation: bits as u32 & Ref::MAX_GENERATION,
        }
    }
}

impl BlockHead {
    pub(crate) fn state(&self) -> State {
        State::from_bits(self.state.load(Ordering::Acquire))
    }

    pub(crate) fn run(&self) -> Option<(u32, u32)> {
        let bits = self.run.load(Ordering::Relaxed);
        (bits != 0).then_some(((bits >> 32) as u32, bits as u32))
    }
}

/// Names a block anywhere in the tree: where it is (34 bits, in grains) and which tenant is meant (28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ref(u64);

impl Ref {
    pub(crate) const MAX_GENERATION: u32 = (1 << 28) - 1;

    pub(crate) fn new(index: u64, generation: u32) -> Self {
        debug_assert!(index < 1 << 34 && generation <= Self::MAX_GENERATION);
        Ref(u64::from(generation) << 34 | index)
    }

    /// From bits that may be anything.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Ref(bits & ((1 << 62) - 1))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn offset(self) -> usize {
        (self.0 & ((1 << 34) - 1)) as usize * GRAIN
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 34) as u32
    }
}

/// A lock or an RLock: which of the two says the block's kind.
#[repr(C)]
pub(crate) struct LockBlock {
    pub(crate) head: BlockHead,
    pub(crate) lock: OwnerLock,
    /// 1: `acquire` says OWNER_DIED.
    pub(crate) options: AtomicU64,
}

/// A semaphore. Its data, if it keeps accounts: a lock (two words), and the words of those who have slots.
#[repr(C)]
pub(crate) struct SemaphoreBlock {
    pub(crate) head: BlockHead,
    pub(crate) semaphore: SemaphoreWord,
    /// The most free slots (32 bits), and options.
    pub(crate) options: AtomicU64,
}

/// A value: a number in a word, or a struct in the block's data.
#[repr(C)]
pub(crate) struct ValueBlock {
    pub(crate) head: BlockHead,
    /// The number; of a struct, whether a store is to be completed: see `shared/value.rs`.
    pub(crate) word: AtomicU64,
    /// The item's type.
    pub(crate) item: AtomicU64,
    /// Holds the lock; 0: there is none.
    pub(crate) lock: AtomicU64,
}

/// An array: items in the block's data.
#[repr(C)]
pub(crate) struct ArrayBlock {
    pub(crate) head: BlockHead,
    pub(crate) item: AtomicU64,
    pub(crate) length: AtomicU64,
    /// Holds the lock; 0: there is none.
    pub(crate) lock: AtomicU64,
}

/// Plain memory, in the block's data.
#[repr(C)]
pub(crate) struct MemoryBlock {
    pub(crate) head: BlockHead,
    _room: [AtomicU64; 3],
}

/// Bytes on their way, in the block's data.
#[repr(C)]
pub(crate) struct BytesBlock {
    pub(crate) head: BlockHead,
    /// Of one that was reserved for a queue, the queue's reference; else 0.
    pub(crate) queue: AtomicU64,
    _room: [AtomicU64; 2],
}

/// A pool. Its data begins with the words that carry references to blocks of bytes.
#[repr(C)]
pub(crate) struct PoolBlock {
    pub(crate) head: BlockHead,
    /// How many carrier words the data begins with.
    pub(crate) carriers: AtomicU64,
    pub(crate) workers: AtomicU64,
    pub(crate) tasks: AtomicU64,
}

/// A part of a ledger.
#[repr(C)]
pub(crate) struct LedgerChunk {
    pub(crate) head: BlockHead,
    /// The next chunk, as a reference's bits; 0: none.
    pub(crate) next: AtomicU64,
    /// How many entries are in use. A hint of the ledger's process for itself.
    pub(crate) used: AtomicU64,
    pub(crate) entries: [AtomicU64; LedgerChunk::ENTRIES],
}

impl LedgerChunk {
    pub(crate) const SIZE: usize = 4096;
    pub(crate) const ENTRIES: usize = (Self::SIZE - 56) / 8;
}

// SAFETY: repr(C), atomics only, for each of these.
unsafe impl Words for Header {}
// SAFETY: as above.
unsafe impl Words for ProcessSlot {}
// SAFETY: as above.
unsafe impl Words for Unit {}
// SAFETY: as above.
unsafe impl Words for BlockHead {}
// SAFETY: as above.
unsafe impl Words for LockBlock {}
// SAFETY: as above.
unsafe impl Words for SemaphoreBlock {}
// SAFETY: as above.
unsafe impl Words for ValueBlock {}
// SAFETY: as above.
unsafe impl Words for ArrayBlock {}
// SAFETY: as above.
unsafe impl Words for BytesBlock {}
// SAFETY: as above.
unsafe impl Words for MemoryBlock {}
// SAFETY: as above.
unsafe impl Words for PoolBlock {}
// SAFETY: as above.
unsafe impl Words for LedgerChunk {}
// SAFETY: an atomic.
unsafe impl Words for AtomicU8 {}
// SAFETY: an atomic.
unsafe impl Words for AtomicU16 {}
// SAFETY: an atomic.
unsafe impl Words for AtomicU32 {}
// SAFETY: an atomic.
unsafe impl Words for AtomicU64 {}

const _: () = {
    use std::mem::{align_of, size_of};
    assert!(size_of::<SemaphoreBlock>() == GRAIN);
    assert!(size_of::<LockBlock>() == GRAIN && size_of::<ValueBlock>() == GRAIN);
    assert!(
        size_of::<ArrayBlock>() == GRAIN
            && size_of::<BytesBlock>() == GRAIN
            && size_of::<MemoryBlock>() == GRAIN
            && size_of::<PoolBlock>() == GRAIN
    );
    assert!(size_of::<LedgerChunk>() == LedgerChunk::SIZE);
    assert!(size_of::<ProcessSlot>() == 256 && align_of::<Header>() <= 64);
    assert!(size_of::<Header>() <= UNIT);
};

/// What two processes must agree on before they share a segment: sizes and numbers of the layout, and the
/// version, mixed by FNV-1a.
pub(crate) fn hash() -> u64 {
    use std::mem::{offset_of, size_of};
    let facts = [
        size_of::<Header>(),
        offset_of!(Header, books),
        offset_of!(Header, redo),
        size_of::<ProcessSlot>(),
        size_of::<Unit>(),
        size_of::<BlockHead>(),
        size_of::<super::pool_area::WorkerSlot>(),
        size_of::<super::pool_area::TaskSlot>(),
        size_of::<super::queue_block::QueueBlock>(),
        size_of::<super::queue_block::RingBlock>(),
        Kind::Ring as usize,
        size_of::<super::pipe_block::PipeBlock>(),
        Kind::Pipe as usize,
        size_of::<super::parcels::ParcelBlock>(),
        Kind::Parcel as usize,
        LedgerChunk::ENTRIES,
        UNIT,
        GRAIN,
        size_of::<SemaphoreBlock>(),
        Kind::Semaphore as usize,
        size_of::<super::wait_blocks::EventBlock>(),
        size_of::<super::wait_blocks::BarrierBlock>(),
        size_of::<super::wait_blocks::ConditionBlock>(),
        Kind::Condition as usize,
        Kind::Memory as usize,
        size_of::<super::priority_block::PriorityBlock>(),
        super::priority_block::ENTRY,
        Kind::Part as usize,
        Owner::MAX_SLOT as usize,
    ];
    let mix = |h: u64, f: u64| (h ^ f).wrapping_mul(0x0100_0000_01B3);
    let version = env!("CARGO_PKG_VERSION").bytes().map(u64::from);
    facts.iter().map(|&f| f as u64).chain(version).fold(0xCBF2_9CE4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_for() {
        for bytes in 1..=MAX_SMALL {
            let class = class_for(bytes);
            assert!(class_size(class) >= bytes);
            assert!(class == 0 || class_size(class - 1) < bytes);
        }
        assert_eq!(class_size(255), usize::MAX);
    }

    #[test]
    fn words_come_back_as_they_went() {
        for e in [Extent::Free { units: 7 }, Extent::Small { class: 9 }, Extent::Run { units: u32::MAX }] {
            assert_eq!(Extent::from_bits(e.bits()), Some(e));
        }
        let s = State { kind: 4, slot: 0x7FFF, generation: Ref::MAX_GENERATION };
        assert_eq!(State::from_bits(s.bits()), s);
        let r = Ref::new((1 << 34) - 1, Ref::MAX_GENERATION);
        assert_eq!((r.offset() / GRAIN, r.generation()), ((1 << 34) - 1, Ref::MAX_GENERATION));
    }

    #[test]
    fn garbage_is_no_extent() {
        for bits in [0, 1, 1 << 56, 2 << 56 | 2, 2 << 56 | 200 << 48 | 1, 3 << 56, 0xFF << 56 | 1, u64::MAX] {
            assert_eq!(Extent::from_bits(bits), None, "{bits:x}");
        }
    }
}
