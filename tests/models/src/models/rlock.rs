//! The recursive lock: counted by its holder, free when given back as often as taken.

use super::explore::{Body, End, Model, Process, unmourned};
use super::lock::Shared;
use super::park::{Tree, holder};
use crate::time::Deadline;

pub(super) const MODELS: &[(&str, fn())] =
    &[("rlock_two", two), ("rlock_wholly", wholly), ("rlock_kill", kill), ("rlock_threads", threads)];

fn pass_as(process: &Process, thread: u32, shared: &Shared) {
    let me = holder(process.me(), thread);
    let held =
        shared.lock.acquire_again(process, me, || Deadline::Never).expect("once").expect("without a limit");
    shared.lock.acquire_again(process, me, || Deadline::NoWait).expect("twice").expect("it has it");
    assert_eq!(shared.lock.depth_of(me), Some(2));
    shared.count(held);
    assert!(shared.lock.release_once(process, me), "twice taken");
    assert_eq!(shared.lock.depth_of(me), Some(1));
    assert!(shared.lock.release_once(process, me), "once taken");
}

fn pass(process: &Process, shared: &Shared) {
    pass_as(process, 1, shared);
}

/// As a wait for a condition does: away with all of it, and back as it was.
fn pass_wholly(process: &Process, shared: &Shared) {
    let me = holder(process.me(), 1);
    let held = shared.lock.take_back(process, me, 3, || Deadline::Never).expect("without a limit");
    shared.count(held);
    assert_eq!(shared.lock.release_wholly(process, me), Some(3));
    shared.lock.take_back(process, me, 3, || Deadline::Never).expect("without a limit");
    assert_eq!(shared.lock.release_wholly(process, me), Some(3));
    assert_eq!(shared.lock.release_wholly(process, me), None);
}

fn model(processes: &'static [Body<Shared>]) -> Model<Shared> {
    let end = |shared: &Shared, end: End| shared.check(2 - usize::from(end.killed.is_some()), end);
    Model { new: Shared::default, processes, end, mourn: unmourned, interruptions: 3 }
}

fn two() {
    model(&[pass, pass]).run();
}

fn wholly() {
    model(&[pass_wholly, pass]).run();
}

fn kill() {
    model(&[pass, pass]).kill(&[0]);
}

/// Two threads with one process's name: neither takes the other for itself.
fn threads() {
    let first: Body<Shared> = |process, shared| pass_as(&process.thread_of(0), 1, shared);
    let second: Body<Shared> = |process, shared| pass_as(&process.thread_of(0), 2, shared);
    let end = |shared: &Shared, end: End| shared.check(2, end);
    let processes = Box::leak(Box::new([first, second]));
    Model { new: Shared::default, processes, end, mourn: unmourned, interruptions: 4 }.run();
}
