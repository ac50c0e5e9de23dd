//! What goes into the trace of a pool that has one.

use super::Dispatcher;
use crate::pool::task::{Outcome, Stage, TaskState};
use crate::pool::trace::{Bar, Span};
use std::sync::atomic::Ordering;

impl Dispatcher {
    /// Something has happened to a worker, or to what it runs.
    pub(super) fn trace_mark(&self, what: &str, worker: u16, how: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.mark(what, worker, &how());
        }
    }

    pub(super) fn trace_started(&self, what: &str, worker: u16, pid: u32) {
        self.trace_mark(what, worker, || format!("worker process {pid}"));
    }

    /// To be said before the worker can begin the task.
    pub(super) fn trace_queued(&mut self, number: u32, worker: u16, tries: u32) {
        if tries > 0 {
            self.trace_mark("retry", worker, || format!("its worker died, {tries} so far"));
        }
        if let Some(trace) = &mut self.trace {
            trace.queued(number);
        }
    }

    /// Nobody has begun it, and nobody will.
    pub(super) fn trace_dropped(&self, number: u32) {
        if let Some(trace) = &self.trace {
            trace.dropped(number);
        }
    }

    pub(super) fn trace_over(&self, number: u32, bar: Bar) {
        let Some(trace) = &self.trace else { return };
        let slot = self.area.task(number as usize);
        let [first, count, begun, spent] =
            [&slot.first, &slot.count, &slot.begun, &slot.spent].map(|w| w.load(Ordering::Relaxed));
        let tries = self.tasks[number as usize].map_or(0, |assigned| assigned.job.tries);
        // Whoever did not come so far has left there what the task before took.
        let spent = if matches!(bar, Bar::Came(_)) { spent } else { 0 };
        let worker = TaskState::of(slot).worker;
        trace.over(number, bar, &Span { worker, first, count, tries, begun, spent });
    }

    /// The pool ends, with what is out.
    pub(super) fn trace_end(&mut self) {
        for number in self.numbers() {
            let slot = self.area.task(number);
            match TaskState::of(slot).stage {
                Stage::Queued => self.trace_dropped(number as u32),
                Stage::Done => self.trace_over(number as u32, Bar::Came(Outcome::of(slot))),
                _ => self.trace_over(number as u32, Bar::Ended),
            }
        }
        // What is dropped later has been told.
        if let Some(trace) = self.trace.take() {
            trace.end();
        }
    }
}
