//! The owner's side of the rings: who has which task, and who gets the next one.

use super::crew::{self, Agency, Hired};
use super::task::{self, Stage, TaskState, ticket};
use super::worker::DESCRIBED;
use crate::error::{Error, Result, Status, fail};
use crate::process::{self, Method, Target};
use crate::shm::{self, AHEAD, BytesBlock, Kind, PoolArea, TARGETS};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the workers are asked whether they live.
const ROLL_CALL: Duration = Duration::from_millis(50);
/// Work to keep ahead of a worker, in nanoseconds: more than it takes to wake the owner, little enough for
/// the last tasks to end together.
const LEAD: u64 = 200_000;
/// Tasks ahead of a worker while nobody knows how long they take.
const FIRST_LEAD: usize = 2;
/// So many workers in a row that die before they begin anything break the pool, until the next call.
const STILLBORN: u32 = 50;

/// What the owner knows of a task slot in use.
#[derive(Clone, Copy)]
pub(super) struct Assigned {
    /// The call whose task it is; None once that has gone.
    call: Option<u64>,
    /// The worker in whose ring it was put, and a second one to which it was offered when it was idle.
    home: u16,
    offered: Option<u16>,
    /// It lies in its call's mail: whatever dies now has nothing to do with it.
    back: bool,
}

/// How a task came back.
pub(super) enum Back {
    /// The worker has delivered.
    Done,
    /// The worker died running it.
    Died(String),
}

/// What came back for a call, and a flag for its thread, which sleeps without the lock.
#[derive(Default)]
struct Mail {
    back: Vec<(u32, Back)>,
    flag: Arc<AtomicBool>,
}

/// Everything that is private to the owner.
pub(super) struct Dispatcher {
    area: PoolArea,
    agency: Agency,
    crew: Vec<Option<Hired>>,
    /// Tasks in each worker's charge.
    load: Vec<usize>,
    tasks: Vec<Option<Assigned>>,
    free: Vec<u32>,
    /// Functions that were described for fresh images. No HashMap: it needs random numbers, and panics without.
    targets: BTreeMap<u64, u64>,
    calls: BTreeMap<u64, Mail>,
    next_call: u64,
    roll_call: Instant,
    /// Running mean of what a task takes, 0: not known.
    pace: u64,
    stillborn: u32,
    /// Tasks whose worker died before it began them.
    requeue: Vec<(u32, u32)>,
    /// Why no worker can be had.
    broken: Option<Error>,
}

impl Dispatcher {
    pub(super) fn new(agency: Agency, tasks: usize) -> Self {
        Dispatcher {
            area: agency.area,
            agency,
            targets: BTreeMap::new(),
            crew: Vec::new(),
            load: Vec::new(),
            tasks: vec![None; tasks],
            // Taken from the end: what was used last is warm.
            free: (0..tasks as u32).rev().collect(),
            calls: BTreeMap::new(),
            next_call: 0,
            roll_call: Instant::now(),
            pace: 0,
            stillborn: 0,
            requeue: Vec::new(),
            broken: None,
        }
    }

    pub(super) fn hire_all(&mut self, workers: usize) -> Result<()> {
        self.load.resize(workers, 0);
        for number in 0..workers {
            self.crew.push(Some(self.agency.hire(number as u16)?));
        }
        // They come up side by side.
        self.crew.iter().flatten().try_for_each(Hired::confirm)
    }

    /// What a task says so that a worker finds the function.
    pub(super) fn describe(&mut self, function: u64, user: u64) -> Result<u64> {
        if self.agency.method == Method::Fork {
            return Ok(function);
        }
        if user != 0 {
            fail!(
                Unsupported,
                "the workers are fresh images, in whose memory user points to nothing: pass NULL"
            );
        }
        if let Some(&word) = self.targets.get(&function) {
            return Ok(word);
        }
        let number = self.targets.len();
        if number >= TARGETS {
            fail!(Unsupported, "a pool runs at most {TARGETS} different functions");
        }
        let bytes = process::encode(&Target::of(function as usize)?)?;
        let object = shm::create::<BytesBlock>(Kind::Bytes, bytes.len(), |_| {})?;
        if let Some(data) = shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| shm::data(&b.head))
        {
            data.write(0, &bytes);
        }
        shm::carry(object, self.area.target(number));
        self.targets.insert(function, DESCRIBED | number as u64);
        Ok(DESCRIBED | number as u64)
    }

    pub(super) fn dismiss_all(&mut self) {
        crew::dismiss(self.area, &mut self.crew);
    }

    /// A call begins: its number, and the flag that says that it has mail.
    pub(super) fn open_call(&mut self) -> (u64, Arc<AtomicBool>) {
        self.next_call += 1;
        let mail = Mail::default();
        let flag = Arc::clone(&mail.flag);
        self.calls.insert(self.next_call, mail);
        // Nobody looks after a pool that has nothing to do: who died meanwhile is replaced now.
        self.stillborn = 0;
        self.call_roll();
        (self.next_call, flag)
    }

    /// A call ends, its tasks finished or not: what runs is left to run, and nobody wants the result.
    pub(super) fn close_call(&mut self, call: u64) {
        // What another thread has collected for it meanwhile is over.
        for (number, _) in self.calls.remove(&call).map_or_else(Vec::new, |mail| mail.back) {
            self.retire(number);
        }
        for number in 0..self.tasks.len() {
            let Some(assigned) = self.tasks[number].as_mut().filter(|a| a.call == Some(call)) else {
                continue;
            };
            assigned.call = None;
            self.cancel(number);
        }
    }

    /// Takes back a task that nobody has begun; false if somebody has.
    fn cancel(&mut self, number: usize) -> bool {
        let slot = self.area.task(number);
        let now = TaskState::of(slot);
        let cancelled = TaskState { stage: Stage::Cancelled, ..now };
        let taken = now.stage == Stage::Queued && now.change(slot, cancelled);
        if taken {
            self.retire(number as u32);
        }
        taken
    }

    /// A slot for the call's next task, and who shall run it. None: everybody has enough ahead.
    pub(super) fn place(&mut self, bytes: usize) -> Option<(u32, u16)> {
        let depth = self.depth(bytes);
        let (worker, &load) =
            self.load.iter().enumerate().filter(|&(w, _)| self.crew[w].is_some()).min_by_key(|&(_, &l)| l)?;
        if load >= depth || self.area.worker(worker).inbox.len() >= AHEAD {
            return None;
        }
        Some((*self.free.last()?, worker as u16))
    }

    /// How many tasks of this size shall lie ahead of a worker.
    fn depth(&self, bytes: usize) -> usize {
        let by_time = match self.pace {
            0 => FIRST_LEAD,
            pace => (LEAD / pace) as usize,
        };
        // What waits in rings is memory.
        by_time.min((4 << 20) / bytes.max(1)).clamp(FIRST_LEAD, AHEAD)
    }

    /// Queues the task that was prepared in slot `number`.
    pub(super) fn send(&mut self, call: u64, number: u32, worker: u16, bytes: usize) {
        let slot = self.area.task(number as usize);
        let turn = TaskState::of(slot).turn.wrapping_add(1);
        debug_assert_eq!(self.free.last(), Some(&number));
        self.free.pop();
        self.tasks[number as usize] =
            Some(Assigned { call: Some(call), home: worker, offered: None, back: false });
        self.load[usize::from(worker)] += 1;
        TaskState { turn, worker: 0, stage: Stage::Queued }.put(slot);
        let to = self.area.worker(worker.into());
        to.refill_at.store(self.depth(bytes) as u32 / 2, Ordering::Relaxed);
        to.inbox.push(ticket(number, turn));
    }

    /// Wakes whoever has something to do, and offers queued tasks to whoever has not.
    pub(super) fn ring_workers(&mut self, spread: bool) {
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
                if fits && assigned.call.is_some() && state.stage == Stage::Queued {
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

    /// Empties the workers' outboxes, and from time to time asks who has died. What came back for other calls
    /// is theirs to find.
    pub(super) fn collect(&mut self) {
        for worker in 0..self.crew.len() {
            while let Some(ticket) = self.area.worker(worker).outbox.pop() {
                let (number, turn) = task::read_ticket(ticket);
                let known = number < self.tasks.len() && self.tasks[number].is_some();
                let state = known.then(|| TaskState::of(self.area.task(number)));
                if state.is_some_and(|s| s.turn == turn && s.stage == Stage::Done) {
                    self.came_back(number as u32, Back::Done);
                }
            }
        }
        if self.roll_call.elapsed() >= ROLL_CALL {
            self.call_roll();
        }
    }

    fn came_back(&mut self, number: u32, back: Back) {
        if matches!(back, Back::Done) {
            self.stillborn = 0;
            let spent = self.area.task(number as usize).spent.load(Ordering::Relaxed).max(1);
            self.pace = if self.pace == 0 { spent } else { (self.pace * 7 + spent) / 8 };
        }
        let Some(assigned) = &mut self.tasks[number as usize] else { return };
        assigned.back = true;
        match assigned.call.and_then(|c| self.calls.get_mut(&c)) {
            Some(mail) => {
                mail.back.push((number, back));
                mail.flag.store(true, Ordering::Release);
            }
            None => self.retire(number),
        }
    }

    /// What came back for this call.
    pub(super) fn mail(&mut self, call: u64) -> Vec<(u32, Back)> {
        let Some(mail) = self.calls.get_mut(&call) else { return Vec::new() };
        mail.flag.store(false, Ordering::Relaxed);
        std::mem::take(&mut mail.back)
    }

    /// Whether other calls have mail, so that their threads must be woken.
    pub(super) fn others_have_mail(&self, call: u64) -> bool {
        self.calls.iter().any(|(&c, m)| c != call && !m.back.is_empty())
    }

    /// Frees a task's slot, once its result was taken or nobody wants it.
    pub(super) fn retire(&mut self, number: u32) {
        let Some(assigned) = self.tasks[number as usize].take() else { return };
        self.load[usize::from(assigned.home)] -= 1;
        if let Some(other) = assigned.offered {
            self.load[usize::from(other)] -= 1;
        }
        task::trim(&self.area, number as usize);
        let slot = self.area.task(number as usize);
        TaskState { stage: Stage::Free, ..TaskState::of(slot) }.put(slot);
        self.free.push(number);
    }

    fn call_roll(&mut self) {
        self.roll_call = Instant::now();
        for worker in 0..self.crew.len() {
            if let Some(departed) = self.crew[worker].as_ref().and_then(Hired::departed) {
                self.crew[worker] = None;
                self.bury(worker as u16, &departed.how);
            }
            if self.crew[worker].is_none() && self.stillborn < STILLBORN {
                self.crew[worker] = self.replace(worker as u16);
            }
        }
        for (number, turn) in std::mem::take(&mut self.requeue) {
            self.queue_again(number, turn);
        }
    }

    /// A worker in a dead one's place. None where none is to be had now: the next roll call tries again.
    fn replace(&mut self, worker: u16) -> Option<Hired> {
        match self.agency.hire(worker) {
            Ok(hired) => match hired.confirm() {
                Ok(()) => return Some(hired),
                Err(e) => {
                    self.stillborn += 1;
                    if self.stillborn >= STILLBORN {
                        self.broken = Some(e);
                    }
                }
            },
            Err(e) => self.broken = Some(e),
        }
        None
    }

    /// Why nothing will come back any more, if that is so.
    pub(super) fn hopeless(&self) -> Option<Error> {
        if self.crew.iter().any(Option::is_some) { None } else { self.broken.clone() }
    }

    /// Settles what a dead worker leaves: what it was running has failed, what it had finished counts, and
    /// what it had not begun goes to others.
    fn bury(&mut self, worker: u16, how: &str) {
        let mut began = false;
        for number in 0..self.tasks.len() as u32 {
            let Some(assigned) = self.tasks[number as usize].filter(|a| !a.back) else { continue };
            let state = TaskState::of(self.area.task(number as usize));
            let its_own = state.worker == worker;
            let its_to_do = assigned.home == worker || assigned.offered == Some(worker);
            began |= its_own && matches!(state.stage, Stage::Running | Stage::Done);
            match state.stage {
                Stage::Running if its_own => self.came_back(number, Back::Died(how.to_owned())),
                Stage::Done if its_own => self.came_back(number, Back::Done),
                Stage::Queued if its_to_do => self.inherit(number, worker, state.turn),
                // Another worker has it, or it was settled before.
                _ => {}
            }
        }
        // What still lies there was settled above, or names nothing.
        self.area.worker(worker.into()).inbox.reset();
        self.area.worker(worker.into()).outbox.reset();
        self.stillborn = if began { 0 } else { self.stillborn + 1 };
        if self.stillborn >= STILLBORN {
            let text = format!("{STILLBORN} workers in a row died before they began a task; the last: {how}");
            self.broken = Some(Error::new(Status::WorkerDied, text));
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
