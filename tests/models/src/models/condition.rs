//! Conditions: a notification releases as many as it says, whoever gives up, and those of the dead reach others.

use super::explore::{Body, Counter, End, Model, Process};
use super::park::{ConditionWords, Nodes, OwnerLock};
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("condition_two", two),
    ("condition_all", all),
    ("condition_timeout", timeout),
    ("condition_kill", kill),
];

#[derive(Default)]
struct Shared {
    lock: OwnerLock,
    words: ConditionWords,
    /// How many wait, or did; those for whom another one waits.
    waiting: Counter,
    /// The others.
    first: Counter,
    /// How many came to their ends.
    over: Counter,
    /// How many were notified and have the lock again.
    guarded: UnsafeCell<usize>,
}

// SAFETY: the checker sees to it that the guarded cell is used by one at a time.
unsafe impl Sync for Shared {}

impl Shared {
    fn nodes(&self) -> Nodes<'_> {
        self.words.with(Default::default())
    }

    /// By the lock's holder.
    fn change(&self, what: impl FnOnce(&mut usize)) {
        // SAFETY: the caller holds the lock.
        self.guarded.with_mut(|at| what(unsafe { &mut *at }));
    }

    fn look(&self) -> usize {
        // SAFETY: the caller holds the lock, or all processes are gone.
        self.guarded.with(|at| unsafe { *at })
    }

    fn acquire(&self, process: &Process) {
        self.lock.acquire(process, || Deadline::Never).expect("without a limit");
    }

    /// As `ConditionBlock::wait` does it.
    fn wait(&self, process: &Process, deadline: Deadline, told: &Counter) -> bool {
        self.acquire(process);
        let seat = self.nodes().sit(process).expect("there is room");
        told.add();
        self.lock.release(process);
        let notified = seat.sleep(process, deadline, || self.nodes().bury_the_granted(process));
        self.acquire(process);
        if notified {
            self.change(|guarded| *guarded += 1);
            seat.leave();
        }
        self.lock.release(process);
        notified
    }

    /// By somebody who knows that so many wait.
    fn notify(&self, process: &Process, count: u64) {
        self.acquire(process);
        let told = self.nodes().notify(process, count);
        assert_eq!(told, count, "notifications");
        self.lock.release(process);
    }
}

fn wait(process: &Process, shared: &Shared) {
    assert!(shared.wait(process, Deadline::Never, &shared.waiting));
}

fn notify(process: &Process, shared: &Shared) {
    shared.waiting.await_count(1, || false);
    shared.notify(process, 1);
}

fn model(interruptions: usize, processes: &'static [Body<Shared>], end: fn(&Shared, End)) -> Model<Shared> {
    let mourn = |process: &Process, shared: &Shared, dead| shared.nodes().note_death(process, dead);
    Model { new: Shared::default, processes, mourn, end, interruptions }
}

/// All have come back.
fn ended(shared: &Shared, released: usize) {
    assert_eq!(shared.look(), released, "notifications");
    assert_eq!(shared.nodes().count(), 0, "nobody waits any more");
}

fn two() {
    model(3, &[wait, notify], |shared, _| ended(shared, 1)).run();
}

fn all() {
    let notify: Body<Shared> = |process, shared| {
        shared.waiting.await_count(2, || false);
        shared.notify(process, 2);
    };
    model(1, Box::leak(Box::new([wait, wait, notify])), |shared, _| ended(shared, 2)).run();
}

/// One gives up, before the notification or after it. That releases the other one, or it, but never nobody.
fn timeout() {
    let in_time: Body<Shared> = |process, shared| {
        if shared.wait(process, Deadline::Strike, &shared.first) {
            // It had what the other one waits for.
            shared.notify(process, 1);
        }
    };
    let notify_late: Body<Shared> = |process, shared| {
        process.strike();
        notify(process, shared);
    };
    let notify_early: Body<Shared> = |process, shared| {
        notify(process, shared);
        process.strike();
    };
    for notify in [notify_late, notify_early] {
        let end = |shared: &Shared, _| assert!(shared.look() >= 1, "notifications");
        model(0, Box::leak(Box::new([in_time, wait, notify])), end).run();
    }
}

/// The one who has waited longest is killed, notified or not: unless it had the lock again, the other one has its
/// notification.
fn kill() {
    let longest: Body<Shared> = |process, shared| {
        shared.wait(process, Deadline::Never, &shared.first);
        shared.over.add();
    };
    let next: Body<Shared> = |process, shared| {
        shared.first.await_count(1, || process.other_is_dead(0));
        wait(process, shared);
    };
    let notify: Body<Shared> = |process, shared| {
        shared.waiting.await_count(1, || false);
        shared.notify(process, 1);
        shared.over.await_count(1, || process.other_is_dead(0));
        shared.acquire(process);
        // Not where the dead one had nothing of it.
        if shared.look() == 1 && shared.nodes().count() == 1 {
            shared.nodes().notify(process, 1);
        }
        shared.lock.release(process);
    };
    model(0, Box::leak(Box::new([longest, next, notify])), |_, _| {}).kill(&[0]);
}
