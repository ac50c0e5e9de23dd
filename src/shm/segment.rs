//! The one mapping: from offsets to references and back.

use super::layout::{GRAIN, Header, MAGIC, ProcessSlot, UNIT, Unit, Words, hash};
use crate::error::{Result, Status, fail};
use crate::park::Owner;
use crate::sys::fd::{self, Identity};
use crate::sys::memory;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// The mapping of this process. Written once, before the process joins; a forked child has the same one.
struct Mapping {
    base: AtomicPtr<u8>,
    size: AtomicUsize,
    fd: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
    /// All of this is right, and the segment has its tables.
    ready: AtomicBool,
}

static MAPPING: Mapping = Mapping {
    base: AtomicPtr::new(std::ptr::null_mut()),
    size: AtomicUsize::new(0),
    fd: AtomicI32::new(-1),
    device: AtomicU64::new(0),
    inode: AtomicU64::new(0),
    ready: AtomicBool::new(false),
};

/// What is asked for where nothing limits it; pages cost nothing until they are touched.
const WANTED: u64 = 1 << 40;
/// Less than this holds nothing of use.
const LEAST: u64 = 1 << 20;

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

/// Makes the segment of a new tree, as large as the limits allow.
pub(crate) fn create() -> Result<()> {
    if is_mapped() {
        return Ok(());
    }
    let mut size = memory::reservation_limit()?.min(wanted()?) / UNIT as u64 * UNIT as u64;
    if size < LEAST {
        fail!(
            NoMemory,
            "a shared segment of at least {} KiB is needed, and RLIMIT_FSIZE, a quarter of RLIMIT_AS or \
             MP_SEGMENT_SIZE allows {} KiB",
            LEAST >> 10,
            size >> 10
        );
    }
    let file = loop {
        match memory::shared_file(c"libmp", size as usize) {
            Ok(file) => break file,
            // The address space may be crowded: a smaller segment is better than none.
            Err(e) if e.status == Status::NoMemory && size / 2 >= LEAST => {
                size = size / 2 / UNIT as u64 * UNIT as u64;
            }
            Err(e) => return Err(e),
        }
    };
    let Some(identity) = fd::identity(file.fd.as_raw_fd()) else {
        fail!(Os, "cannot look at the shared segment (fstat)");
    };
    MAPPING.size.store(file.size, Ordering::Relaxed);
    MAPPING.device.store(identity.device, Ordering::Relaxed);
    MAPPING.inode.store(identity.inode, Ordering::Relaxed);
    MAPPING.base.store(file.base, Ordering::Release);
    // The tables' first parts; the rest follows as it is needed.
    let geometry = geometry();
    let prepared = populate(0, UNIT)
        .and_then(|()| populate(geometry.slots_at, UNIT))
        .and_then(|()| populate_units(geometry.first_unit));
    if let Err(e) = prepared {
        // The mapping stays, unused: nothing that was handed out leads to it.
        MAPPING.base.store(std::ptr::null_mut(), Ordering::Release);
        return Err(e);
    }
    MAPPING.fd.store(file.fd.into_raw_fd(), Ordering::Relaxed);
    let header = header();
    header.size.store(file.size as u64, Ordering::Relaxed);
    header.layout.store(hash(), Ordering::Relaxed);
    header.slots_ready.store(
        u64::from(geometry.slots.min((UNIT / size_of::<ProcessSlot>()) as u32 - 1)),
        Ordering::Relaxed,
    );
    header.units_ready.store(units_populated_with(geometry.first_unit).into(), Ordering::Relaxed);
    super::extents::format(geometry);
    header.magic.store(MAGIC, Ordering::Release);
    MAPPING.ready.store(true, Ordering::Release);
    Ok(())
}

/// Whether a descriptor, which may be anything or closed, leads to a segment, be it of another build.
pub(crate) fn is_one(fd: RawFd) -> bool {
    fd > 2 && memory::first_word(fd) == Some(MAGIC)
}

/// In a fresh image: maps the segment that its parent handed it. `agreed` is the parent's layout hash.
pub(crate) fn attach(fd: RawFd, agreed: u64) -> Result<()> {
    if is_mapped() {
        fail!(State, "this process has a segment of its own already");
    }
    if agreed != hash() {
        fail!(Unsupported, "the parent runs another build of libmp");
    }
    let file = memory::open_shared(fd, size_of::<Header>())?;
    let Some(identity) = fd::identity(fd) else { fail!(Invalid, "descriptor {fd} is not open") };
    // Looked at before anything is believed: no other file begins like this.
    // SAFETY: the mapping is at least as long as a header, which is made of atomics.
    let header = unsafe { &*file.base.cast::<Header>() };
    let says = (header.magic.load(Ordering::Acquire), header.layout.load(Ordering::Relaxed));
    if says != (MAGIC, hash()) || header.size.load(Ordering::Relaxed) != file.size as u64 {
        fail!(Invalid, "descriptor {fd} leads to no segment of libmp's");
    }
    MAPPING.size.store(file.size, Ordering::Relaxed);
    MAPPING.device.store(identity.device, Ordering::Relaxed);
    MAPPING.inode.store(identity.inode, Ordering::Relaxed);
    MAPPING.fd.store(file.fd.into_raw_fd(), Ordering::Relaxed);
    MAPPING.base.store(file.base, Ordering::Release);
    MAPPING.ready.store(true, Ordering::Release);
    Ok(())
}

/// What an image must know to find the segment: the descriptor, and what the layouts must agree on.
pub(crate) fn ticket() -> Result<(RawFd, u64)> {
    match descriptor() {
        Some(fd) => Ok((fd, hash())),
        None => fail!(
            State,
            "the host program has closed the segment's descriptor: only fork can start processes"
        ),
    }
}

/// `MP_SEGMENT_SIZE`: bytes, or a number with K, M, G or T.
fn wanted() -> Result<u64> {
    let Ok(text) = std::env::var("MP_SEGMENT_SIZE") else { return Ok(WANTED) };
    match parse_size(text.trim()) {
        Some(size) => Ok(size.min(1 << 40)),
        None => fail!(
            Invalid,
            "MP_SEGMENT_SIZE is \"{text}\": a number of bytes is wanted, or one with K, M, G or T"
        ),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(crate) fn is_mapped() -> bool {
    MAPPING.ready.load(Ordering::Acquire)
}

/// The segment's size in bytes.
pub(crate) fn size() -> usize {
    MAPPING.size.load(Ordering::Relaxed)
}

pub(crate) fn geometry() -> Geometry {
    Geometry::of(size())
}

/// The file behind the mapping.
pub(crate) fn identity() -> Identity {
    Identity { device: MAPPING.device.load(Ordering::Relaxed), inode: MAPPING.inode.load(Ordering::Relaxed) }
}

/// The descriptor, if it is still ours: the host may have closed all that it finds, and somebody else's file
/// may have its number now.
pub(crate) fn descriptor() -> Option<i32> {
    let fd = MAPPING.fd.load(Ordering::Relaxed);
    (fd::identity(fd) == Some(identity())).then_some(fd)
}

/// The header. Only in a process that has joined.
pub(crate) fn header() -> &'static Header {
    at(0)
}

/// The process table's entry; slots count from 1.
pub(crate) fn slot(number: u32) -> &'static ProcessSlot {
    let g = geometry();
    assert!((1..=g.slots).contains(&number), "no process slot {number}");
    at(g.slots_at + number as usize * size_of::<ProcessSlot>())
}

/// The unit table's entry.
pub(crate) fn unit(number: u32) -> &'static Unit {
    let g = geometry();
    assert!(number < g.units, "no unit {number}");
    at(g.units_at + number as usize * size_of::<Unit>())
}

/// Bytes of the header and the tables that have memory behind them.
pub(crate) fn tables_ready() -> u64 {
    let header = header();
    let slots = header.slots_ready.load(Ordering::Relaxed) * size_of::<ProcessSlot>() as u64;
    let units = header.units_ready.load(Ordering::Relaxed) * size_of::<Unit>() as u64;
    UNIT as u64 + slots + units
}

/// Memory behind the slots up to `number`.
pub(crate) fn populate_slots(number: u32) -> Result<()> {
    populate((geometry().slots_at + number as usize * size_of::<ProcessSlot>()) / UNIT * UNIT, UNIT)
}

/// The end of the part of the unit table that gets its memory together with this unit's entry.
pub(crate) fn units_populated_with(number: u32) -> u32 {
    let step = (UNIT / size_of::<Unit>()) as u32;
    (number / step + 1) * step
}

/// Memory behind the entry of this unit and of those around it.
pub(crate) fn populate_units(number: u32) -> Result<()> {
    populate((geometry().units_at + number as usize * size_of::<Unit>()) / UNIT * UNIT, UNIT)
}

/// A struct of words at an offset that is known to be right.
pub(super) fn at<T: Words>(offset: usize) -> &'static T {
    assert!(
        fits(offset, size_of::<T>()) && offset.is_multiple_of(align_of::<T>()),
        "offset {offset} is out of place"
    );
    // SAFETY: the range lies in the mapping, which is never undone; T is made of atomics, so any bytes are a
    // T and others may change them at any time.
    unsafe { &*MAPPING.base.load(Ordering::Relaxed).add(offset).cast::<T>() }
}

fn fits(offset: usize, len: usize) -> bool {
    offset.checked_add(len).is_some_and(|end| end <= size())
}

/// A word at an offset that may be anything.
pub(super) fn word_at(offset: usize) -> Option<&'static AtomicU64> {
    (fits(offset, 8) && offset.is_multiple_of(8)).then(|| at(offset))
}

/// Where something shared lies.
pub(super) fn offset_of<T>(shared: &T) -> usize {
    (&raw const *shared).addr() - MAPPING.base.load(Ordering::Relaxed).addr()
}

/// Where an offset is mapped.
pub(super) fn address(offset: usize) -> usize {
    MAPPING.base.load(Ordering::Relaxed).addr() + offset
}

/// The other way round.
pub(super) fn offset_of_address(address: usize) -> usize {
    address - MAPPING.base.load(Ordering::Relaxed).addr()
}

/// The address of `len` bytes at an offset, None when they are not all in the segment.
pub(super) fn bytes_at(offset: usize, len: usize) -> Option<*mut u8> {
    // SAFETY: checked to lie in the mapping.
    fits(offset, len).then(|| unsafe { MAPPING.base.load(Ordering::Relaxed).add(offset) })
}

/// Finds memory for a range now.
pub(super) fn populate(offset: usize, len: usize) -> Result<()> {
    let Some(at) = bytes_at(offset, len) else { fail!(NoMemory, "the shared segment is full") };
    // SAFETY: the range lies in the mapping.
    unsafe { memory::populate(at, len) }
}

/// Gives the pages of a run back. The caller owns the run alone.
pub(super) fn give_back(first: u32, units: u32) {
    if let Some(at) = bytes_at(first as usize * UNIT, units as usize * UNIT) {
        // SAFETY: the range lies in the mapping, and nobody uses it: its block is about to be freed.
        unsafe { memory::give_back(at, units as usize * UNIT) };
    }
}

/// Zeroes a part of a block that the caller has just claimed.
pub(super) fn clear(offset: usize, len: usize) {
    let words = offset.div_ceil(8)..(offset + len) / 8;
    for word in words {
        at::<AtomicU64>(word * 8).store(0, Ordering::Relaxed);
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

    #[test]
    fn sizes_are_read_with_their_suffix() {
        assert_eq!(parse_size("65536"), Some(65536));
        assert_eq!(parse_size("2G"), Some(2 << 30));
        assert_eq!(parse_size("1t"), Some(1 << 40));
        for bad in ["", "K", "-1", "1.5M", "99999999999999T", "12X"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
