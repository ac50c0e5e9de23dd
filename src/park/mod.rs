//! Sleeping, in one place, for whatever waits; and the lock word that all locks are.
//!
//! The rules, which everything here keeps:
//! 1. The state decides. A wake carries no information: who wakes looks at the state again.
//! 2. No sleep is longer than a slice. After each slice the sleeper looks at the state and asks whether
//!    whoever it waits for still lives, so that a waker killed between its store and its wake costs time only.
//! 3. A sleeper that leaves without taking tries once more, and passes on a wake that it may have eaten.
//! 4. The publisher stores the state, fences, and reads the count of sleepers; the sleeper raises the count,
//!    fences, and reads the state. One of the two sees the other. The count may only err high.
//! 5. Futexes are shared ones, and nobody spins where there is only one CPU.
//! 6. Slices would hide bugs, so sleeps that found work without having been woken are counted (`rescued`).
//!
//! The room knows words, not segments: who lives and who sleeps where is asked of a [`Tree`].

mod barrier;
mod bells;
mod condition;
mod event;
mod lock;
mod owner;
mod patience;
mod rlock;
mod semaphore;
mod spot;

pub(crate) use barrier::{Barrier, BarrierWords, Failure, MOST_PARTIES};
pub(crate) use bells::{Bells, round};
pub(crate) use condition::{ConditionWords, Nodes, PARTS};
pub(crate) use event::EventWord;
pub(crate) use lock::{Held, OwnerLock};
pub(crate) use owner::Owner;
pub(crate) use patience::Patience;
pub(crate) use rlock::{TooDeep, holder};
pub(crate) use semaphore::{Accounts, MOST_SLOTS, NoSlot, NotTaken, SemaphoreWord};
pub(crate) use spot::{Spot, Wait, Waking};

use crate::sys::cpu;
use std::time::Duration;

/// What sleepers need to know of the program's other processes.
pub(crate) trait Tree {
    /// What the caller leaves with the tree while it counts as a sleeper.
    type Seat;
    /// So often it may happen that who was woken finds the lock taken again, before it asks for it to be kept.
    const IN_VAIN: u32 = 2;
    /// This process.
    fn me(&self) -> Owner;
    /// Whether that process is certainly gone. Costs system calls.
    fn is_dead(&self, owner: Owner) -> bool;
    /// Takes back what that process had, which is dead: once for each process, whoever comes first.
    fn bury(&self, owner: Owner);
    /// Counts the caller among the sleepers of `spot` such that its death takes it off again.
    fn sit(&self, spot: &Spot) -> Self::Seat;
    /// Takes the caller off.
    fn rise(&self, spot: &Spot, seat: Self::Seat);
    /// A release is about to wake somebody, and then has woken so many, each of whom says so once it runs. By these a
    /// sleeper tells a wake that is on its way, to it or to another, from one that was lost.
    fn begin_wake(&self);
    fn end_wake(&self, woken: u32);
    fn is_awake(&self);
    /// Wakes that are on their way, and how many sleepers were woken so far, in the whole tree.
    fn wakes(&self) -> (u32, u32);
    /// Something happened at this address: whoever watches it from afar has its bell rung.
    fn ring(place: usize);
    /// A sleeper found work that nobody had woken it for.
    fn note_rescue(&self);
    /// A lock was taken from a dead process.
    fn note_owner_death(&self);
}

/// The longest sleep of somebody who waits for an owner or a peer, before up to half of it as jitter, so
/// that many sleepers do not ask the kernel at the same moment.
const SLICE: Duration = Duration::from_millis(50);
/// What a wait that nobody owns lengthens its slices to.
const IDLE_SLICE: Duration = Duration::from_millis(500);
/// After so many slices it counts as idle: some ten seconds, in which a lost wake costs no more than a slice.
const IDLE_AFTER: u32 = 160;
/// How often a word is looked at before going to sleep: about a microsecond, well below what a sleep and a
/// wake cost.
const SPINS: u32 = 6;

/// The next sleep's length, never beyond what is left.
pub(crate) fn slice(idle: bool, remaining: Duration) -> Duration {
    let base = if idle { IDLE_SLICE } else { SLICE };
    // The clock's low digits are random enough to spread sleepers out.
    let noise = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.subsec_nanos() >> 3);
    (base + base / 2 * (noise % 256) / 256).min(remaining)
}

/// Looks up to [`SPINS`] times, where there is a second CPU on which things may change meanwhile; and once after
/// whoever wants this CPU had it, which is half a sleep and a wake where that is who is waited for.
fn spin<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for round in 0..if cpu::several() { SPINS } else { 0 } {
        if let Some(found) = look() {
            return Some(found);
        }
        // Ever longer between the looks: each one takes the word's line from whoever is at work there.
        for _ in 0..1 << round {
            std::hint::spin_loop();
        }
    }
    cpu::give_way_where_it_pays();
    look()
}

/// Lets things change, where there is a second CPU on which they may; else false.
fn pause(times: u32) -> bool {
    let several = cpu::several();
    for _ in 0..if several { times } else { 0 } {
        std::hint::spin_loop();
    }
    several
}

#[cfg(test)]
mod tests;
