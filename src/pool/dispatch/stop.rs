//! Tasks that run for too long, or that nobody wants any more: asked to stop, then told, then killed. Only the
//! worker that runs such a task is killed, and it begins no other one before.

use super::{Caller, Dispatcher, FRESH, ROLL_CALL};
use crate::pool::task::{Stage, TaskState};
use crate::sys::{clock, signals};
use std::time::{Duration, Instant};

/// Why a task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Why {
    /// It has run for as long as it may.
    Late,
    /// Its caller does not want it any more.
    Cancelled,
}

/// What was done last about a task that shall stop.
#[derive(Clone, Copy, Debug)]
enum Step {
    Asked,
    Terminated,
    Killed,
}

/// A task that is being stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) why: Why,
    step: Step,
    grace: Duration,
    /// When more is done about it.
    next: Instant,
}

impl Dispatcher {
    /// Looks after a task from now on.
    pub(super) fn watch(&mut self, number: u32) {
        self.watched.insert(number);
        self.next_look = Instant::now();
    }

    /// What is due for the tasks that are watched.
    pub(super) fn look_at_watched(&mut self) {
        let (now, clock) = (Instant::now(), clock::now());
        self.next_look = now + ROLL_CALL;
        for number in self.watched.iter().copied().collect::<Vec<_>>() {
            if let Some(next) = self.look_at(number, now, clock) {
                self.next_look = self.next_look.min(next);
            }
        }
    }

    /// When to look at this task again; None: somebody else will.
    fn look_at(&mut self, number: u32, now: Instant, clock: u64) -> Option<Instant> {
        let assigned = self.tasks[number as usize].filter(|a| !a.back)?;
        let slot = self.area.task(number as usize);
        match assigned.stop {
            Some(stop) if now >= stop.next => self.press(number, stop, now),
            Some(stop) => Some(stop.next),
            None => {
                let limit = assigned.job.limit.run?;
                let begun = slot.begun.load(std::sync::atomic::Ordering::Relaxed);
                if TaskState::of(slot).stage != Stage::Running || begun == 0 {
                    return Some(now + limit);
                }
                let spent = Duration::from_nanos(clock.saturating_sub(begun));
                if spent < limit {
                    return Some(now + (limit - spent));
                }
                // Its worker may have died in time, and that is what is told then.
                self.call_roll();
                if self.tasks[number as usize].is_none_or(|a| a.back) {
                    return None;
                }
                self.ask(number, Why::Late, assigned.job.limit.grace);
                Some(now + assigned.job.limit.grace)
            }
        }
    }

    /// Asks a running task to stop; false if it does not run.
    fn ask(&mut self, number: u32, why: Why, grace: Duration) -> bool {
        let slot = self.area.task(number as usize);
        let state = TaskState::of(slot);
        let asked = TaskState { stage: Stage::Asked, ..state };
        if state.stage != Stage::Running || !state.change(slot, asked) {
            return false;
        }
        if let Some(assigned) = &mut self.tasks[number as usize] {
            assigned.stop = Some(Stop { why, step: Step::Asked, grace, next: Instant::now() + grace });
        }
        self.counts.stopped += 1;
        self.trace_mark("asked to stop", state.worker, || format!("{why:?}"));
        self.watch(number);
        true
    }

    /// The next step, once there was time enough for the last one.
    fn press(&mut self, number: u32, stop: Stop, now: Instant) -> Option<Instant> {
        let slot = self.area.task(number as usize);
        let state = TaskState::of(slot);
        let (step, signal) = match stop.step {
            Step::Asked => {
                let doomed = TaskState { stage: Stage::Doomed, ..state };
                if state.stage != Stage::Asked || !state.change(slot, doomed) {
                    // It has returned, and is on its way.
                    return None;
                }
                (Step::Terminated, signals::SIGTERM)
            }
            Step::Terminated | Step::Killed => (Step::Killed, signals::SIGKILL),
        };
        if let Some(worker) = &self.crew[usize::from(state.worker)] {
            worker.send(signal);
            self.trace_mark("told to end", state.worker, || signals::name(signal).to_string());
        }
        let next = now + stop.grace.max(Duration::from_millis(1));
        if let Some(assigned) = &mut self.tasks[number as usize] {
            assigned.stop = Some(Stop { step, next, ..stop });
        }
        // Its end is seen by the next roll call.
        self.pause = FRESH;
        Some(next)
    }

    /// Takes back what was not begun of a call, and asks the rest to stop. Gives the tasks that do not come back.
    pub(in crate::pool) fn cancel(&mut self, caller: Caller, grace: Duration) -> usize {
        let mut taken = 0;
        for number in 0..self.tasks.len() {
            if self.tasks[number].is_some_and(|a| a.caller == Some(caller) && !a.back) {
                if self.take_back(number) {
                    taken += 1;
                } else {
                    self.ask(number as u32, Why::Cancelled, grace);
                }
            }
        }
        taken
    }
}
