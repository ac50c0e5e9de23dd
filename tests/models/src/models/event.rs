//! Events: whoever waits while one is set comes back, also where it is cleared at once.

use super::explore::{Body, Model, Process, unmourned};
use super::park::EventWord;
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("event_all", all),
    ("event_pulse", pulse),
    ("event_two_setters", two_setters),
    ("event_timeout", timeout),
];

#[derive(Default)]
struct Shared {
    event: EventWord,
    message: UnsafeCell<u32>,
}

// SAFETY: the checker sees to it that the message is not read while it is written.
unsafe impl Sync for Shared {}

fn set(process: &Process, shared: &Shared) {
    // SAFETY: one process of a model does this, and the checker finds whoever reads meanwhile.
    shared.message.with_mut(|at| unsafe { *at = 7 });
    shared.event.set(process);
}

fn set_again(process: &Process, shared: &Shared) {
    shared.event.set(process);
}

fn wait(process: &Process, shared: &Shared) {
    assert!(shared.event.wait(process, Deadline::Never));
}

fn wait_and_read(process: &Process, shared: &Shared) {
    wait(process, shared);
    // SAFETY: as above.
    assert_eq!(shared.message.with(|at| unsafe { *at }), 7, "the message is not there");
}

/// While the other one waits.
fn set_and_clear(process: &Process, shared: &Shared) {
    process.await_seat();
    shared.event.set(process);
    shared.event.clear();
}

fn model(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::default, processes, mourn: unmourned, end: |_, _| {}, interruptions }
}

fn all() {
    model(2, &[wait_and_read, wait_and_read, set]).run();
}

fn pulse() {
    model(3, &[wait, set_and_clear]).run();
}

fn two_setters() {
    model(
        1,
        &[wait, set_again, |process, shared| {
            set_again(process, shared);
            shared.event.clear();
            set_again(process, shared);
        }],
    )
    .run();
}

fn timeout() {
    let in_time: Body<Shared> = |process, shared| {
        shared.event.wait(process, Deadline::Strike);
    };
    model(1, Box::leak(Box::new([in_time, |process, _| process.strike(), wait, set_again]))).run();
}
