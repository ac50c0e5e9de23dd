//! Blocks. What was freed is never used again here, so whoever still uses it is found.

use super::books::{self, Books};
use super::layout::{BlockHead, BytesBlock, Kind, Ref, Words};
use super::ledger::{self, Entry, Line, private};
use super::queue_block::{QueueBlock, RingBlock};
use super::segment::{Segment, TREE, store};
use crate::error::Result;
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::world;
use loom::cell::UnsafeCell;
use std::cell::Cell;

/// Bytes that are looked at together. The checker finds whoever writes one that somebody reads.
const GRAIN: usize = 8;
/// An offset is a block's number, and a place below this.
const MOST: usize = 1 << 20;

#[allow(clippy::large_enum_variant)] // There are three of them or so.
enum Contents {
    Queue(QueueBlock),
    Ring(RingBlock),
    Bytes(BytesBlock),
}

pub(super) struct Block {
    contents: Contents,
    grains: Vec<UnsafeCell<[u8; GRAIN]>>,
    freed: Cell<bool>,
}

impl Block {
    pub(super) fn is_freed(&self) -> bool {
        self.freed.get()
    }

    fn kind(&self) -> Kind {
        match self.contents {
            Contents::Queue(_) => Kind::Queue,
            Contents::Ring(_) => Kind::Ring,
            Contents::Bytes(_) => Kind::Bytes,
        }
    }

    fn head(&self) -> &BlockHead {
        match &self.contents {
            Contents::Queue(block) => &block.head,
            Contents::Ring(block) => &block.head,
            Contents::Bytes(block) => &block.head,
        }
    }

    fn address(&self) -> *const u8 {
        match &self.contents {
            Contents::Queue(block) => (&raw const *block).cast(),
            Contents::Ring(block) => (&raw const *block).cast(),
            Contents::Bytes(block) => (&raw const *block).cast(),
        }
    }
}

/// That block, unless it was freed.
fn block(number: u64) -> Option<&'static Block> {
    let blocks = store().blocks.borrow();
    let block: *const Block = &**blocks.get((number as usize).checked_sub(1)?)?;
    // SAFETY: boxed, and never dropped before the run is over.
    Some(unsafe { &*block }).filter(|block| !block.is_freed())
}

#[derive(Clone, Copy)]
pub(crate) struct Object {
    pub(crate) r: Ref,
    pub(crate) entry: Entry,
}

#[derive(Clone, Copy)]
pub(crate) struct Data {
    block: &'static Block,
    from: usize,
    len: usize,
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn address(&self) -> *mut u8 {
        std::ptr::without_provenance_mut(1 + (&raw const self.block.grains[self.from / GRAIN]).addr())
    }

    /// What of this lies in each grain: the grain, where in there, where in here, and how long.
    fn pieces(
        &self,
        offset: usize,
        len: usize,
    ) -> impl Iterator<Item = (&UnsafeCell<[u8; GRAIN]>, usize, usize, usize)> {
        assert!(offset + len <= self.len);
        let (begin, end) = (self.from + offset, self.from + offset + len);
        (begin / GRAIN..end.div_ceil(GRAIN)).map(move |grain| {
            let from = begin.max(grain * GRAIN);
            let to = end.min((grain + 1) * GRAIN);
            (&self.block.grains[grain], from % GRAIN, from - begin, to - from)
        })
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        if world::is_ghost() {
            return;
        }
        for (grain, there, here, len) in self.pieces(offset, bytes.len()) {
            // SAFETY: the checker finds whoever else is there.
            grain.with_mut(|at| unsafe {
                (&mut *at)[there..there + len].copy_from_slice(&bytes[here..here + len])
            });
        }
    }

    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) {
        if world::is_ghost() {
            return;
        }
        for (grain, there, here, len) in self.pieces(offset, out.len()) {
            // SAFETY: as above.
            grain.with(|at| out[here..here + len].copy_from_slice(unsafe { &(&*at)[there..there + len] }));
        }
    }

    pub(crate) fn copy_to(&self, to: &Data) {
        let mut bytes = vec![0; self.len];
        self.read(0, &mut bytes);
        to.write(0, &bytes);
    }

    /// What is said to the processor is nothing to the checker.
    pub(crate) fn will_write(&self, _: usize, _: usize) {}

    pub(crate) fn will_read(&self, _: usize, _: usize) {}

    pub(crate) fn part(&self, offset: usize, len: usize) -> Data {
        assert!(offset + len <= self.len);
        Data { from: self.from + offset, len, ..*self }
    }
}

/// One block more. Nothing in here is a step.
fn push(kind: Kind, data: usize) -> (Ref, &'static Block) {
    let number = store().blocks.borrow().len() as u64 + 1;
    let head = BlockHead { data: AtomicU64::new(number * MOST as u64), size: AtomicU64::new(data as u64) };
    let contents = match kind {
        Kind::Queue => {
            let mut block = QueueBlock::default();
            block.head = head;
            Contents::Queue(block)
        }
        Kind::Ring => {
            let mut block = RingBlock::default();
            block.head = head;
            Contents::Ring(block)
        }
        Kind::Bytes => Contents::Bytes(BytesBlock { head, ..BytesBlock::default() }),
        Kind::Parcel => unreachable!("no model has one"),
    };
    let grains = (0..data.div_ceil(GRAIN)).map(|_| UnsafeCell::new([0; GRAIN])).collect();
    store().blocks.borrow_mut().push(Box::new(Block { contents, grains, freed: Cell::new(false) }));
    (Ref::from_bits(number), block(number).expect("it is there"))
}

pub(crate) fn create_in<T: Words>(
    s: &'static Segment,
    kind: Kind,
    data: usize,
    prepare: impl Fn(&T),
) -> Result<Object> {
    let entry = private(s).private.reserve(s)?;
    let (r, fresh) = push(kind, data);
    // SAFETY: the block is of that kind, which the callers know the type of.
    prepare(unsafe { &*fresh.address().cast::<T>() });
    entry.store(ledger::held(r), Ordering::Release);
    Ok(Object { r, entry: Entry::of(s, entry) })
}

pub(crate) fn resolve_in<T: Words>(_: &'static Segment, r: Ref, kind: Kind) -> Option<&'static T> {
    let block = block(r.bits()).filter(|block| block.kind() == kind)?;
    // SAFETY: as above.
    Some(unsafe { &*block.address().cast::<T>() })
}

pub(crate) fn data(head: &BlockHead) -> Option<Data> {
    let len = head.size.load(Ordering::Relaxed) as usize;
    data_near(head, head.data.load(Ordering::Relaxed) as usize, len)
}

pub(super) fn data_near<T>(_: &T, offset: usize, len: usize) -> Option<Data> {
    let block = block((offset / MOST) as u64)?;
    let from = offset % MOST;
    (from + len <= block.grains.len() * GRAIN).then_some(Data { block, from, len })
}

pub(crate) fn release(entry: Entry) {
    let mut books = books::open(&TREE);
    if let Line::Held(r) = ledger::read(entry.word()) {
        drop_ref(&mut books, entry.word(), r);
    }
}

/// Each block is named by one word. Of a ring that is freed the next one takes its place.
pub(super) fn drop_ref(books: &mut Books, word: &AtomicU64, r: Ref) {
    let mut r = r;
    loop {
        let next = resolve_in::<RingBlock>(&TREE, r, Kind::Ring).and_then(|ring| {
            for carrier in &ring.carriers {
                if let Line::Held(inner) = ledger::read(carrier) {
                    drop_ref(books, carrier, inner);
                }
            }
            match ledger::read(&ring.next) {
                Line::Held(next) => Some(next),
                Line::Empty => None,
            }
        });
        // Killed behind this, whoever comes to the word again does it again.
        if let Some(block) = block(r.bits()) {
            block.freed.set(true);
        }
        let mut tx = books.begin();
        tx.set(word, next.map_or(0, ledger::held));
        tx.commit();
        match next {
            Some(next) => r = next,
            None => return,
        }
    }
}
