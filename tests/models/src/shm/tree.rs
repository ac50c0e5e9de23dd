//! Who is who, by the run's own account.

use super::books;
use super::ledger::{self, Line};
use super::objects::drop_ref;
use super::queue_block::QueueBlock;
use super::segment::{PROCESSES, Segment, TREE};
use crate::park::{Owner, Spot, Tree};
use crate::world;

#[derive(Clone, Copy)]
pub(crate) struct In(pub(crate) &'static Segment);

pub(crate) fn tree_of<T>(_: &T) -> In {
    In(&TREE)
}

/// What a dead process held is free, and what was lent to it is handed out again.
pub(crate) fn sweep(queue: &QueueBlock, dead: Owner) {
    let mut books = books::open(&TREE);
    queue.note_death(dead);
    for word in &TREE.ledger(dead.slot()).entries {
        if let Line::Held(r) = ledger::read(word) {
            drop_ref(&mut books, word, r);
        }
    }
}

impl Tree for In {
    type Seat = ();

    /// Before the run it is the first one, and after it one who was in none.
    fn me(&self) -> Owner {
        let outside = if world::is_new() { 0 } else { PROCESSES - 1 };
        Owner::new(world::number().unwrap_or(outside) as u32 + 1, 1)
    }

    fn is_dead(&self, owner: Owner) -> bool {
        world::is_dead(owner.slot() as usize - 1)
    }

    fn bury(&self, _: Owner) {}

    fn sit(&self, spot: &Spot) {
        spot.enter();
    }

    fn rise(&self, spot: &Spot, (): ()) {
        spot.leave();
    }

    fn begin_wake(&self) {}

    fn end_wake(&self, _: u32) {}

    fn is_awake(&self) {}

    fn wakes(&self) -> (u32, u32) {
        (0, 0)
    }

    fn ring(_: usize) {}

    fn note_rescue(&self) {
        world::note_rescue();
    }

    fn note_owner_death(&self) {}
}
