//! The segment's own tests. They share one tree, and so does whatever else `cargo test` runs beside them.

use super::layout::{GRAIN, LedgerChunk};
use super::ledger::Entry;
use super::segment::TREE;
use super::table::{Stage, Tenancy};
use super::*;
use super::{blocks, ledger};
use crate::park::{Owner, Spot, Tree};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

fn array(bytes: usize) -> Object {
    join().unwrap();
    create::<ArrayBlock>(Kind::Array, bytes, |_| {}).unwrap()
}

fn block(object: &Object) -> &'static ArrayBlock {
    resolve::<ArrayBlock>(object.r, Kind::Array).unwrap()
}

fn refs(object: &Object) -> u32 {
    block(object).head.holders()
}

/// A process of the tree that does not exist: its parent is us, and it is STARTING for ever.
fn ghost() -> Owner {
    join().unwrap();
    claim_child(ThisTree.me()).unwrap()
}

fn stage(owner: Owner) -> Stage {
    Tenancy::of(TREE.slot(owner.slot())).stage
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn a_freed_block_is_found_by_nobody() {
    let a = array(100);
    assert!(resolve::<ArrayBlock>(a.r, Kind::Array).is_some());
    assert!(resolve::<LockBlock>(a.r, Kind::Lock).is_none(), "as something else");
    release(a.entry);
    assert!(resolve::<ArrayBlock>(a.r, Kind::Array).is_none());
    assert!(hold(a.r, Kind::Array).is_err());
}

#[test]
fn references_that_are_garbage_name_nothing() {
    let a = array(100);
    let mut random = Random(7);
    for _ in 0..100_000 {
        let bits = (random.0 << 1) ^ random.below(usize::MAX) as u64;
        let _ = resolve::<ArrayBlock>(Ref::from_bits(bits), Kind::Array);
    }
    for index in [0, 1, TREE.size() / GRAIN - 1, (1 << 34) - 1] {
        assert!(resolve::<ArrayBlock>(Ref::new(index as u64, a.r.generation()), Kind::Array).is_none());
    }
    release(a.entry);
}

#[test]
fn what_is_held_twice_is_freed_once() {
    let a = array(100);
    let second = hold(a.r, Kind::Array).unwrap();
    assert_eq!(refs(&a), 2);
    release(a.entry);
    assert_eq!(refs(&Object { r: a.r, entry: second }), 1);
    release(second);
    assert!(resolve::<ArrayBlock>(a.r, Kind::Array).is_none());
}

/// Arrays of all sizes come and go; none ever sees another's bytes, and a new one is all zeros.
#[test]
fn no_two_objects_share_a_byte() {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut live: Vec<(Object, u8)> = Vec::new();
    let check = |(object, mark): &(Object, u8)| {
        let data = data(&block(object).head).unwrap();
        let mut bytes = vec![0; data.len()];
        data.read(0, &mut bytes);
        assert!(bytes.iter().all(|b| b == mark));
    };
    for round in 0..600 {
        if live.len() > 40 || (!live.is_empty() && random.below(3) == 0) {
            let old = live.swap_remove(random.below(live.len()));
            check(&old);
            release(old.0.entry);
            continue;
        }
        let size = [1, 63, 64, 65, 200, 4000, 32_704, 32_705, 65_536, 70_000, 400_000][random.below(11)];
        let object = array(size);
        check(&(object, 0));
        let mark = (round % 255) as u8 + 1;
        data(&block(&object).head).unwrap().write(0, &vec![mark; size]);
        live.push((object, mark));
    }
    for old in live {
        check(&old);
        release(old.0.entry);
    }
}

#[test]
fn threads_never_claim_the_same_block() {
    join().unwrap();
    let claim = || (0..2000).map(|_| array(16)).collect::<Vec<_>>();
    let all: Vec<Object> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4).map(|_| s.spawn(claim)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let places: HashSet<usize> = all.iter().map(|o| o.r.offset()).collect();
    let entries: HashSet<u64> = all.iter().map(|o| o.entry.bits()).collect();
    assert_eq!((places.len(), entries.len()), (all.len(), all.len()));
    all.iter().for_each(|o| release(o.entry));
}

#[test]
fn a_sweep_takes_back_what_was_held() {
    let (a, b) = (array(100), array(100_000));
    let owner = ghost();
    for object in [&a, &b, &a] {
        hold_for(owner, object.r, Kind::Array).unwrap();
    }
    assert_eq!((refs(&a), refs(&b)), (3, 2));
    release(b.entry);
    assert!(sweep(owner));
    assert_eq!(refs(&a), 1);
    assert!(resolve::<ArrayBlock>(b.r, Kind::Array).is_none());
    // Its slot may be the next process's by now, but never its own again.
    assert!(
        stage(owner) == Stage::Free || Tenancy::of(TREE.slot(owner.slot())).generation != owner.generation()
    );
    assert!(!sweep(owner), "twice");
    release(a.entry);
}

/// Killed after the claim and before the ledger names the block.
#[test]
fn a_sweep_finds_a_block_that_was_only_claimed() {
    let owner = ghost();
    let open = ledger::private(&TREE);
    let cursors = &mut open.private.cursors;
    let (r, head) = blocks::claim(&TREE, owner.slot(), cursors, Kind::Array, 100).unwrap();
    drop(open);
    assert_ne!(head.state().kind, 0);
    assert!(sweep(owner));
    assert!(resolve::<ArrayBlock>(r, Kind::Array).is_none());
}

/// Killed before the claim: the slot names a block that is free, or that somebody else got.
#[test]
fn a_sweep_leaves_the_blocks_of_others() {
    let a = array(100);
    let owner = ghost();
    TREE.slot(owner.slot()).claiming.store(a.r.bits(), Ordering::Relaxed);
    assert!(sweep(owner));
    assert!(resolve::<ArrayBlock>(a.r, Kind::Array).is_some());
    release(a.entry);
}

/// Killed after the ledger names the block and before the claim was over.
#[test]
fn a_sweep_frees_a_filed_claim_once() {
    let a = array(100);
    let owner = ghost();
    hold_for(owner, a.r, Kind::Array).unwrap();
    TREE.slot(owner.slot()).claiming.store(a.r.bits(), Ordering::Relaxed);
    assert!(sweep(owner));
    assert_eq!(refs(&a), 1);
    release(a.entry);
}

/// Killed right after a part of the ledger was linked.
#[test]
fn a_sweep_frees_a_part_of_the_ledger_once() {
    let a = array(100);
    let owner = ghost();
    hold_for(owner, a.r, Kind::Array).unwrap();
    let slot = TREE.slot(owner.slot());
    let part = Ref::from_bits(slot.ledger.load(Ordering::Relaxed));
    slot.claiming.store(part.bits(), Ordering::Relaxed);
    assert!(sweep(owner));
    assert!(resolve::<LedgerChunk>(part, Kind::Ledger).is_none());
    assert_eq!(refs(&a), 1);
    release(a.entry);
}

#[test]
fn a_long_ledger_is_swept_whole() {
    let a = array(8);
    let owner = ghost();
    for _ in 0..3 * LedgerChunk::ENTRIES {
        hold_for(owner, a.r, Kind::Array).unwrap();
    }
    assert!(sweep(owner));
    assert_eq!(refs(&a), 1);
    release(a.entry);
}

/// A sleeper that is killed in its sleep is counted no longer; of one that was just coming or going the count
/// may keep one too many, never one too few.
#[test]
fn a_sweep_counts_sleepers_down() {
    let a = array(64);
    let spot_at = a.r.offset() + 64;
    let spot: &Spot = super::objects::spot_at(&TREE, spot_at).unwrap();
    let owner = ghost();
    for (tag, left) in [(3_u64, 0), (2, 1)] {
        let entry = hold_for(owner, a.r, Kind::Array).unwrap();
        release_word(entry);
        spot.reset();
        spot.enter();
        entry.word().store(tag << 62 | spot_at as u64, Ordering::Relaxed);
        if tag == 3 {
            ledger::unseat(&TREE, entry.word(), spot_at);
        } else {
            assert!(sweep(owner));
        }
        assert_eq!(spot.sleepers(), left);
    }
    release(a.entry);
}

/// Undoes a `hold_for`, leaving its entry empty.
fn release_word(entry: Entry) {
    let mut books = super::books::open(&TREE);
    if let ledger::Line::Held(r) = ledger::read(entry.word()) {
        super::objects::drop_ref(&mut books, entry.word(), r);
    }
}

#[test]
fn a_carrier_holds_until_it_is_dropped() {
    let carrier_block = array(64);
    let carrier = TREE.word_at(carrier_block.r.offset() + 64).unwrap();
    join().unwrap();
    let bytes = create::<BytesBlock>(Kind::Bytes, 100_000, |_| {}).unwrap();
    carry(bytes, carrier);
    assert!(carried(carrier).is_some());
    drop_carried(carrier);
    assert!(carried(carrier).is_none());
    assert!(resolve::<BytesBlock>(bytes.r, Kind::Bytes).is_none());
    drop_carried(carrier);
    release(carrier_block.entry);
}

#[test]
fn a_full_segment_says_so_and_stays_whole() {
    join().unwrap();
    let before = array(8);
    let e = create::<ArrayBlock>(Kind::Array, TREE.size(), |_| {}).err().unwrap();
    assert_eq!(e.status, crate::error::Status::NoMemory);
    let e = create::<ArrayBlock>(Kind::Array, usize::MAX - 100, |_| {}).err().unwrap();
    assert_eq!(e.status, crate::error::Status::NoMemory);
    release(before.entry);
}

/// What a unit was, and what its blocks' references were, is nothing to whoever gets it next.
#[test]
fn an_empty_unit_goes_back_and_old_references_stay_old() {
    // Of a size that no other test here has.
    let size = 15_000;
    let objects: Vec<Object> = (0..8).map(|_| array(size)).collect();
    let unit = |o: &Object| units::of(o.r);
    let mark = objects.iter().map(unit).max().unwrap();
    let there = |number| super::extents::read(&TREE, number);
    assert!(matches!(there(mark), Some(super::layout::Extent::Small { .. })));
    // The unit claimed in last stays: leave it for another.
    let more: Vec<Object> = (0..8).map(|_| array(size)).collect();
    assert!(more.iter().any(|o| unit(o) != mark));
    objects.iter().for_each(|o| release(o.entry));
    let gone = |o: &&Object| !matches!(there(unit(o)), Some(super::layout::Extent::Small { .. }));
    assert!(objects.iter().any(|o| gone(&o)), "no unit went back");
    // Used again, by blocks of the same size, the old names find nothing.
    let again: Vec<Object> = (0..16).map(|_| array(size)).collect();
    for old in &objects {
        assert!(resolve::<ArrayBlock>(old.r, Kind::Array).is_none(), "{:?}", old.r);
        assert!(again.iter().all(|new| new.r != old.r));
    }
    again.iter().chain(&more).for_each(|o| release(o.entry));
}

#[test]
fn a_ledger_shrinks_with_what_is_held() {
    join().unwrap();
    let chunks = || ledger::chunks(&TREE, TREE.me() >> 16).count();
    let before = chunks();
    let many: Vec<Object> = (0..40 * LedgerChunk::ENTRIES).map(|_| array(1)).collect();
    let most = chunks();
    assert!(most >= before + 30, "{before} {most}");
    many.iter().for_each(|o| release(o.entry));
    let after = chunks();
    assert!(after <= before + 10, "{before} {most} {after}");
}

/// Neighbours that are free become one extent for whoever looks for so many.
#[test]
fn free_neighbours_merge() {
    let runs: Vec<Object> = (0..64).map(|_| array(65_536)).collect();
    let first = |o: &Object| block(o).head.run().unwrap().0;
    let mut places: Vec<u32> = runs.iter().map(first).collect();
    places.sort_unstable();
    let side_by_side = places.windows(3).any(|w| w[1] == w[0] + 1 && w[2] == w[1] + 1);
    assert!(side_by_side, "the test needs neighbours: {places:?}");
    runs.iter().for_each(|o| release(o.entry));
    // Each takes the lowest three in a row: without merging there would be none below the former end.
    let large: Vec<Object> = (0..8).map(|_| array(3 * 65_536)).collect();
    assert!(large.iter().any(|o| first(o) < *places.last().unwrap()), "{places:?}");
    let books = super::books::open(&TREE);
    let end = super::extents::walk(&books).last().map(|(at, extent)| at + extent.units());
    drop(books);
    assert_eq!(end, Some(TREE.geometry().units), "the walk covers the segment");
    large.iter().for_each(|o| release(o.entry));
}

/// What the tree maps can be cut short by nobody, so no page of it can fail.
#[test]
fn nobody_cuts_the_segment_short() {
    join().unwrap();
    let path = format!("/proc/self/fd/{}", TREE.descriptor().unwrap());
    for size in [0, 4096, TREE.size() as u64 - 1, TREE.size() as u64 + 1] {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert_eq!(file.set_len(size).unwrap_err().raw_os_error(), Some(1), "EPERM for {size}");
        // Closing it would drop the lock that says that this process lives.
        std::mem::forget(file);
    }
}
