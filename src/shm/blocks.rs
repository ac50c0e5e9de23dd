//! Small blocks: claimed in place, by one compare-and-swap of the block's own header.
//!
//! A process first says in its slot which block it is about to claim, so that the sweep of a process killed
//! right after the claim finds the block. There are hints where to look, but no list of free blocks that a
//! kill could tear.

use super::books;
use super::extents;
use super::layout::{
    BlockHead, CLASSES, Extent, GRAIN, Kind, ProcessSlot, Ref, State, UNIT, Unit, class_for, class_size,
};
use super::segment::Segment;
use super::units;
use crate::error::{Result, fail};
use std::sync::atomic::Ordering;

/// Where the last search for a block of some class ended. The process's slot names the unit as well, so that it
/// stays what it is.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    unit: u32,
    index: u32,
}

impl Cursor {
    /// Nowhere yet.
    pub(super) const NONE: Cursor = Cursor { unit: 0, index: 0 };

    /// 0: none.
    pub(super) fn unit(self) -> u32 {
        self.unit
    }
}

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
    if let Some(found) = claimer.claim_in(cursor)? {
        return claimer.prepare(found);
    }
    // Every claim below happens with the books open: a unit that is new to us may be everybody's next.
    let mut books = books::open(s);
    let left = cursor.unit;
    let mut go_on_in = |unit: u32| {
        // Nobody turns units into something else while we have the books open, and afterwards everybody sees
        // this first.
        s.slot(s.me() >> 16).claims_in[class as usize].store(unit, Ordering::Relaxed);
        *cursor = Cursor { unit, index: 0 };
        claimer.claim_in(cursor)
    };
    let mut units: Vec<u32> = Vec::new();
    for (first, extent) in extents::walk(&books) {
        if extent == (Extent::Small { class }) && s.unit(first).free.load(Ordering::Relaxed) > 0 {
            units.push(first);
        }
    }
    for unit in units {
        if let Some(found) = go_on_in(unit)? {
            units::give_back_if_empty(&mut books, left);
            return claimer.prepare(found);
        }
    }
    let unit = extents::find(&mut books, 1)?;
    if s.is_tree() {
        s.populate(unit as usize * UNIT, UNIT)?;
    }
    s.unit(unit).free.store((UNIT / class_size(class)) as u32, Ordering::Relaxed);
    let mut tx = books.begin();
    extents::set(&mut tx, unit, Extent::Small { class })?;
    tx.commit();
    let found = go_on_in(unit)?;
    units::give_back_if_empty(&mut books, left);
    match found {
        Some(found) => claimer.prepare(found),
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
    fn claim_in(&self, cursor: &mut Cursor) -> Result<Option<(Ref, &'static BlockHead)>> {
        let size = class_size(self.class);
        let count = (UNIT / size) as u32;
        while cursor.unit != 0 && cursor.index < count {
            let offset = cursor.unit as usize * UNIT + cursor.index as usize * size;
            cursor.index += 1;
            if !self.s.is_tree() {
                self.s.populate(offset, size)?;
            }
            let head: &BlockHead = self.s.at(offset);
            let was = head.state.load(Ordering::Relaxed);
            let state = State::from_bits(was);
            if state.kind != 0 {
                continue;
            }
            let generation = (state.generation + 1) & Ref::MAX_GENERATION;
            let unit = self.s.unit(cursor.unit);
            let r = Ref::new((offset / GRAIN) as u64, after(generation, unit));
            let claimed = State { kind: self.kind as u8, slot: self.number as u16, generation };
            self.slot.claiming.store(r.bits(), Ordering::Relaxed);
            // Release: the name in `claiming` is there before the claim is. Acquire: the last tenant's
            // stores are done.
            if head.state.compare_exchange(was, claimed.bits(), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                unit.free.fetch_sub(1, Ordering::Relaxed);
                return Ok(Some((r, head)));
            }
        }
        self.slot.claiming.store(0, Ordering::Relaxed);
        Ok(None)
    }

    fn prepare(&self, (r, head): (Ref, &'static BlockHead)) -> Result<(Ref, &'static BlockHead)> {
        self.s.clear(r.offset() + size_of::<u64>(), class_size(self.class) - size_of::<u64>());
        head.refs.store(1, Ordering::Relaxed);
        Ok((r, head))
    }
}

/// The generation that references go by, from the one in a block's head.
fn after(generation: u32, unit: &Unit) -> u32 {
    // Relaxed: it changes only while no block of the unit is in use.
    (generation + unit.past.load(Ordering::Relaxed)) & Ref::MAX_GENERATION
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
    (after(state.generation, s.unit(unit)) == r.generation()).then_some(())?;
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
