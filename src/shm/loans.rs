//! Messages that are lent: whose they are is a word each, and the books guard what a death changes.
//!
//! | word   | meaning                                                     | changed by                           |
//! |--------|-------------------------------------------------------------|--------------------------------------|
//! | 0      | nothing is lent here                                        |                                      |
//! | owner  | lent to that process                                        | [`lend`], with the consumers' lock   |
//! | owner, RELEASING | that process gives it back                        | its release                          |
//! | ORPHAN | that process has died: it is handed out again               | the sweep of its slot                |
//!
//! Lending is one transaction, which moves the block, says whose it is and advances the head. What becomes an orphan
//! closes the queue's gate for the short way, and is entered with the books open, as is that there is none left.

use super::books;
use super::layout::{BytesBlock, Kind, Ref};
use super::ledger::{self, Entry, private};
use super::objects::{self, Data, Object, resolve_in};
use super::queue_block::{Loan, QueueBlock};
use super::redo::Transaction;
use super::tree::{In, tree_of};
use crate::error::Result;
use crate::park::Owner;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

/// In place of an owner, of which it is none.
pub(crate) const ORPHAN: u64 = 1 << 32;
/// Beside an owner.
pub(crate) const RELEASING: u64 = 1 << 33;
/// In the queue's gate: there may be orphans.
pub(crate) const GATE_ORPHANS: u64 = 4;

/// What is to be said of a message that is lent.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) owner: Owner,
    pub(crate) number: u64,
    pub(crate) len: usize,
    /// Where the head is then.
    pub(crate) position: u64,
}

fn enter(tx: &mut Transaction<'_>, queue: &QueueBlock, at: usize, r: Ref, terms: Terms) {
    tx.set(&queue.lent()[at], ledger::held(r));
    tx.set(&queue.loans[at].number, terms.number);
    tx.set(&queue.loans[at].len, terms.len as u64);
    tx.set(&queue.loans[at].word, terms.owner.bits().into());
    tx.set(&queue.consumers.position, terms.position);
}

/// Lends what a carrier holds; false where it holds nothing.
pub(crate) fn lend(queue: &QueueBlock, at: usize, carrier: &AtomicU64, terms: Terms) -> bool {
    let mut books = books::open(tree_of(queue).0);
    let ledger::Line::Held(r) = ledger::read(carrier) else { return false };
    let mut tx = books.begin();
    tx.set(carrier, 0);
    enter(&mut tx, queue, at, r, terms);
    tx.commit();
    true
}

/// Lends a block that this process has just made.
pub(crate) fn lend_own(queue: &QueueBlock, at: usize, block: Object, terms: Terms) {
    let s = block.entry.segment();
    let open = private(s);
    let mut books = books::open(s);
    let mut tx = books.begin();
    tx.set(block.entry.word(), 0);
    enter(&mut tx, queue, at, block.r, terms);
    tx.commit();
    drop(books);
    open.private.note_unused(s, block.entry.word());
}

/// Opens the gate again, if there is no orphan.
pub(crate) fn forget_orphans(queue: &QueueBlock) {
    let _books = books::open(tree_of(queue).0);
    if queue.loans.iter().all(|loan| loan.word.load(Relaxed) != ORPHAN) {
        queue.gate.fetch_and(!GATE_ORPHANS, Relaxed);
    }
}

/// What a process that is dead had is handed out again, also where it had given up the queue before, and its sweep did
/// not come by here.
pub(crate) fn take_from_dead(queue: &QueueBlock, dead: Owner) {
    let _books = books::open(tree_of(queue).0);
    queue.note_death(dead);
}

impl QueueBlock {
    /// With the books open, which the sweep of a dead process has: what it had is handed out again.
    pub(super) fn note_death(&self, dead: Owner) {
        let is_its = |loan: &&Loan| loan.word.load(Relaxed) & !RELEASING == u64::from(dead.bits());
        if self.loans.iter().any(|loan| is_its(&loan)) {
            // Killed after this, the sweep is done again, and gets here again.
            self.gate.fetch_or(GATE_ORPHANS, Relaxed);
            // Release: who finds an orphan finds the gate closed.
            self.loans.iter().filter(is_its).for_each(|loan| loan.word.store(ORPHAN, Release));
            self.message.notify::<In>(1);
        }
    }
}

/// What blocks that are reserved for a queue know it by.
fn name_of(queue: &QueueBlock) -> u64 {
    tree_of(queue).0.offset_of(queue) as u64
}

/// Makes a block of bytes that is reserved for a queue.
pub(crate) fn reserve_bytes(queue: &QueueBlock, len: usize) -> Result<Object> {
    let name = name_of(queue);
    // An empty message, too, lies somewhere.
    let make = |block: &BytesBlock| block.queue.store(name, Relaxed);
    objects::create_in::<BytesBlock>(tree_of(queue).0, Kind::Bytes, len.max(1), make)
}

/// The bytes of one.
pub(crate) fn own_data(block: Object) -> Option<Data> {
    let block = resolve_in::<BytesBlock>(block.entry.segment(), block.r, Kind::Bytes)?;
    objects::data(&block.head)
}

/// The block of bytes that this process holds, reserved for that queue, and whose data begins there.
pub(crate) fn own_bytes(queue: &QueueBlock, address: usize) -> Option<(Object, Data)> {
    let s = tree_of(queue).0;
    let name = name_of(queue);
    let _open = private(s);
    let entries = ledger::chunks(s, s.me() >> 16).flat_map(|chunk| &chunk.entries);
    entries.into_iter().find_map(|word| {
        let ledger::Line::Held(r) = ledger::read(word) else { return None };
        let block = resolve_in::<BytesBlock>(s, r, Kind::Bytes)?;
        let data = objects::data(&block.head)?;
        let is_it = block.queue.load(Relaxed) == name && data.address().addr() == address;
        is_it.then(|| (Object { r, entry: Entry::of(s, word) }, data))
    })
}
