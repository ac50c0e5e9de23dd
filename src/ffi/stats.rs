//! What the program's shared segment holds: where memory went, and whether something leaks.

use super::guard::{guard, initialise, joined};
use super::status::mp_status;
use crate::error::Status;
use crate::shm;

/// Exact at some moment during the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_stats {
    /// sizeof(mp_stats), set before the call.
    pub size: usize,
    /// Processes that use libmp.
    pub processes: u64,
    /// Objects: locks, values, arrays, memory, queues, pools, and bytes on their way. A value or an
    /// array and the RLock of its own are two.
    pub blocks: u64,
    /// Bytes that the segment could grow to.
    pub bytes_reserved: u64,
    /// Bytes that are handed out or kept for small objects.
    pub bytes_used: u64,
    /// Sleeps that found work without having been woken: 0, unless processes were killed.
    pub rescued: u64,
    /// Locks taken over from dead holders.
    pub owner_deaths: u64,
    /// Dead processes whose belongings were taken back, those that exited normally included.
    pub sweeps: u64,
}

// mp.h:
// /* mp_stats s = MP_STATS; */
// #define MP_STATS { sizeof(mp_stats), 0, 0, 0, 0, 0, 0, 0 }

/// MP_STATS as a function.
///
/// stats: where the defaults go; not NULL. size: sizeof(mp_stats).
///
/// MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_stats_init(stats: *mut mp_stats, size: usize) -> mp_status {
    guard("mp_stats_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(stats, size, EMPTY) }
    })
}

const EMPTY: mp_stats = mp_stats {
    size: size_of::<mp_stats>(),
    processes: 0,
    blocks: 0,
    bytes_reserved: 0,
    bytes_used: 0,
    rescued: 0,
    owner_deaths: 0,
    sweeps: 0,
};

/// Looks the segment over, which takes its time when there are many objects: not for polling.
///
/// stats: where the numbers go, as far as its size says; begun with MP_STATS.
///
/// MP_ERR_INVALID: stats is NULL, or its size is less than that of a size.
///
/// Threads, processes: others that make or free objects meanwhile wait for the end of this
/// call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_stats_get(stats: *mut mp_stats) -> mp_status {
    guard("mp_stats_get", || {
        let look = |size| {
            joined()?;
            let now = shm::stats();
            Ok(mp_stats {
                size,
                processes: now.processes,
                blocks: now.blocks,
                bytes_reserved: now.reserved,
                bytes_used: now.used,
                rescued: now.rescued,
                owner_deaths: now.owner_deaths,
                sweeps: now.sweeps,
            })
        };
        // SAFETY: C's promise: stats is NULL, or its first member is there and says how much else is.
        unsafe { super::guard::fill(stats, "stats", look) }?;
        Ok(Status::Ok)
    })
}
