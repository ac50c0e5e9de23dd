//! What the segment holds, for people who wonder where memory went, and for tests of leaks.

use super::books;
use super::extents;
use super::layout::{BlockHead, Extent, Kind, State, UNIT, class_size};
use super::segment::{Segment, TREE};
use super::table;
use std::sync::atomic::Ordering;

/// Exact at some moment; in bytes where they are no counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) processes: u64,
    pub(crate) blocks: u64,
    pub(crate) reserved: u64,
    pub(crate) used: u64,
    pub(crate) rescued: u64,
    pub(crate) owner_deaths: u64,
    pub(crate) sweeps: u64,
}

/// Walks the whole segment with the books open: a diagnosis, not a counter to poll.
pub(crate) fn stats() -> Stats {
    // What the dead held is not worth telling.
    table::bury_all(&TREE);
    let s = &TREE;
    let header = s.header();
    let mut stats = Stats {
        processes: table::count(s),
        reserved: s.size() as u64,
        used: s.tables_ready(),
        rescued: header.rescued.load(Ordering::Relaxed),
        owner_deaths: header.owner_deaths.load(Ordering::Relaxed),
        sweeps: header.sweeps.load(Ordering::Relaxed),
        ..Stats::default()
    };
    let books = books::open(s);
    for (first, extent) in extents::walk(&books) {
        match extent {
            Extent::Free { .. } => continue,
            Extent::Small { class } => stats.blocks += objects_in(s, first, class),
            Extent::Run { .. } => {}
        }
        stats.used += u64::from(extent.units()) * UNIT as u64;
    }
    stats
}

/// Blocks in use, those of the ledgers not counted: they are no object of anybody's.
fn objects_in(s: &'static Segment, unit: u32, class: u8) -> u64 {
    let size = class_size(class);
    let kinds = (0..UNIT / size).map(|i| {
        let head: &BlockHead = s.at(unit as usize * UNIT + i * size);
        State::from_bits(head.state.load(Ordering::Relaxed)).kind
    });
    kinds.filter(|&k| k != 0 && k != Kind::Ledger as u8).count() as u64
}
