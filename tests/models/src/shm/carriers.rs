//! Words that hold blocks on their way.

use super::books;
use super::layout::{BytesBlock, Kind};
use super::ledger::{self, Entry, private};
use super::objects::{Object, drop_ref, resolve_in};
use super::segment::TREE;
use crate::error::Result;
use crate::sys::atomic::{AtomicU64, Ordering};

pub(crate) fn carry(object: Object, carrier: &AtomicU64) -> bool {
    let mut books = books::open(&TREE);
    if object.entry.word().load(Ordering::Relaxed) != ledger::held(object.r) {
        return false;
    }
    let mut tx = books.begin();
    tx.set(carrier, ledger::held(object.r));
    tx.set(object.entry.word(), 0);
    tx.commit();
    true
}

pub(crate) fn take_carried(carrier: &AtomicU64, word: &AtomicU64, value: u64) -> Result<Option<Entry>> {
    let entry = private(&TREE).private.reserve(&TREE)?;
    let mut books = books::open(&TREE);
    let ledger::Line::Held(r) = ledger::read(carrier) else { return Ok(None) };
    let mut tx = books.begin();
    tx.set(entry, ledger::held(r));
    tx.set(carrier, 0);
    tx.set(word, value);
    tx.commit();
    Ok(Some(Entry::of(&TREE, entry)))
}

pub(crate) fn settle<T>(_: &T) {
    drop(books::open(&TREE));
}

pub(crate) fn settle_pending<T>(shared: &T) {
    if TREE.header().redo.is_pending() {
        settle(shared);
    }
}

pub(crate) fn drop_carried(carrier: &AtomicU64) {
    if carrier.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut books = books::open(&TREE);
    if let ledger::Line::Held(r) = ledger::read(carrier) {
        drop_ref(&mut books, carrier, r);
    }
}

pub(crate) fn carried(carrier: &AtomicU64) -> Option<&'static BytesBlock> {
    match ledger::read(carrier) {
        ledger::Line::Held(r) => resolve_in(&TREE, r, Kind::Bytes),
        _ => None,
    }
}
