//! Who is still there: deaths, what they leave, and who comes in their place.

use super::{Back, Dispatcher, Hired, ROLL_CALL};
use crate::error::{Error, Status};
use crate::pool::crew::Departed;
use crate::pool::task::{Phase, Stage, TaskState, ticket};
use crate::shm::AHEAD;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// So many workers in a row that die before they begin anything break the pool, until the next call.
const STILLBORN: u32 = 50;
/// So many in a row that die in the initializer break it for good.
const UNINITIALIZED: u32 = 5;

fn stillborn(last: &dyn Display) -> Error {
    let text = format!("{STILLBORN} workers in a row died before they began a task; the last: {last}");
    Error::new(Status::WorkerDied, text)
}

impl Dispatcher {
    pub(super) fn call_roll(&mut self) {
        self.roll_call = Instant::now();
        self.pause = ROLL_CALL.min(self.pause * 2);
        self.parting.retain(|worker| worker.departed().is_none());
        for worker in 0..self.crew.len() {
            if let Some(departed) = self.crew[worker].as_ref().and_then(Hired::departed) {
                self.crew[worker] = None;
                self.trace_mark("died", worker as u16, || departed.how.clone());
                self.bury(worker as u16, &departed);
            }
            if self.crew[worker].is_none() && self.stillborn < STILLBORN && self.ruined.is_none() {
                self.crew[worker] = self.replace(worker as u16);
            }
        }
        self.queue_all_again();
    }

    /// Whether no worker is left.
    pub(in crate::pool) fn are_gone(&mut self) -> bool {
        self.parting.retain(|worker| worker.departed().is_none());
        for hired in &mut self.crew {
            hired.take_if(|worker| worker.departed().is_some());
        }
        let are_gone = self.parting.is_empty() && self.crew.iter().all(Option::is_none);
        if are_gone {
            self.agency.close();
        }
        are_gone
    }

    /// Waits for one of them, that long.
    pub(in crate::pool) fn await_an_end(&self, limit: Duration) {
        if let Some(worker) = self.parting.iter().chain(self.crew.iter().flatten()).next() {
            worker.wait(limit);
        }
    }

    /// A worker that has done its share touches nothing here any more: it may end when it likes.
    pub(super) fn part(&mut self, worker: u16) {
        let Some(hired) = self.crew[usize::from(worker)].take() else { return };
        self.parting.push(hired);
        self.pass_on(worker);
        self.crew[usize::from(worker)] = self.replace(worker);
        self.queue_all_again();
    }

    /// A worker has said that its initializer failed, which will be so in each.
    pub(super) fn note_ruin(&mut self, worker: u16) {
        if self.ruined.is_none() {
            let why = self.area.worker(worker.into()).said();
            let text = format!("the initializer failed in worker {worker}: {why}");
            self.ruined = Some(Error::new(Status::TaskFailed, text));
        }
    }

    /// A worker in a dead one's place. None where none is to be had now: the next roll call tries again.
    fn replace(&mut self, worker: u16) -> Option<Hired> {
        match self.agency.replace(worker) {
            Ok(hired) => match hired.confirm() {
                Ok(()) => {
                    self.counts.replaced += 1;
                    self.trace_started("replaced", worker, hired.pid());
                    return Some(hired);
                }
                Err(e) => {
                    self.stillborn += 1;
                    if self.stillborn >= STILLBORN {
                        self.broken = Some(if e.status == Status::WorkerDied { stillborn(&e) } else { e });
                    }
                }
            },
            Err(e) => self.broken = Some(e),
        }
        None
    }

    /// Settles what a dead worker leaves: what it was running has failed, what it had finished counts, and
    /// what it had not begun goes to others.
    fn bury(&mut self, worker: u16, departed: &Departed) {
        let phase = Phase::of(self.area.worker(worker.into()));
        let mut began = phase == Phase::Leaving;
        for number in 0..self.tasks.len() as u32 {
            let Some(assigned) = self.tasks[number as usize].filter(|a| !a.back) else { continue };
            let state = TaskState::of(self.area.task(number as usize));
            let its_own = state.worker == worker;
            let its_to_do = assigned.home == worker || assigned.offered == Some(worker);
            match state.stage {
                Stage::Running | Stage::Asked | Stage::Doomed if its_own => {
                    began = true;
                    self.came_back(number, Back::Died(departed.how.clone()));
                }
                Stage::Done if its_own => {
                    began = true;
                    self.came_back(number, Back::Done);
                }
                Stage::Queued if its_to_do => self.inherit(number, worker, state.turn),
                // Another worker has it, or it was settled before.
                _ => {}
            }
        }
        // What still lies there was settled above, or names nothing.
        self.area.worker(worker.into()).inbox.reset();
        self.area.worker(worker.into()).outbox.reset();
        match phase {
            Phase::Failed => self.note_ruin(worker),
            Phase::Initializing => self.uninitialized += 1,
            Phase::Ready | Phase::Leaving => self.uninitialized = 0,
            Phase::Coming => {}
        }
        let how = &departed.how;
        if self.uninitialized >= UNINITIALIZED && self.ruined.is_none() {
            let text = format!("{UNINITIALIZED} workers in a row died in the initializer; the last: {how}");
            self.ruined = Some(Error::new(Status::WorkerDied, text));
        }
        self.stillborn = if began { 0 } else { self.stillborn + 1 };
        if self.stillborn >= STILLBORN {
            self.broken = Some(stillborn(how));
        }
    }

    /// What a worker that leaves has not begun goes to others.
    fn pass_on(&mut self, worker: u16) {
        for number in 0..self.tasks.len() as u32 {
            let Some(assigned) = self.tasks[number as usize].filter(|a| !a.back) else { continue };
            let state = TaskState::of(self.area.task(number as usize));
            let its_to_do = assigned.home == worker || assigned.offered == Some(worker);
            if its_to_do && state.stage == Stage::Queued {
                self.inherit(number, worker, state.turn);
            }
        }
    }

    /// A task that the dead worker had not begun: the other one to which it was offered has it alone now, and
    /// where there is none it is queued again.
    fn inherit(&mut self, number: u32, dead: u16, turn: u32) {
        let Some(assigned) = &mut self.tasks[number as usize] else { return };
        match assigned.offered.take() {
            Some(other) => {
                self.load[usize::from(dead)] -= 1;
                if assigned.home == dead {
                    assigned.home = other;
                }
            }
            None => self.requeue.push((number, turn)),
        }
    }

    fn queue_all_again(&mut self) {
        for (number, turn) in std::mem::take(&mut self.requeue) {
            self.queue_again(number, turn);
        }
    }

    fn queue_again(&mut self, number: u32, turn: u32) {
        let state = TaskState::of(self.area.task(number as usize));
        let Some(assigned) = &mut self.tasks[number as usize] else { return };
        if state.stage != Stage::Queued || state.turn != turn {
            return;
        }
        let hired = (0..self.crew.len()).filter(|&w| self.crew[w].is_some());
        let room = hired.filter(|&w| self.area.worker(w).inbox.len() < AHEAD);
        let Some(worker) = room.min_by_key(|&w| self.load[w]) else {
            return self.requeue.push((number, turn));
        };
        self.load[usize::from(assigned.home)] -= 1;
        self.load[worker] += 1;
        assigned.home = worker as u16;
        self.area.worker(worker).inbox.push(ticket(number, state.turn));
    }
}
