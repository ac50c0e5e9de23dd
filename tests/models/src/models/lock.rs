//! The lock word: one holder at a time, everybody's turn comes, and a dead holder's lock goes on.

use super::explore::{Body, End, Model, Process, unmourned};
use super::park::{Held, OwnerLock};
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("lock_two", two),
    ("lock_three", three),
    ("lock_timeout", timeout),
    ("lock_try", try_once),
    ("lock_kill_of_two", kill_of_two),
    ("lock_kill_of_three", kill_of_three),
];

#[derive(Default)]
pub(super) struct Shared {
    pub(super) lock: OwnerLock,
    /// Guarded by the lock; the checker finds whoever is there together with another.
    guarded: UnsafeCell<usize>,
    told_of_deaths: UnsafeCell<usize>,
}

// SAFETY: the checker sees to it that the guarded cells are used by one at a time.
unsafe impl Sync for Shared {}

impl Shared {
    /// What whoever holds the lock does.
    pub(super) fn count(&self, held: Held) {
        // SAFETY: the caller holds the lock.
        self.guarded.with_mut(|at| unsafe { *at += 1 });
        if held == Held::AfterDeath {
            // SAFETY: as above.
            self.told_of_deaths.with_mut(|at| unsafe { *at += 1 });
        }
    }

    /// At the end: so many have come to theirs, and the one who was killed has counted or not.
    pub(super) fn check(&self, lived: usize, end: End) {
        // SAFETY: all processes are gone.
        let (counted, told) = unsafe { (self.guarded.with(|at| *at), self.told_of_deaths.with(|at| *at)) };
        let dead = usize::from(end.killed.is_some());
        assert!((lived..=lived + dead).contains(&counted), "{counted} of {lived} were in");
        assert!(told <= dead, "told of {told} deaths");
        assert!(!self.lock.is_held() || dead == 1, "nobody is left who holds it");
    }
}

fn pass(process: &Process, shared: &Shared) {
    let held = shared.lock.acquire(process, || Deadline::Never).expect("without a limit");
    shared.count(held);
    assert!(shared.lock.release(process), "it was not held");
}

fn pass_in_time(process: &Process, shared: &Shared) {
    if let Some(held) = shared.lock.acquire(process, || Deadline::Strike) {
        shared.count(held);
        assert!(shared.lock.release(process), "it was not held");
    }
}

fn pass_at_once(process: &Process, shared: &Shared) {
    if let Some(held) = shared.lock.acquire(process, || Deadline::NoWait) {
        shared.count(held);
        assert!(shared.lock.release(process), "it was not held");
    }
}

fn model(interruptions: usize, processes: &'static [Body<Shared>], end: fn(&Shared, End)) -> Model<Shared> {
    Model { new: Shared::default, processes, mourn: unmourned, end, interruptions }
}

fn two() {
    model(4, &[pass, pass], |shared, end| shared.check(2, end)).run();
}

fn three() {
    model(3, &[pass, pass, pass], |shared, end| shared.check(3, end)).run();
}

fn timeout() {
    let end = |shared: &Shared, _| assert!(!shared.lock.is_held());
    model(2, &[pass, |process, _| process.strike(), pass_in_time, pass], end).run();
}

fn try_once() {
    let end = |shared: &Shared, _| assert!(!shared.lock.is_held());
    model(3, &[pass, pass_at_once, pass_at_once], end).run();
}

fn kill_of_two() {
    model(4, &[pass, pass], |shared, end| shared.check(2 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}

fn kill_of_three() {
    model(2, &[pass, pass, pass], |shared, end| shared.check(3 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}
