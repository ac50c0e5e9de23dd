//! The lock word: one holder at a time, everybody's turn comes, and a dead holder's lock goes on.

use super::explore::{Body, End, Hasty, Model, Process, unmourned};
use super::park::{Held, OwnerLock, Tree};
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("lock_two", two),
    ("lock_three", three),
    ("lock_timeout", timeout),
    ("lock_try", try_once),
    ("lock_kill_of_two", kill_of_two),
    ("lock_kill_of_three", kill_of_three),
    ("lock_kept_two", kept_two),
    ("lock_kept_three", kept_three),
    ("lock_kept_once_in_vain", kept_once_in_vain),
    ("lock_kept_timeout", kept_timeout),
    ("lock_kept_try", kept_try),
    ("lock_kept_kill", kept_kill),
    ("lock_kept_kill_of_the_holder", kept_kill_of_the_holder),
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

fn pass_by(tree: &impl Tree, shared: &Shared, deadline: Deadline) -> bool {
    let held = shared.lock.acquire(tree, || deadline);
    if let Some(held) = held {
        shared.count(held);
        assert!(shared.lock.release(tree), "it was not held");
    }
    held.is_some()
}

fn pass(process: &Process, shared: &Shared) {
    assert!(pass_by(process, shared, Deadline::Never), "without a limit");
}

fn pass_in_time(process: &Process, shared: &Shared) {
    pass_by(process, shared, Deadline::Strike);
}

fn pass_at_once(process: &Process, shared: &Shared) {
    pass_by(process, shared, Deadline::NoWait);
}

/// Whoever has to sleep asks for the lock at once.
fn ask(process: &Process, shared: &Shared) {
    assert!(pass_by(&Hasty::<0>(process), shared, Deadline::Never), "without a limit");
}

fn ask_once_in_vain(process: &Process, shared: &Shared) {
    assert!(pass_by(&Hasty::<1>(process), shared, Deadline::Never), "without a limit");
}

fn ask_in_time(process: &Process, shared: &Shared) {
    pass_by(&Hasty::<0>(process), shared, Deadline::Strike);
}

fn pass_twice(process: &Process, shared: &Shared) {
    pass(process, shared);
    pass(process, shared);
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

fn kept_two() {
    model(4, &[pass_twice, ask], |shared, end| shared.check(3, end)).run();
}

fn kept_three() {
    model(3, &[ask, ask, pass], |shared, end| shared.check(3, end)).run();
}

/// A newcomer takes what somebody was woken for.
fn kept_once_in_vain() {
    model(2, &[pass_twice, ask_once_in_vain, pass], |shared, end| shared.check(4, end)).run();
}

/// Who has asked leaves.
fn kept_timeout() {
    let end = |shared: &Shared, _| assert!(!shared.lock.is_held());
    model(2, &[pass, |process, _| process.strike(), ask_in_time, pass], end).run();
}

fn kept_try() {
    let end = |shared: &Shared, end: End| {
        // SAFETY: all processes are gone.
        assert_eq!(shared.told_of_deaths.with(|at| unsafe { *at }), 0, "told of a death");
        assert!(end.killed.is_none() && !shared.lock.is_held());
    };
    model(3, &[pass, ask, pass_at_once], end).run();
}

/// Who has asked dies.
fn kept_kill() {
    model(2, &[ask, pass, pass], |shared, end| shared.check(3 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}

fn kept_kill_of_the_holder() {
    model(2, &[pass, ask, pass], |shared, end| shared.check(3 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}

fn kill_of_two() {
    model(4, &[pass, pass], |shared, end| shared.check(2 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}

fn kill_of_three() {
    model(2, &[pass, pass, pass], |shared, end| shared.check(3 - usize::from(end.killed.is_some()), end))
        .kill(&[0]);
}
