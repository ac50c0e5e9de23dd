//! Segments: shared files that begin with a table of the processes that use them. The tree has one without a name,
//! which holds every anonymous object; each object with a name has one of its own ([`names`]).
//!
//! Three rules keep it whole when a process is killed between two stores:
//! (a) the whole transition is one word ([`crate::park::OwnerLock`], the states in [`table`]);
//! (b) claim in place: a block is allocated by one compare-and-swap of its own header ([`blocks`]);
//! (c) what needs more words under a lock writes them into that lock's redo record first ([`redo`], [`books`]).

mod blocks;
mod books;
mod carriers;
mod data;
mod extents;
mod format;
mod item;
mod layout;
mod ledger;
mod loans;
mod names;
mod objects;
mod own;
mod parcels;
mod pipe_block;
mod pool_area;
mod priority_block;
mod queue_block;
mod redo;
mod result;
mod rings;
mod segment;
mod spares;
mod stats;
mod sweep;
mod table;
mod tree;
mod units;
mod wait_blocks;

pub(crate) use carriers::{
    carried, carried_ref, carriers, carry, carry_and_store, drop_carried, settle, settle_pending,
    take_carried,
};
pub(crate) use item::{ItemCell, Shown};
pub(crate) use layout::{
    ArrayBlock, BytesBlock, Kind, LockBlock, MemoryBlock, PoolBlock, Ref, SemaphoreBlock, ValueBlock, Words,
};
pub(crate) use ledger::Entry;
pub(crate) use loans::{
    GATE_ORPHANS, ORPHAN, RELEASING, Terms, forget_orphans, lend, lend_own, own_bytes, own_data,
    reserve_bytes, take_from_dead,
};
pub(crate) use names::{
    Naming, Opening, Wanted, create_nameless, hold_again, let_go, open, passport, reap_all, receive, unlink,
    visit,
};
pub(crate) use objects::{
    Data, Object, address, create, create_in, data, hold, hold_for, reference, release, resolve, resolve_in,
};
pub(crate) use own::{is_one as is_segment, ticket};
pub(crate) use parcels::{Content, ParcelBlock, pack, pack_with, packed, parcel};
pub(crate) use pipe_block::{Edge, PARCELS, PipeBlock, RING, SPARES, WayBlock};
pub(crate) use pool_area::{AHEAD, IN_BLOCK, INLINE, OUT_BLOCK, PoolArea, TARGETS, TaskSlot, WorkerSlot};
pub(crate) use priority_block::{
    CARRIER, FIRST, HEAP_PARTS, LEASE_PARTS, PriorityBlock, SHORT, Slot, part_bytes, short_bytes,
};
pub(crate) use queue_block::{LARGE, QueueBlock, RingBlock, Side};
pub(crate) use result::{leave_result, refuse_result, take_result};
pub(crate) use rings::{begin_rings, link, memory, pass, ring_data, ring_of, skip_all};
pub(crate) use segment::{Segment, TREE};
pub(crate) use spares::{close_room, leave, room};
pub(crate) use stats::stats;
pub(crate) use sweep::sweep;
pub(crate) use table::{
    Birth, await_birth, claim_child, exit_status, give_up, leave_exit_status, note_normal_exit, note_pid,
    report_birth,
};
pub(crate) use tree::{In, ThisTree, enter_child, enter_image, join, tree_of};
pub(crate) use wait_blocks::{BarrierBlock, ConditionBlock, EventBlock};
#[cfg(test)]
mod tests;
