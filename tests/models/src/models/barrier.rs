//! Barriers: nobody passes before all are there, all of a cycle come out the same way, and a death breaks it.

use super::explore::{Body, End, Model, Process};
use super::park::{Barrier, BarrierWords};
use crate::sys::atomic::AtomicU64;
use crate::time::Deadline;
use loom::cell::UnsafeCell;
use std::sync::Mutex;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("barrier_two", two),
    ("barrier_two_cycles", two_cycles),
    ("barrier_three", three),
    ("barrier_action", action),
    ("barrier_timeout", timeout),
    ("barrier_abort", abort),
    ("barrier_reset", reset),
    ("barrier_kill", kill),
    ("barrier_kill_of_three", kill_of_three),
];

const MOST: usize = 3;

struct Shared {
    words: BarrierWords,
    members: Vec<AtomicU64>,
    has_action: bool,
    /// What each party brings, and all see.
    brought: [UnsafeCell<u32>; MOST],
    acted: UnsafeCell<u32>,
    /// Who passed, for the end.
    passed: Mutex<Vec<bool>>,
}

// SAFETY: the checker sees to it that nobody reads a cell while another one writes it.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

fn new(parties: usize, has_action: bool) -> Shared {
    Shared {
        words: BarrierWords::default(),
        members: (0..2 * parties).map(|_| AtomicU64::default()).collect(),
        has_action,
        brought: Default::default(),
        acted: UnsafeCell::new(0),
        passed: Mutex::default(),
    }
}

impl Shared {
    fn barrier(&self) -> Barrier<'_> {
        Barrier::new(&self.words, &self.members, self.has_action)
    }

    fn parties(&self) -> usize {
        self.members.len() / 2
    }

    fn bring(&self, process: &Process) {
        // SAFETY: each has its own cell, and the checker finds whoever reads it too early.
        self.brought[process.number()].with_mut(|at| unsafe { *at += 1 });
    }

    fn look(&self, least: u32) {
        for cell in &self.brought[..self.parties()] {
            // SAFETY: as above.
            assert!(cell.with(|at| unsafe { *at }) >= least, "passed before all were there");
        }
        if self.has_action {
            // SAFETY: as above.
            assert_eq!(self.acted.with(|at| unsafe { *at }), 1, "the action runs once");
        }
    }

    fn wait(&self, process: &Process, deadline: Deadline) -> bool {
        let act = || {
            // SAFETY: as above.
            self.acted.with_mut(|at| unsafe { *at += 1 });
            Ok::<(), ()>(())
        };
        self.barrier().wait(process, deadline, act).is_ok()
    }

    fn note(&self, passed: bool) {
        self.passed.lock().expect("no panic").push(passed);
    }
}

fn party(process: &Process, shared: &Shared) {
    shared.bring(process);
    let passed = shared.wait(process, Deadline::Never);
    if passed {
        shared.look(1);
    }
    shared.note(passed);
}

fn party_in_time(process: &Process, shared: &Shared) {
    shared.bring(process);
    let passed = shared.wait(process, Deadline::Strike);
    shared.note(passed);
}

fn party_twice(process: &Process, shared: &Shared) {
    party(process, shared);
    let passed = shared.wait(process, Deadline::Never);
    shared.note(passed);
}

fn strike(process: &Process, _: &Shared) {
    process.strike();
}

fn all_pass(shared: &Shared, _: End) {
    assert!(shared.passed.lock().expect("no panic").iter().all(|&passed| passed), "it broke");
    assert!(!shared.barrier().is_broken() && shared.barrier().waiting() == 0);
}

/// All of them, or none.
fn all_agree(shared: &Shared, _: End) {
    let passed = shared.passed.lock().expect("no panic");
    assert!(passed.iter().all(|&one| one == passed[0]), "some passed, and for some it broke");
}

fn model(
    interruptions: usize,
    new: fn() -> Shared,
    processes: &'static [Body<Shared>],
    end: fn(&Shared, End),
) -> Model<Shared> {
    let mourn = |process: &Process, shared: &Shared, dead| shared.barrier().note_death(process, dead, false);
    Model { new, processes, mourn, end, interruptions }
}

fn two() {
    model(3, || new(2, false), &[party, party], all_pass).run();
}

fn two_cycles() {
    model(1, || new(2, false), &[party_twice, party_twice], all_pass).run();
}

fn three() {
    model(1, || new(3, false), &[party, party, party], all_pass).run();
}

fn action() {
    model(2, || new(2, true), &[party, party], all_pass).run();
}

fn timeout() {
    model(1, || new(2, false), &[party_in_time, party, strike], all_agree).run();
}

fn abort() {
    let abort: Body<Shared> = |process, shared| shared.barrier().abort(process);
    model(1, || new(2, false), Box::leak(Box::new([party, party, abort])), |_, _| {}).run();
}

/// Both are in one cycle, or one of them is in vain, and the other in the next one: then it breaks.
fn reset() {
    let reset: Body<Shared> = |process, shared| {
        shared.barrier().reset(process);
        process.strike();
    };
    let end = |shared: &Shared, _: End| assert!(shared.barrier().waiting() == 0, "somebody still waits");
    model(0, || new(2, false), Box::leak(Box::new([party_in_time, party_in_time, reset])), end).run();
}

fn kill() {
    model(1, || new(2, false), &[party, party], |_, _| {}).kill(&[0]);
    model(1, || new(2, true), &[party, party], |_, _| {}).kill(&[0]);
}

fn kill_of_three() {
    model(0, || new(3, false), &[party, party, party], all_agree).kill(&[0]);
}
