//! What lies ahead of the busy for the idle.

use super::Dispatcher;
use crate::pool::task::{Stage, TaskState, ticket};
use crate::shm::{self, AHEAD};

impl Dispatcher {
    /// Wakes whoever has something to do, and offers queued tasks to whoever has not.
    pub(in crate::pool) fn ring_workers(&mut self, spread: bool) {
        if spread {
            self.spread();
        }
        for worker in 0..self.crew.len() {
            let slot = self.area.worker(worker);
            if slot.inbox.len() > 0 {
                slot.bell.notify::<shm::ThisTree>(1);
            }
        }
    }

    /// Nothing new is left to hand out: an idle worker gets a chance at what lies ahead of a busy one. The
    /// compare-and-swap on the task decides which of the two runs it.
    fn spread(&mut self) {
        for idle in 0..self.load.len() {
            if self.load[idle] > 0 || self.crew[idle].is_none() {
                continue;
            }
            let busiest = (0..self.load.len()).max_by_key(|&w| self.area.worker(w).inbox.len());
            let Some(busiest) = busiest.filter(|&w| self.area.worker(w).inbox.len() > 0) else { return };
            let mut offers = self.area.worker(busiest).inbox.len().div_ceil(2);
            for number in (0..self.tasks.len()).rev() {
                let Some(assigned) = &mut self.tasks[number] else { continue };
                let state = TaskState::of(self.area.task(number));
                if offers == 0 || self.area.worker(idle).inbox.len() >= AHEAD {
                    break;
                }
                let fits = usize::from(assigned.home) == busiest && assigned.offered.is_none();
                if fits && assigned.caller.is_some() && state.stage == Stage::Queued {
                    assigned.offered = Some(idle as u16);
                    self.load[idle] += 1;
                    self.area.worker(idle).inbox.push(ticket(number as u32, state.turn));
                    offers -= 1;
                }
            }
            if self.load[idle] == 0 {
                // What lies there is offered already: the next idle one would find no more.
                return;
            }
        }
    }
}
