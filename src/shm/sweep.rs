//! Taking back what a dead process had. The sweep may itself be killed anywhere: the slot stays DEAD, and the
//! next one who sees it sweeps on.

use super::blocks;
use super::books;
use super::layout::State;
use super::ledger::{self, Line};
use super::objects::{drop_ref, erase, free_waiting};
use super::result;
use super::segment::{Segment, TREE};
use super::table::{Stage, Tenancy, left_normally};
use super::units;
use super::wait_blocks::note_death;
use crate::park::Owner;
use crate::shm::Ref;
use std::sync::atomic::Ordering;

/// How many entries are worked off before others get at the books again.
const BATCH: usize = 128;

/// Frees the slot of a process that is dead, or of one that never began. True when it is free for others.
pub(crate) fn sweep(owner: Owner) -> bool {
    sweep_in(&TREE, owner)
}

/// The same in a given segment.
pub(super) fn sweep_in(s: &'static Segment, owner: Owner) -> bool {
    if owner.slot() > s.geometry().slots {
        // A word that was overwritten names nobody.
        return false;
    }
    let slot = s.slot(owner.slot());
    loop {
        let was = Tenancy::of(slot);
        if was.generation != owner.generation() || was.stage == Stage::Free {
            return false;
        }
        if was.stage == Stage::Dead || was.change(slot, Tenancy { stage: Stage::Dead, ..was }) {
            break;
        }
    }
    while !work_off(s, owner) {}
    let now = Tenancy::of(slot);
    now.stage == Stage::Free || now.generation != owner.generation()
}

/// One batch; true when all is done. Everything happens with the books open, so two sweepers take turns.
fn work_off(s: &'static Segment, owner: Owner) -> bool {
    let slot = s.slot(owner.slot());
    let mut books = books::open(s);
    let was = Tenancy::of(slot);
    if was.generation != owner.generation() || was.stage != Stage::Dead {
        return true;
    }
    let entries = || ledger::chunks(s, owner.slot()).flat_map(|chunk| &chunk.entries);
    // Seats first: a spot may lie in a block that is freed with the references below.
    for word in entries() {
        if let Line::Seated(spot) = ledger::read(word) {
            ledger::unseat(s, word, spot);
        }
    }
    let claiming = slot.claiming.load(Ordering::Acquire);
    let mut done = 0;
    for word in entries() {
        match ledger::read(word) {
            Line::Held(r) => {
                if r.bits() == claiming {
                    // It was filed already: the entry counts, the claim is over.
                    slot.claiming.store(0, Ordering::Release);
                }
                if let Some((_, kind)) = blocks::resolve(s, r) {
                    note_death(s, kind, r, owner, left_normally(slot));
                }
                drop_ref(&mut books, word, r);
                done += 1;
            }
            Line::Empty => {}
            Line::Seated(_) | Line::Other => word.store(0, Ordering::Relaxed),
        }
        if done == BATCH {
            return false;
        }
    }
    // A block claimed and not yet filed. A chunk that was linked already is found below.
    let claiming = slot.claiming.load(Ordering::Acquire);
    if claiming != 0 && claiming != slot.ledger.load(Ordering::Acquire) {
        let r = Ref::from_bits(claiming);
        if let Some((head, _)) = blocks::resolve(s, r) {
            let State { slot: claimer, .. } = head.state();
            if u32::from(claimer) == owner.slot() {
                blocks::count_free(s, r);
                let mut tx = books.begin();
                erase(&mut tx, head, None);
                tx.commit();
                units::give_back_if_empty(&mut books, units::of(r));
            }
        }
    }
    slot.claiming.store(0, Ordering::Release);
    while let Some(chunk) = ledger::chunks(s, owner.slot()).next() {
        let r = Ref::from_bits(slot.ledger.load(Ordering::Relaxed));
        blocks::count_free(s, r);
        let mut tx = books.begin();
        tx.set(&slot.ledger, chunk.next.load(Ordering::Relaxed));
        erase(&mut tx, &chunk.head, None);
        tx.commit();
        units::give_back_if_empty(&mut books, units::of(r));
    }
    slot.ledger.store(0, Ordering::Release);
    for unit in &slot.claims_in {
        let unit = unit.swap(0, Ordering::Relaxed);
        units::give_back_if_empty(&mut books, unit);
    }
    if result::is_awaited(s, slot, was) {
        return true;
    }
    if let Line::Held(r) = ledger::read(&slot.result) {
        drop_ref(&mut books, &slot.result, r);
    }
    free_waiting(&mut books);
    s.header().sweeps.fetch_add(1, Ordering::Relaxed);
    // Last: only a slot that is swept clean is free for the next process.
    was.change(slot, Tenancy { stage: Stage::Free, ..was });
    true
}
