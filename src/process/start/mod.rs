//! Start methods.

mod fork;
pub(crate) mod spawn;

use super::args::Args;
use super::codec::Job;
use super::target::Target;
use super::{Child, Method};
use crate::error::Result;
use crate::park::Owner;
use crate::shm::{self, Kind, Ref};
use crate::sys::children::{self, End, Followed, Trace};
use crate::sys::kept::{Kept, List};
use crate::sys::stdio;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a child that could not begin leaves with, and one whose function panicked.
const FAILED_TO_BEGIN: i32 = 255;
const PANICKED: i32 = 1;

/// A child that runs.
pub(crate) struct Started {
    pub(crate) pid: u32,
    /// None where it is followed by its number, or not at all.
    pidfd: Option<Kept>,
    /// The host had reaped it before it could be followed.
    lost: bool,
    pub(crate) owner: Owner,
    /// The end whose closing kills a worker: held, never used.
    #[allow(dead_code, reason = "held for what its closing does")]
    pub(crate) lifeline: Option<Kept>,
}

impl Started {
    fn new(pid: u32, owner: Owner, trace: Trace, lifeline: Option<Kept>, list: &mut List<'_>) -> Self {
        let lost = matches!(trace, Trace::Lost);
        let pidfd = match trace {
            Trace::Descriptor(fd) => Some(list.keep(fd)),
            Trace::Number | Trace::Lost => None,
        };
        Started { pid, pidfd, lost, owner, lifeline }
    }

    /// How to reach it; None when the host has reaped it already.
    fn followed(&self) -> Option<Followed<'_>> {
        let descriptor = self.pidfd.as_ref().and_then(Kept::ours);
        (!self.lost).then(|| descriptor.map_or(Followed::Number(self.pid), Followed::Descriptor))
    }

    /// How the child ended, if it has; asked once more after that, it may say something else.
    pub(crate) fn ended(&self) -> Option<End> {
        self.followed().map_or(Some(End::Reaped), children::ended)
    }

    /// Waits until the child has ended, at most `limit`, or until a signal comes.
    pub(crate) fn wait(&self, limit: Duration) {
        if let Some(child) = self.followed() {
            children::is_over(child, limit);
        }
    }

    /// Sends the child a signal, if it still is there.
    pub(crate) fn signal(&self, signal: i32) {
        if let Some(child) = self.followed() {
            children::signal(child, signal);
        }
    }

    /// Whether the child has ended; it is not reaped.
    fn is_over(&self) -> bool {
        self.followed().is_none_or(|child| children::is_over(child, Duration::ZERO))
    }

    /// Waits for a child that is about to end, and reaps it.
    fn bury(&self) -> End {
        loop {
            if let Some(end) = self.ended() {
                return end;
            }
            self.wait(Duration::from_secs(1));
        }
    }
}

/// Starts a child that runs `body` with the arguments, which are then the child's. `address` is where the
/// body's function is, for a fresh image to find.
pub(super) fn start(
    method: Method,
    keep_stdin: bool,
    args: &mut Args,
    address: Option<usize>,
    body: impl FnOnce(Child) -> i32,
) -> Result<Started> {
    let started = match method {
        Method::Fork => {
            let child = fork::prepare(false, keep_stdin)?;
            let entries = args.hand_to(child.owner())?;
            child.start(|| body(args.receive(entries)))?
        }
        Method::Spawn => {
            let target = address.map(Target::of).transpose()?;
            let child = Claimed(spawn::claim()?);
            let args = args.pass_to(child.0)?;
            let job = Job::Process { target, args };
            let started = spawn::launch(child.0, job, false, keep_stdin)?;
            std::mem::forget(child);
            spawn::confirm(&started)?;
            started
        }
    };
    args.clear();
    Ok(started)
}

/// A worker to be started: what it runs as a fork, and what a fresh image is told.
pub(crate) struct WorkerPlan<F> {
    pub(crate) method: Method,
    /// The block that it holds for as long as it lives.
    pub(crate) pool: Ref,
    pub(crate) number: u16,
    pub(crate) body: F,
}

/// Starts a worker of this process. A fresh image may still be coming up: `confirm` waits for it.
pub(crate) fn start_worker<F: FnOnce() -> i32>(plan: WorkerPlan<F>) -> Result<Started> {
    match plan.method {
        Method::Fork => {
            let child = fork::prepare(true, false)?;
            shm::hold_for(child.owner(), plan.pool, Kind::Pool)?;
            child.start(plan.body)
        }
        Method::Spawn => {
            let child = Claimed(spawn::claim()?);
            shm::hold_for(child.0, plan.pool, Kind::Pool)?;
            use crate::park::Tree;
            let owner = shm::ThisTree.me().bits();
            let job = Job::Worker { pool: plan.pool.bits(), number: plan.number, owner };
            let started = spawn::launch(child.0, job, true, false)?;
            std::mem::forget(child);
            Ok(started)
        }
    }
}

/// Waits until a worker is ready to work.
pub(crate) fn confirm_worker(method: Method, started: &Started) -> Result<()> {
    match method {
        Method::Fork => Ok(()),
        Method::Spawn => spawn::confirm(started),
    }
}

/// A slot whose child has not come into being; dropped, it is given back with all that was put into it.
struct Claimed(Owner);

impl Drop for Claimed {
    fn drop(&mut self) {
        shm::give_up(self.0);
    }
}

/// The end of every child's life.
fn run_to_the_end(body: impl FnOnce() -> i32) -> ! {
    let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED) & 0xFF;
    stdio::flush_all();
    shm::leave_exit_status(code);
    children::exit_now(code)
}
