//! The process table: who there is, and the proof that somebody lives.
//!
//! A process holds a record lock on its slot's byte while it lives; the kernel drops it at death, fork does
//! not inherit it, and neither pid reuse nor pid namespaces confuse it. It has two holes: closing any
//! descriptor of the file drops it, and so does exec, which keeps pid and start time. So when the lock is
//! gone a process still counts as alive if its pid exists and had started by then, is no zombie, and has the
//! segment mapped.

use super::layout::ProcessSlot;
use super::segment::{Segment, TREE};
use super::sweep::{sweep, sweep_in};
use super::tree::ThisTree;
use crate::error::{Result, fail};
use crate::park::{Owner, Wait};
use crate::sys::named::soon;
use crate::sys::page::page;
use crate::sys::{fd, proc};
use crate::time::Deadline;
use std::sync::atomic::{AtomicU64, Ordering};

/// See the table at [`ProcessSlot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Free = 0,
    Starting,
    Live,
    Dead,
    Joining,
}

/// A slot's word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenancy {
    pub(super) stage: Stage,
    pub(super) generation: u16,
    /// Of a STARTING process its parent, as an owner's bits; of a JOINING one its pid.
    pub(super) creator: u32,
}

impl Tenancy {
    pub(super) fn bits(self) -> u64 {
        (self.stage as u64) << 56 | u64::from(self.generation) << 32 | u64::from(self.creator)
    }

    fn from_bits(bits: u64) -> Self {
        let stage = match bits >> 56 {
            1 => Stage::Starting,
            2 => Stage::Live,
            3 => Stage::Dead,
            4 => Stage::Joining,
            _ => Stage::Free,
        };
        Tenancy { stage, generation: (bits >> 32) as u16, creator: bits as u32 }
    }

    pub(super) fn of(slot: &ProcessSlot) -> Self {
        Self::from_bits(slot.word.load(Ordering::Acquire))
    }

    /// Moves the slot on; false if somebody else did.
    pub(super) fn change(self, slot: &ProcessSlot, to: Tenancy) -> bool {
        slot.word.compare_exchange(self.bits(), to.bits(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Takes a slot for a child that is about to come into being.
pub(crate) fn claim_child(creator: Owner) -> Result<Owner> {
    let owner = claim(&TREE, Stage::Starting, creator.bits())?;
    bury_after(&TREE, owner);
    Ok(owner)
}

/// Takes a slot for this process, which is the tree's first or was forked behind libmp's back. Its pid stands in
/// the slot's word itself, so that there is no moment in which nobody could tell whether it lives.
pub(super) fn claim_own(s: &'static Segment) -> Result<Owner> {
    claim(s, Stage::Joining, std::process::id())
}

fn claim(s: &'static Segment, stage: Stage, creator: u32) -> Result<Owner> {
    // Without a slot of one's own the books cannot be opened.
    let joined = s.me() != 0;
    loop {
        if let Some(owner) = claim_ready(s, stage, creator) {
            return Ok(owner);
        }
        // None is free: those of processes that died unnoticed are the next best.
        let ready = ready(s);
        let found = (joined && bury_all(s)) || grow(s, ready)? || (!joined && bury_as_nobody(s)?);
        if !found {
            let all = ready.min(most(s));
            fail!(NoMemory, "{all} processes share the segment, which is all that it has room for");
        }
    }
}

/// How many processes can have a slot. The last one of a named segment is nobody's for long.
fn most(s: &'static Segment) -> u32 {
    s.geometry().slots - u32::from(!s.is_tree())
}

/// In a named segment whose users may all be dead but for some that do nothing: whoever comes buries the dead by the
/// last slot, which it takes for that alone. It holds nothing there, so one who dies as its tenant needs no sweep.
fn bury_as_nobody(s: &'static Segment) -> Result<bool> {
    if s.is_tree() {
        return Ok(false);
    }
    let number = s.geometry().slots;
    let slot = s.slot(number);
    let me = soon(|| {
        let was = Tenancy::of(slot);
        if was.stage != Stage::Free && !is_dead(s, Owner::new(number, was.generation)) {
            return Ok(None);
        }
        let now = Tenancy {
            stage: Stage::Joining,
            generation: was.generation.wrapping_add(1),
            creator: std::process::id(),
        };
        Ok(was.change(slot, now).then(|| Owner::new(number, now.generation)))
    })?;
    go_live(s, me)?;
    s.set_me(me.bits());
    let found = bury_all(s);
    s.set_me(0);
    leave(s, me);
    Ok(found)
}

/// Orphans, and children that the host forked itself, have nobody to bury them. So whoever gets a slot looks
/// after the next two, which are the oldest in use: there are never more of the dead than of the living.
pub(super) fn bury_after(s: &'static Segment, owner: Owner) {
    let ready = ready(s);
    for number in owner.slot()..owner.slot() + 2 {
        bury(s, number % ready + 1);
    }
}

/// Gives back a slot that its process could not enter, and has nothing in.
pub(super) fn withdraw(s: &'static Segment, owner: Owner) {
    let slot = s.slot(owner.slot());
    let was = Tenancy::of(slot);
    if was.generation == owner.generation() {
        was.change(slot, Tenancy { stage: Stage::Free, ..was });
    }
}

pub(super) fn ready(s: &'static Segment) -> u32 {
    s.header().slots_ready.load(Ordering::Acquire).min(s.geometry().slots.into()) as u32
}

/// More slots with memory behind them.
fn grow(s: &'static Segment, ready: u32) -> Result<bool> {
    if ready >= s.geometry().slots {
        return Ok(false);
    }
    let more = s.slots_populated_with(ready + 1);
    s.populate_slots(ready + 1)?;
    let count = &s.header().slots_ready;
    let _ = count.compare_exchange(ready.into(), more.into(), Ordering::AcqRel, Ordering::Relaxed);
    Ok(true)
}

fn claim_ready(s: &'static Segment, stage: Stage, creator: u32) -> Option<Owner> {
    let ready = ready(s);
    let ready = ready.min(most(s));
    let cursor = &s.header().slot_cursor;
    let start = cursor.load(Ordering::Relaxed) as u32;
    for i in 0..ready {
        let number = (start + i) % ready + 1;
        let slot = s.slot(number);
        let was = Tenancy::of(slot);
        if was.stage != Stage::Free {
            continue;
        }
        let now = Tenancy { stage, generation: was.generation.wrapping_add(1), creator };
        if was.change(slot, now) {
            cursor.store(u64::from(number % ready), Ordering::Relaxed);
            // The last tenant's; its sweep took care of ledger and claim.
            for word in [&slot.pid, &slot.seen, &slot.exit, &slot.born] {
                word.store(0, Ordering::Relaxed);
            }
            return Some(Owner::new(number, now.generation));
        }
    }
    None
}

/// Sweeps a slot whose process is dead; true if the slot is free now.
fn bury(s: &'static Segment, number: u32) -> bool {
    let tenancy = Tenancy::of(s.slot(number));
    if tenancy.stage == Stage::Free {
        return false;
    }
    let owner = Owner::new(number, tenancy.generation);
    is_dead(s, owner) && sweep_in(s, owner)
}

/// Whether the process is certainly gone.
pub(super) fn is_dead(s: &'static Segment, owner: Owner) -> bool {
    if owner.bits() == s.me() {
        return false;
    }
    if owner.slot() > s.geometry().slots {
        return true;
    }
    let slot = s.slot(owner.slot());
    let tenancy = Tenancy::of(slot);
    if tenancy.generation != owner.generation() {
        return true;
    }
    match tenancy.stage {
        Stage::Free | Stage::Dead => true,
        // Its parent knows best, and buries it if it never comes up.
        Stage::Starting => {
            Owner::from_bits(tenancy.creator).is_none_or(|o| is_dead(s, o)) && !lives(s, owner, slot)
        }
        Stage::Joining => !proc::lives_with(tenancy.creator, 0, s.identity()),
        Stage::Live => !lives(s, owner, slot),
    }
}

fn lives(s: &'static Segment, owner: Owner, slot: &ProcessSlot) -> bool {
    if let Some(fd) = s.descriptor()
        && fd::byte_is_locked(fd, owner.slot().into()) == Some(true)
    {
        return true;
    }
    let pid = slot.pid.load(Ordering::Relaxed) as u32;
    let seen = slot.seen.load(Ordering::Relaxed);
    proc::lives_with(pid, seen, s.identity())
        // Its own death between the questions is the likeliest reason for a lock that is gone.
        && Tenancy::of(slot).generation == owner.generation()
}

/// In a new process: proves to the others that it lives, and goes from STARTING to LIVE.
pub(super) fn go_live(s: &'static Segment, owner: Owner) -> Result<()> {
    let slot = s.slot(owner.slot());
    let given_up = "the process that started this one has given it up";
    // Before anything is written: the slot may be somebody else's by now.
    if Tenancy::of(slot).generation != owner.generation() {
        fail!(State, "{given_up}");
    }
    slot.pid.store(std::process::id().into(), Ordering::Relaxed);
    slot.seen.store(proc::now(), Ordering::Relaxed);
    if let Some(fd) = s.descriptor() {
        // Without the lock (none to be had) the second question has to do.
        let _ = fd::lock_byte(fd, owner.slot().into());
    }
    let was = Tenancy::of(slot);
    let now = Tenancy { stage: Stage::Live, ..was };
    let coming = matches!(was.stage, Stage::Starting | Stage::Joining);
    if !coming || was.generation != owner.generation() || !was.change(slot, now) {
        fail!(State, "{given_up}");
    }
    Ok(())
}

/// The parent learned the number of a child that may not run yet.
pub(crate) fn note_pid(child: Owner, pid: u32) {
    let slot = TREE.slot(child.slot());
    if Tenancy::of(slot).generation == child.generation() {
        slot.pid.store(pid.into(), Ordering::Relaxed);
    }
}

/// A slot for a child that never came into being.
pub(crate) fn give_up(child: Owner) {
    sweep(child);
}

const LEFT: u64 = 1 << 32;
const LEFT_BY_EXIT: u64 = 1 << 33;

/// What this process's parent reads when the kernel has forgotten.
pub(crate) fn leave_exit_status(code: i32) {
    exit_word(page().me.load(Ordering::Relaxed)).inspect(|w| {
        w.store(LEFT | u64::from(code as u32), Ordering::Release);
    });
}

/// What a child has left, None if it could not.
pub(crate) fn exit_status(child: Owner) -> Option<i32> {
    let word = exit_word(child.bits())?.load(Ordering::Acquire);
    (word & LEFT != 0).then_some(word as i32)
}

/// This process has called exit, be it that nobody learns its code. Those who went through something with it can
/// tell from it that it was not killed.
pub(crate) fn note_normal_exit() {
    exit_word(page().me.load(Ordering::Relaxed)).inspect(|w| {
        w.fetch_or(LEFT_BY_EXIT, Ordering::Release);
    });
}

/// Whether a process that has ended was not killed, and did not end behind libmp's back.
pub(super) fn left_normally(slot: &ProcessSlot) -> bool {
    slot.exit.load(Ordering::Acquire) & (LEFT | LEFT_BY_EXIT) != 0
}

fn exit_word(owner: u32) -> Option<&'static AtomicU64> {
    let owner = Owner::from_bits(owner)?;
    let slot = TREE.slot(owner.slot());
    (Tenancy::of(slot).generation == owner.generation()).then_some(&slot.exit)
}

/// Sweeps whoever died unnoticed: orphans, and children that the host forked itself. True if there were any.
pub(super) fn bury_all(s: &'static Segment) -> bool {
    (1..=ready(s)).filter(|&n| bury(s, n)).count() > 0
}

const BORN: u64 = 1 << 63;

/// By a child whose parent waits for its word: it is ready to run its function (0), or why it is not: a
/// status, or a number that the two have agreed on.
pub(crate) fn report_birth(status: i32, errno: i32) {
    let me = Owner::joined(page().me.load(Ordering::Relaxed));
    let slot = TREE.slot(me.slot());
    slot.born.store(BORN | u64::from(status as u16) << 32 | u64::from(errno as u32), Ordering::Release);
    slot.cradle.notify::<ThisTree>(i32::MAX);
}

/// Waits until a child has said that it is ready, or `gone` answers; None when the time is over.
pub(crate) fn await_birth<G>(
    child: Owner,
    deadline: Deadline,
    gone: impl Fn() -> Option<G>,
) -> Option<Birth<G>> {
    let slot = TREE.slot(child.slot());
    let look = || {
        let word = slot.born.load(Ordering::Acquire);
        (word & BORN != 0).then_some((((word >> 32) as u16) as i16, word as i32))
    };
    match slot.cradle.wait(&ThisTree, deadline, true, look, || gone().map_or(Ok(()), Err)) {
        Ok(Wait::Found((status, errno))) => Some(Birth::Said { status: i32::from(status), errno }),
        Ok(Wait::TimedOut) => None,
        // It may have said something, and died then.
        Err(gone) => {
            Some(look().map_or(Birth::Gone(gone), |(status, errno)| Birth::Said {
                status: i32::from(status),
                errno,
            }))
        }
    }
}

/// How a wait for a child's birth ended.
pub(crate) enum Birth<G> {
    /// It said this.
    Said { status: i32, errno: i32 },
    /// It ended without a word.
    Gone(G),
}

/// A live process gives its slot back, and has nothing in there any more.
pub(super) fn leave(s: &'static Segment, me: Owner) {
    if let Some(fd) = s.descriptor() {
        // Before the slot is the next one's, whose lock it would be in the way of.
        fd::unlock_byte(fd, me.slot().into());
    }
    withdraw(s, me);
}

/// Whether processes have died in there, and nobody lives. Where all have left, it is not.
pub(super) fn is_deserted(s: &'static Segment) -> bool {
    let tenants = (1..=ready(s)).map(|n| (n, Tenancy::of(s.slot(n))));
    let mut tenants = tenants.filter(|(_, t)| t.stage != Stage::Free).peekable();
    tenants.peek().is_some() && tenants.all(|(n, t)| is_dead(s, Owner::new(n, t.generation)))
}

/// How many processes have a slot.
pub(super) fn count(s: &'static Segment) -> u64 {
    (1..=ready(s)).filter(|&n| Tenancy::of(s.slot(n)).stage != Stage::Free).count() as u64
}
