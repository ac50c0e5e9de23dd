//! Runs of units. The unit table is valid where an extent begins and walks from there: each extent says how
//! long it is. All changes are made under the books.

use super::books::Books;
use super::layout::{Extent, UNIT};
use super::redo::Transaction;
use super::segment::Segment;
use crate::error::{Result, fail};
use std::sync::atomic::Ordering;

/// A fresh segment: one free extent.
pub(super) fn format(s: &'static Segment) {
    let geometry = s.geometry();
    let first = geometry.first_unit;
    // Relaxed: nobody else has the segment yet.
    let all = Extent::Free { units: geometry.units - first };
    s.unit(first).extent.store(all.bits(), Ordering::Relaxed);
    s.header().first_free.store(first.into(), Ordering::Relaxed);
}

/// The extent that begins here, None at the segment's end (or where the table makes no sense).
pub(super) fn read(s: &'static Segment, first: u32) -> Option<Extent> {
    let g = s.geometry();
    if first < g.first_unit || first >= g.units || u64::from(first) >= ready(s) {
        return None;
    }
    let extent = Extent::from_bits(s.unit(first).extent.load(Ordering::Acquire))?;
    (extent.units() <= g.units - first).then_some(extent)
}

fn ready(s: &'static Segment) -> u64 {
    s.header().units_ready.load(Ordering::Relaxed)
}

/// Finds `units` free ones, the lowest first, merging neighbours on the way.
pub(super) fn find(books: &mut Books, units: u32) -> Result<u32> {
    let s = books.segment();
    let header = s.header();
    let mut at = header.first_free.load(Ordering::Relaxed) as u32;
    while let Some(extent) = read(s, at) {
        let Extent::Free { units: mut length } = extent else {
            at += extent.units();
            continue;
        };
        let before = length;
        while length < units
            && let Some(Extent::Free { units: more }) = read(s, at + length)
        {
            length += more;
        }
        if length != before {
            let mut tx = books.begin();
            tx.set(&s.unit(at).extent, Extent::Free { units: length }.bits());
            tx.commit();
        }
        if length >= units {
            return Ok(at);
        }
        at += length;
    }
    fail!(NoMemory, "the shared segment has no {} KiB free in one piece", units as usize * (UNIT >> 10))
}

/// Enters that the free extent at `first` becomes `extent`, the rest of it staying free.
pub(super) fn set(tx: &mut Transaction<'_>, first: u32, extent: Extent) -> Result<()> {
    let s = tx.segment();
    let Some(Extent::Free { units: length }) = read(s, first) else {
        fail!(Panic, "the unit table is not what it was a moment ago")
    };
    let header = s.header();
    let next = first + extent.units();
    if extent.units() < length {
        // The entry of the rest may be the first in a part of the table that has no memory yet.
        if u64::from(next) >= ready(s) {
            s.populate_units(next)?;
            header.units_ready.store(s.units_populated_with(next).into(), Ordering::Release);
        }
        tx.set(&s.unit(next).extent, Extent::Free { units: length - extent.units() }.bits());
    }
    tx.set(&s.unit(first).extent, extent.bits());
    if header.first_free.load(Ordering::Relaxed) == u64::from(first) {
        tx.set(&header.first_free, u64::from(next));
    }
    Ok(())
}

/// Enters that the run of `units` at `first` is free.
pub(super) fn free(tx: &mut Transaction<'_>, first: u32, units: u32) {
    let s = tx.segment();
    let header = s.header();
    tx.set(&s.unit(first).extent, Extent::Free { units }.bits());
    if header.first_free.load(Ordering::Relaxed) > u64::from(first) {
        tx.set(&header.first_free, u64::from(first));
    }
}

/// Every extent in turn. Only with the books open does the table hold still.
pub(super) fn walk(books: &Books) -> impl Iterator<Item = (u32, Extent)> + use<> {
    let s = books.segment();
    let mut at = s.geometry().first_unit;
    std::iter::from_fn(move || {
        let extent = read(s, at)?;
        let here = at;
        at += extent.units();
        Some((here, extent))
    })
}
