//! What a segment looks like before anybody uses it.

use super::extents;
use super::layout::{MAGIC, hash};
use super::segment::Segment;
use std::sync::atomic::Ordering;

/// Fills in the header of a segment whose tables have their memory, all of it zero. The magic number comes last.
pub(super) fn format(s: &'static Segment) {
    let (geometry, header) = (s.geometry(), s.header());
    header.size.store(s.size() as u64, Ordering::Relaxed);
    header.layout.store(hash(), Ordering::Relaxed);
    header.slots_ready.store(s.slots_populated_with(1).into(), Ordering::Relaxed);
    header.units_ready.store(s.units_populated_with(geometry.first_unit).into(), Ordering::Relaxed);
    extents::format(s);
    header.magic.store(MAGIC, Ordering::Release);
}

/// Whether a mapping of at least a header's size begins as a segment of this build does.
pub(super) fn is_ours(s: &'static Segment) -> bool {
    let header = s.header();
    let says = (header.magic.load(Ordering::Acquire), header.layout.load(Ordering::Relaxed));
    says == (MAGIC, hash()) && header.size.load(Ordering::Relaxed) == s.size() as u64
}
