//! Semaphores: no more in than there are slots, no slot lost, and the accounted one gets those of the dead back.

use super::explore::{Body, End, Model, Process, unmourned};
use super::park::{Accounts, OwnerLock, SemaphoreWord, Spot};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("semaphore_one_slot", one_slot),
    ("semaphore_release_two", release_two),
    ("semaphore_timeout", timeout),
    ("semaphore_two_slots", two_slots),
    ("semaphore_kill", kill),
    ("semaphore_accounts_one_slot", accounts_one_slot),
    ("semaphore_accounts_two_slots", accounts_two_slots),
    ("semaphore_accounts_kill", accounts_kill),
];

struct Shared {
    plain: SemaphoreWord,
    lock: OwnerLock,
    spot: Spot,
    words: [AtomicU64; 3],
    /// Of the accounted one.
    limit: u64,
    guarded: UnsafeCell<usize>,
}

// SAFETY: the checker sees to it that the guarded cell is used by one at a time.
unsafe impl Sync for Shared {}

fn new(free: u64) -> Shared {
    let shared = Shared {
        plain: SemaphoreWord::default(),
        lock: OwnerLock::default(),
        spot: Spot::default(),
        words: Default::default(),
        limit: 1,
        guarded: UnsafeCell::new(0),
    };
    shared.plain.reset(free);
    shared
}

impl Shared {
    fn accounts(&self) -> Accounts<'_> {
        Accounts { lock: &self.lock, spot: &self.spot, words: &self.words, limit: self.limit }
    }

    fn count(&self) {
        // SAFETY: the caller has the only slot.
        self.guarded.with_mut(|at| unsafe { *at += 1 });
    }
}

fn pass(process: &Process, shared: &Shared) {
    assert!(shared.plain.acquire(process, Deadline::Never));
    shared.count();
    assert!(shared.plain.release::<Process>(1, 1));
}

fn pass_in_time(process: &Process, shared: &Shared) {
    if shared.plain.acquire(process, Deadline::Strike) {
        assert!(shared.plain.release::<Process>(1, 9));
    }
}

fn take(process: &Process, shared: &Shared) {
    assert!(shared.plain.acquire(process, Deadline::Never));
}

fn give(_: &Process, shared: &Shared) {
    assert!(shared.plain.release::<Process>(1, 9));
}

fn give_two(_: &Process, shared: &Shared) {
    assert!(shared.plain.release::<Process>(2, 9));
}

fn all_free(shared: &Shared, free: u64) {
    assert_eq!(shared.plain.free(), free, "slots");
}

fn one_slot() {
    let processes: &[Body<Shared>] = &[pass, pass, pass];
    Model {
        new: || new(1),
        processes,
        end: |shared, _| all_free(shared, 1),
        mourn: unmourned,
        interruptions: 2,
    }
    .run();
}

fn release_two() {
    let processes: &[Body<Shared>] = &[give_two, take, take];
    Model {
        new: || new(0),
        processes,
        end: |shared, _| all_free(shared, 0),
        mourn: unmourned,
        interruptions: 2,
    }
    .run();
}

fn timeout() {
    let processes: &[Body<Shared>] = &[give, |process, _| process.strike(), pass_in_time, take];
    Model {
        new: || new(0),
        processes,
        end: |shared, _| all_free(shared, 0),
        mourn: unmourned,
        interruptions: 1,
    }
    .run();
}

fn take_and_give(process: &Process, shared: &Shared) {
    take(process, shared);
    give(process, shared);
}

fn two_slots() {
    let processes: &[Body<Shared>] = &[take_and_give, take_and_give, take_and_give];
    Model {
        new: || new(2),
        processes,
        end: |shared, _| all_free(shared, 2),
        mourn: unmourned,
        interruptions: 2,
    }
    .run();
}

/// Of two slots the dead one keeps one for ever, or not.
fn kill() {
    let end = |shared: &Shared, end: End| {
        let free = shared.plain.free();
        assert!(free == 2 || end.killed.is_some() && free == 1, "{free} slots");
    };
    let processes: &[Body<Shared>] = &[take_and_give, take_and_give, take_and_give];
    Model { new: || new(2), processes, end, mourn: unmourned, interruptions: 1 }.kill(&[0]);
}

fn pass_accounted(process: &Process, shared: &Shared) {
    shared.accounts().acquire(process, Deadline::Never).expect("without a limit");
    shared.count();
    shared.accounts().release(process, 1).expect("it has one");
}

fn end_accounted(shared: &Shared, end: End) {
    let named = |word: &AtomicU64| (word.load(Ordering::Relaxed) >> 48) as usize;
    let mut holders = shared.words.iter().map(named).filter(|&slot| slot != 0);
    // What is not free is the dead one's, for the next who comes.
    assert!(holders.all(|slot| end.killed == Some(slot - 1)), "somebody still has a slot");
}

fn accounts_one_slot() {
    let processes: &[Body<Shared>] = &[pass_accounted, pass_accounted];
    Model { new: || new(0), processes, end: end_accounted, mourn: unmourned, interruptions: 3 }.run();
}

/// Two of three at a time.
fn accounts_two_slots() {
    let pass: Body<Shared> = |process, shared| {
        shared.accounts().acquire(process, Deadline::Never).expect("without a limit");
        shared.accounts().release(process, 1).expect("it has one");
    };
    let new = || Shared { limit: 2, ..new(0) };
    Model {
        new,
        processes: Box::leak(Box::new([pass, pass, pass])),
        end: end_accounted,
        mourn: unmourned,
        interruptions: 1,
    }
    .run();
}

fn accounts_kill() {
    let processes: &[Body<Shared>] = &[pass_accounted, pass_accounted];
    Model { new: || new(0), processes, end: end_accounted, mourn: unmourned, interruptions: 2 }.kill(&[0]);
}
