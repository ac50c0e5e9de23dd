//! Somewhere to sleep: no wake is lost, and none is eaten.

use super::explore::{Body, Model, Process, unmourned};
use super::park::{Spot, Wait};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::time::Deadline;
use loom::cell::UnsafeCell;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("spot_message", message),
    ("spot_message_kill", message_kill),
    ("spot_swapped", swapped),
    ("spot_all", all),
    ("spot_items", items),
    ("spot_items_kill", items_kill),
    ("spot_timeout", timeout),
    ("spot_error", error),
];

#[derive(Default)]
struct Shared {
    message: UnsafeCell<u32>,
    state: AtomicU64,
    spot: Spot,
}

// SAFETY: the checker sees to it that the message is not read while it is written.
unsafe impl Sync for Shared {}

fn write(shared: &Shared) {
    // SAFETY: only the publisher writes, and the checker finds whoever reads meanwhile.
    shared.message.with_mut(|at| unsafe { *at = 7 });
}

fn read(shared: &Shared) {
    // SAFETY: as above.
    assert_eq!(shared.message.with(|at| unsafe { *at }), 7, "the message is not there");
}

fn publish(_: &Process, shared: &Shared) {
    write(shared);
    shared.state.store(1, Ordering::Release);
    shared.spot.notify::<Process>(1);
}

fn publish_to_all(_: &Process, shared: &Shared) {
    write(shared);
    shared.state.store(1, Ordering::Release);
    shared.spot.notify::<Process>(i32::MAX);
}

fn publish_by_swap(_: &Process, shared: &Shared) {
    write(shared);
    shared.state.fetch_add(1, Ordering::SeqCst);
    shared.spot.notify_swapped::<Process>(1);
}

/// Sleeps until there is a message, or its publisher, process 0, is dead.
fn receive_as(process: &Process, shared: &Shared, order: Ordering) {
    let look = || (shared.state.load(order) == 1).then_some(());
    let tick = || if process.other_is_dead(0) { Err(()) } else { Ok(()) };
    if let Ok(Wait::Found(())) = shared.spot.wait(process, Deadline::Never, true, look, tick) {
        read(shared);
    }
}

fn receive(process: &Process, shared: &Shared) {
    receive_as(process, shared, Ordering::Acquire);
}

/// As semaphores and events look.
fn receive_swapped(process: &Process, shared: &Shared) {
    receive_as(process, shared, Ordering::SeqCst);
}

fn model(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::default, processes, mourn: unmourned, end: |_, _| {}, interruptions }
}

fn message() {
    model(4, &[publish, receive]).run();
}

fn message_kill() {
    model(4, &[publish, receive]).kill(&[0, 1]);
}

fn swapped() {
    model(4, &[publish_by_swap, receive_swapped]).run();
}

fn all() {
    model(2, &[publish_to_all, receive, receive]).run();
}

fn put(_: &Process, shared: &Shared) {
    shared.state.fetch_add(1, Ordering::Release);
    shared.spot.notify::<Process>(1);
}

fn put_two(process: &Process, shared: &Shared) {
    put(process, shared);
    put(process, shared);
}

/// Takes an item; false when the time ran out.
fn take(process: &Process, shared: &Shared, deadline: Deadline) -> bool {
    let look = || {
        let mut seen = shared.state.load(Ordering::Relaxed);
        while seen > 0 {
            match shared.state.compare_exchange(seen, seen - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(()),
                Err(now) => seen = now,
            }
        }
        None
    };
    // Dead ones have taken an item, or would have.
    let tick = || if process.other_is_dead(0) || process.other_is_dead(1) { Err(()) } else { Ok(()) };
    !matches!(shared.spot.wait(process, deadline, true, look, tick), Ok(Wait::TimedOut))
}

fn take_one(process: &Process, shared: &Shared) {
    take(process, shared, Deadline::Never);
}

/// Goes away when the clock has struck, also where it was woken just now.
fn take_unless_struck(process: &Process, shared: &Shared) {
    let look = || (shared.state.swap(0, Ordering::Acquire) == 1).then_some(());
    let tick = || if Deadline::Strike.is_over() { Err(()) } else { Ok(()) };
    if let Ok(Wait::Found(())) = shared.spot.wait(process, Deadline::Strike, true, look, tick) {
        put(process, shared);
    }
}

/// Takes it for the moment only, or gives up: in any case the item is there for the other one.
fn take_and_put_back(process: &Process, shared: &Shared) {
    if take(process, shared, Deadline::Strike) {
        put(process, shared);
    }
}

fn items() {
    model(2, &[put_two, take_one, take_one]).run();
}

fn items_kill() {
    model(1, &[put_two, take_one, take_one]).kill(&[0, 1]);
}

fn timeout() {
    model(1, &[put, |process, _| process.strike(), take_and_put_back, take_one]).run();
}

fn error() {
    model(2, &[put, |process, _| process.strike(), take_unless_struck, take_one]).run();
}
