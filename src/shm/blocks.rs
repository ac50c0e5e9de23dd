//! Small blocks: claimed in place, by one compare-and-swap of the block's own header.
//!
//! A process first says in its slot which block it is about to claim, so that the sweep of a process killed
//! right after the claim finds the block. There are hints where to look, but no list of free blocks that a
//! kill could tear.

use super::books;
use super::extents;
use super::layout::{BlockHead, Extent, GRAIN, Kind, ProcessSlot, Ref, State, UNIT, class_for, class_size};
use super::segment::Segment;
use crate::error::{Result, fail};
use std::sync::atomic::Ordering;

/// Where the last search for a block of some class ended. A hint.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    unit: u32,
    index: u32,
}

impl Cursor {
    /// Nowhere yet.
    pub(super) const NONE: Cursor = Cursor { unit: 0, index: 0 };
}

/// How many classes there are.
pub(super) const CLASSES: usize = 10;
const _: () = assert!(super::layout::MAX_SMALL == GRAIN << (CLASSES - 1));

/// One [`Cursor`] a class.
pub(super) type Cursors = [Cursor; CLASSES];

/// Claims a block of at least `bytes` on behalf of the process in slot `number`, which nobody else does at the same time. The block
/// is zeroed behind its state and counted once; the slot's `claiming` names it until the caller has filed it.
pub(super) fn claim(
    s: &'static Segment,
    number: u32,
    cursors: &mut Cursors,
    kind: Kind,
    bytes: usize,
) -> Result<(Ref, &'static BlockHead)> {
    let class = class_for(bytes);
    let cursor = &mut cursors[class as usize];
    let claimer = Claimer { s, slot: s.slot(number), number, kind, class };
    if let Some(found) = claimer.claim_in(cursor) {
        return Ok(claimer.prepare(found));
    }
    // Every claim below happens with the books open: a unit that is new to us may be everybody's next.
    let mut books = books::open(s);
    let mut units: Vec<u32> = Vec::new();
    for (first, extent) in extents::walk(&books) {
        if extent == (Extent::Small { class }) && s.unit(first).free.load(Ordering::Relaxed) > 0 {
            units.push(first);
        }
    }
    for unit in units {
        *cursor = Cursor { unit, index: 0 };
        if let Some(found) = claimer.claim_in(cursor) {
            return Ok(claimer.prepare(found));
        }
    }
    let unit = extents::find(&mut books, 1)?;
    s.populate(unit as usize * UNIT, UNIT)?;
    s.unit(unit).free.store((UNIT / class_size(class)) as u32, Ordering::Relaxed);
    let mut tx = books.begin();
    extents::set(&mut tx, unit, Extent::Small { class })?;
    tx.commit();
    *cursor = Cursor { unit, index: 0 };
    match claimer.claim_in(cursor) {
        Some(found) => Ok(claimer.prepare(found)),
        None => fail!(Panic, "a fresh unit has no free block"),
    }
}

struct Claimer {
    s: &'static Segment,
    slot: &'static ProcessSlot,
    number: u32,
    kind: Kind,
    class: u8,
}

impl Claimer {
    /// Looks through the rest of the cursor's unit.
    fn claim_in(&self, cursor: &mut Cursor) -> Option<(Ref, &'static BlockHead)> {
        let size = class_size(self.class);
        let count = (UNIT / size) as u32;
        while cursor.unit != 0 && cursor.index < count {
            let offset = cursor.unit as usize * UNIT + cursor.index as usize * size;
            cursor.index += 1;
            let head: &BlockHead = self.s.at(offset);
            let was = head.state.load(Ordering::Relaxed);
            let state = State::from_bits(was);
            if state.kind != 0 {
                continue;
            }
            let generation = (state.generation + 1) & Ref::MAX_GENERATION;
            let r = Ref::new((offset / GRAIN) as u64, generation);
            let claimed = State { kind: self.kind as u8, slot: self.number as u16, generation };
            self.slot.claiming.store(r.bits(), Ordering::Relaxed);
            // Release: the name in `claiming` is there before the claim is. Acquire: the last tenant's
            // stores are done.
            if head.state.compare_exchange(was, claimed.bits(), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                self.s.unit(cursor.unit).free.fetch_sub(1, Ordering::Relaxed);
                return Some((r, head));
            }
        }
        self.slot.claiming.store(0, Ordering::Relaxed);
        None
    }

    fn prepare(&self, (r, head): (Ref, &'static BlockHead)) -> (Ref, &'static BlockHead) {
        self.s.clear(r.offset() + size_of::<u64>(), class_size(self.class) - size_of::<u64>());
        head.refs.store(1, Ordering::Relaxed);
        (r, head)
    }
}

/// The block that a reference names, None when there is none (any more).
pub(super) fn resolve(s: &'static Segment, r: Ref) -> Option<(&'static BlockHead, Kind)> {
    let offset = r.offset();
    let unit = (offset / UNIT) as u32;
    let Extent::Small { class } = extents::read(s, unit)? else { return None };
    if !(offset % UNIT).is_multiple_of(class_size(class)) {
        return None;
    }
    let head: &BlockHead = s.at(offset);
    let state = head.state();
    (state.generation == r.generation()).then_some(())?;
    Some((head, Kind::from_bits(state.kind)?))
}

/// The state word's value once the block is free; the generation stays, so that the next claim's differs.
pub(super) fn freed(head: &BlockHead) -> u64 {
    State { kind: 0, slot: 0, ..head.state() }.bits()
}

/// Counts one more free block in the unit; before it becomes free, so that the count errs high.
pub(super) fn count_free(s: &'static Segment, r: Ref) {
    s.unit((r.offset() / UNIT) as u32).free.fetch_add(1, Ordering::Relaxed);
}
