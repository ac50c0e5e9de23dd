//! The table of handles. What C holds is a number in a pointer's clothes, never an address: bits 3 to 22 are
//! the slot, 23 to 40 its generation, 41 to 45 the kind, and 46 tells that the object has a name. So whatever a program passes, nothing of it is
//! followed, and one load tells whether it is good: the slot's tag is the handle itself with the process's
//! epoch above it, which changes with every fork.
//!
//! | tag                     | the slot                                             |
//! |-------------------------|------------------------------------------------------|
//! | generation only         | is free                                              |
//! | handle, this epoch      | is good                                              |
//! | handle, another epoch   | is a parent's: it is taken over at its first use, or answers STATE |
//! | handle, kind [`SHUT`]   | is closed: its object is given up, and all it is good for is being freed |

mod free;

use super::kind::Kind;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, Entry, Object};
use crate::sys::memory;
use crate::sys::page::page;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

const INDEX_BITS: u32 = 20;
const GENERATION_BITS: u32 = 18;
const GENERATION_AT: u32 = 3 + INDEX_BITS;
const KIND_AT: u32 = GENERATION_AT + GENERATION_BITS;
const EPOCH_AT: u32 = 47;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

/// In place of the kind of a handle that was closed.
const SHUT: u64 = 0x1F;

/// Above the kind of a handle whose object is in a segment of its own.
const NAMED: u64 = 0x20;

/// One handle, or room for one.
pub(super) struct Slot {
    tag: AtomicU64,
    /// The block's address and, above it, its note; or the address of a boxed object.
    data: AtomicUsize,
    /// Where this process's ledger holds the block; of a boxed object, the function that drops it.
    entry: AtomicU64,
    /// Callers inside, and [`CLOSED`].
    pins: AtomicU32,
    /// The block's generation, or [`BOXED`].
    generation: AtomicU32,
}

/// Addresses that programs have lie below this bit, unless they ask for others. Above it is room for a note of what
/// the block is, for who must not touch it to find out.
const NOTE_AT: u32 = 48;
/// Both: the table is for programs of 64 bits.
const _: () = assert!(usize::BITS == 64);

/// The address in a slot's data.
#[inline(always)]
pub(super) fn address_of(data: usize) -> usize {
    data & ((1 << NOTE_AT) - 1)
}

/// The note in a slot's data.
#[inline(always)]
pub(super) fn note_of(data: usize) -> u64 {
    (data >> NOTE_AT) as u64
}

impl Slot {
    /// Of a handle for a block: what holds it, and its name.
    fn held(&self) -> (Entry, shm::Ref) {
        let entry = Entry::from_bits(self.entry.load(Ordering::Relaxed));
        let generation = self.generation.load(Ordering::Relaxed);
        (entry, shm::reference(entry, address_of(self.data.load(Ordering::Relaxed)), generation))
    }
}

/// In place of a generation, of which it is none.
const BOXED: u32 = 1 << 31;
/// Freed: whoever leaves last cleans up.
const CLOSED: u32 = 1 << 31;
/// Somebody does: once for each tenant, also where others come too late and leave meanwhile.
const CLEANING: u32 = 1 << 30;

/// What is asked for while there is no table yet: nobody's.
static NOBODYS: Slot = Slot {
    tag: AtomicU64::new(0),
    data: AtomicUsize::new(0),
    entry: AtomicU64::new(0),
    pins: AtomicU32::new(0),
    generation: AtomicU32::new(0),
};

static TABLE: AtomicPtr<Slot> = AtomicPtr::new((&raw const NOBODYS).cast_mut());
/// A power of two, or 0 while there is no table yet.
static CAPACITY: AtomicUsize = AtomicUsize::new(0);
/// One less than that, or 0.
static MASK: AtomicUsize = AtomicUsize::new(0);

/// The slot that a handle says.
fn slot_of(handle: u64) -> Option<&'static Slot> {
    slot((handle >> 3 & INDEX_MASK) as usize)
}

fn slot(index: usize) -> Option<&'static Slot> {
    if index >= CAPACITY.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the table has so many slots, zeroed by the kernel, and is never unmapped.
    Some(unsafe { &*TABLE.load(Ordering::Relaxed).add(index) })
}

/// Room for a million handles, or for as many as the address space allows; untouched it costs nothing.
fn reserve() -> Result<()> {
    let mut capacity = 1 << INDEX_BITS;
    loop {
        match memory::private_reserve(capacity * size_of::<Slot>()) {
            Ok(at) => {
                TABLE.store(at.cast(), Ordering::Relaxed);
                MASK.store(capacity - 1, Ordering::Release);
                CAPACITY.store(capacity, Ordering::Release);
                return Ok(());
            }
            Err(_) if capacity > 4096 => capacity /= 2,
            Err(e) => return Err(e),
        }
    }
}

pub(super) fn kind_of(tag: u64) -> Option<Kind> {
    Kind::from_bits(tag >> KIND_AT & (NAMED - 1))
}

/// Whether a slot's handle was closed and not freed yet.
fn is_closed(tag: u64) -> bool {
    tag >> KIND_AT & (NAMED - 1) == SHUT
}

/// The tag of such a slot, below the epoch.
fn shut(handle: u64) -> u64 {
    handle | SHUT << KIND_AT
}

fn tag_of(handle: u64) -> u64 {
    handle | page().epoch.load(Ordering::Relaxed) << EPOCH_AT
}

/// The data of a good handle of this kind; None sends the caller the slow way.
#[inline(always)]
pub(super) fn quick(handle: u64, kind: Kind) -> Option<usize> {
    if handle >> KIND_AT != kind as u64 {
        return None;
    }
    // A number beyond the table leads to another slot, whose tag is then another one: no bound to check.
    let index = (handle >> 3) as usize & MASK.load(Ordering::Acquire);
    // SAFETY: there are so many slots, or this one for all, and they are never unmapped. Acquire above: who sees
    // the mask sees the table that it is for.
    let slot = unsafe { &*TABLE.load(Ordering::Relaxed).add(index) };
    let tag = tag_of(handle);
    // Acquire: behind the tag the rest of the slot is complete.
    if slot.tag.load(Ordering::Acquire) != tag {
        return None;
    }
    // Who frees the handle changes the tag before the data; so data that was changed comes with a tag that was.
    let data = slot.data.load(Ordering::Acquire);
    (slot.tag.load(Ordering::Relaxed) == tag).then_some(data)
}

/// Looks the handle up with all that may have to be done first, or says what is wrong with it.
#[cold]
#[inline(never)]
pub(super) fn slow(handle: u64, kind: Kind) -> Result<&'static Slot> {
    if handle == 0 {
        fail!(BadHandle, "{} is expected, and NULL was passed", kind.name());
    }
    let slot = slot_of(handle).filter(|_| handle >> EPOCH_AT == 0 && handle & 7 == 0);
    let found = kind_of(handle).filter(|_| slot.is_some());
    let (Some(slot), Some(found)) = (slot, found) else {
        fail!(BadHandle, "{} is expected, and {handle:#x} is no handle at all", kind.name());
    };
    let tag = slot.tag.load(Ordering::Acquire);
    if tag & ((1 << EPOCH_AT) - 1) == shut(handle) {
        return Err(closed(found));
    }
    if tag & ((1 << EPOCH_AT) - 1) != handle {
        fail!(BadHandle, "{} is expected, and this handle was freed", kind.name());
    }
    if found != kind {
        fail!(BadHandle, "{} is expected, and this is {}", kind.name(), found.name());
    }
    super::guard::joined()?;
    if tag != tag_of(handle) {
        take_over(slot, handle, kind)?;
    }
    Ok(slot)
}

#[cold]
fn closed(kind: Kind) -> Error {
    Error::new(Status::Closed, format!("this handle of {} was closed", kind.name()))
}

/// A handle from before the fork that made this process: it holds the block from now on, too, or has an object of
/// its own.
fn take_over(slot: &Slot, handle: u64, kind: Kind) -> Result<()> {
    let (_guard, _) = free::list()?;
    if slot.tag.load(Ordering::Acquire) == tag_of(handle) {
        return Ok(());
    }
    if let Some(block) = kind.block() {
        let (held, r) = slot.held();
        let entry = super::handle::hold_beside(held, r, block)?;
        slot.entry.store(entry.bits(), Ordering::Relaxed);
    } else {
        let data = super::handle::in_fork(kind, slot.data.load(Ordering::Relaxed))?;
        slot.data.store(data, Ordering::Relaxed);
    }
    slot.pins.store(0, Ordering::Relaxed);
    slot.tag.store(tag_of(handle), Ordering::Release);
    Ok(())
}

/// A slot that was taken for a new handle, and that nobody finds before it is filled.
struct Vacant(usize, &'static Slot);

impl Vacant {
    fn new() -> Result<Self> {
        let (_guard, free) = free::list()?;
        let index = free.take()?;
        let Some(slot) = slot(index) else { fail!(NoMemory, "no slot for a handle") };
        Ok(Vacant(index, slot))
    }

    fn fill(self, kind: u64, data: usize, entry: u64, block_generation: u32) -> u64 {
        let Vacant(index, slot) = self;
        std::mem::forget(self);
        let generation =
            (slot.tag.load(Ordering::Relaxed) >> GENERATION_AT).wrapping_add(1) & GENERATION_MASK;
        let handle = (index as u64) << 3 | generation << GENERATION_AT | kind << KIND_AT;
        slot.data.store(data, Ordering::Relaxed);
        slot.entry.store(entry, Ordering::Relaxed);
        slot.generation.store(block_generation, Ordering::Relaxed);
        slot.tag.store(tag_of(handle), Ordering::Release);
        handle
    }
}

impl Drop for Vacant {
    fn drop(&mut self) {
        if let Ok((_guard, free)) = free::list() {
            free.give_back(self.1);
        }
    }
}

/// A handle for a block that this process holds. Without one the block is released.
pub(super) fn put_object(kind: Kind, object: Object) -> Result<u64> {
    let address = shm::address(object);
    // A note that does not fit is none.
    let note = u64::from(u16::try_from(super::handle::note(kind, address)).unwrap_or(0)) << NOTE_AT;
    let named = if object.entry.is_named() { NAMED } else { 0 };
    let vacant = Vacant::new().inspect_err(|_| shm::let_go(object.entry))?;
    Ok(vacant.fill(kind as u64 | named, address | note as usize, object.entry.bits(), object.r.generation()))
}

/// Memory for an object of this process.
pub(super) struct Memory<T>(Vec<T>);

impl<T> Memory<T> {
    pub(super) fn new() -> Result<Self> {
        // Not Box::new: where there is no memory it ends the host.
        let mut memory = Vec::new();
        if memory.try_reserve_exact(1).is_err() {
            return Err(Error::new(Status::NoMemory, "no memory for an object behind a handle"));
        }
        Ok(Memory(memory))
    }

    /// Where the object is.
    pub(super) fn put(mut self, object: T) -> usize {
        self.0.push(object);
        Box::into_raw(self.0.into_boxed_slice()).cast::<T>() as usize
    }
}

/// Room for an object of this process with a handle of its own.
pub(super) struct Room<T> {
    vacant: Vacant,
    memory: Memory<T>,
}

impl<T: Send + Sync> Room<T> {
    pub(super) fn new() -> Result<Self> {
        let memory = Memory::new()?;
        Ok(Room { vacant: Vacant::new()?, memory })
    }

    /// The handle.
    pub(super) fn put(self, kind: Kind, object: T) -> u64 {
        let raw = self.memory.put(object);
        self.vacant.fill(kind as u64, raw, drop_boxed::<T> as fn(usize) as usize as u64, BOXED)
    }
}

/// The next handle for the same object, in place of this one, which is stale from now on. By the one thread that
/// calls this for a handle that nobody frees or closes.
pub(super) fn renew(handle: u64) -> u64 {
    let next = handle & !(GENERATION_MASK << GENERATION_AT)
        | (handle + (1 << GENERATION_AT)) & GENERATION_MASK << GENERATION_AT;
    if let Some(slot) = slot_of(handle) {
        slot.tag.store(tag_of(next), Ordering::Release);
    }
    next
}

/// Whether the handle's slot has a later handle for the same object, as [`renew`] makes them.
pub(super) fn is_renewed(handle: u64) -> bool {
    let Some(slot) = slot_of(handle) else { return false };
    let but_the_generation = |tag: u64| tag & !(GENERATION_MASK << GENERATION_AT);
    but_the_generation(slot.tag.load(Ordering::Acquire)) == but_the_generation(tag_of(handle))
}

/// Keeps a handle's object alive while a caller uses it.
pub(super) struct Pin(&'static Slot, u64, Kind);

/// Pins the object behind a handle.
pub(super) fn pin(handle: u64, kind: Kind) -> Result<Pin> {
    let slot = slow(handle, kind)?;
    slot.pins.fetch_add(1, Ordering::AcqRel);
    let pin = Pin(slot, handle, kind);
    pin.check()?;
    Ok(pin)
}

/// Pins the object behind a handle of any kind.
pub(super) fn pin_any(handle: u64) -> Result<(Pin, Kind)> {
    if handle == 0 {
        fail!(BadHandle, "a handle is expected, and NULL was passed");
    }
    // What is no handle at all is none of this kind either.
    let kind = kind_of(handle).unwrap_or(Kind::Lock);
    Ok((pin(handle, kind)?, kind))
}

/// Closes the handle of a block: whatever is done with it but free fails from now on. What it stood for goes with
/// the last caller inside.
pub(super) fn close(pin: &Pin) -> Result<()> {
    let &Pin(slot, handle, _) = pin;
    let shut = tag_of(shut(handle));
    if slot.tag.compare_exchange(tag_of(handle), shut, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return pin.check();
    }
    crate::sync::ready::forget(handle);
    slot.pins.fetch_or(CLOSED, Ordering::AcqRel);
    Ok(())
}

impl Pin {
    /// Whether the handle is still good.
    pub(super) fn check(&self) -> Result<()> {
        let &Pin(slot, handle, kind) = self;
        match slot.tag.load(Ordering::Acquire) {
            tag if tag == tag_of(handle) => Ok(()),
            tag if tag == tag_of(shut(handle)) => Err(closed(kind)),
            _ => fail!(BadHandle, "{} is expected, and this handle was freed", kind.name()),
        }
    }

    pub(super) fn data(&self) -> usize {
        self.0.data.load(Ordering::Relaxed)
    }

    /// Of a handle for a block: what holds it.
    pub(super) fn entry(&self) -> Entry {
        Entry::from_bits(self.0.entry.load(Ordering::Relaxed))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.0.pins.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            clean_up(self.0);
        }
    }
}

/// Frees a handle; what it stood for goes with the last caller inside.
pub(super) fn free(handle: u64, kind: Kind) -> Result<Status> {
    if handle == 0 {
        return Ok(Status::Ok);
    }
    let slot = match slow(handle, kind) {
        Err(e) if e.status == Status::Closed => return free_closed(handle, kind),
        found => found?,
    };
    let freed = freed(handle);
    // Of two that free at once, one gets here.
    if slot.tag.compare_exchange(tag_of(handle), freed, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        fail!(BadHandle, "{} is expected, and this handle was freed", kind.name());
    }
    crate::sync::ready::forget(handle);
    if slot.pins.fetch_or(CLOSED, Ordering::AcqRel) == 0 {
        clean_up(slot);
    }
    Ok(Status::Ok)
}

/// Frees a handle of whatever kind.
pub(super) fn free_any(handle: u64) -> Result<Status> {
    kind_of(handle).map_or(Ok(Status::Ok), |kind| free(handle, kind))
}

/// Without kind and epoch nobody finds it any more.
fn freed(handle: u64) -> u64 {
    handle & (GENERATION_MASK << GENERATION_AT)
}

/// The same of a closed one, whose object may have gone already. The mutex is held so that exactly one of this and
/// of who cleans up hands the slot on.
fn free_closed(handle: u64, kind: Kind) -> Result<Status> {
    let (_guard, free) = free::list()?;
    let Some(slot) = slot_of(handle) else {
        fail!(BadHandle, "{} is expected, and {handle:#x} is no handle at all", kind.name());
    };
    let tag = slot.tag.load(Ordering::Acquire);
    let is_it = tag & ((1 << EPOCH_AT) - 1) == shut(handle);
    if !is_it || slot.tag.compare_exchange(tag, freed(handle), Ordering::AcqRel, Ordering::Relaxed).is_err() {
        fail!(BadHandle, "{} is expected, and this handle was freed", kind.name());
    }
    if tag != tag_of(shut(handle)) {
        // What a parent's handle still had, and who was inside, is the parent's.
        slot.entry.store(0, Ordering::Relaxed);
        slot.data.store(0, Ordering::Relaxed);
        slot.pins.store(0, Ordering::Relaxed);
    }
    if slot.pins.fetch_or(CLOSED, Ordering::AcqRel) == 0 {
        slot.pins.store(0, Ordering::Release);
        free.give_back(slot);
    }
    Ok(Status::Ok)
}

/// By whoever leaves a freed slot last. That may be somebody who came for an earlier tenant and found it gone,
/// so what is to be done stands in the slot, not in the caller.
fn clean_up(slot: &'static Slot) {
    let claim = slot.pins.compare_exchange(CLOSED, CLOSED | CLEANING, Ordering::AcqRel, Ordering::Relaxed);
    if claim.is_err() {
        return;
    }
    let data = slot.data.swap(0, Ordering::AcqRel);
    let entry = slot.entry.swap(0, Ordering::Relaxed);
    if slot.generation.load(Ordering::Relaxed) == BOXED {
        // SAFETY: Room::put stored this function with the object that it is for.
        let discard: fn(usize) = unsafe { std::mem::transmute(entry as usize) };
        discard(data);
    } else if entry != 0 {
        shm::let_go(Entry::from_bits(entry));
    }
    let listed = free::list();
    slot.pins.fetch_and(!(CLOSED | CLEANING), Ordering::Release);
    if let Ok((_guard, free)) = listed
        && !is_closed(slot.tag.load(Ordering::Relaxed))
    {
        free.give_back(slot);
    }
}

/// Drops a boxed object.
fn drop_boxed<T>(raw: usize) {
    if raw != 0 {
        // SAFETY: Room::put made it of a T, and nobody is inside any more.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(raw as *mut T, 1)) });
    }
}

/// What a handle of any kind that has a block stands for.
pub(super) struct Known {
    pub(super) kind: shm::Kind,
    pub(super) r: shm::Ref,
    /// Holds the block for as long as the handle is pinned.
    pub(super) entry: Entry,
    _pin: Pin,
}

/// The block behind a handle of any kind that has one.
pub(super) fn known(handle: u64) -> Result<Known> {
    let kind = kind_of(handle).unwrap_or(Kind::Lock);
    let pin = pin(handle, kind)?;
    let Some(block) = kind.block() else {
        return Err(Error::new(
            Status::Unsupported,
            format!("{} cannot be handed to another process", kind.name()),
        ));
    };
    let (entry, r) = pin.0.held();
    Ok(Known { kind: block, r, entry, _pin: pin })
}
