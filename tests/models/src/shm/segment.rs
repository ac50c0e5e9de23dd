//! Where everything lies: a number is a place's address.

use super::ledger::Chunk;
use super::objects::Block;
use super::redo::Redo;
use super::tree::In;
use crate::park::{OwnerLock, Tree};
use crate::sys::atomic::AtomicU64;
use std::cell::{Cell, RefCell};

thread_local! {
    /// The run's. All threads of the checker are one thread of the system's.
    static STORE: Cell<*const Store> = const { Cell::new(std::ptr::null()) };
}

/// One more than any model has.
pub(super) const PROCESSES: usize = 4;

/// What a run has.
#[derive(Default)]
pub(crate) struct Store {
    header: Header,
    ledgers: [Chunk; PROCESSES],
    /// Holds what all processes use together.
    pub(crate) holder: AtomicU64,
    /// Boxed, because they stay where they are.
    #[allow(clippy::vec_box)]
    pub(super) blocks: RefCell<Vec<Box<Block>>>,
}

// SAFETY: the checker runs one thread at a time, and the list of blocks is not borrowed across its steps.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

#[derive(Default)]
pub(super) struct Header {
    pub(super) books: OwnerLock,
    pub(super) redo: Redo,
}

impl Store {
    /// From now on this is the run's. It outlives the run's processes.
    pub(crate) fn new() -> Box<Self> {
        let store = Box::<Store>::default();
        STORE.set(&raw const *store);
        store
    }

    /// How many blocks there are that nobody has freed.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.borrow().iter().filter(|block| !block.is_freed()).count()
    }
}

pub(super) fn store() -> &'static Store {
    // SAFETY: set for this run, whose processes it outlives.
    unsafe { STORE.get().as_ref() }.expect("a run")
}

pub(crate) struct Segment;

pub(crate) static TREE: Segment = Segment;

pub(super) fn of(_: usize) -> Option<&'static Segment> {
    Some(&TREE)
}

impl Segment {
    pub(super) fn header(&self) -> &'static Header {
        &store().header
    }

    pub(super) fn ledger(&self, slot: u32) -> &'static Chunk {
        &store().ledgers[slot as usize - 1]
    }

    pub(super) fn me(&self) -> u32 {
        In(&TREE).me().bits()
    }

    pub(super) fn offset_of<T>(&self, shared: &T) -> usize {
        (&raw const *shared).expose_provenance()
    }

    /// Of one that [`Segment::offset_of`] gave.
    pub(super) fn word_at(&self, offset: usize) -> Option<&'static AtomicU64> {
        // SAFETY: such a word's place, in the store or in one of its blocks, which stay where they are.
        (offset != 0).then(|| unsafe { &*std::ptr::with_exposed_provenance(offset) })
    }
}
