//! Carriers: words of a block that hold references to other blocks, as a ledger does, so that what is on its
//! way from one process to another is nobody's to lose. They go with the block that they are in.
//!
//! A block changes hands in one transaction of the books, which takes the reference out of one word and puts
//! it into another: killed before its record is complete, the giver still has it; killed after that, whoever
//! opens the books next completes it. The count of references never changes on the way.

use super::books;
use super::layout::{ArrayBlock, BytesBlock, Kind, LockBlock, PoolBlock, Ref, ValueBlock};
use super::ledger::{self, Entry, private};
use super::objects::{self, Object, drop_ref, resolve_in};
use super::parcels::{self, ParcelBlock};
use super::pipe_block::PipeBlock;
use super::priority_block::{CARRIER, ENTRY, PriorityBlock};
use super::queue_block::{QueueBlock, RingBlock};
use super::segment::Segment;
use super::tree::tree_of;
use super::wait_blocks::ConditionBlock;
use crate::error::Result;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands a block from this process's ledger to a carrier: a word of a block that outlives the process.
/// Both are in the same segment. False where this process does not hold it any more.
pub(crate) fn carry(object: Object, carrier: &AtomicU64) -> bool {
    carry_with(object, carrier, None)
}

/// The same, and `word` becomes `value` in the same transaction, as its last step: whoever sees the value finds the
/// block in the carrier. As for [`take_carried`], `word` may say so only once the books were opened again.
pub(crate) fn carry_and_store(object: Object, carrier: &AtomicU64, word: &AtomicU64, value: u64) -> bool {
    carry_with(object, carrier, Some((word, value)))
}

fn carry_with(object: Object, carrier: &AtomicU64, then: Option<(&AtomicU64, u64)>) -> bool {
    let s = object.entry.segment();
    let open = private(s);
    let mut books = books::open(s);
    if object.entry.word().load(Ordering::Relaxed) != ledger::held(object.r) {
        return false;
    }
    let mut tx = books.begin();
    tx.set(carrier, ledger::held(object.r));
    tx.set(object.entry.word(), 0);
    if let Some((word, value)) = then {
        tx.set(word, value);
    }
    tx.commit();
    drop(books);
    open.private.note_unused(s, object.entry.word());
    true
}

/// The other way round: what the carrier holds is this process's from now on, and `word` becomes `value` in the
/// same transaction. A process killed in here has taken the block and stored the value, or neither; but `word`
/// may say so only once the books were opened again, see [`settle`]. None when nothing was carried; then the
/// word is as it was.
pub(crate) fn take_carried(carrier: &AtomicU64, word: &AtomicU64, value: u64) -> Result<Option<Entry>> {
    let s = tree_of(carrier).0;
    let open = private(s);
    let entry = open.private.reserve(s)?;
    let mut books = books::open(s);
    let ledger::Line::Held(r) = ledger::read(carrier) else { return Ok(None) };
    let mut tx = books.begin();
    tx.set(entry, ledger::held(r));
    tx.set(carrier, 0);
    tx.set(word, value);
    tx.commit();
    open.private.note_used(s, entry);
    Ok(Some(Entry::of(s, entry)))
}

/// Completes whatever a dead process had entered and not applied. For who takes a lock from the dead and is
/// about to look at words that transactions of others store, in the segment that `shared` lies in.
pub(crate) fn settle<T>(shared: &T) {
    drop(books::open(tree_of(shared).0));
}

/// The same for who only looks at such words, and has to see no change that nobody alive makes.
pub(crate) fn settle_pending<T>(shared: &T) {
    // Relaxed: who was killed before this look has stored what it stored; of who lives it is no matter.
    if tree_of(shared).0.header().redo.is_pending() {
        settle(shared);
    }
}

/// Releases what a carrier holds, if anything.
pub(crate) fn drop_carried(carrier: &AtomicU64) {
    if carrier.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut books = books::open(tree_of(carrier).0);
    if let ledger::Line::Held(r) = ledger::read(carrier) {
        drop_ref(&mut books, carrier, r);
    }
}

/// The block that a carrier holds.
pub(crate) fn carried(carrier: &AtomicU64) -> Option<&'static BytesBlock> {
    match ledger::read(carrier) {
        ledger::Line::Held(r) => resolve_in(tree_of(carrier).0, r, Kind::Bytes),
        _ => None,
    }
}

/// What a carrier names, whatever it is.
pub(crate) fn carried_ref(carrier: &AtomicU64) -> Option<Ref> {
    match ledger::read(carrier) {
        ledger::Line::Held(r) => Some(r),
        _ => None,
    }
}

/// The words of a block of this kind that hold references.
pub(super) fn of(s: &'static Segment, kind: Kind, r: Ref) -> impl Iterator<Item = &'static AtomicU64> {
    let (words, step): (&[AtomicU64], usize) = match kind {
        Kind::Pool => (carriers(s.at(r.offset())), 1),
        Kind::Queue => (s.at::<QueueBlock>(r.offset()).carriers(), 1),
        Kind::Ring => (&s.at::<RingBlock>(r.offset()).carriers, 1),
        Kind::Condition => (&s.at::<ConditionBlock>(r.offset()).carriers, 1),
        Kind::Value => (lock(s, &s.at::<ValueBlock>(r.offset()).lock), 1),
        Kind::Array => (lock(s, &s.at::<ArrayBlock>(r.offset()).lock), 1),
        Kind::Priority => (&s.at::<PriorityBlock>(r.offset()).carriers, 1),
        Kind::Part => (entries(s, r), ENTRY),
        Kind::Pipe => (s.at::<PipeBlock>(r.offset()).carriers.as_flattened(), 1),
        Kind::Parcel => (s.at::<ParcelBlock>(r.offset()).carriers(), 1),
        _ => (&[], 1),
    };
    let more = match kind {
        Kind::Priority => {
            let block = s.at::<PriorityBlock>(r.offset());
            [Some(&block.garbage), Some(&block.element[CARRIER])]
        }
        _ => [None, None],
    };
    // As for locks: what was overwritten leads at most from a queue to a part or ring, from there to bytes or a parcel,
    // from a pipe to a parcel, and from that to what is no ring and no parcel.
    let inner: Option<&[Kind]> = match kind {
        Kind::Priority => Some(&[Kind::Part, Kind::Bytes]),
        Kind::Queue => Some(&[Kind::Ring, Kind::Bytes]),
        Kind::Ring => Some(&[Kind::Bytes, Kind::Parcel]),
        Kind::Part => Some(&[Kind::Bytes]),
        Kind::Pipe => Some(&[Kind::Parcel]),
        Kind::Parcel => Some(&parcels::CONTENTS),
        _ => None,
    };
    let is_right = move |carrier: &&AtomicU64| {
        let is = |kinds: &[Kind]| {
            let r = carried_ref(carrier)?;
            kinds.iter().find_map(|&kind| resolve_in::<BytesBlock>(s, r, kind))
        };
        inner.is_none_or(|kinds| is(kinds).is_some())
    };
    words.iter().step_by(step).chain(more.into_iter().flatten()).filter(is_right)
}

/// The words of a part of a priority queue's tables, from its first carrier on.
fn entries(s: &'static Segment, r: Ref) -> &'static [AtomicU64] {
    let head = &s.at::<BytesBlock>(r.offset()).head;
    let words = objects::data(head).filter(objects::Data::is_words).map_or(&[][..], |data| data.words());
    words.get(CARRIER..).unwrap_or(&[])
}

/// What hangs on a ring, or waits behind a queue or a pipe.
pub(super) fn next_of(s: &'static Segment, kind: Kind, r: Ref) -> Option<Ref> {
    match kind {
        Kind::Ring => carried_ref(&s.at::<RingBlock>(r.offset()).next),
        Kind::Queue | Kind::Pipe => parcels::next_of(s, r),
        _ => None,
    }
}

/// A carrier that holds a lock, which carries nothing itself. A word that was overwritten holds anything, and a
/// ring of such words would have no end.
fn lock(s: &'static Segment, carrier: &'static AtomicU64) -> &'static [AtomicU64] {
    let is_lock =
        |r| [Kind::Lock, Kind::RLock].into_iter().any(|kind| resolve_in::<LockBlock>(s, r, kind).is_some());
    if carried_ref(carrier).is_some_and(is_lock) { std::slice::from_ref(carrier) } else { &[] }
}

/// The words of a pool that hold references.
pub(crate) fn carriers(pool: &PoolBlock) -> &'static [AtomicU64] {
    let count = pool.carriers.load(Ordering::Relaxed) as usize;
    match objects::data(&pool.head) {
        Some(data) if count <= data.len() / 8 && data.address().addr().is_multiple_of(8) => {
            // SAFETY: the range lies in the mapping, is aligned, and holds words that only atomics touch.
            unsafe { std::slice::from_raw_parts(data.address().cast::<AtomicU64>(), count) }
        }
        _ => &[],
    }
}
