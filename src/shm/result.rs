//! What a process leaves for its parent: a block of bytes that its slot carries. Until the parent has taken it,
//! or is dead itself, the slot is not free for others.

use super::books;
use super::carriers::{carry, drop_carried};
use super::layout::{BytesBlock, Kind, ProcessSlot};
use super::ledger::{self, Entry, private};
use super::objects;
use super::objects::{Object, create, data};
use super::segment::{Segment, TREE};
use super::table::{self, Tenancy};
use crate::error::{Result, fail};
use crate::park::Owner;
use crate::sys::page::page;
use std::sync::atomic::Ordering;

/// By the child: leaves these bytes, in the place of what it left before.
pub(crate) fn leave_result(bytes: &[u8]) -> Result<()> {
    let me = Owner::joined(page().me.load(Ordering::Relaxed));
    let object = create::<BytesBlock>(Kind::Bytes, bytes.len(), |_| {})?;
    let Some(to) = objects::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| data(&b.head)) else {
        fail!(State, "the result's block in shared memory is damaged");
    };
    to.write(0, bytes);
    let carrier = &TREE.slot(me.slot()).result;
    drop_carried(carrier);
    carry(object, carrier);
    Ok(())
}

/// By the parent, of a child that is dead and not swept yet: takes what it has left. The reference changes hands
/// in one transaction.
pub(crate) fn take_result(child: Owner) -> Result<Option<Object>> {
    let slot = TREE.slot(child.slot());
    if slot.result.load(Ordering::Acquire) == 0 {
        return Ok(None);
    }
    let open = private(&TREE);
    let entry = open.private.reserve(&TREE)?;
    let mut books = books::open(&TREE);
    if Tenancy::of(slot).generation != child.generation() {
        return Ok(None);
    }
    let ledger::Line::Held(r) = ledger::read(&slot.result) else { return Ok(None) };
    let mut tx = books.begin();
    tx.set(entry, ledger::held(r));
    tx.set(&slot.result, 0);
    tx.commit();
    open.private.note_used(&TREE, entry);
    Ok(Some(Object { r, entry: Entry::of(&TREE, entry) }))
}

/// Whether the slot carries something that its process's parent may still come for.
pub(super) fn is_awaited(s: &'static Segment, slot: &ProcessSlot, tenancy: Tenancy) -> bool {
    if slot.result.load(Ordering::Acquire) == 0 {
        return false;
    }
    Owner::from_bits(tenancy.creator).is_some_and(|parent| !table::is_dead(s, parent))
}

/// By the parent: nobody comes for what the child has left.
pub(crate) fn refuse_result(child: Owner) {
    let slot = TREE.slot(child.slot());
    if Tenancy::of(slot).generation == child.generation() {
        drop_carried(&slot.result);
    }
}
