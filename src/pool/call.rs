//! A call: items go out as tasks, and come back as results. It neither waits nor knows who does.

use super::dispatch::{Arrival, Back, Caller, Dispatcher, Job, Limit, Why};
use super::task::{self, Frames, Outcome};
use crate::error::{Error, Result, Status, fail};
use crate::shm::{Data, PoolArea};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// A task's bytes, unless one item alone has more.
const TASK_BYTES: usize = 1 << 20;

/// Where items come from, and where the results go. Implemented where the memory is.
pub(crate) trait Work {
    /// Sizes of an item and of its result; None where each has its own.
    fn sizes(&self) -> Option<(usize, usize)>;
    /// The bytes of `count` items of fixed size, or of the one item `first`.
    fn items(&self, first: usize, count: usize) -> &[u8];
    /// Takes the results of items of fixed size.
    fn put_all(&mut self, first: usize, count: usize, results: Data);
    /// Takes one result of any size.
    fn put(&mut self, index: usize, result: Data) -> Result<()>;
    /// An item has failed.
    fn fail(&mut self, index: usize, why: &Error);
}

/// What is to be done with each item.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) function: u64,
    pub(crate) user: u64,
    /// Items a task.
    pub(crate) chunk: usize,
    /// An error does not keep the rest from being done.
    pub(crate) run_all: bool,
    /// How often an item whose worker died is begun again.
    pub(crate) retries: u32,
    pub(super) limit: Limit,
}

/// Items that go out next, which may have been out before.
struct Piece {
    range: Range<usize>,
    tries: u32,
}

/// A call on its way.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) plan: Plan,
    /// What the tasks say of the function.
    word: u64,
    /// At first all items, later also what a failed task had left.
    left: VecDeque<Piece>,
    /// Tasks that are out.
    pub(super) open: usize,
    /// Items that came back, with a result or without.
    pub(super) done: usize,
    /// The first failure.
    pub(super) error: Option<Error>,
}

impl Call {
    /// `word` is what the dispatcher says of the plan's function.
    pub(super) fn new(caller: Caller, plan: Plan, word: u64) -> Self {
        Call { caller, plan, word, left: VecDeque::new(), open: 0, done: 0, error: None }
    }

    /// More items.
    pub(super) fn add(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.left.push_back(Piece { range, tries: 0 });
        }
    }

    /// Nothing is out, and nothing has to go out.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0 && self.left.is_empty()
    }

    /// All items have gone out, and none has to again.
    pub(super) fn is_out(&self) -> bool {
        self.left.is_empty()
    }

    /// What has not gone out never does.
    pub(super) fn give_up(&mut self) {
        self.left.clear();
    }

    /// Takes a task that came back; the caller retires its slot. An error ends the call.
    pub(super) fn receive(&mut self, area: &PoolArea, arrival: Arrival, work: &mut dyn Work) -> Result<()> {
        // A call that was given up counts nothing any more.
        self.open = self.open.saturating_sub(1);
        self.settle(area, arrival, work)
    }

    /// A failed item ends the call, unless all shall run; the first failure is the one that is told.
    fn note(&mut self, error: Error) -> Result<()> {
        if !self.plan.run_all {
            return Err(error);
        }
        self.error.get_or_insert(error);
        Ok(())
    }

    /// Takes the results of the items that were done, and the failure, if one was met.
    fn settle(&mut self, area: &PoolArea, arrival: Arrival, work: &mut dyn Work) -> Result<()> {
        let Arrival { number, back, job, why, .. } = arrival;
        let number = number as usize;
        let slot = area.task(number);
        let [first, count, position] =
            [&slot.first, &slot.count, &slot.position].map(|w| w.load(Ordering::Acquire) as usize);
        let outcome = match back {
            Back::Done => Outcome::of(slot),
            Back::Died(_) => Outcome::Failed,
        };
        // The items before the one that failed.
        let good = match outcome {
            Outcome::Ok => count,
            // Results of any size come in one piece, or not at all.
            Outcome::NoMemory if work.sizes().is_none() => 0,
            _ => position.checked_sub(first).filter(|&good| good < count).unwrap_or(0),
        };
        let sentence = match (work.sizes(), &back) {
            (Some((_, out_size)), _) => take_array(area, number, good, out_size, work)?,
            // Results of any size are delivered at the end only: they died with the worker.
            (None, Back::Died(_)) => Vec::new(),
            (None, Back::Done) => take_frames(area, number, good, work)?,
        };
        if outcome == Outcome::Ok {
            self.done += count;
            return Ok(());
        }
        let bad = first + good;
        let lost = if matches!(back, Back::Died(_)) && work.sizes().is_none() { first } else { bad };
        self.done += lost - first;
        if bad + 1 < first + count {
            self.left.push_back(Piece { range: bad + 1..first + count, tries: job.tries });
        }
        if matches!(back, Back::Died(_)) && why.is_none() && job.tries < self.plan.retries {
            if lost < bad {
                self.left.push_front(Piece { range: lost..bad, tries: job.tries });
            }
            self.left.push_front(Piece { range: bad..bad + 1, tries: job.tries + 1 });
            return Ok(());
        }
        self.done += bad + 1 - lost;
        let which = if lost < bad { format!("items {lost} to {bad}") } else { format!("item {bad}") };
        let error = match (back, why) {
            (Back::Died(how), None) => Error::new(Status::WorkerDied, format!("{which}: {how}")),
            (Back::Died(how), Some(why)) => stopped(why, job.limit, &which, &how),
            (Back::Done, Some(why)) if outcome == Outcome::Stopped => {
                stopped(why, job.limit, &which, "its function returned")
            }
            (Back::Done, _) => failure(outcome, bad, &sentence),
        };
        for index in lost..=bad {
            work.fail(index, &error);
        }
        self.note(error)
    }

    /// Hands out as much as the workers shall have ahead of them. `patient`: where there is no memory, something
    /// else will leave some.
    pub(super) fn send(
        &mut self,
        area: &PoolArea,
        dispatcher: &mut Dispatcher,
        work: &dyn Work,
        patient: bool,
    ) -> Result<()> {
        while let Some(piece) = self.left.front() {
            let (range, tries) = (piece.range.clone(), piece.tries);
            let (count, bytes) = self.cut(&range, work);
            let Some((number, worker)) = dispatcher.place(bytes) else { break };
            match self.prepare(area, number as usize, range.start, count, bytes, work) {
                Ok(()) => {}
                // What is out will come back, and leave its memory to this one.
                Err(e) if e.status == Status::NoMemory && (patient || self.open > 0) => break,
                Err(e) => return Err(e),
            }
            dispatcher.send(self.caller, number, worker, bytes, Job { limit: self.plan.limit, tries });
            self.open += 1;
            self.left.pop_front();
            if count < range.len() {
                self.left.push_front(Piece { range: range.start + count..range.end, tries });
            }
        }
        Ok(())
    }

    /// How many of these items the next task has, and how many bytes it needs.
    fn cut(&self, range: &Range<usize>, work: &dyn Work) -> (usize, usize) {
        let most = self.plan.chunk.min(range.len());
        if let Some((in_size, out_size)) = work.sizes() {
            let item = in_size.saturating_add(out_size);
            let count = most.min(TASK_BYTES / item.max(1)).max(1);
            return (count, out_at(in_size * count) + out_size * count);
        }
        let mut bytes = 0;
        for count in 0..most {
            let item = task::framed(work.items(range.start + count, 1).len());
            if count > 0 && bytes + item > TASK_BYTES {
                return (count, bytes);
            }
            bytes += item;
        }
        (most, bytes)
    }

    fn prepare(
        &self,
        area: &PoolArea,
        number: usize,
        first: usize,
        count: usize,
        bytes: usize,
        work: &dyn Work,
    ) -> Result<()> {
        let slot = area.task(number);
        let data = task::make_room(area, number, bytes)?;
        let (in_size, out_size, results_at) = match work.sizes() {
            Some((in_size, out_size)) => {
                data.write(0, work.items(first, count));
                (in_size as u64, out_size as u64, out_at(in_size * count))
            }
            None => {
                let mut at = 0;
                for index in first..first + count {
                    let item = work.items(index, 1);
                    data.write(at, &(item.len() as u64).to_le_bytes());
                    data.write(at + task::ALIGN, item);
                    at += task::framed(item.len());
                }
                (0, u64::MAX, at)
            }
        };
        let facts = [
            (&slot.function, self.word),
            (&slot.user, self.plan.user),
            (&slot.first, first as u64),
            // A worker may die before it has said where it is.
            (&slot.position, first as u64),
            (&slot.result, 0),
            (&slot.count, count as u64),
            (&slot.in_size, in_size),
            (&slot.out_size, out_size),
            (&slot.out_at, results_at as u64),
        ];
        for (word, value) in facts {
            word.store(value, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn take_array(
    area: &PoolArea,
    number: usize,
    good: usize,
    out_size: usize,
    work: &mut dyn Work,
) -> Result<Vec<u8>> {
    let slot = area.task(number);
    let at = slot.out_at.load(Ordering::Relaxed) as usize;
    let results = task::bytes(area, number).and_then(|b| task::part(b, at, good * out_size));
    let Some(results) = results else { return damaged() };
    work.put_all(slot.first.load(Ordering::Relaxed) as usize, good, results);
    Ok(task::delivered(area, number, at + good * out_size).map_or_else(Vec::new, copy))
}

fn take_frames(area: &PoolArea, number: usize, good: usize, work: &mut dyn Work) -> Result<Vec<u8>> {
    let slot = area.task(number);
    let at = slot.out_at.load(Ordering::Relaxed) as usize;
    let Some(results) = task::delivered(area, number, at) else { return damaged() };
    let mut frames = Frames::new(results);
    let first = slot.first.load(Ordering::Relaxed) as usize;
    for index in first..first + good {
        let Some(frame) = frames.next() else { return damaged() };
        work.put(index, frame)?;
    }
    Ok(frames.next().map_or_else(Vec::new, copy))
}

/// Where the results of a task with fixed sizes begin.
fn out_at(in_bytes: usize) -> usize {
    in_bytes.next_multiple_of(task::ALIGN)
}

fn copy(data: Data) -> Vec<u8> {
    let mut bytes = vec![0; data.len()];
    data.read(0, &mut bytes);
    bytes
}

fn damaged<T>() -> Result<T> {
    fail!(State, "the pool's shared memory is damaged: a stray pointer wrote to it")
}

fn stopped(why: Why, limit: Limit, which: &str, how: &str) -> Error {
    match why {
        Why::Late => {
            let limit = limit.run.unwrap_or_default();
            Error::new(Status::Timeout, format!("{which}: it ran for longer than {limit:?}; {how}"))
        }
        Why::Cancelled => Error::new(Status::Cancelled, format!("{which}: cancelled while it ran; {how}")),
    }
}

fn failure(outcome: Outcome, index: usize, sentence: &[u8]) -> Error {
    let text = String::from_utf8_lossy(sentence);
    match outcome {
        Outcome::UnknownTarget => {
            let why = "was its library loaded after the pool was made, or its file replaced?";
            Error::new(Status::UnknownTarget, format!("the workers do not have the function; {why}"))
        }
        Outcome::NoMemory => {
            Error::new(Status::NoMemory, format!("item {index}: the worker has no memory for the results"))
        }
        _ => Error::new(Status::TaskFailed, format!("item {index}: {text}")),
    }
}
