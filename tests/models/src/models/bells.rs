//! Doorbells: whoever waits for any of several things comes back when one of them is there.

use super::explore::{BELLS, Body, Model, PLACE, Process, unmourned};
use super::park::{Bells, EventWord, OwnerLock, round};
use crate::sys::futex;
use crate::time::Deadline;
use std::time::Duration;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("bells_two", two),
    ("bells_again", again),
    ("bells_watchers", watchers),
    ("bells_threads", threads),
    ("bells_lock", lock),
    ("bells_beside_a_sleeper", beside_a_sleeper),
];

#[derive(Default)]
struct Shared {
    bells: Bells<2, 1>,
    events: [EventWord; 2],
    lock: OwnerLock,
}

/// Until one of the events is set.
fn wait_for(shared: &Shared, bell: usize, events: &[usize]) {
    BELLS.set(&raw const shared.bells);
    loop {
        let watch = || {
            for &event in events {
                shared.bells.watch(bell, PLACE);
                shared.events[event].spot().watch();
            }
            false
        };
        let look = || events.iter().any(|&event| shared.events[event].is_set());
        let Some(state) = round(|| shared.bells.state(bell), watch, look) else { return };
        futex::wait(shared.bells.word(bell), state, Duration::MAX);
    }
}

fn waits_for_both(process: &Process, shared: &Shared) {
    wait_for(shared, process.number(), &[0, 1]);
}

fn waits_for_first(process: &Process, shared: &Shared) {
    wait_for(shared, process.number(), &[0]);
}

fn waits_for_second(process: &Process, shared: &Shared) {
    wait_for(shared, process.number(), &[1]);
}

/// With the bell that all of them have.
fn waits_with_others(_: &Process, shared: &Shared) {
    wait_for(shared, 0, &[0]);
}

fn sets_first(process: &Process, shared: &Shared) {
    BELLS.set(&raw const shared.bells);
    shared.events[0].set(process);
}

fn sets_second(process: &Process, shared: &Shared) {
    BELLS.set(&raw const shared.bells);
    shared.events[1].set(process);
}

fn sleeps(process: &Process, shared: &Shared) {
    assert!(shared.events[0].wait(process, Deadline::Never));
}

fn model(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::default, processes, mourn: unmourned, end: |_, _| {}, interruptions }
}

/// One waits for two things. They share the table's word.
fn two() {
    model(3, &[waits_for_both, sets_second]).run();
    model(
        2,
        &[waits_for_both, |process, shared| {
            sets_first(process, shared);
            sets_second(process, shared);
        }],
    )
    .run();
}

/// What rang is over before the watcher looks, and comes again.
fn again() {
    let sets_twice: Body<Shared> = |process, shared| {
        sets_first(process, shared);
        shared.events[0].clear();
        sets_first(process, shared);
    };
    model(3, Box::leak(Box::new([waits_for_first as Body<Shared>, sets_twice]))).run();
}

/// A ring for one of them takes the other's bit as well.
fn watchers() {
    model(
        2,
        &[waits_for_first, waits_for_second, |process, shared| {
            sets_first(process, shared);
            sets_second(process, shared);
        }],
    )
    .run();
}

fn threads() {
    model(2, &[waits_with_others, waits_with_others, sets_first]).run();
}

fn lock() {
    let waits: Body<Shared> = |process, shared| {
        BELLS.set(&raw const shared.bells);
        let bell = process.number();
        loop {
            let watch = || {
                shared.bells.watch(bell, PLACE);
                shared.lock.watch()
            };
            let look = || !shared.lock.is_held();
            let Some(state) = round(|| shared.bells.state(bell), watch, look) else { return };
            futex::wait(shared.bells.word(bell), state, Duration::MAX);
        }
    };
    let holds: Body<Shared> = |process, shared| {
        BELLS.set(&raw const shared.bells);
        shared.lock.acquire(process, || Deadline::Never);
        assert!(shared.lock.release(process));
    };
    model(4, Box::leak(Box::new([waits, holds]))).run();
    model(2, Box::leak(Box::new([waits, holds, holds]))).run();
}

/// Who sleeps on the spot and who watches it are both woken.
fn beside_a_sleeper() {
    model(2, &[waits_for_first, sleeps, sets_first]).run();
}
