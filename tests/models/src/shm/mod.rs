//! The segment of one run: what src/queue takes from src/shm. The queue's blocks, the chain of its rings, its loans and
//! the redo record are the library's own; what lies below them is only as much as they need.

mod books;
mod carriers;
mod layout;
mod ledger;
mod loans;
mod objects;
mod parcels;
mod queue_block;
mod redo;
mod rings;
mod segment;
mod tree;

pub(crate) use carriers::{carried, carry, drop_carried, settle, settle_pending, take_carried};
pub(crate) use layout::{BytesBlock, Kind};
pub(crate) use ledger::Entry;
pub(crate) use loans::{
    GATE_ORPHANS, ORPHAN, RELEASING, Terms, forget_orphans, lend, lend_own, own_bytes, own_data, reserve_bytes,
    take_from_dead,
};
pub(crate) use objects::{Data, Object, create_in, data, release, resolve_in};
pub(crate) use parcels::{Content, ParcelBlock, pack, packed};
pub(crate) use queue_block::{LARGE, QueueBlock, RingBlock, Side};
pub(crate) use rings::{begin_rings, link, memory, pass, ring_data, ring_of, skip_all};
pub(crate) use segment::{Segment, Store, TREE};
pub(crate) use tree::{In, sweep, tree_of};
