//! What a pool has done, and does.

use super::Pool;
use super::State;
use super::dispatch::{Counts, Dispatcher};
use super::task::{Stage, TaskState};
use std::sync::atomic::Ordering;

/// Of the whole pool.
pub(crate) struct PoolStats {
    pub(crate) counts: Counts,
    pub(crate) workers: u64,
    pub(crate) queued: u64,
    pub(crate) running: u64,
    /// Nanoseconds.
    pub(crate) busy: u64,
}

/// Of one worker's place.
pub(crate) struct WorkerStats {
    /// 0: none is there.
    pub(crate) pid: u32,
    pub(crate) running: bool,
    pub(crate) tasks: u64,
    /// Nanoseconds.
    pub(crate) busy: u64,
}

fn is_run(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::Asked | Stage::Doomed)
}

impl Pool {
    pub(crate) fn stats(&self) -> PoolStats {
        let dispatcher = self.dispatcher();
        let states = || self.states(&dispatcher);
        PoolStats {
            counts: dispatcher.counts(),
            workers: (0..self.workers()).filter(|&w| dispatcher.pid(w) != 0).count() as u64,
            queued: states().filter(|s| s.stage == Stage::Queued).count() as u64,
            running: states().filter(|s| is_run(s.stage)).count() as u64,
            busy: (0..self.workers()).map(|w| self.area.worker(w).busy.load(Ordering::Relaxed)).sum(),
        }
    }

    /// None: there is no such place.
    pub(crate) fn worker_stats(&self, number: usize) -> Option<WorkerStats> {
        let dispatcher = self.dispatcher();
        if number >= self.workers() {
            return None;
        }
        let slot = self.area.worker(number);
        Some(WorkerStats {
            pid: dispatcher.pid(number),
            running: self.states(&dispatcher).any(|s| usize::from(s.worker) == number && is_run(s.stage)),
            tasks: slot.worked.load(Ordering::Relaxed),
            busy: slot.busy.load(Ordering::Relaxed),
        })
    }

    /// Those of the tasks that are out.
    fn states<'a>(&'a self, dispatcher: &'a Dispatcher) -> impl Iterator<Item = TaskState> + 'a {
        dispatcher.numbers().map(|number| TaskState::of(self.area.task(number)))
    }

    /// In CPython's words.
    pub(crate) fn describe(&self) -> String {
        let state = match self.state.load(Ordering::Acquire) {
            s if s == State::Runs as u8 => "RUN",
            s if s == State::Closed as u8 => "CLOSE",
            _ => "TERMINATE",
        };
        format!("<Pool state={state} pool_size={}>", self.workers())
    }
}
