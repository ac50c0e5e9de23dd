//! The chain of a queue's rings: the queue holds the one that consumers are in, and each holds the next. Every
//! change is one transaction of the books, which moves references and stores positions together:
//!
//! | step                                                  | a process killed right after it               |
//! |-------------------------------------------------------|-----------------------------------------------|
//! | link: a ring is made, in its ledger                   | the sweep of its slot frees the ring          |
//! | link: ring hung, producers in it                      | the ring is there, with nothing in it         |
//! | pass: the old spare is freed                          | there is no spare                             |
//! | pass: next ring first, consumers in it, the old one a spare | consumers go on in the next ring        |
//! | pass: the spare is freed, if it is not worth its memory | there is no spare                           |
//!
//! Rings are freed one after the other, the first first: each hands the word that held it to the next.

use super::books::{self, Books};
use super::layout::{BlockHead, BytesBlock, Kind, Ref};
use super::ledger::{self, private};
use super::objects::{self, Data, create_in, drop_ref, resolve_in};
use super::parcels::ParcelBlock;
use super::queue_block::{QueueBlock, RingBlock, Side};
use super::redo::Transaction;
use super::segment::{self, Segment, TREE};
use crate::error::{Result, fail};
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// More rings than this are no chain.
const MOST_RINGS: usize = 1 << 22;

/// The segment that a queue lies in.
fn home<T>(shared: &T) -> &'static Segment {
    segment::of((&raw const *shared).addr()).unwrap_or(&TREE)
}

/// The bytes of the ring that a side is in. None where that is no place for any.
#[inline(always)]
pub(crate) fn ring_data(side: &Side) -> Option<Data> {
    let (offset, len) = (side.data.load(Relaxed) as usize, side.size.load(Relaxed) as usize);
    objects::data_near(side, offset, len)
}

/// The ring that a side is in.
pub(crate) fn ring_of(side: &Side) -> Option<&'static RingBlock> {
    ring_at(home(side), Ref::from_bits(side.ring.load(Acquire)))
}

fn ring_at(s: &'static Segment, r: Ref) -> Option<&'static RingBlock> {
    resolve_in(s, r, Kind::Ring)
}

/// The ring that a word holds.
fn held_ring(s: &'static Segment, word: &std::sync::atomic::AtomicU64) -> Option<(Ref, &'static RingBlock)> {
    match ledger::read(word) {
        ledger::Line::Held(r) => ring_at(s, r).map(|ring| (r, ring)),
        _ => None,
    }
}

/// Makes a fresh queue's first ring; nobody else knows the queue yet.
pub(crate) fn begin_rings(queue: &QueueBlock, bytes: usize) -> Result<()> {
    let ring = create_in::<RingBlock>(home(queue), Kind::Ring, bytes, |_| {})?;
    super::carry(ring, queue.first());
    let Some(block) = ring_at(home(queue), ring.r) else { return damaged() };
    for side in [&queue.producers, &queue.consumers] {
        side.data.store(block.head.data.load(Relaxed), Relaxed);
        side.size.store(block.head.size.load(Relaxed), Relaxed);
        side.ring.store(ring.r.bits(), Relaxed);
    }
    Ok(())
}

/// Enters that a side is in that ring.
fn enter(tx: &mut Transaction<'_>, side: &Side, r: Ref, ring: &RingBlock, position: u64) {
    tx.set(&side.data, ring.head.data.load(Relaxed));
    tx.set(&side.size, ring.head.size.load(Relaxed));
    // The position before the ring: who sees the ring sees a position in there.
    tx.set(&side.position, position);
    tx.set(&side.ring, r.bits());
}

/// With the producers' lock: hangs an empty ring of at least `bytes` behind theirs, and they are in it. Of its
/// length, `begin` says at which position, and what they have seen of the consumers then.
pub(crate) fn link(queue: &QueueBlock, bytes: usize, begin: impl Fn(usize) -> [u64; 2]) -> Result<()> {
    let s = home(queue);
    let Some(from) = ring_of(&queue.producers) else { return damaged() };
    let mut books = books::open(s);
    let spare = held_ring(s, queue.spare());
    if let Some((r, ring)) = spare.filter(|(_, ring)| ring.head.size.load(Relaxed) as usize >= bytes) {
        let mut tx = books.begin();
        tx.set(queue.spare(), 0);
        hang(&mut tx, queue, from, (r, ring), begin);
        tx.commit();
        return Ok(());
    }
    drop(books);
    let object = create_in::<RingBlock>(s, Kind::Ring, bytes, |_| {})?;
    let Some(ring) = ring_at(s, object.r) else { return damaged() };
    let open = private(s);
    let mut books = books::open(s);
    let mut tx = books.begin();
    tx.set(object.entry.word(), 0);
    hang(&mut tx, queue, from, (object.r, ring), begin);
    tx.commit();
    drop(books);
    open.private.note_unused(s, object.entry.word());
    Ok(())
}

fn hang(
    tx: &mut Transaction<'_>,
    queue: &QueueBlock,
    from: &RingBlock,
    (r, ring): (Ref, &RingBlock),
    begin: impl Fn(usize) -> [u64; 2],
) {
    let [position, seen] = begin(ring.head.size.load(Relaxed) as usize);
    tx.set(&from.next, ledger::held(r));
    tx.set(&queue.producers.seen, seen);
    enter(tx, &queue.producers, r, ring, position);
}

/// With the consumers' lock: they leave their ring, which is drained, for the next one. It is kept if it has between
/// `least` and `most` bytes and nothing else, or else goes back to the kernel. Of the next one's length, `begin` says
/// at which position.
pub(crate) fn pass(
    queue: &QueueBlock,
    least: usize,
    most: usize,
    begin: impl Fn(usize) -> u64,
) -> Result<()> {
    let s = home(queue);
    let mut books = books::open(s);
    let Some((r, from)) = held_ring(s, queue.first()) else { return damaged() };
    let Some((next, ring)) = held_ring(s, &from.next).filter(|&(next, _)| next != r) else {
        return damaged();
    };
    leave_first(&mut books, queue, |tx| {
        tx.set(&from.next, 0);
        enter(tx, &queue.consumers, next, ring, begin(ring.head.size.load(Relaxed) as usize));
        (next, r)
    });
    let size = from.head.size.load(Relaxed) as usize;
    let is_bare = from.carriers.iter().all(|carrier| carrier.load(Relaxed) == 0);
    if !(is_bare && (least..=most).contains(&size)) {
        drop_ref(&mut books, queue.spare(), r);
    }
    Ok(())
}

/// The first ring becomes the spare one, and another the first one.
fn leave_first(
    books: &mut Books,
    queue: &QueueBlock,
    enter: impl FnOnce(&mut Transaction<'_>) -> (Ref, Ref),
) {
    if let ledger::Line::Held(old) = ledger::read(queue.spare()) {
        drop_ref(books, queue.spare(), old);
    }
    let mut tx = books.begin();
    let (first, left) = enter(&mut tx);
    tx.set(queue.first(), ledger::held(first));
    tx.set(queue.spare(), ledger::held(left));
    tx.commit();
}

/// With both locks: consumers leave all that is there and are where producers are, at `position`, and `dropped` is
/// stored. Rings in between are freed.
pub(crate) fn skip_all(queue: &QueueBlock, position: u64, dropped: u64) -> Result<()> {
    let s = home(queue);
    let mut books = books::open(s);
    let last = Ref::from_bits(queue.producers.ring.load(Relaxed));
    let Some((first, mut ring)) = held_ring(s, queue.first()) else { return damaged() };
    if first == last {
        let mut tx = books.begin();
        tx.set(&queue.consumers.seen, position);
        tx.set(&queue.consumers.position, position);
        tx.set(&queue.dropped, dropped);
        tx.commit();
        return Ok(());
    }
    for _ in 0..MOST_RINGS {
        let Some((r, next)) = held_ring(s, &ring.next) else { return damaged() };
        if r == last {
            leave_first(&mut books, queue, |tx| {
                tx.set(&ring.next, 0);
                tx.set(&queue.dropped, dropped);
                tx.set(&queue.consumers.seen, position);
                enter(tx, &queue.consumers, r, next, position);
                (r, first)
            });
            drop_ref(&mut books, queue.spare(), first);
            return Ok(());
        }
        ring = next;
    }
    damaged()
}

/// Bytes of shared memory that the queue takes.
pub(crate) fn memory(queue: &QueueBlock) -> u64 {
    let s = home(queue);
    // Nobody links, passes or frees meanwhile.
    let _books = books::open(s);
    let size = |head: &BlockHead| head.size.load(Relaxed);
    let mut sum = size_of::<QueueBlock>() as u64;
    let spare = held_ring(s, queue.spare()).into_iter();
    let mut at = held_ring(s, queue.first());
    let chain = std::iter::from_fn(|| {
        let (r, ring) = at?;
        at = held_ring(s, &ring.next).filter(|&(next, _)| next != r);
        Some((r, ring))
    });
    let block = |carrier| match ledger::read(carrier) {
        ledger::Line::Held(r) => resolve_in::<BytesBlock>(s, r, Kind::Bytes)
            .map(|block| &block.head)
            .or_else(|| resolve_in::<ParcelBlock>(s, r, Kind::Parcel).map(|block| &block.head))
            .map_or(0, |head| size_of::<BytesBlock>() as u64 + size(head)),
        _ => 0,
    };
    for (_, ring) in chain.take(MOST_RINGS).chain(spare) {
        sum += size_of::<RingBlock>() as u64 + size(&ring.head);
        sum += ring.carriers.iter().map(block).sum::<u64>();
    }
    sum += queue.lent().iter().map(block).sum::<u64>();
    sum
}

#[cold]
fn damaged<T>() -> Result<T> {
    fail!(State, "the queue's block in shared memory is damaged")
}
