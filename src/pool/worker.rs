//! A worker's life: take, run, deliver, ring.
//!
//! | phase        | from         |                                                                            |
//! |--------------|--------------|----------------------------------------------------------------------------|
//! | COMING       | any          | by the owner, before it starts a worker here                               |
//! | INITIALIZING | COMING       |                                                                            |
//! | READY        | INITIALIZING |                                                                            |
//! | LEAVING      | READY        | the last that the worker does here; the owner starts another one at once   |
//! | FAILED       | INITIALIZING | the slot says why                                                          |

use super::running::{Ended, Running};
use super::task::{self, Frames, Outcome, Phase, Stage, TaskState};
use crate::park::{Owner, Tree, Wait};
use crate::process::{self, Target};
use crate::shm::{self, AHEAD, Data, PoolArea, Shown, TARGETS, TaskSlot, ThisTree};
use crate::sys::{clock, code, memory, signals};
use crate::time::Deadline;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// Calls the user's function on the current item: address, the user's pointer.
pub(crate) type Call = fn(&Running, u64, u64);

/// What a worker knows from its birth, and what it has learned.
pub(super) struct Worker {
    area: PoolArea,
    number: u16,
    owner: Owner,
    call: Call,
    /// Where the functions are that it was asked for: by what the tasks say.
    known: HashMap<u64, u64>,
    /// The current task's, and what the task says of it.
    function: u64,
    word: u64,
    /// When the last task was over, if nothing came between.
    clock: Option<u64>,
    running: Running,
    /// Tasks that it ran.
    count: u64,
    /// Bytes of its own when it was ready, where that matters.
    memory: u64,
}

/// Set in a task's word for a function that the pool describes; otherwise the word is its address.
pub(super) const DESCRIBED: u64 = 1 << 63;

/// What became of a ticket.
enum Taken {
    /// The task was gone.
    No,
    /// It ran.
    Done,
    /// It ran for longer than anybody would wait.
    Doomed,
}

/// Why a worker leaves its loop.
struct Leave;

impl Worker {
    pub(super) fn new(area: PoolArea, number: u16, owner: Owner, call: Call) -> Self {
        Worker {
            area,
            number,
            owner,
            call,
            known: HashMap::new(),
            function: 0,
            word: 0,
            clock: None,
            running: Running::new(area),
            count: 0,
            memory: 0,
        }
    }

    /// Until the pool stops or its owner is gone.
    pub(super) fn run(&mut self) -> i32 {
        const NOT_INITIALIZED: i32 = 1;
        if self.initialize().is_err() {
            return NOT_INITIALIZED;
        }
        let mut silent = false;
        loop {
            let ticket = match self.area.worker(self.number.into()).inbox.pop() {
                Some(ticket) => ticket,
                None => {
                    // What was finished since the last ring must be known before we sleep.
                    if std::mem::take(&mut silent) {
                        self.ring();
                    }
                    self.clock = None;
                    match self.wait() {
                        Ok(ticket) => ticket,
                        Err(Leave) => return 0,
                    }
                }
            };
            match self.take(ticket) {
                Taken::No => {}
                Taken::Done => silent = true,
                // A signal is on its way, which no other task must meet.
                Taken::Doomed => return 0,
            }
            if self.stopped() {
                return 0;
            }
            if self.has_done_its_share() {
                Phase::Leaving.put(self.area.worker(self.number.into()));
                self.ring();
                return 0;
            }
            let me = self.area.worker(self.number.into());
            if silent && me.inbox.len() as u32 == me.refill_at.load(Ordering::Relaxed) {
                silent = false;
                self.ring();
            }
        }
    }

    /// Runs what the pool wants to be run first.
    fn initialize(&mut self) -> Result<(), Leave> {
        let me = self.area.worker(self.number.into());
        let shared = self.area.shared();
        signals::take_mask(shared.mask.load(Ordering::Relaxed));
        let word = shared.initializer.load(Ordering::Relaxed);
        if word != 0 {
            Phase::Initializing.put(me);
            if let Err(why) = self.run_initializer(word, shared.user.load(Ordering::Relaxed)) {
                me.say(&why);
                Phase::Failed.put(me);
                self.ring();
                return Err(Leave);
            }
        }
        if shared.most_memory.load(Ordering::Relaxed) != 0 {
            self.memory = memory::own();
        }
        Phase::Ready.put(me);
        Ok(())
    }

    fn run_initializer(&mut self, word: u64, user: u64) -> Result<(), String> {
        let Some(function) = self.find(word) else {
            return Err("the workers do not have the function".into());
        };
        let carrier = self.area.initial();
        let bytes = shm::carried(carrier).and_then(|block| shm::data(&block.head));
        let input = bytes.unwrap_or_else(|| self.area.inline(0).part(0, 0));
        self.running.begin(Shown { input, output: None, index: self.number.into(), task: None });
        let call = catch_unwind(AssertUnwindSafe(|| (self.call)(&self.running, function, user)));
        match (call, self.running.end().failure) {
            (Err(_), _) => Err("it panicked".into()),
            (Ok(()), Some(sentence)) => Err(sentence),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Whether another worker shall take this one's place.
    fn has_done_its_share(&self) -> bool {
        let shared = self.area.shared();
        let [tasks, bytes] = [&shared.most_tasks, &shared.most_memory].map(|w| w.load(Ordering::Relaxed));
        tasks != 0 && self.count >= tasks || bytes != 0 && memory::own().saturating_sub(self.memory) > bytes
    }

    fn stopped(&self) -> bool {
        self.area.shared().stop.load(Ordering::Relaxed) != 0
    }

    fn ring(&self) {
        // Release: what was finished is in the outbox before the owner can see the news.
        self.area.worker(self.number.into()).news.fetch_add(1, Ordering::Release);
        self.area.shared().bell.notify::<ThisTree>(i32::MAX);
    }

    fn wait(&self) -> Result<u64, Leave> {
        let me = self.area.worker(self.number.into());
        let look = || {
            if self.stopped() { Some(None) } else { me.inbox.pop().map(Some) }
        };
        // The lifeline kills us with our owner; asking as well costs nothing while there is nothing to do.
        let tick = || if ThisTree.is_dead(self.owner) { Err(Leave) } else { Ok(()) };
        match me.bell.wait(&ThisTree, Deadline::Never, false, look, tick)? {
            Wait::Found(Some(ticket)) => Ok(ticket),
            Wait::Found(None) | Wait::TimedOut => Err(Leave),
        }
    }

    /// Runs the task if it is still to be had.
    fn take(&mut self, ticket: u64) -> Taken {
        let (number, turn) = task::read_ticket(ticket);
        let slot = self.area.task(number);
        let queued = TaskState { turn, worker: 0, stage: Stage::Queued };
        let mine = TaskState { turn, worker: self.number, stage: Stage::Running };
        if !queued.change(slot, mine) {
            return Taken::No;
        }
        let begun = self.clock.take().unwrap_or_else(clock::now);
        slot.begun.store(begun, Ordering::Relaxed);
        slot.result.store(0, Ordering::Relaxed);
        slot.position.store(slot.first.load(Ordering::Relaxed), Ordering::Relaxed);
        let outcome = self.work(number, slot);
        let over = clock::now();
        let spent = over - begun;
        self.clock = Some(over);
        slot.outcome.store(outcome as u64, Ordering::Relaxed);
        slot.spent.store(spent, Ordering::Relaxed);
        let me = self.area.worker(self.number.into());
        // Written by this process alone.
        me.busy.store(me.busy.load(Ordering::Relaxed) + spent, Ordering::Relaxed);
        me.worked.store(me.worked.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.count += 1;
        let done = TaskState { stage: Stage::Done, ..mine };
        if !mine.change(slot, done) && !(TaskState { stage: Stage::Asked, ..mine }).change(slot, done) {
            return Taken::Doomed;
        }
        // Full it cannot be: the owner has at most this many tasks with us.
        debug_assert!(me.outbox.len() < AHEAD);
        me.outbox.push(ticket);
        Taken::Done
    }

    fn work(&mut self, number: usize, slot: &TaskSlot) -> Outcome {
        let word = slot.function.load(Ordering::Relaxed);
        if word != self.word || self.function == 0 {
            let Some(function) = self.find(word) else { return Outcome::UnknownTarget };
            (self.function, self.word) = (function, word);
        }
        let Some(data) = task::bytes(&self.area, number) else { return Outcome::NoMemory };
        let worked = if slot.out_size.load(Ordering::Relaxed) == u64::MAX {
            self.work_on_frames(number, slot, data)
        } else {
            self.work_on_array(number, slot, data)
        };
        worked.err().unwrap_or(Outcome::Ok)
    }

    /// Where a function is, in this process.
    fn find(&mut self, word: u64) -> Option<u64> {
        if let Some(&address) = self.known.get(&word) {
            return Some(address);
        }
        let address = if word & DESCRIBED == 0 {
            code::is_executable(word as usize).then_some(word)?
        } else {
            let number = (word & !DESCRIBED) as usize;
            let block = shm::carried(self.area.target((number < TARGETS).then_some(number)?))?;
            let data = shm::data(&block.head)?;
            let mut bytes = vec![0; data.len()];
            data.read(0, &mut bytes);
            process::decode::<Target>(&bytes).and_then(|t| t.address()).ok()? as u64
        };
        self.known.insert(word, address);
        Some(address)
    }

    /// Items and results of fixed size, each result right where the owner reads it. A sentence goes where the
    /// failed item's result would be.
    fn work_on_array(&self, number: usize, slot: &TaskSlot, data: Data) -> Result<(), Outcome> {
        let [first, count, in_size, out_size, out_at] =
            [&slot.first, &slot.count, &slot.in_size, &slot.out_size, &slot.out_at]
                .map(|w| w.load(Ordering::Relaxed) as usize);
        for i in 0..count {
            let at = out_at + i * out_size;
            let output = data.part(at, out_size);
            let input = data.part(i * in_size, in_size);
            match self.one(number, slot, (first + i) as u64, input, Some(output)) {
                Ok(ended) if ended.returned => {}
                Ok(_) => output.zero(0, out_size),
                Err((outcome, sentence)) => {
                    return Err(self.deliver(number, at, sentence.as_bytes(), outcome));
                }
            }
        }
        Ok(())
    }

    /// Items and results of any size. A sentence is the last of the results.
    fn work_on_frames(&self, number: usize, slot: &TaskSlot, data: Data) -> Result<(), Outcome> {
        let [first, count, out_at] =
            [&slot.first, &slot.count, &slot.out_at].map(|w| w.load(Ordering::Relaxed) as usize);
        let mut results = Vec::new();
        for (i, input) in Frames::new(data).take(count).enumerate() {
            let (end, result) = match self.one(number, slot, (first + i) as u64, input, None) {
                Ok(ended) => (None, ended.result),
                Err((outcome, sentence)) => (Some(outcome), sentence.into_bytes()),
            };
            task::push_frame(&mut results, &result).map_err(|()| Outcome::NoMemory)?;
            if let Some(outcome) = end {
                return Err(self.deliver(number, out_at, &results, outcome));
            }
        }
        match self.deliver(number, out_at, &results, Outcome::Ok) {
            Outcome::Ok => Ok(()),
            failed => Err(failed),
        }
    }

    /// One item: its result, or why it failed.
    fn one(
        &self,
        number: usize,
        slot: &TaskSlot,
        index: u64,
        input: Data,
        output: Option<Data>,
    ) -> Result<Ended, (Outcome, String)> {
        // Release: should we die in here, the results of the items before are in place.
        slot.position.store(index, Ordering::Release);
        self.running.begin(Shown { input, output, index, task: Some(number) });
        let user = slot.user.load(Ordering::Relaxed);
        let call = catch_unwind(AssertUnwindSafe(|| (self.call)(&self.running, self.function, user)));
        let mut ended = self.running.end();
        match (call, ended.failure.take()) {
            (Err(_), _) => Err((Outcome::Panicked, "the task's function panicked".into())),
            _ if TaskState::of(slot).stage == Stage::Asked => Err((Outcome::Stopped, String::new())),
            (Ok(()), Some(sentence)) => Err((Outcome::Failed, sentence)),
            (Ok(()), None) => Ok(ended),
        }
    }

    /// Puts down what the task came to.
    fn deliver(&self, number: usize, at: usize, bytes: &[u8], outcome: Outcome) -> Outcome {
        match task::deliver(&self.area, number, at, bytes) {
            Ok(()) => outcome,
            Err(_) => {
                // There is no memory for the results, nor for a sentence about it.
                self.area.task(number).result.store(0, Ordering::Relaxed);
                Outcome::NoMemory
            }
        }
    }
}
