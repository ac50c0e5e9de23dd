//! Pools: workers that outlive their tasks, and maps that outlive their workers.
//!
//! No lock is shared with or between workers. Each has a private pair of rings, and whose task is whose is
//! written down in the owner, so that a worker's death fails exactly what it was running.
#![forbid(unsafe_code)]

mod crew;
mod dispatch;
mod map;
mod running;
mod task;
mod worker;

pub(crate) use crew::serve;
pub(crate) use map::{MapOptions, Work};
pub(crate) use running::Running;
pub(crate) use worker::Call;

use crate::error::{Result, fail};
use crate::process::Method;
use crate::shm::{self, AHEAD, Entry, Kind, PoolArea, PoolBlock};
use crate::sys::cpu;
use crew::Agency;
use dispatch::Dispatcher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More workers than this are taken for a mistake.
const MOST_WORKERS: usize = 4096;
/// Task slots of a pool, however many workers it has.
const MOST_TASKS: usize = 16_384;

/// A pool, in the process that owns it.
pub(crate) struct Pool {
    area: PoolArea,
    workers: usize,
    dispatcher: Mutex<Dispatcher>,
    /// Set once, before the workers are told to leave.
    ended: AtomicBool,
    entry: Entry,
}

impl Pool {
    /// Starts the workers; 0 means as many as there are CPUs for this process.
    pub(crate) fn new(workers: usize, call: Call, method: Option<Method>) -> Result<Self> {
        let workers = if workers == 0 { cpu::usable().min(MOST_WORKERS) } else { workers };
        if workers > MOST_WORKERS {
            fail!(Invalid, "a pool has at most {MOST_WORKERS} workers, and {workers} are asked for");
        }
        let tasks = (workers * AHEAD).min(MOST_TASKS);
        let object = shm::create::<PoolBlock>(Kind::Pool, PoolArea::size(workers, tasks), |block| {
            block.carriers.store(PoolArea::carriers(tasks) as u64, Ordering::Relaxed);
            block.workers.store(workers as u64, Ordering::Relaxed);
            block.tasks.store(tasks as u64, Ordering::Relaxed);
        })?;
        let area = shm::resolve::<PoolBlock>(object.r, Kind::Pool).and_then(PoolArea::of);
        let Some(area) = area else {
            shm::release(object.entry);
            fail!(State, "the pool's shared memory is damaged");
        };
        let method = method.unwrap_or_else(Method::default_one);
        let agency = Agency { area, pool: object.r, call, method };
        let pool = Pool {
            area,
            workers,
            dispatcher: Mutex::new(Dispatcher::new(agency, tasks)),
            ended: AtomicBool::new(false),
            entry: object.entry,
        };
        // Where one cannot be started, dropping the pool ends those that were.
        pool.dispatcher().hire_all(workers)?;
        Ok(pool)
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends the workers at once: idle ones leave, busy ones are terminated. Maps that run in other threads
    /// are cancelled.
    pub(crate) fn end(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = self.area.shared();
        shared.stop.store(1, Ordering::Release);
        self.dispatcher().dismiss_all();
        shared.bell.notify::<shm::ThisTree>(i32::MAX);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end();
        shm::release(self.entry);
    }
}
