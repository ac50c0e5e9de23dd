//! A futex as the kernel has it: it compares and falls asleep in one step, and wakes those who came first. A wake
//! carries nothing and orders nothing that src/park could rely on.

use super::atomic::{AtomicU32, AtomicU64};
use crate::time::SOON;
use crate::world::{self, Ended};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    Woken,
    #[allow(dead_code)] // No signals here.
    Interrupted,
    Changed,
    Elapsed,
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Duration) -> Slept {
    sleep(std::ptr::from_ref(word).addr(), || word.seen_by_kernel(), expected, limit)
}

pub(crate) fn wait_low(word: &AtomicU64, expected: u32, limit: Duration) -> Slept {
    sleep(std::ptr::from_ref(word).addr(), || word.seen_by_kernel() as u32, expected, limit)
}

pub(crate) fn wake(word: &AtomicU32, count: i32) -> usize {
    if world::is_ghost() {
        return 0;
    }
    // Before or after a sleeper's comparison, and both are tried: that is what makes it one step.
    word.seen_by_kernel();
    world::wake(std::ptr::from_ref(word).addr(), count)
}

pub(crate) fn wake_low(word: &AtomicU64, count: i32) -> usize {
    if world::is_ghost() {
        return 0;
    }
    word.seen_by_kernel();
    world::wake(std::ptr::from_ref(word).addr(), count)
}

fn sleep(address: usize, value: impl FnOnce() -> u32, expected: u32, limit: Duration) -> Slept {
    if world::is_ghost() {
        return Slept::Elapsed;
    }
    let timed = limit <= SOON;
    // Sleeps that the clock may end are before or after its strike.
    if timed && world::look_at_clock() {
        return Slept::Elapsed;
    }
    if value() != expected {
        return Slept::Changed;
    }
    match world::sleep(address, timed) {
        Ended::Woken => Slept::Woken,
        Ended::Elapsed => Slept::Elapsed,
    }
}
