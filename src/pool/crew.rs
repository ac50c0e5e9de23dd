//! The workers as the owner sees them: hired, watched, replaced, dismissed.

use super::task::Phase;
use super::worker::{Call, Worker};
use crate::error::Result;
use crate::park::{Owner, Tree};
use crate::process::Method;
use crate::process::start::{Started, WorkerPlan, confirm_worker, start_worker};
use crate::shm::{self, Kind, PoolArea, PoolBlock, Ref, ThisTree};
use crate::sys::children::End;
use crate::sys::{setup, signals};
use std::time::{Duration, Instant};

/// How long a busy worker may take to leave after SIGTERM: with all else that ends a pool, less than a second.
const GRACE: Duration = Duration::from_millis(500);

/// One worker's process. Its lifeline is held here: dropping it ends the worker.
pub(super) struct Hired {
    process: Started,
}

/// A worker that is no more.
pub(super) struct Departed {
    /// "was killed by SIGKILL", "exited with code 3".
    pub(super) how: String,
}

/// Where workers come from.
pub(super) struct Agency {
    pub(super) area: PoolArea,
    pub(super) pool: Ref,
    pub(super) call: Call,
    pub(super) method: Method,
    /// What a worker's name begins with; None for the usual.
    pub(super) prefix: Option<String>,
    /// Where they run, in turn; empty: where the owner does.
    pub(super) cpus: Vec<usize>,
}

impl Agency {
    /// Starts worker `number`. It may still be coming up: `Hired::confirm` waits for it.
    pub(super) fn hire(&self, number: u16) -> Result<Hired> {
        let Agency { area, pool, call, method, ref prefix, ref cpus } = *self;
        let slot = area.worker(number.into());
        slot.inbox.reset();
        slot.outbox.reset();
        slot.bell.reset();
        Phase::Coming.put(slot);
        let owner = ThisTree.me();
        let body = move || Worker::new(area, number, owner, call).run();
        let cpu = cpus.get(usize::from(number) % cpus.len().max(1));
        let cpus = setup::cpu_mask(cpu.map_or(&[], std::slice::from_ref));
        let plan = WorkerPlan { method, prefix: prefix.as_deref(), cpus, pool, number, body };
        start_worker(plan).map(|process| Hired { process })
    }
}

/// What a fresh image does that is told to be a worker.
pub(crate) fn serve(pool: u64, number: u16, owner: u32, call: Call) -> i32 {
    const NO_POOL: i32 = 255;
    let block = shm::resolve::<PoolBlock>(Ref::from_bits(pool), Kind::Pool);
    match (block.and_then(PoolArea::of), Owner::from_bits(owner)) {
        (Some(area), Some(owner)) if usize::from(number) < area.worker_count() => {
            Worker::new(area, number, owner, call).run()
        }
        _ => NO_POOL,
    }
}

impl Hired {
    /// Waits until the worker can work.
    pub(super) fn confirm(&self) -> Result<()> {
        confirm_worker(&self.process)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Waits for its end, or for a signal, that long.
    pub(super) fn wait(&self, limit: Duration) {
        self.process.wait(limit);
    }

    /// Sends it a signal.
    pub(super) fn send(&self, signal: i32) {
        // One that cannot be reached is gone, or its lifeline ends it.
        let _ = self.process.signal(signal);
    }

    /// Whether the worker is gone; if so, what it held in shared memory is taken back.
    pub(super) fn departed(&self) -> Option<Departed> {
        let end = self.process.ended()?;
        shm::sweep(self.process.owner);
        let pid = self.process.pid;
        let how = match end {
            End::Killed(signal) => format!("worker process {pid} was killed by {}", signals::name(signal)),
            End::Exited(code) => format!("worker process {pid} exited with code {code}"),
            End::Reaped => format!("worker process {pid} has ended, and the host program reaped it"),
        };
        Some(Departed { how })
    }
}

/// Ends all of them, and returns when they are gone.
pub(super) fn dismiss(area: PoolArea, crew: &mut Vec<Option<Hired>>) {
    let mut left: Vec<Hired> = crew.drain(..).flatten().collect();
    for number in 0..area.worker_count() {
        area.worker(number).bell.notify::<ThisTree>(1);
    }
    // One that sleeps needs a moment to see that the pool stops; whoever does not is busy.
    let mut signal = None;
    for wait in [Duration::from_millis(20), GRACE, 10 * GRACE] {
        if let Some(signal) = signal {
            for worker in &left {
                worker.send(signal);
            }
        }
        let begun = Instant::now();
        while !left.is_empty() && begun.elapsed() < wait {
            let rest = wait.saturating_sub(begun.elapsed());
            left[0].process.wait(rest.min(Duration::from_secs(60)));
            left.retain(|w| w.departed().is_none());
        }
        signal = match signal {
            None => Some(signals::SIGTERM),
            _ => Some(signals::SIGKILL),
        };
    }
}
