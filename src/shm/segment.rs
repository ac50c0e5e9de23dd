//! A segment: a shared file, mapped whole, that begins with a header and a table of the processes that use it.
//! The tree has one, [`TREE`]; objects with a name have one each. From offsets to references and back.

use super::layout::{GRAIN, Header, ProcessSlot, UNIT, Unit, Words};
use super::ledger::Shelf;
use crate::error::{Result, fail};
use crate::park::Owner;
use crate::sys::fd::{self, Identity};
use crate::sys::memory;
use crate::sys::page::page;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A segment as this process has it. A forked child has the same mapping.
pub(crate) struct Segment {
    base: AtomicPtr<u8>,
    size: AtomicUsize,
    /// Where the tables end.
    begin: AtomicUsize,
    fd: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
    /// All of this is right, and the segment has its tables.
    ready: AtomicBool,
    /// 0 for the tree's, the place in [`NAMED`] for another.
    number: AtomicUsize,
    /// What follows is for named segments only, and changed with the page's `names` held.
    ///
    /// How much is mapped from the base on, at least: used again for the next one.
    pub(super) reserved: AtomicUsize,
    /// The process that has joined there, as its epoch; 0: this one has not.
    pub(super) epoch: AtomicU64,
    /// References that the process has in there, one for each handle.
    pub(super) users: AtomicUsize,
    /// It came from a parent, whose handles may be used here at any time: it stays mapped.
    pub(super) inherited: AtomicBool,
    /// Who this process is in there. Not for the tree's: the page that forks wipe knows that one.
    me: AtomicU32,
    /// What this process alone knows of its ledger there.
    pub(super) shelf: Shelf,
}

/// The tree's own: nameless, and what every anonymous object lies in.
pub(crate) static TREE: Segment = Segment::new();

/// Those that belong to named objects, by their number. What is in here stays.
static NAMED: [AtomicPtr<Segment>; MOST] = [const { AtomicPtr::new(std::ptr::null_mut()) }; MOST];

/// So many named objects may be open at the same time in one process.
const MOST: usize = 1 << 14;

/// The segment with this number, which some object of this process has.
pub(super) fn numbered(number: usize) -> &'static Segment {
    let named = NAMED.get(number).map_or(std::ptr::null_mut(), |s| s.load(Ordering::Acquire));
    // SAFETY: what is stored there is never freed.
    unsafe { named.as_ref() }.unwrap_or(&TREE)
}

/// Those of named objects, also such as have none at the moment.
pub(super) fn named() -> impl Iterator<Item = &'static Segment> {
    let all = NAMED[1..].iter().map(|s| s.load(Ordering::Acquire)).take_while(|s| !s.is_null());
    // SAFETY: what is stored there is never freed.
    all.map(|s| unsafe { &*s })
}

/// One more of them. The caller holds the page's `names`.
pub(super) fn add() -> Result<&'static Segment> {
    let number = named().count() + 1;
    let Some(place) = NAMED.get(number) else {
        fail!(NoMemory, "{number} named objects are open, which is all that there can be");
    };
    // Not Box::new: where there is no memory it ends the host.
    let mut one = Vec::new();
    if one.try_reserve_exact(1).is_err() {
        fail!(NoMemory, "no memory for a named object");
    }
    one.push(Segment::new());
    let segment = &one.leak()[0];
    segment.number.store(number, Ordering::Relaxed);
    place.store((&raw const *segment).cast_mut(), Ordering::Release);
    Ok(segment)
}

/// The segment that an address lies in.
pub(super) fn of(address: usize) -> Option<&'static Segment> {
    if TREE.contains(address) { Some(&TREE) } else { named().find(|s| s.contains(address)) }
}

/// A mapped file on its way to become a segment.
pub(super) struct Mapped {
    pub(super) fd: RawFd,
    pub(super) base: *mut u8,
    pub(super) size: usize,
    pub(super) identity: Identity,
}

/// Where the tables lie, which follows from the size alone.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) slots: u32,
    slots_at: usize,
    units_at: usize,
    pub(crate) units: u32,
    /// The first unit that can be handed out.
    pub(crate) first_unit: u32,
}

impl Geometry {
    fn of(size: usize) -> Self {
        let slots = (size >> 14).clamp(63, Owner::MAX_SLOT as usize) as u32;
        let slots_at = size_of::<Header>().next_multiple_of(UNIT);
        let units = (size / UNIT) as u32;
        let units_at = (slots_at + (slots as usize + 1) * size_of::<ProcessSlot>()).next_multiple_of(UNIT);
        let end = units_at + units as usize * size_of::<Unit>();
        Geometry { slots, slots_at, units_at, units, first_unit: end.div_ceil(UNIT) as u32 }
    }
}

impl Segment {
    pub(super) const fn new() -> Self {
        Segment {
            base: AtomicPtr::new(std::ptr::null_mut()),
            size: AtomicUsize::new(0),
            begin: AtomicUsize::new(0),
            fd: AtomicI32::new(-1),
            device: AtomicU64::new(0),
            inode: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            number: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            users: AtomicUsize::new(0),
            inherited: AtomicBool::new(false),
            me: AtomicU32::new(0),
            shelf: Shelf::new(),
        }
    }

    /// From here on offsets lead into the file. It is not [`ready`](Self::is_ready) yet.
    pub(super) fn set(&self, file: &Mapped) {
        self.size.store(file.size, Ordering::Relaxed);
        self.begin.store(self.geometry().first_unit as usize * UNIT, Ordering::Relaxed);
        self.device.store(file.identity.device, Ordering::Relaxed);
        self.inode.store(file.identity.inode, Ordering::Relaxed);
        self.fd.store(file.fd, Ordering::Relaxed);
        self.base.store(file.base, Ordering::Release);
    }

    /// Nothing leads there any more.
    pub(super) fn unset(&self) {
        self.ready.store(false, Ordering::Release);
        self.fd.store(-1, Ordering::Relaxed);
        self.size.store(0, Ordering::Relaxed);
        self.base.store(std::ptr::null_mut(), Ordering::Release);
    }

    /// Where the next one can be mapped.
    pub(super) fn set_base(&self, base: *mut u8) {
        self.base.store(base, Ordering::Release);
    }

    /// Where it is mapped.
    pub(super) fn base(&self) -> *mut u8 {
        self.base.load(Ordering::Relaxed)
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn is_tree(&self) -> bool {
        std::ptr::eq(self, &raw const TREE)
    }

    /// This process as an owner word of this segment's table, 0 where it has no slot.
    pub(super) fn me(&self) -> u32 {
        if self.is_tree() { page().me.load(Ordering::Relaxed) } else { self.me.load(Ordering::Relaxed) }
    }

    pub(super) fn set_me(&self, owner: u32) {
        let me = if self.is_tree() { &page().me } else { &self.me };
        me.store(owner, Ordering::Relaxed);
    }

    /// What an entry says of its segment.
    pub(super) fn number(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// The segment's size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Where the header and the tables end, and blocks begin.
    #[inline(always)]
    pub(super) fn tables_end(&self) -> usize {
        self.begin.load(Ordering::Relaxed)
    }

    pub(crate) fn geometry(&self) -> Geometry {
        Geometry::of(self.size())
    }

    /// The file behind the mapping.
    pub(crate) fn identity(&self) -> Identity {
        Identity { device: self.device.load(Ordering::Relaxed), inode: self.inode.load(Ordering::Relaxed) }
    }

    /// The descriptor, if it is still ours: the host may have closed all that it finds, and somebody else's file
    /// may have its number now.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        let fd = self.fd.load(Ordering::Relaxed);
        (fd::identity(fd) == Some(self.identity())).then_some(fd)
    }

    /// The header. Only in a process that has joined.
    pub(crate) fn header(&'static self) -> &'static Header {
        self.at(0)
    }

    /// The process table's entry; slots count from 1.
    pub(crate) fn slot(&'static self, number: u32) -> &'static ProcessSlot {
        let g = self.geometry();
        assert!((1..=g.slots).contains(&number), "no process slot {number}");
        self.at(g.slots_at + number as usize * size_of::<ProcessSlot>())
    }

    /// The unit table's entry.
    pub(crate) fn unit(&'static self, number: u32) -> &'static Unit {
        let g = self.geometry();
        assert!(number < g.units, "no unit {number}");
        self.at(g.units_at + number as usize * size_of::<Unit>())
    }

    /// Bytes of the header and the tables that have memory behind them.
    pub(crate) fn tables_ready(&'static self) -> u64 {
        let header = self.header();
        let slots = header.slots_ready.load(Ordering::Relaxed) * size_of::<ProcessSlot>() as u64;
        let units = header.units_ready.load(Ordering::Relaxed) * size_of::<Unit>() as u64;
        self.step() as u64 + slots + units
    }

    /// What memory is asked for in: much at a time in the tree's, of which there is one, and little in those of
    /// which there may be many.
    pub(super) fn step(&self) -> usize {
        if self.is_tree() { UNIT } else { memory::page_size().min(UNIT) }
    }

    /// Memory for the header and for the first parts of the tables; the rest follows as it is needed.
    pub(super) fn populate_tables(&self) -> Result<()> {
        self.populate(0, size_of::<Header>())?;
        self.populate_slots(1)?;
        self.populate_units(self.geometry().first_unit)
    }

    /// The last slot of the part of the process table that gets its memory together with this one's.
    pub(super) fn slots_populated_with(&self, number: u32) -> u32 {
        let step = (self.step() / size_of::<ProcessSlot>()) as u32;
        ((number / step + 1) * step - 1).min(self.geometry().slots)
    }

    /// Memory behind this slot and those around it.
    pub(super) fn populate_slots(&self, number: u32) -> Result<()> {
        self.populate(self.geometry().slots_at + number as usize * size_of::<ProcessSlot>(), 1)
    }

    /// The end of the part of the unit table that gets its memory together with this unit's entry.
    pub(super) fn units_populated_with(&self, number: u32) -> u32 {
        let step = (self.step() / size_of::<Unit>()) as u32;
        (number / step + 1) * step
    }

    /// Memory behind the entry of this unit and of those around it.
    pub(super) fn populate_units(&self, number: u32) -> Result<()> {
        self.populate(self.geometry().units_at + number as usize * size_of::<Unit>(), 1)
    }

    /// A struct of words at an offset that is known to be right.
    pub(super) fn at<T: Words>(&'static self, offset: usize) -> &'static T {
        assert!(
            self.fits(offset, size_of::<T>()) && offset.is_multiple_of(align_of::<T>()),
            "offset {offset} is out of place"
        );
        // SAFETY: the range lies in the mapping, in whose place something readable and writable always stays;
        // T is made of atomics, so any bytes are a T and others may change them at any time.
        unsafe { &*self.base.load(Ordering::Relaxed).add(offset).cast::<T>() }
    }

    fn fits(&self, offset: usize, len: usize) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.size())
    }

    /// A word at an offset that may be anything.
    pub(super) fn word_at(&'static self, offset: usize) -> Option<&'static AtomicU64> {
        (self.fits(offset, 8) && offset.is_multiple_of(8)).then(|| self.at(offset))
    }

    /// Where something shared lies.
    pub(super) fn offset_of<T>(&self, shared: &T) -> usize {
        self.offset_of_address((&raw const *shared).addr())
    }

    /// Where an offset is mapped.
    pub(super) fn address(&self, offset: usize) -> usize {
        self.base.load(Ordering::Relaxed).addr() + offset
    }

    /// The other way round.
    pub(super) fn offset_of_address(&self, address: usize) -> usize {
        address - self.base.load(Ordering::Relaxed).addr()
    }

    /// Whether an address lies in the mapping.
    pub(super) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.load(Ordering::Relaxed).addr()) < self.size()
    }

    /// The address of `len` bytes at an offset, None when they are not all in the segment.
    pub(super) fn bytes_at(&self, offset: usize, len: usize) -> Option<*mut u8> {
        // SAFETY: checked to lie in the mapping.
        self.fits(offset, len).then(|| unsafe { self.base.load(Ordering::Relaxed).add(offset) })
    }

    /// Finds memory for a range now, and for what is around it up to the next steps.
    pub(super) fn populate(&self, offset: usize, len: usize) -> Result<()> {
        let begin = offset / self.step() * self.step();
        let len = (offset + len).next_multiple_of(self.step()) - begin;
        let Some(at) = self.bytes_at(begin, len) else { fail!(NoMemory, "the shared segment is full") };
        // SAFETY: the range lies in the mapping.
        unsafe { memory::populate(at, len) }
    }

    /// Gives the pages of a run back. The caller owns the run alone.
    pub(super) fn give_back(&self, first: u32, units: u32) {
        if let Some(at) = self.bytes_at(first as usize * UNIT, units as usize * UNIT) {
            // SAFETY: the range lies in the mapping, and nobody uses it: its block is about to be freed.
            unsafe { memory::give_back(at, units as usize * UNIT) };
        }
    }

    /// Zeroes a part of a block that the caller has just claimed.
    pub(super) fn clear(&'static self, offset: usize, len: usize) {
        let words = offset.div_ceil(8)..(offset + len) / 8;
        for word in words {
            self.at::<AtomicU64>(word * 8).store(0, Ordering::Relaxed);
        }
    }
}

const _: () = assert!(GRAIN.is_multiple_of(8) && UNIT.is_multiple_of(4096));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_room_for_its_tables() {
        for shift in 20..=40 {
            let g = Geometry::of(1 << shift);
            assert!(g.first_unit < g.units, "2^{shift}");
            assert!(g.slots >= 63);
        }
    }
}
