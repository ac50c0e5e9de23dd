//! Pools: workers that outlive their tasks, and calls that outlive their workers.
//!
//! No lock is shared with or between workers. Each has a private pair of rings, and whose task is whose is
//! written down in the owner, so that a worker's death fails exactly what it was running.
//!
//! | who                 | what                                                                     |
//! |---------------------|--------------------------------------------------------------------------|
//! | [`worker`]          | the worker's side: takes, runs, delivers, rings                          |
//! | [`task`]            | the word that decides who runs a task, and how bytes lie                 |
//! | [`dispatch`]        | the owner's side of the rings: places, collects, buries, replaces, stops |
//! | [`call`]            | items that go out as tasks and come back as results                      |
//! | [`crew`], [`scribe`]| the workers' processes, and what they write to stderr                    |
//! | [`client`]          | a thread of the owner that waits for tasks                               |
//! | [`map`], [`imap`]   | calls that their callers' threads drive, the second with a [`shelf`]     |
//! | [`helper`]          | the thread that drives the others, with [`batch`] and [`answer`]         |
//! | [`trace`]           | the timeline, for who wants to look instead of guess                     |
#![forbid(unsafe_code)]

mod answer;
mod batch;
mod call;
mod client;
mod crew;
mod dispatch;
mod helper;
mod imap;
mod map;
mod running;
mod shelf;
mod scribe;
mod stats;
mod task;
mod trace;
mod worker;

pub(crate) use answer::{Answer, Settled, Until, Value, earliest, wait_for};
pub(crate) use batch::Batch;
pub(crate) use call::{Plan, Work};
pub(crate) use crew::serve;
pub(crate) use helper::{Callback, Progress, Request};
pub(crate) use imap::{Imap, Source};
pub(crate) use map::MapOptions;
pub(crate) use running::{Running, over as task_is_over};
pub(crate) use worker::Call;

use crate::error::{Result, fail};
use crate::process::Method;
use crate::shm::{self, AHEAD, BytesBlock, Entry, Kind, PoolArea, PoolBlock};
use crate::sys::setup::Executable;
use crate::sys::{cpu, signals};
use crate::time::Deadline;
use crew::Agency;
use dispatch::{Dispatcher, Limit};
use helper::Helper;
use scribe::Scribe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trace::Trace;

/// More workers than this are taken for a mistake.
const MOST_WORKERS: usize = 4096;
/// Task slots of a pool, however many workers it has.
const MOST_TASKS: usize = 16_384;

/// A function that each worker runs before its first task: what it is, the user's pointer, and its bytes.
pub(crate) struct Initializer<'a> {
    pub(crate) function: u64,
    pub(crate) user: u64,
    pub(crate) bytes: &'a [u8],
}

/// How a pool shall be.
#[derive(Default)]
pub(crate) struct PoolOptions<'a> {
    /// 0: as many as there are CPUs for this process.
    pub(crate) workers: usize,
    pub(crate) method: Option<Method>,
    /// What the workers run, where that is not what all others do.
    pub(crate) executable: Option<&'static Executable>,
    pub(crate) initializer: Option<Initializer<'a>>,
    /// After so many tasks a worker is replaced; 0: never.
    pub(crate) most_tasks: u64,
    /// Once it has grown by so many bytes; 0: never.
    pub(crate) most_memory: u64,
    /// What the workers' names begin with.
    pub(crate) prefix: Option<String>,
    /// Dead workers are replaced also while there is nothing to do.
    pub(crate) watch: bool,
    /// Where its timeline goes; None for where the environment says, empty for nowhere.
    pub(crate) trace: Option<PathBuf>,
    /// Worker i runs on the CPU in place i modulo their number; empty: on the owner's.
    pub(crate) cpus: Vec<usize>,
    /// What the workers write to stderr comes line by line under their names.
    pub(crate) tag_stderr: bool,
}

/// What a pool still does.
///
/// | state  | from        | by                                                                 |
/// |--------|-------------|--------------------------------------------------------------------|
/// | RUNS   |             | takes calls                                                        |
/// | CLOSED | RUNS        | takes none; the workers leave when the last one has come back       |
/// | ENDED  | RUNS, CLOSED | the workers are gone, and what had not come back never does        |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum State {
    Runs,
    Closed,
    Ended,
}

/// A pool, in the process that owns it.
pub(crate) struct Pool {
    area: PoolArea,
    workers: usize,
    dispatcher: Mutex<Dispatcher>,
    /// A [`State`], which only grows; set before the workers are told.
    state: AtomicU8,
    /// Iterators that are not at their end.
    imaps: AtomicUsize,
    helper: Helper,
    /// The helper looks after the pool also while it has nothing to do.
    is_watched: bool,
    entry: Entry,
}

impl Pool {
    /// Starts the workers.
    pub(crate) fn new(options: PoolOptions<'_>, call: Call) -> Result<Arc<Self>> {
        let workers = match options.workers {
            0 => cpu::usable().min(MOST_WORKERS),
            workers => workers,
        };
        if workers > MOST_WORKERS {
            fail!(Invalid, "a pool has at most {MOST_WORKERS} workers, and {workers} are asked for");
        }
        let tasks = (workers * AHEAD).min(MOST_TASKS);
        let object = shm::create::<PoolBlock>(Kind::Pool, PoolArea::size(workers, tasks), |block| {
            block.carriers.store(PoolArea::carriers(tasks) as u64, Ordering::Relaxed);
            block.workers.store(workers as u64, Ordering::Relaxed);
            block.tasks.store(tasks as u64, Ordering::Relaxed);
        })?;
        let trace = Trace::wanted(options.trace, workers, tasks);
        let area = shm::resolve::<PoolBlock>(object.r, Kind::Pool).and_then(PoolArea::of);
        let Some(area) = area else {
            shm::release(object.entry);
            fail!(State, "the pool's shared memory is damaged");
        };
        let method = options.method.unwrap_or_else(Method::default_one);
        let agency = Agency {
            area,
            pool: object.r,
            call,
            method,
            prefix: options.prefix,
            cpus: options.cpus,
            executable: options.executable,
            zygote: None,
            scribe: if options.tag_stderr { Some(Scribe::new()?) } else { None },
        };
        let pool = Pool {
            area,
            workers,
            dispatcher: Mutex::new(Dispatcher::new(agency, tasks, trace)),
            state: AtomicU8::new(State::Runs as u8),
            imaps: AtomicUsize::new(0),
            helper: Helper::default(),
            is_watched: options.watch,
            entry: object.entry,
        };
        // Where one cannot be started, dropping the pool ends those that were.
        let shared = area.shared();
        shared.mask.store(signals::mask(), Ordering::Relaxed);
        shared.most_tasks.store(options.most_tasks, Ordering::Relaxed);
        shared.most_memory.store(options.most_memory, Ordering::Relaxed);
        let mut dispatcher = pool.dispatcher();
        if let Some(Initializer { function, user, bytes }) = options.initializer {
            let object = shm::create::<BytesBlock>(Kind::Bytes, bytes.len(), |_| {})?;
            if let Some(data) =
                shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| shm::data(&b.head))
            {
                data.write(0, bytes);
            }
            shm::carry(object, area.initial());
            shared.initializer.store(dispatcher.describe(function, user)?, Ordering::Relaxed);
            shared.user.store(user, Ordering::Relaxed);
        }
        dispatcher.hire_all(workers)?;
        drop(dispatcher);
        let pool = Arc::new(pool);
        if pool.is_watched {
            pool.watch()?;
        }
        Ok(pool)
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) == State::Ended as u8
    }

    fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) != State::Runs as u8
    }

    /// Before a call begins.
    pub(crate) fn must_run(&self) -> Result<()> {
        if self.is_closed() {
            fail!(State, "the pool was closed: it takes no more calls");
        }
        Ok(())
    }

    /// No more calls: the workers leave when the last one has come back.
    pub(crate) fn close(&self) {
        self.state.fetch_max(State::Closed as u8, Ordering::AcqRel);
        self.stop_if_done(&self.dispatcher());
    }

    /// Tells the workers of a closed pool to leave, once nobody waits for them.
    fn stop_if_done(&self, dispatcher: &Dispatcher) {
        if self.is_closed() && !dispatcher.has_clients() {
            let shared = self.area.shared();
            shared.stop.store(1, Ordering::Release);
            for number in 0..self.workers {
                self.area.worker(number).bell.notify::<shm::ThisTree>(1);
            }
            shared.bell.notify::<shm::ThisTree>(i32::MAX);
        }
    }

    /// Waits until the workers of a closed pool are gone.
    pub(crate) fn join(&self, deadline: Deadline) -> Result<()> {
        const SLICE: Duration = Duration::from_millis(20);
        let shared = self.area.shared();
        if !self.is_closed() {
            fail!(State, "the pool still takes calls: close it, or terminate it, first");
        }
        if self.imaps.load(Ordering::Acquire) > 0 {
            fail!(State, "an iterator of the pool is not at its end: take what it has, or free it, first");
        }
        loop {
            let must_leave = || (shared.stop.load(Ordering::Acquire) != 0).then_some(());
            // Only then a worker that is gone is not replaced.
            if must_leave().is_some() && self.dispatcher().are_gone() {
                return Ok(());
            }
            if deadline.is_over() {
                fail!(Timeout, "the pool's workers were not gone in time");
            }
            let slice = SLICE.min(deadline.remaining());
            if must_leave().is_some() {
                self.dispatcher().await_an_end(slice);
            } else {
                let until = Deadline::At(Instant::now() + slice);
                let _ = shared.bell.wait(&shm::ThisTree, until, true, must_leave, || Ok::<(), ()>(()));
            }
        }
    }

    /// Closes, cancels what was not begun if that is wanted, and joins.
    pub(crate) fn shut_down(&self, cancel_pending: bool, deadline: Deadline) -> Result<()> {
        self.close();
        if cancel_pending {
            self.cancel_pending();
        }
        self.join(deadline)
    }

    /// Ends the workers at once: idle ones leave, busy ones are terminated. Calls that other threads wait for
    /// are cancelled.
    pub(crate) fn end(&self) {
        if self.state.swap(State::Ended as u8, Ordering::AcqRel) == State::Ended as u8 {
            return;
        }
        let shared = self.area.shared();
        shared.stop.store(1, Ordering::Release);
        self.dispatcher().dismiss_all();
        shared.bell.notify::<shm::ThisTree>(i32::MAX);
    }
}

impl Pool {
    /// The same, and waits for the callback that may be running.
    pub(crate) fn end_with_helper(&self) {
        self.end();
        self.helper.join();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end();
        shm::release(self.entry);
    }
}

/// How long a task may run, and how long it has to return, and its worker to end, after that; in nanoseconds,
/// [`crate::time::FOREVER`] for no limit.
pub(crate) fn plan(
    (function, user): (u64, u64),
    chunk: usize,
    run_all: bool,
    retries: u32,
    (limit, grace): (i64, i64),
) -> Plan {
    let nanoseconds = |n: i64| Duration::from_nanos(n.max(0) as u64);
    let run = (limit != crate::time::FOREVER).then(|| nanoseconds(limit));
    Plan { function, user, chunk, run_all, retries, limit: Limit { run, grace: nanoseconds(grace) } }
}
