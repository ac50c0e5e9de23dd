//! What a pool has done so far, and what it is at.

use super::guard::{self, guard, initialise};
use super::handle;
use super::pool::mp_pool;
use super::status::mp_status;
use super::text;
use crate::error::{Status, fail};
use core::ffi::{c_char, c_int};

/// What a pool has done, and does.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_pool_stats {
    /// sizeof(mp_pool_stats), set before the call.
    pub size: usize,
    /// Workers that are there.
    pub workers: u64,
    /// Tasks that were handed out and that no worker has begun.
    pub queued: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that came back, whatever of them.
    pub done: u64,
    /// Those of them in which an item failed.
    pub failed: u64,
    /// Tasks whose worker died.
    pub died: u64,
    /// Tasks that were asked to stop, because of a limit, a timeout or mp_result_cancel.
    pub stopped: u64,
    /// Workers that came in the place of others.
    pub replaced: u64,
    /// Nanoseconds that all workers together have worked.
    pub busy: u64,
}

/// What is in one worker's place.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_worker_stats {
    /// sizeof(mp_worker_stats), set before the call.
    pub size: usize,
    /// The worker that is there; 0 where none is.
    pub pid: c_int,
    /// It runs a task.
    pub running: bool,
    /// Tasks that were done here, by it and by those before it.
    pub tasks: u64,
    /// Nanoseconds that they took.
    pub busy: u64,
}

// mp.h:
// /* mp_pool_stats s = MP_POOL_STATS; mp_worker_stats w = MP_WORKER_STATS; */
// #define MP_POOL_STATS { sizeof(mp_pool_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
// #define MP_WORKER_STATS { sizeof(mp_worker_stats), 0, false, 0, 0 }

const EMPTY: mp_pool_stats = mp_pool_stats {
    size: size_of::<mp_pool_stats>(),
    workers: 0,
    queued: 0,
    running: 0,
    done: 0,
    failed: 0,
    died: 0,
    stopped: 0,
    replaced: 0,
    busy: 0,
};
const NOBODY: mp_worker_stats =
    mp_worker_stats { size: size_of::<mp_worker_stats>(), pid: 0, running: false, tasks: 0, busy: 0 };

/// MP_POOL_STATS as a function.
///
/// stats: where the defaults go; not NULL. size: sizeof(mp_pool_stats).
///
/// MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_stats_init(stats: *mut mp_pool_stats, size: usize) -> mp_status {
    guard("mp_pool_stats_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(stats, size, EMPTY) }
    })
}

/// MP_WORKER_STATS as a function.
///
/// stats: where the defaults go; not NULL. size: sizeof(mp_worker_stats).
///
/// MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_worker_stats_init(stats: *mut mp_worker_stats, size: usize) -> mp_status {
    guard("mp_worker_stats_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(stats, size, NOBODY) }
    })
}

/// What a pool has done and does, at any moment. Of what came back it knows what a call has looked
/// at.
///
/// stats: where the numbers go, as far as its size says; begun with MP_POOL_STATS.
///
/// MP_ERR_INVALID: stats is NULL, or its size makes no sense.
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_stats_get(pool: *const mp_pool, stats: *mut mp_pool_stats) -> mp_status {
    guard("mp_pool_stats_get", || {
        let look = |size| {
            let now = handle::object(pool)?.stats();
            Ok(mp_pool_stats {
                size,
                workers: now.workers,
                queued: now.queued,
                running: now.running,
                done: now.counts.done,
                failed: now.counts.failed,
                died: now.counts.died,
                stopped: now.counts.stopped,
                replaced: now.counts.replaced,
                busy: now.busy,
            })
        };
        // SAFETY: C's promise: stats is NULL, or its first member is there and says how much else is.
        unsafe { guard::fill(stats, "stats", look) }?;
        Ok(Status::Ok)
    })
}

/// What is in one worker's place.
///
/// worker: a number below that of mp_pool_workers.
/// stats: where the numbers go, as far as its size says; begun with MP_WORKER_STATS.
///
/// MP_ERR_INVALID: stats is NULL, or its size makes no sense, or the pool has no such place.
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_worker_stats(
    pool: *const mp_pool,
    worker: usize,
    stats: *mut mp_worker_stats,
) -> mp_status {
    guard("mp_pool_worker_stats", || {
        let look = |size| {
            let pool = handle::object(pool)?;
            let Some(now) = pool.worker_stats(worker) else {
                fail!(Invalid, "the pool has {} workers, and no number {worker}", pool.workers());
            };
            Ok(mp_worker_stats {
                size,
                pid: now.pid as c_int,
                running: now.running,
                tasks: now.tasks,
                busy: now.busy,
            })
        };
        // SAFETY: C's promise: stats is NULL, or its first member is there and says how much else is.
        unsafe { guard::fill(stats, "stats", look) }?;
        Ok(Status::Ok)
    })
}

/// Describes the pool as "<Pool state=RUN pool_size=4>"; the other states are CLOSE and TERMINATE.
///
/// text: room for size bytes; may be NULL where size is 0.
/// needed: how many bytes the text takes, its zero included, goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size bytes; text is as it was.
/// MP_ERR_INVALID: text is NULL, and size is not 0.
/// MP_ERR_STATE: the pool belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pool_describe(
    pool: *const mp_pool,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_pool_describe", || {
        let line = handle::object(pool)?.describe();
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &line) }?;
        Ok(Status::Ok)
    })
}
