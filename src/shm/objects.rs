//! Shared objects: made, held, handed on, released. A block lives while some ledger or carrier names it.

use super::blocks;
use super::books::{self, Books};
use super::carriers;
use super::extents;
use super::layout::{BlockHead, Extent, GRAIN, Kind, MAX_SMALL, Ref, UNIT, Words};
use super::ledger::{self, Entry, private};
use super::parcels;
use super::redo::Transaction;
use super::segment::{self, Segment, TREE};
use super::table;
use super::units;
use crate::error::{Result, Status, fail};
use crate::park::{Owner, OwnerLock, Spot};
use crate::sys::cache;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// A block that this process holds.
#[derive(Clone, Copy)]
pub(crate) struct Object {
    pub(crate) r: Ref,
    pub(crate) entry: Entry,
}

/// Bytes of a block, at the same place for as long as the block is held.
#[derive(Clone, Copy)]
pub(crate) struct Data {
    pub(super) at: *mut u8,
    pub(super) len: usize,
}

// SAFETY: shared memory; the methods below only copy bytes.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// For callers that look at the bytes themselves.
    pub(crate) fn address(&self) -> *mut u8 {
        self.at
    }

    /// Copies in; what does not fit is the caller's bug and panics before any byte is written.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset.checked_add(bytes.len()).is_some_and(|end| end <= self.len));
        // SAFETY: the range was checked; a private slice does not overlap shared memory that nobody lends.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.at.add(offset), bytes.len()) };
    }

    /// Copies out.
    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) {
        assert!(offset.checked_add(out.len()).is_some_and(|end| end <= self.len));
        // SAFETY: as above. Others may write at the same time: bytes then mix, which the callers exclude by
        // handing the bytes over first.
        unsafe { std::ptr::copy(self.at.add(offset), out.as_mut_ptr(), out.len()) };
    }

    /// A part, as far as there is one, will be written soon.
    #[inline(always)]
    pub(crate) fn will_write(&self, offset: usize, len: usize) {
        cache::will_write(self.at.wrapping_add(offset), len.min(self.len.saturating_sub(offset)));
    }

    /// A part, as far as there is one, will be read soon.
    #[inline(always)]
    pub(crate) fn will_read(&self, offset: usize, len: usize) {
        cache::will_read(self.at.wrapping_add(offset), len.min(self.len.saturating_sub(offset)));
    }

    /// Copies a part to the end of `out`, which has room for it.
    pub(crate) fn append_to(&self, offset: usize, len: usize, out: &mut Vec<u8>) {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        let had = out.len();
        assert!(out.capacity() - had >= len);
        // SAFETY: both ranges were checked, and then `len` bytes more of `out` have been written.
        unsafe {
            std::ptr::copy(self.at.add(offset), out.as_mut_ptr().add(had), len);
            out.set_len(had + len);
        }
    }

    /// Zeroes a part.
    pub(crate) fn zero(&self, offset: usize, len: usize) {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the range was checked.
        unsafe { std::ptr::write_bytes(self.at.add(offset), 0, len) };
    }

    /// Reads the whole as one number: 1, 2, 4 or 8 bytes that lie as such a number does.
    pub(crate) fn load(&self) -> u64 {
        match self.len {
            1 => self.number::<AtomicU8>().load(Ordering::Acquire).into(),
            2 => self.number::<AtomicU16>().load(Ordering::Acquire).into(),
            4 => self.number::<AtomicU32>().load(Ordering::Acquire).into(),
            _ => self.number::<AtomicU64>().load(Ordering::Acquire),
        }
    }

    /// Writes the whole as one number, cut to its width.
    pub(crate) fn store(&self, to: u64) {
        match self.len {
            1 => self.number::<AtomicU8>().store(to as u8, Ordering::Release),
            2 => self.number::<AtomicU16>().store(to as u16, Ordering::Release),
            4 => self.number::<AtomicU32>().store(to as u32, Ordering::Release),
            _ => self.number::<AtomicU64>().store(to, Ordering::Release),
        }
    }

    pub(super) fn number<N: Words>(&self) -> &N {
        assert!(self.len == size_of::<N>() && self.at.addr().is_multiple_of(align_of::<N>()));
        // SAFETY: in the mapping, as long and as aligned as it must be, and any bytes are an atomic number.
        unsafe { &*self.at.cast() }
    }

    /// Whether the bytes lie as words do.
    pub(crate) fn is_words(&self) -> bool {
        self.at.addr().is_multiple_of(8)
    }

    /// The bytes as words, where they lie as words do; what is left over at the end is not among them.
    pub(crate) fn words(&self) -> &'static [AtomicU64] {
        assert!(self.is_words());
        // SAFETY: in the mapping, which is never undone, aligned, and any bytes are atomic numbers.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.len / 8) }
    }

    /// The lock that the data begins with.
    pub(crate) fn lock(&self) -> &'static OwnerLock {
        assert!(self.len >= size_of::<OwnerLock>() && self.at.addr().is_multiple_of(align_of::<OwnerLock>()));
        // SAFETY: as above: a lock is two atomic words.
        unsafe { &*self.at.cast() }
    }

    /// The part from `offset` on.
    pub(crate) fn part(&self, offset: usize, len: usize) -> Data {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the range was checked.
        Data { at: unsafe { self.at.add(offset) }, len }
    }
}

/// Makes a block with `data` bytes (zeroed) behind it. This process holds it. `prepare` runs before anybody
/// else can see the block.
pub(crate) fn create<T: Words>(kind: Kind, data: usize, prepare: impl Fn(&T)) -> Result<Object> {
    create_in(&TREE, kind, data, prepare)
}

/// The same in a given segment.
pub(crate) fn create_in<T: Words>(
    s: &'static Segment,
    kind: Kind,
    data: usize,
    prepare: impl Fn(&T),
) -> Result<Object> {
    match create_once(s, kind, data, &prepare) {
        // What is full may be full of what the dead had: sweep, and try again.
        Err(e) if e.status == Status::NoMemory && table::bury_all(s) => create_once(s, kind, data, &prepare),
        result => result,
    }
}

fn create_once<T: Words>(
    s: &'static Segment,
    kind: Kind,
    data: usize,
    prepare: &impl Fn(&T),
) -> Result<Object> {
    let head_size = size_of::<T>().next_multiple_of(64);
    let inline = data <= MAX_SMALL - head_size;
    let bytes = if inline { head_size + data } else { head_size };
    let open = private(s);
    let entry = open.private.reserve(s)?;
    let me = s.me() >> 16;
    let slot = s.slot(me);
    let (r, head) = blocks::claim(s, me, &mut open.private.cursors, kind, bytes)?;
    if inline {
        head.data.store((r.offset() + head_size) as u64, Ordering::Relaxed);
        head.size.store(data as u64, Ordering::Relaxed);
    }
    prepare(s.at(r.offset()));
    // Release: the block is complete before the ledger names it.
    entry.store(ledger::held(r), Ordering::Release);
    slot.claiming.store(0, Ordering::Release);
    open.private.note_used(s, entry);
    drop(open);
    let object = Object { r, entry: Entry::of(s, entry) };
    if !inline && let Err(e) = attach_run(s, head, data) {
        release(object.entry);
        return Err(e);
    }
    Ok(object)
}

/// Gives a block a run of units for its data, with memory behind it.
fn attach_run(s: &'static Segment, head: &BlockHead, data: usize) -> Result<()> {
    let units = data.div_ceil(UNIT);
    if units >= s.geometry().units as usize {
        fail!(NoMemory, "{data} bytes are more than the shared segment has");
    }
    let units = units as u32;
    let mut books = books::open(s);
    let first = extents::find(&mut books, units)?;
    let mut tx = books.begin();
    extents::set(&mut tx, first, Extent::Run { units })?;
    tx.set(&head.run, u64::from(first) << 32 | u64::from(units));
    tx.set(&head.data, (first as usize * UNIT) as u64);
    tx.set(&head.size, data as u64);
    tx.commit();
    drop(books);
    s.populate(first as usize * UNIT, units as usize * UNIT)
}

/// The block behind a reference, as what it should be; None when it is something else or gone.
pub(crate) fn resolve<T: Words>(r: Ref, kind: Kind) -> Option<&'static T> {
    resolve_in(&TREE, r, kind)
}

/// The same in a given segment.
pub(crate) fn resolve_in<T: Words>(s: &'static Segment, r: Ref, kind: Kind) -> Option<&'static T> {
    let (_, found) = blocks::resolve(s, r)?;
    (found == kind).then(|| s.at(r.offset()))
}

/// Where this process finds the block.
pub(crate) fn address(object: Object) -> usize {
    object.entry.segment().address(object.r.offset())
}

/// The reference to a block that was found at `address`, had this generation, and was held by this entry.
pub(crate) fn reference(entry: Entry, address: usize, generation: u32) -> Ref {
    Ref::new((entry.segment().offset_of_address(address) / GRAIN) as u64, generation)
}

/// The data of a block in any segment, None where that is no place for any: a head that was overwritten does not
/// lead to the tables.
pub(crate) fn data(head: &BlockHead) -> Option<Data> {
    let len = head.size.load(Ordering::Relaxed) as usize;
    let offset = head.data.load(Ordering::Relaxed) as usize;
    data_near(head, offset, len)
}

/// A range of the segment that something shared lies in, None where that is no place for data.
#[inline(always)]
pub(super) fn data_near<T>(neighbour: &T, offset: usize, len: usize) -> Option<Data> {
    let s = segment::of((&raw const *neighbour).addr())?;
    let at = s.bytes_at(offset, len).filter(|_| offset >= s.tables_end())?;
    Some(Data { at, len })
}

/// Words that the block's data begins with; None where it has not so many.
pub(super) fn words(head: &BlockHead, count: usize) -> Option<&'static [AtomicU64]> {
    data(head).filter(|data| data.at.addr().is_multiple_of(8))?.words().get(..count)
}

/// A range that is known to lie in the tree's segment.
pub(super) fn data_at(offset: usize, len: usize) -> Data {
    let at = TREE.bytes_at(offset, len).expect("checked by the caller");
    Data { at, len }
}

/// This process holds the block too, if it still is the one that was meant.
pub(crate) fn hold(r: Ref, kind: Kind) -> Result<Entry> {
    hold_in(&TREE, r, kind)
}

/// The same in a given segment.
pub(crate) fn hold_in(s: &'static Segment, r: Ref, kind: Kind) -> Result<Entry> {
    let open = private(s);
    let word = open.private.reserve(s)?;
    hold_by(s, r, kind, word)?;
    open.private.note_used(s, word);
    Ok(Entry::of(s, word))
}

/// A child that has not been started yet will hold the block.
pub(crate) fn hold_for(child: Owner, r: Ref, kind: Kind) -> Result<Entry> {
    let open = private(&TREE);
    let word = ledger::reserve_for(&TREE, child, &mut open.private.cursors)?;
    hold_by(&TREE, r, kind, word)?;
    Ok(Entry::of(&TREE, word))
}

/// This word holds the block too.
pub(super) fn hold_by(s: &'static Segment, r: Ref, kind: Kind, word: &AtomicU64) -> Result<()> {
    let mut books = books::open(s);
    let Some((head, _)) = blocks::resolve(s, r).filter(|&(_, found)| found == kind) else {
        fail!(State, "the object was freed before this process used it for the first time");
    };
    let mut tx = books.begin();
    tx.set(&head.refs, head.one_more());
    tx.set(word, ledger::held(r));
    tx.commit();
    Ok(())
}

/// This process holds the block no longer; the last one frees it.
pub(crate) fn release(entry: Entry) {
    let s = entry.segment();
    let open = private(s);
    let word = entry.word();
    if let ledger::Line::Held(r) = ledger::read(word) {
        let mut books = books::open(s);
        drop_ref(&mut books, word, r);
        drop(books);
        open.private.note_unused(s, word);
    }
}

/// Clears `word`, which names the block, and takes one off its count; at zero the block is freed. Killed
/// anywhere in here, the word still names the block, and the sweep does it again.
pub(super) fn drop_ref(books: &mut Books, word: &AtomicU64, r: Ref) {
    drop_chain(books, word, r);
    free_waiting(books);
}

/// Frees the queues that parcels held. Killed in between, the next who has the books open for this goes on.
pub(super) fn free_waiting(books: &mut Books) {
    while let Some((word, r)) = parcels::waiting(books.segment()) {
        drop_chain(books, word, r);
    }
}

/// The same without those that wait.
fn drop_chain(books: &mut Books, word: &AtomicU64, r: Ref) {
    let mut r = r;
    while let Some(next) = drop_one(books, word, r) {
        r = next;
    }
}

/// The same of one block. Of a ring that is freed, and of a queue that waited for that, the next one takes its place:
/// `word` names that, which is to be dropped, too. So a chain is freed one by one, however long it is.
fn drop_one(books: &mut Books, word: &AtomicU64, r: Ref) -> Option<Ref> {
    let s = books.segment();
    let Some((head, kind)) = blocks::resolve(s, r) else {
        word.store(0, Ordering::Release);
        return None;
    };
    if head.holders() > 1 {
        let mut tx = books.begin();
        tx.set(&head.refs, head.refs.load(Ordering::Relaxed) - 1);
        tx.set(word, 0);
        tx.commit();
        return None;
    }
    // What the block carries goes first: `word` names the block until all of that is gone, so whoever is killed
    // in between leaves a block with fewer carriers in use, which the sweep drops again.
    for carrier in carriers::of(s, kind, r) {
        if let ledger::Line::Held(inner) = ledger::read(carrier)
            && inner != r
            && !(kind == Kind::Parcel && parcels::set_aside(books, carrier, inner))
        {
            drop_chain(books, carrier, inner);
        }
    }
    let run = head.run().filter(|&(first, units)| is_run(s, first, units));
    if let Some((first, units)) = run {
        s.give_back(first, units);
    }
    blocks::count_free(s, r);
    let next = carriers::next_of(s, kind, r).filter(|&next| next != r);
    let mut tx = books.begin();
    erase(&mut tx, head, run);
    tx.set(word, next.map_or(0, ledger::held));
    tx.commit();
    units::give_back_if_empty(books, units::of(r));
    next
}

/// Whether there is such a run: a head that a stray pointer has overwritten must not free what is another's.
fn is_run(s: &'static Segment, first: u32, units: u32) -> bool {
    extents::read(s, first) == Some(Extent::Run { units })
}

/// Enters that a block and its run are free.
pub(super) fn erase(tx: &mut Transaction<'_>, head: &BlockHead, run: Option<(u32, u32)>) {
    if let Some((first, units)) = run {
        extents::free(tx, first, units);
        tx.set(&head.run, 0);
    }
    tx.set(&head.refs, 0);
    tx.set(&head.state, blocks::freed(head));
}

/// The spot at an offset that an entry names.
pub(super) fn spot_at(s: &'static Segment, offset: usize) -> Option<&'static Spot> {
    let at = s.bytes_at(offset, size_of::<Spot>())?;
    // SAFETY: in the mapping, aligned as checked, and two atomics, for which any bytes will do.
    offset.is_multiple_of(align_of::<Spot>()).then(|| unsafe { &*at.cast::<Spot>() })
}
