//! Each process's ledger: one word for each reference that it holds and for each place where it sleeps, so
//! that its death takes back exactly what it had.
//!
//! | tag | entry                                                                                |
//! |-----|--------------------------------------------------------------------------------------|
//! | 0   | empty                                                                                |
//! | 1   | HELD: a reference, counted in the block's `refs`; both change in one transaction      |
//! | 2   | SITTING: a spot whose count is being raised or lowered; the count may err by this one |
//! | 3   | SEATED: a spot in whose count this sleeper is                                        |

use super::blocks::{self, Cursors};
use super::layout::{CLASSES, Kind, LedgerChunk, Ref, UNIT, class_for};
use super::segment::{Segment, numbered};
use super::tree::In;
use super::{books, objects, units};
use crate::error::Result;
use crate::park::{Owner, Spot};
use crate::sys::page::{Mutex, MutexGuard, page};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering, fence};

const HELD: u64 = 1;
const SITTING: u64 = 2;
const SEATED: u64 = 3;

/// No segment is larger.
const OFFSET_BITS: u32 = 40;

/// Where one of this process's ledger entries is: in which segment (above bit 40), and where in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(u64);

/// What an entry says.
pub(super) enum Line {
    Empty,
    Held(Ref),
    Seated(usize),
    Other,
}

pub(super) fn held(r: Ref) -> u64 {
    HELD << 62 | r.bits()
}

pub(super) fn read(word: &AtomicU64) -> Line {
    let bits = word.load(Ordering::Acquire);
    match bits >> 62 {
        0 => Line::Empty,
        HELD => Line::Held(Ref::from_bits(bits)),
        SEATED => Line::Seated((bits & ((1 << 62) - 1)) as usize),
        _ => Line::Other,
    }
}

impl Entry {
    pub(super) fn of(s: &'static Segment, word: &AtomicU64) -> Self {
        Entry((s.number() as u64) << OFFSET_BITS | s.offset_of(word) as u64)
    }

    /// From a number that came out of [`Entry::bits`] in a process of this tree.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Entry(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Who lives and sleeps where it is.
    pub(crate) fn tree(self) -> In {
        In(self.segment())
    }

    /// Whether it is in a named segment, as opposed to the tree's.
    pub(crate) fn is_named(self) -> bool {
        self.0 >> OFFSET_BITS != 0
    }

    pub(super) fn segment(self) -> &'static Segment {
        numbered((self.0 >> OFFSET_BITS) as usize)
    }

    pub(super) fn word(self) -> &'static AtomicU64 {
        self.segment().at((self.0 & ((1 << OFFSET_BITS) - 1)) as usize)
    }
}

/// What only this process knows of its own ledger; guarded by [`Shelf::mutex`].
pub(super) struct Private {
    pub(super) cursors: Cursors,
    chunks: Vec<&'static LedgerChunk>,
    /// Entries in use.
    used: usize,
    /// Where the search for an empty entry goes on.
    next: usize,
}

/// The private part of a segment, with a mutex of its own. The tree's is in the page that forks wipe; that of
/// another segment is made anew when a forked child joins there.
pub(super) struct Shelf {
    mutex: Mutex,
    private: UnsafeCell<Private>,
}

// SAFETY: the content is reached through `private()` only, which holds the mutex.
unsafe impl Sync for Shelf {}

impl Shelf {
    pub(super) const fn new() -> Self {
        Shelf { mutex: Mutex::new(), private: UnsafeCell::new(Private::new()) }
    }

    /// In a process that has no thread in there.
    pub(super) fn reset(&self) {
        self.mutex.reset();
    }
}

/// The private part, locked.
pub(super) struct Open<'a> {
    pub(super) private: &'a mut Private,
    _guard: MutexGuard<'a>,
}

pub(super) fn private(s: &'static Segment) -> Open<'static> {
    let mutex = if s.is_tree() { &page().private } else { &s.shelf.mutex };
    let guard = mutex.lock();
    // SAFETY: the mutex is held for as long as the reference lives.
    Open { private: unsafe { &mut *s.shelf.private.get() }, _guard: guard }
}

impl Private {
    const fn new() -> Self {
        Private { cursors: [blocks::Cursor::NONE; CLASSES], chunks: Vec::new(), used: 0, next: 0 }
    }

    /// In a process that has just taken its slot: forgets the parent's ledger, and takes over the entries
    /// that the parent made for it.
    pub(super) fn begin(&mut self, s: &'static Segment, slot: u32) {
        // What the parent had is forgotten and not freed: this may be any moment of a forked child.
        if s.is_tree() || s.inherited.load(Ordering::Relaxed) {
            std::mem::forget(std::mem::take(&mut self.chunks));
        }
        self.chunks.clear();
        self.next = 0;
        self.cursors = [blocks::Cursor::NONE; CLASSES];
        self.chunks.extend(chunks(s, slot));
        self.used = self.chunks.iter().map(|c| c.count()).sum();
    }

    /// An empty entry of this process's ledger. It is the caller's while the mutex is held.
    pub(super) fn reserve(&mut self, s: &'static Segment) -> Result<&'static AtomicU64> {
        // Beyond three quarters the search would get long.
        if self.used * 4 >= self.chunks.len() * LedgerChunk::ENTRIES * 3 {
            let chunk = add_chunk(s, s.me() >> 16, &mut self.cursors)?;
            self.next = self.chunks.len() * LedgerChunk::ENTRIES;
            self.chunks.push(chunk);
        }
        let total = self.chunks.len() * LedgerChunk::ENTRIES;
        loop {
            let at = self.next % total;
            self.next = at + 1;
            let word = &self.chunks[at / LedgerChunk::ENTRIES].entries[at % LedgerChunk::ENTRIES];
            if word.load(Ordering::Relaxed) == 0 {
                return Ok(word);
            }
        }
    }

    /// An entry that was reserved says something now.
    pub(super) fn note_used(&mut self, s: &'static Segment, word: &AtomicU64) {
        self.used += 1;
        let used = &chunk_around(s, word).used;
        used.store(used.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// It is empty again. The caller has no books open.
    pub(super) fn note_unused(&mut self, s: &'static Segment, word: &AtomicU64) {
        self.used = self.used.saturating_sub(1);
        let used = &chunk_around(s, word).used;
        let left = used.load(Ordering::Relaxed).saturating_sub(1);
        used.store(left, Ordering::Relaxed);
        // Far below the three quarters at which a chunk is added, so that none comes and goes all the time.
        while left == 0 && self.used * 2 < (self.chunks.len().saturating_sub(1)) * LedgerChunk::ENTRIES {
            let empty = |c: &&'static LedgerChunk| c.used.load(Ordering::Relaxed) == 0;
            let Some(at) = self.chunks.iter().position(empty) else { break };
            let chunk = self.chunks.swap_remove(at);
            if !remove_chunk(s, chunk) {
                self.chunks.push(chunk);
                break;
            }
            self.leave_empty_unit(s);
        }
    }

    /// The unit that chunks are claimed in would stay; but chunks come and go so seldom that it need not.
    fn leave_empty_unit(&mut self, s: &'static Segment) {
        let class = class_for(LedgerChunk::SIZE) as usize;
        let unit = self.cursors[class].unit();
        if self.chunks.iter().all(|c| s.offset_of(*c) / UNIT != unit as usize) {
            let mut books = books::open(s);
            self.cursors[class] = blocks::Cursor::NONE;
            s.slot(s.me() >> 16).claims_in[class].store(0, Ordering::Relaxed);
            units::give_back_if_empty(&mut books, unit);
        }
    }
}

/// A new first chunk in the ledger of a slot that is the caller's to change.
fn add_chunk(s: &'static Segment, number: u32, cursors: &mut Cursors) -> Result<&'static LedgerChunk> {
    let slot = s.slot(number);
    let (r, _) = blocks::claim(s, number, cursors, Kind::Ledger, LedgerChunk::SIZE)?;
    let chunk: &LedgerChunk = s.at(r.offset());
    chunk.next.store(slot.ledger.load(Ordering::Relaxed), Ordering::Relaxed);
    // Release: the chunk is complete before it can be found.
    slot.ledger.store(r.bits(), Ordering::Release);
    slot.claiming.store(0, Ordering::Release);
    Ok(chunk)
}

/// The chunk that an entry is in: chunks lie at multiples of their size.
fn chunk_around(s: &'static Segment, word: &AtomicU64) -> &'static LedgerChunk {
    s.at(s.offset_of(word) / LedgerChunk::SIZE * LedgerChunk::SIZE)
}

/// A process leaves its slot, and nothing of it is in use: gives the whole ledger back.
pub(super) fn end(s: &'static Segment) {
    let open = private(s);
    while let Some(chunk) = open.private.chunks.pop() {
        if !remove_chunk(s, chunk) {
            break;
        }
    }
    let _books = books::open(s);
    s.slot(s.me() >> 16).claims_in.iter().for_each(|c| c.store(0, Ordering::Relaxed));
}

/// Takes an empty chunk out of this process's ledger; false if it is not empty after all.
fn remove_chunk(s: &'static Segment, chunk: &'static LedgerChunk) -> bool {
    if chunk.count() != 0 {
        return false;
    }
    let mut books = books::open(s);
    let mut link = &s.slot(s.me() >> 16).ledger;
    loop {
        let bits = link.load(Ordering::Relaxed);
        let Some(next) = self::chunk(s, bits) else { return false };
        if std::ptr::eq(next, chunk) {
            let r = Ref::from_bits(bits);
            blocks::count_free(s, r);
            let mut tx = books.begin();
            tx.set(link, chunk.next.load(Ordering::Relaxed));
            objects::erase(&mut tx, &chunk.head, None);
            tx.commit();
            units::give_back_if_empty(&mut books, units::of(r));
            return true;
        }
        link = &next.next;
    }
}

impl LedgerChunk {
    /// Counts the entries in use, and notes how many they are.
    fn count(&self) -> usize {
        let used = self.entries.iter().filter(|e| e.load(Ordering::Relaxed) != 0).count();
        self.used.store(used as u64, Ordering::Relaxed);
        used
    }
}

/// The chunks of a slot's ledger.
pub(super) fn chunks(s: &'static Segment, slot: u32) -> impl Iterator<Item = &'static LedgerChunk> {
    let mut at = s.slot(slot).ledger.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        let chunk = chunk(s, at)?;
        at = chunk.next.load(Ordering::Relaxed);
        Some(chunk)
    })
}

fn chunk(s: &'static Segment, bits: u64) -> Option<&'static LedgerChunk> {
    let r = Ref::from_bits(bits);
    (bits != 0 && blocks::resolve(s, r)?.1 == Kind::Ledger).then(|| s.at(r.offset()))
}

/// An empty entry in the ledger of a child that does not run yet.
pub(super) fn reserve_for(
    s: &'static Segment,
    child: Owner,
    cursors: &mut Cursors,
) -> Result<&'static AtomicU64> {
    let empty = |c: &'static LedgerChunk| c.entries.iter().find(|e| e.load(Ordering::Relaxed) == 0);
    if let Some(word) = chunks(s, child.slot()).find_map(empty) {
        return Ok(word);
    }
    Ok(&add_chunk(s, child.slot(), cursors)?.entries[0])
}

/// Counts this process among a spot's sleepers. Without an entry (no memory) the count would stay too high
/// if we were killed, which costs wakes, not correctness.
pub(super) fn sit(s: &'static Segment, spot: &Spot) -> Option<Entry> {
    let offset = s.offset_of(spot) as u64;
    let open = private(s);
    let entry = open.private.reserve(s).ok();
    if let Some(word) = entry {
        open.private.note_used(s, word);
        word.store(SITTING << 62 | offset, Ordering::Release);
    }
    drop(open);
    spot.enter();
    entry.map(|word| {
        word.store(SEATED << 62 | offset, Ordering::Release);
        Entry::of(s, word)
    })
}

/// Takes it off.
pub(super) fn rise(spot: &Spot, seat: Option<Entry>) {
    let Some(entry) = seat else { return spot.leave() };
    let word = entry.word();
    word.store(SITTING << 62, Ordering::Release);
    // The entry says so before the count falls, or a kill in between would have it fall twice.
    fence(Ordering::Release);
    spot.leave();
    let s = entry.segment();
    let open = private(s);
    word.store(0, Ordering::Release);
    open.private.note_unused(s, word);
}

/// Takes a dead process off a spot.
pub(super) fn unseat(s: &'static Segment, word: &AtomicU64, offset: usize) {
    word.store(SITTING << 62, Ordering::Release);
    fence(Ordering::Release);
    if let Some(spot) = objects::spot_at(s, offset) {
        spot.leave();
        // The last wake may have been for the dead one.
        spot.notify::<In>(1);
    }
    word.store(0, Ordering::Release);
}
