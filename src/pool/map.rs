//! map: a call's items go out as tasks and come back as results, in the caller's thread.

use super::Pool;
use super::dispatch::{Back, Dispatcher};
use super::task::{self, Frames, Outcome};
use crate::error::{Error, Result, Status, fail};
use crate::park::Wait;
use crate::shm::{Data, PoolArea, TaskSlot, ThisTree};
use crate::time::Deadline;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest a call sleeps before it looks at its workers, its deadline and its caller's wishes.
const ROUND: Duration = Duration::from_millis(50);
/// Progress is not reported more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(10);
/// A task's bytes, unless one item alone has more.
const TASK_BYTES: usize = 1 << 20;

/// What there is to do, and where the results go. Implemented where the caller's memory is.
pub(crate) trait Work {
    /// How many items.
    fn len(&self) -> usize;
    /// Sizes of an item and of its result; None where each has its own.
    fn sizes(&self) -> Option<(usize, usize)>;
    /// The bytes of `count` items of fixed size, or of the one item `first`.
    fn items(&self, first: usize, count: usize) -> &[u8];
    /// Takes the results of items of fixed size.
    fn put_all(&mut self, first: usize, results: Data);
    /// Takes one result of any size.
    fn put(&mut self, index: usize, result: Data) -> Result<()>;
    /// Tells the caller; false: the caller wants to stop.
    fn progress(&mut self, done: usize) -> bool;
}

/// How to map.
pub(crate) struct MapOptions {
    /// Items a task, 0: chosen.
    pub(crate) chunk: usize,
    pub(crate) deadline: Deadline,
    /// An error does not keep the rest from being done.
    pub(crate) run_all: bool,
    pub(crate) function: u64,
    pub(crate) user: u64,
}

/// A map on its way.
struct Call<'a> {
    pool: &'a Pool,
    work: &'a mut dyn Work,
    options: &'a MapOptions,
    /// What the tasks say of the function.
    function: u64,
    number: u64,
    mail: Arc<AtomicBool>,
    chunk: usize,
    /// Items that have not gone out yet: at first all, later also what a failed task had left.
    left: VecDeque<Range<usize>>,
    /// Tasks that are out.
    open: usize,
    /// Items that came back, with a result or without.
    done: usize,
    /// The first failure.
    error: Option<Error>,
    told: Instant,
}

impl Pool {
    /// Runs the function on every item.
    pub(crate) fn map(&self, work: &mut dyn Work, options: &MapOptions) -> Result<()> {
        let len = work.len();
        if len == 0 {
            return Ok(());
        }
        let chunk = match options.chunk {
            // Where a failure shall not touch the other items, a death must not either.
            0 if options.run_all => 1,
            0 => len.div_ceil(4 * self.workers()),
            chunk => chunk,
        };
        let function = self.dispatcher().describe(options.function, options.user)?;
        let (number, mail) = self.dispatcher().open_call();
        let mut call = Call {
            pool: self,
            work,
            options,
            function,
            number,
            mail,
            chunk,
            left: std::iter::once(0..len).collect(),
            open: 0,
            done: 0,
            error: None,
            told: Instant::now(),
        };
        let result = call.run();
        let mut dispatcher = self.dispatcher();
        dispatcher.close_call(number);
        if dispatcher.others_have_mail(number) {
            self.area.shared().bell.notify::<ThisTree>(i32::MAX);
        }
        result
    }
}

impl Call<'_> {
    fn run(&mut self) -> Result<()> {
        let area = &self.pool.area;
        loop {
            // Before the outboxes are looked at: what comes later is news.
            let news = news(area);
            let mut dispatcher = self.pool.dispatcher();
            if self.pool.has_ended() {
                fail!(Cancelled, "the pool was freed while the map ran");
            }
            self.receive(&mut dispatcher)?;
            self.send(&mut dispatcher)?;
            if self.open == 0 && self.left.is_empty() {
                break;
            }
            if let Some(error) = dispatcher.hopeless() {
                return Err(error);
            }
            let others = dispatcher.others_have_mail(self.number);
            drop(dispatcher);
            if others {
                area.shared().bell.notify::<ThisTree>(i32::MAX);
            }
            self.tell(false)?;
            if self.options.deadline.is_over() {
                let left = self.work.len() - self.done;
                fail!(Timeout, "{left} of {} items were not done in time", self.work.len());
            }
            self.sleep(area, news);
        }
        self.tell(true)?;
        self.error.take().map_or(Ok(()), Err)
    }

    /// Until a worker rings, another thread has found something for us, or a round is over.
    fn sleep(&self, area: &PoolArea, seen: u64) {
        let look = || {
            let something = news(area) != seen || self.mail.load(Ordering::Acquire) || self.pool.has_ended();
            something.then_some(())
        };
        let round = match self.options.deadline {
            Deadline::At(at) => at.min(Instant::now() + ROUND),
            _ => Instant::now() + ROUND,
        };
        let waited: std::result::Result<_, std::convert::Infallible> =
            area.shared().bell.wait(&ThisTree, Deadline::At(round), true, look, || Ok(()));
        let Ok(Wait::Found(()) | Wait::TimedOut) = waited;
    }

    fn receive(&mut self, dispatcher: &mut Dispatcher) -> Result<()> {
        dispatcher.collect();
        let mut settled = Ok(());
        for (number, back) in dispatcher.mail(self.number) {
            let slot = self.pool.area.task(number as usize);
            self.open -= 1;
            if settled.is_ok() {
                let result = self.settle(slot, number as usize, back);
                settled = result.or_else(|e| self.note(e));
            }
            dispatcher.retire(number);
        }
        settled
    }

    /// A failed task ends the call, unless all shall run; the first failure is the one that is told.
    fn note(&mut self, error: Error) -> Result<()> {
        if !self.options.run_all {
            return Err(error);
        }
        self.error.get_or_insert(error);
        Ok(())
    }

    /// Takes what a task came to: the results of the items that were done, and the failure, if one was met.
    fn settle(&mut self, slot: &TaskSlot, number: usize, back: Back) -> Result<()> {
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
            Outcome::NoMemory if self.work.sizes().is_none() => 0,
            _ => position.checked_sub(first).filter(|&good| good < count).unwrap_or(0),
        };
        let sentence = match (self.work.sizes(), &back) {
            (Some((_, out_size)), _) => self.take_array(slot, number, good, out_size)?,
            // Results of any size are delivered at the end only: they died with the worker.
            (None, Back::Died(_)) => Vec::new(),
            (None, Back::Done) => self.take_frames(slot, number, good)?,
        };
        if outcome == Outcome::Ok {
            self.done += count;
            return Ok(());
        }
        self.done += good + 1;
        if first + good + 1 < first + count {
            self.left.push_back(first + good + 1..first + count);
        }
        match back {
            Back::Done => Err(failure(outcome, first + good, &sentence)),
            Back::Died(how) if good > 0 && self.work.sizes().is_none() => {
                fail!(WorkerDied, "items {first} to {}: {how}", first + good)
            }
            Back::Died(how) => fail!(WorkerDied, "item {}: {how}", first + good),
        }
    }

    fn take_array(
        &mut self,
        slot: &TaskSlot,
        number: usize,
        good: usize,
        out_size: usize,
    ) -> Result<Vec<u8>> {
        let area = &self.pool.area;
        let at = slot.out_at.load(Ordering::Relaxed) as usize;
        let results = task::bytes(area, number).and_then(|b| task::part(b, at, good * out_size));
        let Some(results) = results else { return damaged() };
        self.work.put_all(slot.first.load(Ordering::Relaxed) as usize, results);
        Ok(task::delivered(area, number, at + good * out_size).map_or_else(Vec::new, copy))
    }

    fn take_frames(&mut self, slot: &TaskSlot, number: usize, good: usize) -> Result<Vec<u8>> {
        let at = slot.out_at.load(Ordering::Relaxed) as usize;
        let Some(results) = task::delivered(&self.pool.area, number, at) else { return damaged() };
        let mut frames = Frames::new(results);
        let first = slot.first.load(Ordering::Relaxed) as usize;
        for index in first..first + good {
            let Some(frame) = frames.next() else { return damaged() };
            self.work.put(index, frame)?;
        }
        Ok(frames.next().map_or_else(Vec::new, copy))
    }

    /// Hands out as much as the workers shall have ahead of them.
    fn send(&mut self, dispatcher: &mut Dispatcher) -> Result<()> {
        while let Some(range) = self.left.front().cloned() {
            let (count, bytes) = self.cut(&range);
            let Some((number, worker)) = dispatcher.place(bytes) else { break };
            match self.prepare(number as usize, range.start, count, bytes) {
                Ok(()) => {}
                // What is out will come back, and leave its memory to this one.
                Err(e) if e.status == Status::NoMemory && self.open > 0 => break,
                Err(e) => return Err(e),
            }
            dispatcher.send(self.number, number, worker, bytes);
            self.open += 1;
            self.left.pop_front();
            if count < range.len() {
                self.left.push_front(range.start + count..range.end);
            }
        }
        dispatcher.ring_workers(self.left.is_empty());
        Ok(())
    }

    /// How many of these items the next task has, and how many bytes it needs.
    fn cut(&self, range: &Range<usize>) -> (usize, usize) {
        let most = self.chunk.min(range.len());
        if let Some((in_size, out_size)) = self.work.sizes() {
            let item = in_size.saturating_add(out_size);
            let count = most.min(TASK_BYTES / item.max(1)).max(1);
            return (count, out_at(in_size * count) + out_size * count);
        }
        let mut bytes = 0;
        for count in 0..most {
            let item = task::framed(self.work.items(range.start + count, 1).len());
            if count > 0 && bytes + item > TASK_BYTES {
                return (count, bytes);
            }
            bytes += item;
        }
        (most, bytes)
    }

    fn prepare(&self, number: usize, first: usize, count: usize, bytes: usize) -> Result<()> {
        let slot = self.pool.area.task(number);
        let data = task::make_room(&self.pool.area, number, bytes)?;
        let (in_size, out_size, results_at) = match self.work.sizes() {
            Some((in_size, out_size)) => {
                data.write(0, self.work.items(first, count));
                (in_size as u64, out_size as u64, out_at(in_size * count))
            }
            None => {
                let mut at = 0;
                for index in first..first + count {
                    let item = self.work.items(index, 1);
                    data.write(at, &(item.len() as u64).to_le_bytes());
                    data.write(at + task::ALIGN, item);
                    at += task::framed(item.len());
                }
                (0, u64::MAX, at)
            }
        };
        let facts = [
            (&slot.function, self.function),
            (&slot.user, self.options.user),
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

    /// Reports progress, if it is time to, or if all is over.
    fn tell(&mut self, last: bool) -> Result<()> {
        if !last && self.told.elapsed() < PROGRESS_EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        if !self.work.progress(self.done) && !last {
            fail!(
                Cancelled,
                "the progress function asked to stop after {} of {} items",
                self.done,
                self.work.len()
            );
        }
        Ok(())
    }
}

/// Where the results of a task with fixed sizes begin.
fn out_at(in_bytes: usize) -> usize {
    in_bytes.next_multiple_of(task::ALIGN)
}

/// The sum of the workers' rings: it differs as soon as one has rung.
fn news(area: &PoolArea) -> u64 {
    (0..area.worker_count()).map(|w| u64::from(area.worker(w).news.load(Ordering::Acquire))).sum()
}

fn copy(data: Data) -> Vec<u8> {
    let mut bytes = vec![0; data.len()];
    data.read(0, &mut bytes);
    bytes
}

fn damaged<T>() -> Result<T> {
    fail!(State, "the pool's shared memory is damaged: a stray pointer wrote to it")
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
