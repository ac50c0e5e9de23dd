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
        if (0..self.load.len()).all(|worker| self.area.worker(worker).inbox.len() == 0) {
            return;
        }
        let mut waiting = Vec::new();
        // No further than there are any: the slots that are used again and again are the first ones.
        let mut out = self.tasks.len() - self.free.len();
        for number in 0..self.tasks.len() {
            if out == 0 {
                break;
            }
            out -= usize::from(self.tasks[number].is_some());
            self.settle(number);
            waiting.extend(self.holder(number).map(|holder| (number, holder)));
        }
        if waiting.is_empty() {
            return;
        }
        // Who came last waits longest.
        waiting.reverse();
        let mut ahead = vec![0_usize; self.load.len()];
        waiting.iter().for_each(|&(_, holder)| ahead[holder] += 1);
        for idle in 0..self.load.len() {
            if self.load[idle] > 0 || self.crew[idle].is_none() {
                continue;
            }
            let Some((&count, busiest)) = ahead.iter().zip(0..).max().filter(|&(&count, _)| count > 0) else {
                return;
            };
            let mut offers = count.div_ceil(2);
            waiting.retain(|&(number, holder)| {
                let is_its = holder == busiest && offers > 0 && self.offer(number, idle);
                offers -= usize::from(is_its);
                !is_its
            });
            ahead[busiest] = count / 2 + offers;
        }
    }

    /// A task that one of two workers has begun is no longer in the other one's charge, which may be idle now.
    fn settle(&mut self, number: usize) {
        let Some(assigned) = &mut self.tasks[number] else { return };
        let state = TaskState::of(self.area.task(number));
        let is_begun = matches!(state.stage, Stage::Running | Stage::Asked | Stage::Doomed);
        if let Some(other) = assigned.offered.filter(|_| is_begun && !assigned.back) {
            let free =
                if state.worker == other { std::mem::replace(&mut assigned.home, other) } else { other };
            assigned.offered = None;
            self.load[usize::from(free)] -= 1;
        }
    }

    /// The worker that has this task ahead of it, which somebody else might begin before. It was offered to one that
    /// may itself be at something long: then it is offered again.
    fn holder(&self, number: usize) -> Option<usize> {
        let assigned = self.tasks[number].as_ref().filter(|a| a.caller.is_some())?;
        let holder = match assigned.offered {
            None => assigned.home,
            // The next thing that this one does.
            Some(other) if self.load[usize::from(other)] == 1 => return None,
            Some(other) => other,
        };
        let is_queued = TaskState::of(self.area.task(number)).stage == Stage::Queued;
        is_queued.then_some(holder.into())
    }

    /// Whether there was room for it.
    fn offer(&mut self, number: usize, idle: usize) -> bool {
        let Some(assigned) = &mut self.tasks[number] else { return false };
        let to = self.area.worker(idle);
        if to.inbox.len() >= AHEAD {
            return false;
        }
        if let Some(before) = assigned.offered.replace(idle as u16) {
            self.load[usize::from(before)] -= 1;
        }
        self.load[idle] += 1;
        to.inbox.push(ticket(number as u32, TaskState::of(self.area.task(number)).turn));
        true
    }
}
