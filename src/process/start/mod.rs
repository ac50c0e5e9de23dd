//! Start methods.

mod fork;
pub(crate) mod forkserver;
pub(crate) mod server;
pub(crate) mod spawn;
pub(crate) mod zygote;

use super::args::Args;
use super::codec::Job;
use super::own::{self, Hook, Origin};
use super::target::{self, Target};
use super::{Child, Method, end};
use crate::error::{Result, fail};
use crate::log;
use crate::park::{Owner, Tree};
use crate::shm::{self, Kind, Ref, ThisTree};
use crate::sys::children::{self, End, Followed, Trace};
use crate::sys::kept::{Kept, List};
use crate::sys::setup::{Executable, Setup, Stream};
use crate::sys::{outermost, packets, thread};
use forkserver::Broken;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zygote::Zygote;

/// What a child that could not begin leaves with, and one whose function panicked.
const FAILED_TO_BEGIN: i32 = 255;
const PANICKED: i32 = 1;

/// How a child is tied to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    /// Not at all: it may outlive its parent.
    Loose,
    /// It dies with its parent.
    Daemon,
    /// The same, and Ctrl-C is not meant for it.
    Worker,
    /// It dies with its parent, runs nothing of the program's, and no signal is meant for it.
    Zygote,
}

impl Tie {
    fn has_lifeline(self) -> bool {
        self != Tie::Loose
    }
}

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
    /// Somebody has been given the descriptor.
    watched: AtomicBool,
    /// Of a child of the fork server: where the server tells how it ended.
    answers: Option<Kept>,
    /// It is a fresh image, which has to call mp_bootstrap.
    is_image: bool,
    /// A worker that says that it has begun, or why it cannot.
    reports: bool,
}

impl Started {
    fn new(pid: u32, owner: Owner, trace: Trace, lifeline: Option<Kept>, list: &mut List<'_>) -> Self {
        let lost = matches!(trace, Trace::Lost);
        let pidfd = match trace {
            Trace::Descriptor(fd) => Some(list.keep(fd)),
            Trace::Number | Trace::Lost => None,
        };
        Started {
            pid,
            pidfd,
            lost,
            owner,
            lifeline,
            watched: AtomicBool::new(false),
            answers: None,
            is_image: false,
            reports: false,
        }
    }

    /// The same of a child that is not one in the kernel's eyes: the server tells. Where that is dead the
    /// descriptor still tells that the child has ended, and the child may have left its code itself.
    fn told(&self, answers: &Kept) -> Option<End> {
        let over = match self.followed() {
            Some(child @ Followed::Descriptor(_)) => children::is_over(child, Duration::ZERO),
            // The host has closed it: the slot is all that is left to ask.
            _ => ThisTree.is_dead(self.owner),
        };
        if !over {
            return None;
        }
        let Some(from) = answers.ours() else { return Some(End::Reaped) };
        // The child is a zombie, so the server is about to tell; or stopped, and then it tells later.
        packets::readable([from], Duration::from_secs(1));
        match packets::receive::<{ forkserver::ANSWER }>(from) {
            Ok(Some(message)) if message.len == forkserver::ANSWER => {
                Some(match forkserver::numbers(&message.bytes) {
                    (forkserver::EXITED, code) => End::Exited(code),
                    (forkserver::KILLED, signal) => End::Killed(signal),
                    _ => End::Reaped,
                })
            }
            Ok(None) => None,
            _ => Some(End::Reaped),
        }
    }

    /// How to reach it; None when the host has reaped it already.
    fn followed(&self) -> Option<Followed<'_>> {
        let descriptor = self.pidfd.as_ref().and_then(Kept::ours);
        (!self.lost).then(|| descriptor.map_or(Followed::Number(self.pid), Followed::Descriptor))
    }

    /// How the child ended, if it has; asked once more after that, it may say something else.
    pub(crate) fn ended(&self) -> Option<End> {
        match &self.answers {
            Some(answers) => self.told(answers),
            None => self.followed().map_or(Some(End::Reaped), children::ended),
        }
    }

    /// Waits until the child has ended, at most `limit`, or until a signal comes.
    pub(crate) fn wait(&self, limit: Duration) {
        match self.followed() {
            // A number that is not our child's to wait for.
            Some(Followed::Number(_)) if self.answers.is_some() => {
                std::thread::sleep(limit.min(Duration::from_millis(5)));
            }
            Some(child) => drop(children::is_over(child, limit)),
            None => {}
        }
    }

    /// The same, or until there is something to hear.
    fn wait_or(&self, ear: BorrowedFd<'_>, limit: Duration) {
        if let Some(Followed::Descriptor(child)) = self.followed() {
            packets::readable([child, ear], limit);
        } else {
            packets::readable([ear], limit);
        }
    }

    /// Sends the child a signal, if it still is there.
    pub(crate) fn signal(&self, signal: i32) -> Result<()> {
        match self.followed() {
            Some(Followed::Number(_)) if self.answers.is_some() => {
                fail!(State, "the host program has closed the child's descriptor")
            }
            child => child.map_or(Ok(()), |child| children::signal(child, signal)),
        }
    }

    /// A descriptor that is readable once the child has ended.
    pub(crate) fn sentinel(&self) -> Result<RawFd> {
        let Some(fd) = self.pidfd.as_ref().and_then(Kept::ours) else {
            fail!(State, "the program has reaped the child, or closed its descriptor, itself");
        };
        self.watched.store(true, Ordering::Relaxed);
        Ok(fd.as_raw_fd())
    }

    /// Whether somebody has been given the descriptor.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Whether the child has ended; it is not reaped.
    fn is_over(&self) -> bool {
        match self.followed() {
            Some(Followed::Number(_)) if self.answers.is_some() => ThisTree.is_dead(self.owner),
            child => child.is_none_or(|child| children::is_over(child, Duration::ZERO)),
        }
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
    setup: &Setup,
    origin: Origin,
    args: &mut Args,
    address: Option<usize>,
    body: impl FnOnce(Child) -> i32,
) -> Result<Started> {
    let tie = if origin.daemon { Tie::Daemon } else { Tie::Loose };
    match method {
        Method::Fork => {
            address.map_or(Ok(()), target::must_be_here)?;
            let child = fork::prepare(tie, setup)?;
            let entries = args.hand_to(child.owner())?;
            let (handed, vouchers) = (args.descriptors(), args.issue()?);
            let started = child.start(origin, &handed, || body(args.receive(entries, vouchers)))?;
            if setup.may_fail() {
                spawn::confirm(&started)?;
            }
            Ok(started)
        }
        Method::Spawn | Method::Forkserver => {
            let launch = if method == Method::Spawn { spawn::launch } else { forkserver::launch };
            let target = address.map(Target::of).transpose()?;
            let child = Claimed(spawn::claim(setup)?);
            let args = args.pass_to(child.0)?;
            let job = Job::Process { target, args };
            let started = launch(child.0, job, origin, tie, setup)?;
            std::mem::forget(child);
            spawn::confirm(&started)?;
            Ok(started)
        }
    }
}

/// A worker to be started: what it runs as a fork, and what a fresh image is told.
pub(crate) struct WorkerPlan<'a, F> {
    pub(crate) method: Method,
    pub(crate) name: CString,
    /// See [`own::next_path`].
    pub(crate) path: String,
    /// A bit for each CPU that it may run on; empty: the owner's.
    pub(crate) cpus: Vec<u64>,
    /// Where its stderr leads; None: where the owner's does.
    pub(crate) stderr: Option<&'a Kept>,
    /// What it runs, where that is not what all others do.
    pub(crate) executable: Option<&'static Executable>,
    /// The block that it holds for as long as it lives.
    pub(crate) pool: Ref,
    pub(crate) number: u16,
    pub(crate) body: F,
}

impl<F> WorkerPlan<'_, F> {
    /// Who it is, and what it is given.
    fn parts(&mut self) -> Result<(Origin, Setup)> {
        let stderr = self.stderr.map_or(Stream::Same, |to| Stream::Fd(to.fd().as_raw_fd()));
        let streams = [Stream::Null, Stream::Same, stderr];
        let cpus = std::mem::take(&mut self.cpus);
        let setup = Setup { streams, cpus, executable: self.executable, ..Setup::default() };
        let (name, path) = (std::mem::take(&mut self.name), std::mem::take(&mut self.path));
        Ok((own::child_origin(name, path, true)?, setup))
    }
}

/// Starts a worker of this process. It may still be coming up: `confirm_worker` waits for it.
pub(crate) fn start_worker<F: FnOnce() -> i32>(mut plan: WorkerPlan<'_, F>) -> Result<Started> {
    let (origin, setup) = plan.parts()?;
    match plan.method {
        Method::Fork => {
            let child = fork::prepare(Tie::Worker, &setup)?;
            shm::hold_for(child.owner(), plan.pool, Kind::Pool)?;
            let handed: Vec<_> = plan.stderr.map(|to| to.fd().as_raw_fd()).into_iter().collect();
            let body = || {
                // It is the child's stderr by now.
                drop(plan.stderr.map(Kept::inherit));
                (plan.body)()
            };
            let mut started = child.start(origin, &handed, body)?;
            started.reports = setup.may_fail();
            Ok(started)
        }
        Method::Spawn | Method::Forkserver => {
            let launch = if plan.method == Method::Spawn { spawn::launch } else { forkserver::launch };
            let child = Claimed(spawn::claim(&setup)?);
            shm::hold_for(child.0, plan.pool, Kind::Pool)?;
            let owner = ThisTree.me().bits();
            let job = Job::Worker { pool: plan.pool.bits(), number: plan.number, owner };
            let mut started = launch(child.0, job, origin, Tie::Worker, &setup)?;
            std::mem::forget(child);
            started.reports = true;
            Ok(started)
        }
    }
}

/// The same by a zygote, which runs the body that it has been given; None where the zygote is gone.
pub(crate) fn start_worker_by(zygote: &Zygote, mut plan: WorkerPlan<'_, ()>) -> Result<Option<Started>> {
    let (origin, setup) = plan.parts()?;
    let child = Claimed(shm::claim_child(ThisTree.me())?);
    shm::hold_for(child.0, plan.pool, Kind::Pool)?;
    match zygote.start(child.0, plan.number, &origin, &setup) {
        Ok(started) => {
            std::mem::forget(child);
            Ok(Some(started))
        }
        Err(Broken::Server) => Ok(None),
        Err(Broken::Other(e)) => Err(e),
    }
}

/// Waits until a worker is ready to work, if it says so.
pub(crate) fn confirm_worker(started: &Started) -> Result<()> {
    if started.reports { spawn::confirm(started) } else { Ok(()) }
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
    outermost::report_under(|| {
        let name = own::origin().name;
        CString::new([b"Process ", name.as_bytes(), b":\n"].concat()).unwrap_or_default()
    });
    log::note(log::INFO, || "child process calling self.run()".into());
    end::leave(catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED))
}

/// In a child that is complete but for its own function.
fn run_fork_hooks(hooks: &[Hook]) {
    for hook in hooks {
        (hook.call)();
    }
}

/// After children were started by this method, where no lock is held: says what is to be said of it. One that was
/// forked may need what a thread held that it does not have.
pub(crate) fn note_starts(method: Option<Method>) {
    log::catch_up();
    if method.unwrap_or_else(Method::default_one) == Method::Fork && log::enabled(log::WARNING) {
        let others = thread::others();
        if others > 0 {
            log::note(log::WARNING, || {
                format!(
                    "this process (pid {}) has {others} thread(s) besides this one: a child by fork has none of them, and may \
                     hang where it needs a lock that one of them held. The start methods forkserver and spawn have \
                     no such children",
                    std::process::id()
                )
            });
        }
    }
}
