//! Units of small blocks whose blocks are all free become free extents again, and their pages go back.
//!
//! Blocks are claimed without the books, so a unit may be turned into something else only where nobody can be
//! claiming: every process names in its slot the units that it claims in, one of each size, and goes on to
//! another only with the books open. The last unit that a process claimed in stays, so that one that makes and
//! frees a single object does not fetch and return pages each time.

use super::books::Books;
use super::extents;
use super::layout::{BlockHead, Extent, Ref, State, UNIT, class_size};
use super::segment::Segment;
use super::table;
use std::sync::atomic::Ordering;

/// The unit that a block is in.
pub(super) fn of(r: Ref) -> u32 {
    (r.offset() / UNIT) as u32
}

/// Gives a unit back if it holds nothing. It may be any unit, or 0. In a named segment, which holds one object,
/// there is nothing to gain.
pub(super) fn give_back_if_empty(books: &mut Books, unit: u32) {
    let s = books.segment();
    let Some(Extent::Small { class }) = extents::read(s, unit).filter(|_| s.is_tree()) else { return };
    let count = UNIT / class_size(class);
    // Too high it may be, too low never.
    if (s.unit(unit).free.load(Ordering::Relaxed) as usize) < count || is_claimed_in(s, unit, class) {
        return;
    }
    let states = (0..count).map(|i| {
        let head: &BlockHead = s.at(unit as usize * UNIT + i * class_size(class));
        // Relaxed: blocks are freed under the books, and claimed by nobody now.
        State::from_bits(head.state.load(Ordering::Relaxed))
    });
    let mut newest = 0;
    for state in states {
        if state.kind != 0 {
            return;
        }
        newest = newest.max(state.generation);
    }
    // First: killed right after it, we have only skipped some generations.
    let past = &s.unit(unit).past;
    past.store((past.load(Ordering::Relaxed) + newest) & Ref::MAX_GENERATION, Ordering::Relaxed);
    s.give_back(unit, 1);
    let mut tx = books.begin();
    extents::free(&mut tx, unit, 1);
    tx.commit();
}

/// Whether some process claims blocks in this unit.
fn is_claimed_in(s: &'static Segment, unit: u32, class: u8) -> bool {
    // Relaxed: changed under the books.
    let claims = |n| s.slot(n).claims_in[class as usize].load(Ordering::Relaxed) == unit;
    // Most likely it is ourselves.
    claims(s.me() >> 16) || (1..=table::ready(s)).any(claims)
}
