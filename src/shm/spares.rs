//! Parcels without handles: messages that are written, and read, where they lie. Whoever has read one leaves its block
//! to a pipe for the next, with the memory behind it: the kernel would take longer to find that anew than a copy takes.
//!
//! | step                                              | a process killed right after it                 |
//! |---------------------------------------------------|-------------------------------------------------|
//! | take: from the carrier into its ledger, one transaction | the sweep of its slot frees the block     |
//! | leave: from its ledger into a carrier, one transaction  | it is a spare                             |

use super::books;
use super::carriers::{carried_ref, drop_carried};
use super::layout::{Kind, UNIT};
use super::ledger::{self, Entry, private};
use super::objects::{self, Data, Object, resolve_in};
use super::parcels::{self, ParcelBlock};
use super::segment::TREE;
use crate::error::{Result, fail};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of the spares of one way in all.
const KEPT: usize = 4 << 20;

/// Room for a message of at most `len` bytes, in this process's ledger: one of the spares, or a new one.
pub(crate) fn room(spares: &[AtomicU64], len: usize) -> Result<(Entry, Data)> {
    if let Some(room) = take(spares, len)? {
        return Ok(room);
    }
    // One that did not fit makes place for this one.
    if let Some(spare) = spares.iter().find(|spare| matches!(ledger::read(spare), ledger::Line::Held(_))) {
        drop_carried(spare);
    }
    // An empty message, too, lies somewhere.
    let Object { r, entry } = objects::create_in::<ParcelBlock>(&TREE, Kind::Parcel, len.max(1), |_| {})?;
    match resolve_in(&TREE, r, Kind::Parcel).and_then(all) {
        Some(data) => Ok((entry, data)),
        None => fail!(Panic, "a fresh block is not there"),
    }
}

/// The bytes of one that has no handles.
fn all(block: &ParcelBlock) -> Option<Data> {
    objects::data(&block.head).filter(|_| block.count() == 0)
}

/// What this process holds by `room` is a message of so many bytes.
pub(crate) fn close_room(room: Entry, len: usize) -> Option<Object> {
    parcels::parcel(room)?.set_len(len);
    carried_ref(room.word()).map(|r| Object { r, entry: room })
}

fn take(spares: &[AtomicU64], len: usize) -> Result<Option<(Entry, Data)>> {
    let open = private(&TREE);
    let word = open.private.reserve(&TREE)?;
    let mut books = books::open(&TREE);
    let fitting = spares.iter().find_map(|spare| {
        let ledger::Line::Held(r) = ledger::read(spare) else { return None };
        let data = all(resolve_in(&TREE, r, Kind::Parcel)?)?;
        // Nor one in which most would lie idle.
        (data.len() >= len && data.len() <= UNIT.max(2 * len)).then_some((spare, r, data))
    });
    let Some((spare, r, data)) = fitting else { return Ok(None) };
    let mut tx = books.begin();
    tx.set(word, ledger::held(r));
    tx.set(spare, 0);
    tx.commit();
    open.private.note_used(&TREE, word);
    Ok(Some((Entry::of(&TREE, word), data)))
}

/// Gives up a message that was read, or room that was not used.
pub(crate) fn leave(entry: Entry, spares: &[AtomicU64]) {
    let size = parcels::parcel(entry).and_then(all).map(|data| data.len());
    if !size.is_some_and(|size| leave_in(entry, size, spares)) {
        objects::release(entry);
    }
}

/// False where there is no place for so many bytes more.
fn leave_in(entry: Entry, size: usize, spares: &[AtomicU64]) -> bool {
    let open = private(&TREE);
    let word = entry.word();
    let mut books = books::open(&TREE);
    let ledger::Line::Held(r) = ledger::read(word) else { return false };
    let (mut place, mut kept) = (None, size);
    for spare in spares {
        match parcels::packed(spare).and_then(all) {
            Some(data) => kept = kept.saturating_add(data.len()),
            None => place = Some(spare).filter(|spare| spare.load(Relaxed) == 0).or(place),
        }
    }
    let Some(place) = place.filter(|_| kept <= KEPT) else { return false };
    let mut tx = books.begin();
    tx.set(place, ledger::held(r));
    tx.set(word, 0);
    tx.commit();
    drop(books);
    open.private.note_unused(&TREE, word);
    true
}
