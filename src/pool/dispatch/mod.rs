//! The owner's side of the rings: who has which task, and who gets the next one.

mod roll;
mod spread;
mod stop;
mod timeline;

use super::crew::{self, Agency, Hired};
use super::task::{self, Outcome, Phase, Stage, TaskState, ticket};
use super::trace::{Bar, Trace};
use super::worker::DESCRIBED;
use crate::error::{Error, Result, fail};
use crate::process::{self, Method, Target};
use crate::shm::{self, AHEAD, BytesBlock, Kind, PoolArea, TARGETS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stop::Stop;
pub(super) use stop::Why;

/// How often the workers are asked whether they live, while a call takes long.
const ROLL_CALL: Duration = Duration::from_millis(50);
/// The first time after a call has begun, which itself does not ask again what was asked just before; each time after
/// that, the double of it goes by.
const FRESH: Duration = Duration::from_millis(1);
/// Work to keep ahead of a worker, in nanoseconds: more than it takes to wake the owner, little enough for
/// the last tasks to end together.
const LEAD: u64 = 200_000;
/// Tasks ahead of a worker while nobody knows how long they take.
const FIRST_LEAD: usize = 2;

/// Who waits for a task: one of the owner's threads, and which of its calls it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) client: u64,
    pub(super) call: u64,
}

/// How long a task may run, and how long its function has to return once it was asked to, and its worker to end
/// once it was told to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// None: for ever.
    pub(super) run: Option<Duration>,
    pub(super) grace: Duration,
}

/// What the owner knows of a task slot in use.
#[derive(Clone, Copy)]
struct Assigned {
    /// None once nobody waits for it any more.
    caller: Option<Caller>,
    /// The worker in whose ring it was put, and a second one to which it was offered when it was idle.
    home: u16,
    offered: Option<u16>,
    /// It lies in its caller's mail: whatever dies now has nothing to do with it.
    back: bool,
    job: Job,
    /// It is being stopped.
    stop: Option<Stop>,
}

/// What a task is sent with, which comes back with it.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) limit: Limit,
    /// How often its items were begun before by workers that died.
    pub(super) tries: u32,
}

/// How a task came back.
pub(super) enum Back {
    /// The worker has delivered.
    Done,
    /// The worker died running it.
    Died(String),
}

/// A task that came back.
pub(super) struct Arrival {
    pub(super) call: u64,
    pub(super) number: u32,
    pub(super) back: Back,
    pub(super) job: Job,
    /// Why it was stopped, if it was.
    pub(super) why: Option<Why>,
}

/// What came back for a client, and a flag for its thread, which sleeps without the lock.
#[derive(Default)]
struct Mail {
    back: Vec<Arrival>,
    flag: Arc<AtomicBool>,
}

/// Counters since the pool was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Tasks that came back, and those of them in which an item failed.
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Tasks whose worker died.
    pub(crate) died: u64,
    /// Tasks that were asked to stop.
    pub(crate) stopped: u64,
    /// Workers that came in the place of others.
    pub(crate) replaced: u64,
}

/// Everything that is private to the owner.
pub(super) struct Dispatcher {
    area: PoolArea,
    agency: Agency,
    crew: Vec<Option<Hired>>,
    /// Workers that have left and whose end was not seen yet.
    parting: Vec<Hired>,
    /// Tasks in each worker's charge, which did not come back yet.
    load: Vec<usize>,
    tasks: Vec<Option<Assigned>>,
    free: Vec<u32>,
    /// Tasks with a limit, and those that are being stopped.
    watched: BTreeSet<u32>,
    /// When those are looked at next.
    next_look: Instant,
    /// Functions that were described for fresh images. No HashMap: it needs random numbers, and panics without.
    targets: BTreeMap<u64, u64>,
    clients: BTreeMap<u64, Mail>,
    next_client: u64,
    roll_call: Instant,
    /// What goes by from then to the next one.
    pause: Duration,
    /// Running mean of what a task takes, 0: not known.
    pace: u64,
    /// Workers in a row that died before they began anything.
    stillborn: u32,
    /// Workers in a row that died in the initializer.
    uninitialized: u32,
    /// Tasks whose worker died before it began them.
    requeue: Vec<(u32, u32)>,
    /// Why no worker can be had.
    broken: Option<Error>,
    /// Why none will ever work.
    ruined: Option<Error>,
    counts: Counts,
    /// Who wants to look.
    trace: Option<Box<Trace>>,
}

impl Dispatcher {
    pub(super) fn new(agency: Agency, tasks: usize, trace: Option<Box<Trace>>) -> Self {
        Dispatcher {
            area: agency.area,
            agency,
            targets: BTreeMap::new(),
            crew: Vec::new(),
            parting: Vec::new(),
            load: Vec::new(),
            tasks: vec![None; tasks],
            // Taken from the end: what was used last is warm.
            free: (0..tasks as u32).rev().collect(),
            watched: BTreeSet::new(),
            next_look: Instant::now(),
            clients: BTreeMap::new(),
            next_client: 0,
            roll_call: Instant::now(),
            pause: ROLL_CALL,
            pace: 0,
            stillborn: 0,
            uninitialized: 0,
            requeue: Vec::new(),
            broken: None,
            ruined: None,
            counts: Counts::default(),
            trace,
        }
    }

    pub(super) fn hire_all(&mut self, workers: usize) -> Result<()> {
        self.load.resize(workers, 0);
        self.agency.open()?;
        for number in 0..workers {
            let hired = self.agency.hire(number as u16)?;
            self.trace_started("started", number as u16, hired.pid());
            self.crew.push(Some(hired));
        }
        // They come up side by side.
        self.crew.iter().flatten().try_for_each(Hired::confirm)?;
        self.agency.confirm()
    }

    /// What a task says so that a worker finds the function.
    pub(super) fn describe(&mut self, function: u64, user: u64) -> Result<u64> {
        if self.agency.method == Method::Fork {
            process::must_be_here(function as usize)?;
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
        self.crew.extend(self.parting.drain(..).map(Some));
        crew::dismiss(self.area, &mut self.crew);
        self.trace_end();
        self.agency.close();
    }

    /// Somebody begins to wait for tasks: a number, and the flag that says that there is mail.
    pub(super) fn open_client(&mut self) -> Result<(u64, Arc<AtomicBool>)> {
        // Nobody looks after a pool that has nothing to do: who died meanwhile is replaced now.
        self.stillborn = 0;
        self.broken = None;
        if self.roll_call.elapsed() > FRESH || self.crew.iter().any(Option::is_none) {
            self.call_roll();
        }
        // One that was killed just before may not have ended yet.
        self.pause = FRESH;
        if let Some(error) = &self.ruined {
            return Err(error.clone());
        }
        self.next_client += 1;
        let mail = Mail::default();
        let flag = Arc::clone(&mail.flag);
        self.clients.insert(self.next_client, mail);
        Ok((self.next_client, flag))
    }

    /// A client waits no longer, its tasks finished or not: what runs is left to run, and nobody wants the
    /// result.
    pub(super) fn close_client(&mut self, client: u64) {
        // What another thread has collected for it meanwhile is over.
        for arrival in self.clients.remove(&client).map_or_else(Vec::new, |mail| mail.back) {
            self.retire(arrival.number);
        }
        for number in 0..self.tasks.len() {
            let of_it = |a: &&mut Assigned| a.caller.is_some_and(|c| c.client == client);
            let Some(assigned) = self.tasks[number].as_mut().filter(of_it) else { continue };
            assigned.caller = None;
            self.take_back(number);
        }
    }

    /// Nobody waits for this call any more: what runs is left to run.
    pub(super) fn abandon(&mut self, caller: Caller) {
        for number in 0..self.tasks.len() {
            let of_it = |a: &&mut Assigned| a.caller == Some(caller) && !a.back;
            let Some(assigned) = self.tasks[number].as_mut().filter(of_it) else { continue };
            assigned.caller = None;
            self.take_back(number);
        }
    }

    /// Takes a call back of which at most one task is out; false if that was begun, or if there are more.
    pub(super) fn take_all_back(&mut self, caller: Caller) -> bool {
        let mut out = self.numbers().filter(|&n| self.tasks[n].is_some_and(|a| a.caller == Some(caller)));
        let (first, second) = (out.next(), out.next());
        drop(out);
        match (first, second) {
            (None, _) => true,
            (Some(number), None) => self.take_back(number),
            (Some(_), Some(_)) => false,
        }
    }

    /// Takes back a task that nobody has begun; false if somebody has.
    fn take_back(&mut self, number: usize) -> bool {
        let slot = self.area.task(number);
        let now = TaskState::of(slot);
        let cancelled = TaskState { stage: Stage::Cancelled, ..now };
        let taken = now.stage == Stage::Queued && now.change(slot, cancelled);
        if taken {
            self.trace_dropped(number as u32);
            self.retire(number as u32);
        }
        taken
    }

    /// A slot for the client's next task, and who shall run it. None: everybody has enough ahead.
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
    pub(super) fn send(&mut self, caller: Caller, number: u32, worker: u16, bytes: usize, job: Job) {
        let slot = self.area.task(number as usize);
        let turn = TaskState::of(slot).turn.wrapping_add(1);
        debug_assert_eq!(self.free.last(), Some(&number));
        self.free.pop();
        self.tasks[number as usize] = Some(Assigned {
            caller: Some(caller),
            home: worker,
            offered: None,
            back: false,
            job,
            stop: None,
        });
        if job.limit.run.is_some() {
            self.watch(number);
        }
        self.load[usize::from(worker)] += 1;
        self.trace_queued(number, worker, job.tries);
        slot.begun.store(0, Ordering::Relaxed);
        TaskState { turn, worker: 0, stage: Stage::Queued }.put(slot);
        let to = self.area.worker(worker.into());
        to.refill_at.store(self.depth(bytes) as u32 / 2, Ordering::Relaxed);
        to.inbox.push(ticket(number, turn));
    }

    /// Empties the workers' outboxes, and from time to time asks who has died. What came back for other clients
    /// is theirs to find.
    pub(super) fn collect(&mut self) {
        for worker in 0..self.crew.len() {
            // Before the outbox is emptied: what a worker has done lies there before it says that it leaves.
            let phase = Phase::of(self.area.worker(worker));
            self.empty_outbox(worker);
            match phase {
                Phase::Leaving => self.part(worker as u16),
                Phase::Failed => self.note_ruin(worker as u16),
                _ => {}
            }
        }
        if self.roll_call.elapsed() >= self.pause {
            self.call_roll();
        }
        if !self.watched.is_empty() && Instant::now() >= self.next_look {
            self.look_at_watched();
        }
    }

    fn empty_outbox(&mut self, worker: usize) {
        while let Some(ticket) = self.area.worker(worker).outbox.pop() {
            let (number, turn) = task::read_ticket(ticket);
            let known = number < self.tasks.len() && self.tasks[number].is_some_and(|a| !a.back);
            let state = known.then(|| TaskState::of(self.area.task(number)));
            if state.is_some_and(|s| s.turn == turn && s.stage == Stage::Done) {
                self.came_back(number as u32, Back::Done);
            }
        }
    }

    fn came_back(&mut self, number: u32, back: Back) {
        match back {
            Back::Done => {
                self.stillborn = 0;
                let slot = self.area.task(number as usize);
                self.counts.done += 1;
                let outcome = Outcome::of(slot);
                self.counts.failed += u64::from(outcome != Outcome::Ok);
                let spent = slot.spent.load(Ordering::Relaxed).max(1);
                self.pace = if self.pace == 0 { spent } else { (self.pace * 7 + spent) / 8 };
                self.trace_over(number, Bar::Came(outcome));
            }
            Back::Died(_) => {
                self.counts.died += 1;
                self.trace_over(number, Bar::Died);
            }
        }
        let Some(assigned) = &mut self.tasks[number as usize] else { return };
        assigned.back = true;
        let came = *assigned;
        let (job, why) = (assigned.job, assigned.stop.map(|stop| stop.why));
        let mail = assigned.caller.and_then(|c| Some((c.call, self.clients.get_mut(&c.client)?)));
        match mail {
            Some((call, mail)) => {
                mail.back.push(Arrival { call, number, back, job, why });
                mail.flag.store(true, Ordering::Release);
            }
            None => self.retire(number),
        }
        // Not only when it is taken: an iterator's owner may be in no hurry, and others want to be served.
        self.unload(came);
    }

    /// What came back for this client.
    pub(super) fn mail(&mut self, client: u64) -> Vec<Arrival> {
        let Some(mail) = self.clients.get_mut(&client) else { return Vec::new() };
        mail.flag.store(false, Ordering::Relaxed);
        std::mem::take(&mut mail.back)
    }

    /// Whether other clients have mail, so that their threads must be woken.
    pub(super) fn others_have_mail(&self, client: u64) -> bool {
        self.clients.iter().any(|(&c, m)| c != client && !m.back.is_empty())
    }

    /// Whether anything is out that will come back.
    pub(super) fn is_busy(&self) -> bool {
        self.load.iter().any(|&load| load > 0)
    }

    /// Replaces who has died, while there is nothing to do.
    pub(super) fn look_after(&mut self) {
        self.stillborn = 0;
        self.collect();
    }

    /// Whether anybody waits for anything.
    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Frees a task's slot, once its result was taken or nobody wants it.
    pub(super) fn retire(&mut self, number: u32) {
        let Some(assigned) = self.tasks[number as usize].take() else { return };
        if !assigned.back {
            self.unload(assigned);
        }
        if assigned.stop.is_some() || assigned.job.limit.run.is_some() {
            self.watched.remove(&number);
        }
        task::trim(&self.area, number as usize);
        let slot = self.area.task(number as usize);
        TaskState { stage: Stage::Free, ..TaskState::of(slot) }.put(slot);
        self.free.push(number);
    }

    /// The task is in no worker's charge any more.
    fn unload(&mut self, assigned: Assigned) {
        for worker in std::iter::once(assigned.home).chain(assigned.offered) {
            self.load[usize::from(worker)] -= 1;
        }
    }

    /// When somebody has to look again, whatever happens.
    pub(super) fn next_look(&self) -> Instant {
        let round = self.roll_call + self.pause;
        if self.watched.is_empty() { round } else { round.min(self.next_look) }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Of the tasks that are out.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.tasks.len()).filter(|&number| self.tasks[number].is_some_and(|a| !a.back))
    }

    /// Whether a worker has begun a task of this asynchronous call that is still out.
    pub(super) fn has_begun(&self, call: u64) -> bool {
        let is_its = |a: &Assigned| a.caller.is_some_and(|c| c.call == call);
        let is_begun = |n: usize| TaskState::of(self.area.task(n)).stage != Stage::Queued;
        self.tasks.iter().enumerate().any(|(n, a)| a.as_ref().is_some_and(is_its) && is_begun(n))
    }

    /// Of the worker in this place; 0: none is there.
    pub(super) fn pid(&self, worker: usize) -> u32 {
        self.crew.get(worker).and_then(Option::as_ref).map_or(0, Hired::pid)
    }

    /// Why nothing will come back any more, if that is so.
    pub(super) fn hopeless(&self) -> Option<Error> {
        match &self.ruined {
            Some(error) => Some(error.clone()),
            None if self.crew.iter().any(Option::is_some) => None,
            None => self.broken.clone(),
        }
    }
}
