//! From the pointers that C holds to what they stand for.

use super::kind::Kind;
use super::slots::{self, Pin};
use crate::error::{Result, Status, fail};
use crate::shm::{
    self, ArrayBlock, BarrierBlock, ConditionBlock, Entry, EventBlock, In, LockBlock, MemoryBlock, Object,
    PriorityBlock, QueueBlock, Ref, SemaphoreBlock, ValueBlock,
};
use std::marker::PhantomData;
use std::ops::Deref;

/// An opaque type whose handles stand for a block of shared memory.
pub(super) trait Shared {
    const KIND: Kind;
    type Block: 'static;
}

/// An opaque type whose handles stand for an object of this process.
pub(super) trait Boxed {
    const KIND: Kind;
    type Object: Send + Sync + 'static;
}

/// Ties the opaque types to what is behind them.
macro_rules! nouns {
    ($($noun:ty, $kind:ident, $trait:ident: $member:ident = $behind:ty;)*) => {
        $(impl $trait for $noun {
            const KIND: Kind = Kind::$kind;
            type $member = $behind;
        })*
    };
}

nouns! {
    super::lock::mp_lock, Lock, Shared: Block = LockBlock;
    super::rlock::mp_rlock, RLock, Shared: Block = LockBlock;
    super::semaphore::mp_semaphore, Semaphore, Shared: Block = SemaphoreBlock;
    super::value::mp_value, Value, Shared: Block = ValueBlock;
    super::array::mp_array, Array, Shared: Block = ArrayBlock;
    super::shared_memory::mp_shared_memory, SharedMemory, Shared: Block = MemoryBlock;
    super::shareable_list::mp_shareable_list, ShareableList, Shared: Block = MemoryBlock;
    super::queue::mp_queue, Queue, Shared: Block = QueueBlock;
    super::priority_queue::mp_priority_queue, PriorityQueue, Shared: Block = PriorityBlock;
    super::event::mp_event, Event, Shared: Block = EventBlock;
    super::barrier::mp_barrier, Barrier, Shared: Block = BarrierBlock;
    super::condition::mp_condition, Condition, Shared: Block = ConditionBlock;
    super::buffer::mp_buffer, Buffer, Boxed: Object = super::buffer::Buffer;
    super::connection::mp_connection, Connection, Boxed: Object = crate::wire::Connection;
    super::listener::mp_listener, Listener, Boxed: Object = crate::wire::Listener;
    super::process::mp_process, Process, Boxed: Object = std::sync::Arc<crate::process::Process>;
    super::process::mp_child, Child, Boxed: Object = super::child::Context;
    super::context::mp_context, Context, Boxed: Object = super::context::Chosen;
    super::pool::mp_pool, Pool, Boxed: Object = std::sync::Arc<crate::pool::Pool>;
    super::result::mp_result, Result, Boxed: Object = std::sync::Arc<crate::pool::Answer>;
    super::imap::mp_imap, Imap, Boxed: Object = crate::pool::Imap;
    super::manager::mp_manager, Manager, Boxed: Object = crate::manager::Manager;
    super::manager::mp_proxy, Proxy, Boxed: Object = crate::manager::Proxy;
    super::proxy::mp_answer, Answer, Boxed: Object = super::proxy::Content;
    super::object_type::mp_call, Call, Boxed: Object = std::sync::Arc<crate::manager::Call>;
    super::pool::mp_task, Task, Boxed: Object = super::task::Current;
}

/// The block behind a handle that is good and was used here before; None says nothing about it. For
/// [`guard_quick`](super::guard::guard_quick).
#[inline(always)]
pub(super) fn block_quickly<T: Shared>(handle: *const T) -> Option<&'static T::Block> {
    block_and_note(handle).map(|(block, _)| block)
}

/// The same with the block's note.
#[inline(always)]
pub(super) fn block_and_note<T: Shared>(handle: *const T) -> Option<(&'static T::Block, u64)> {
    let data = slots::quick(handle.addr() as u64, T::KIND)?;
    // SAFETY: a good handle of this kind holds the address of such a block in the mapping, which is never undone;
    // blocks are made of atomics.
    Some((unsafe { &*(address::<T>(data) as *const T::Block) }, slots::note_of(data)))
}

/// The block's address in a slot's data, which most kinds have nothing else in.
#[inline(always)]
fn address<T: Shared>(data: usize) -> usize {
    if T::KIND == Kind::Value { slots::address_of(data) } else { data }
}

/// What is to be known of a block of this kind without touching it; 0 is nothing.
pub(super) fn note(kind: Kind, address: usize) -> u64 {
    match kind {
        // SAFETY: the caller holds such a block, and this is its address; it is made of atomics.
        Kind::Value => unsafe { &*(address as *const ValueBlock) }.note(),
        _ => 0,
    }
}

/// In a fork: the object of its own in place of its parent's, of which it has a copy at this address.
pub(super) fn in_fork(kind: Kind, parents: usize) -> Result<usize> {
    match kind {
        // It sees to that itself.
        Kind::Proxy => Ok(parents),
        Kind::Connection => {
            own::<super::connection::mp_connection>(parents, crate::wire::Connection::in_fork)
        }
        Kind::Listener => own::<super::listener::mp_listener>(parents, crate::wire::Listener::in_fork),
        _ => fail!(State, "this handle belongs to the process that made it, of which this one is a fork"),
    }
}

/// The parent's stays where it is: its other threads may have been at work with it.
fn own<T: Boxed>(parents: usize, make: impl FnOnce(&T::Object) -> Result<T::Object>) -> Result<usize> {
    let memory = slots::Memory::new()?;
    // SAFETY: a handle of this kind holds the address of such an object, which nobody in this process frees. Only
    // what never changes is read of it, or what can be asked whether somebody was changing it.
    Ok(memory.put(make(unsafe { &*(parents as *const T::Object) })?))
}

/// The block behind a handle, for as long as this is. Of one without a name the block stays mapped for ever; a
/// handle that is freed while it is used leads to a block that is free or somebody else's, which is the caller's
/// mistake and no danger to memory. One with a name is pinned.
pub(super) enum Block<T: Shared> {
    Nameless(&'static T::Block),
    Pinned(Found<T>),
}

impl<T: Shared> Deref for Block<T> {
    type Target = T::Block;

    #[inline(always)]
    fn deref(&self) -> &T::Block {
        match self {
            Block::Nameless(block) => block,
            Block::Pinned(found) => found.block(),
        }
    }
}

/// The block behind a handle.
#[inline(always)]
pub(super) fn block<T: Shared>(handle: *const T) -> Result<Block<T>> {
    match block_quickly(handle) {
        Some(block) => Ok(Block::Nameless(block)),
        None => find(handle).map(Block::Pinned),
    }
}

/// A block with a name or without, which stays for as long as this is.
pub(super) struct Found<T: Shared>(Pin, PhantomData<T>);

impl<T: Shared> Found<T> {
    pub(super) fn block(&self) -> &T::Block {
        // SAFETY: a good handle of this kind holds the address of such a block; the pin keeps the mapping that it
        // is in, in whose place something readable and writable stays even then.
        unsafe { &*(address::<T>(self.0.data()) as *const T::Block) }
    }

    /// What holds it.
    pub(super) fn entry(&self) -> Entry {
        self.0.entry()
    }

    /// Fails once the handle was closed or freed, for who waits meanwhile.
    pub(super) fn check(&self) -> Result<()> {
        self.0.check()
    }

    /// Closes the handle. The block stays for as long as this does.
    pub(super) fn close(&self) -> Result<()> {
        slots::close(&self.0)
    }

    /// Those who share it.
    pub(super) fn tree(&self) -> In {
        self.0.entry().tree()
    }
}

/// The block behind any good handle.
#[cold]
#[inline(never)]
pub(super) fn find<T: Shared>(handle: *const T) -> Result<Found<T>> {
    Ok(Found(slots::pin(handle.addr() as u64, T::KIND)?, PhantomData))
}

/// Does something with the block behind any good handle that takes no time.
pub(super) fn with<T: Shared, R>(handle: *const T, what: impl FnOnce(&T::Block) -> R) -> Result<R> {
    match block_quickly(handle) {
        Some(block) => Ok(what(block)),
        None => Ok(what(find(handle)?.block())),
    }
}

/// This process took from what the handle stands for, or found nothing to take: a descriptor that the handle may have
/// says so from now on. Always true.
#[inline(always)]
pub(super) fn took<T: Shared>(handle: *const T) -> bool {
    if crate::sync::ready::any() {
        crate::sync::ready::taken(handle.addr() as u64);
    }
    true
}

/// Holds a block in the segment in which this process holds another one by `held`.
pub(super) fn hold_beside(held: Entry, r: Ref, kind: shm::Kind) -> Result<Entry> {
    if held.is_named() { shm::hold_again(held, r, kind) } else { shm::hold(r, kind) }
}

/// A new handle for a block.
pub(super) fn new_shared<T: Shared>(object: Object) -> Result<*mut T> {
    Ok(std::ptr::without_provenance_mut(slots::put_object(T::KIND, object)? as usize))
}

/// The handle of the same object for another item; the last one's is stale from now on.
pub(super) fn renew(task: *mut super::pool::mp_task) -> *mut super::pool::mp_task {
    if task.is_null() {
        return task;
    }
    std::ptr::without_provenance_mut(slots::renew(task.addr() as u64) as usize)
}

/// Room for an object and its handle, for who may not lose what he is about to take.
pub(super) struct Room<T: Boxed>(slots::Room<T::Object>);

pub(super) fn room<T: Boxed>() -> Result<Room<T>> {
    slots::Room::new().map(Room)
}

impl<T: Boxed> Room<T> {
    /// The new handle.
    pub(super) fn put(self, object: T::Object) -> *mut T {
        std::ptr::without_provenance_mut(self.0.put(T::KIND, object) as usize)
    }
}

/// A new handle for an object.
pub(super) fn new_boxed<T: Boxed>(object: T::Object) -> Result<*mut T> {
    Ok(room()?.put(object))
}

/// Keeps a block's handle from being cleaned up while a thread may sleep in it.
pub(super) fn pin_block<T: Shared>(handle: *const T) -> Result<Pin> {
    slots::pin(handle.addr() as u64, T::KIND)
}

/// The object behind a handle, alive for as long as this is.
pub(super) struct Pinned<T: Boxed>(Pin, PhantomData<T>);

impl<T: Boxed> Deref for Pinned<T> {
    type Target = T::Object;

    fn deref(&self) -> &T::Object {
        // SAFETY: a good handle of this kind holds the address of a boxed object, which the pin keeps.
        unsafe { &*(self.0.data() as *const T::Object) }
    }
}

/// The object behind a handle.
pub(super) fn object<T: Boxed>(handle: *const T) -> Result<Pinned<T>> {
    let pin = slots::pin(handle.addr() as u64, T::KIND)?;
    Ok(Pinned(pin, PhantomData))
}

/// Whether a number is one of these handles, be it good or not.
pub(super) fn is_of<T: Boxed>(handle: *const T) -> bool {
    slots::kind_of(handle.addr() as u64) == Some(T::KIND)
}

/// The object behind a handle of a kind that nobody can free: nothing has to keep it.
#[inline(always)]
pub(super) fn lasting(handle: *const super::pool::mp_task) -> Result<&'static super::task::Current> {
    let data = match slots::quick(handle.addr() as u64, Kind::Task) {
        Some(data) => data,
        // Another kind, another process's, or none: this says which.
        None => {
            if slots::kind_of(handle.addr() as u64) == Some(Kind::Task)
                && slots::is_renewed(handle.addr() as u64)
            {
                return Err(crate::pool::task_is_over());
            }
            return slots::slow(handle.addr() as u64, Kind::Task)
                .and_then(|_| fail!(State, "this handle belongs to the process that made it"));
        }
    };
    // SAFETY: a good handle of this kind holds the address of such an object, which no function frees.
    Ok(unsafe { &*(data as *const super::task::Current) })
}

pub(super) fn free_shared<T: Shared>(handle: *mut T) -> Result<Status> {
    slots::free(handle.addr() as u64, T::KIND)
}

pub(super) fn free_boxed<T: Boxed>(handle: *mut T) -> Result<Status> {
    slots::free(handle.addr() as u64, T::KIND)
}
