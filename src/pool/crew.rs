//! The workers as the owner sees them: hired, watched, replaced, dismissed.

use super::scribe::Scribe;
use super::task::Phase;
use super::worker::{Call, Worker};
use crate::error::{Result, fail};
use crate::log;
use crate::park::{Owner, Tree};
use crate::process::start::zygote::Zygote;
use crate::process::start::{Started, WorkerPlan, confirm_worker, start_worker, start_worker_by};
use crate::process::{Method, own};
use crate::shm::{self, Kind, PoolArea, PoolBlock, Ref, ThisTree};
use crate::sys::children::End;
use crate::sys::setup::{self, Executable};
use crate::sys::signals;
use std::ffi::CString;
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
    /// What they run, where that is not what all others do.
    pub(super) executable: Option<&'static Executable>,
    /// Where those come from that take the places of others, by fork.
    pub(super) zygote: Option<Zygote>,
    /// Who reads their stderr, where somebody shall.
    pub(super) scribe: Option<Scribe>,
}

impl Agency {
    /// What a forked worker does.
    fn body(&self) -> impl Fn(u16) -> i32 + use<> {
        let (area, owner, call) = (self.area, ThisTree.me(), self.call);
        move |number| Worker::new(area, number, owner, call).run()
    }

    /// Has worker `number` started by `start`, and follows its stderr where somebody shall.
    fn begin<B, S>(
        &self,
        number: u16,
        body: B,
        start: impl FnOnce(WorkerPlan<'_, B>) -> Result<S>,
    ) -> Result<S> {
        let slot = self.area.worker(number.into());
        slot.inbox.reset();
        slot.outbox.reset();
        slot.bell.reset();
        Phase::Coming.put(slot);
        let path = own::next_path();
        let prefix = self.prefix.as_deref().unwrap_or_else(|| self.method.worker_type());
        let name = CString::new(format!("{prefix}-{path}")).unwrap_or_default();
        let cpu = self.cpus.get(usize::from(number) % self.cpus.len().max(1));
        let pipe = self.scribe.is_some().then(Scribe::pipe).transpose()?;
        let (reader, writer) = pipe.unzip();
        let plan = WorkerPlan {
            method: self.method,
            name: name.clone(),
            path,
            cpus: setup::cpu_mask(cpu.map_or(&[], std::slice::from_ref)),
            stderr: writer.as_ref(),
            executable: self.executable,
            pool: self.pool,
            number,
            body,
        };
        let started = start(plan)?;
        if let (Some(scribe), Some(reader)) = (&self.scribe, reader) {
            scribe.follow(reader, name.to_bytes());
        }
        Ok(started)
    }

    /// Before the first worker.
    pub(super) fn open(&mut self) -> Result<()> {
        if self.method == Method::Fork {
            self.zygote = Some(Zygote::fork(self.body())?);
        }
        Ok(())
    }

    /// After the first workers: waits until others can be had in their places.
    pub(super) fn confirm(&mut self) -> Result<()> {
        if let Some(scribe) = &mut self.scribe {
            scribe.begin()?;
        }
        self.zygote.as_ref().map_or(Ok(()), Zygote::confirm)
    }

    /// Starts worker `number`. It may still be coming up: `Hired::confirm` waits for it.
    pub(super) fn hire(&self, number: u16) -> Result<Hired> {
        let body = self.body();
        self.begin(number, || body(number), start_worker).map(|process| Hired { process })
    }

    /// Starts one that takes another's place.
    pub(super) fn replace(&mut self, number: u16) -> Result<Hired> {
        if self.method != Method::Fork {
            return self.hire(number);
        }
        for _ in 0..2 {
            let zygote = match self.zygote.take() {
                Some(zygote) => zygote,
                None => Zygote::fork(self.body())?,
            };
            let started = self.begin(number, (), |plan| start_worker_by(&zygote, plan));
            if matches!(started, Ok(None)) {
                // A lock is held.
                log::later(log::WARNING, || "a pool's zygote has died: another is forked".into());
                zygote.end();
                continue;
            }
            self.zygote = Some(zygote);
            if let Some(process) = started? {
                return Ok(Hired { process });
            }
        }
        fail!(Os, "a pool's zygote dies as soon as it is asked for a worker")
    }

    /// After the last worker.
    pub(super) fn close(&mut self) {
        if let Some(zygote) = self.zygote.take() {
            zygote.end();
        }
        if let Some(scribe) = self.scribe.take() {
            scribe.end();
        }
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
