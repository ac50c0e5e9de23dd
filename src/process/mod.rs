//! Processes: an object in the parent, a context in the child.
#![forbid(unsafe_code)]

mod args;
mod codec;
pub(crate) mod start;
mod target;

pub(crate) use args::{Arg, Child};
pub(crate) use codec::{Job, decode, encode};
pub(crate) use start::spawn::{newborn, note_bootstrap, refuse, set_executable};
pub(crate) use target::{Target, register};

use crate::error::{Result, fail};
use crate::shm::{self, Entry, Kind, Ref};
use crate::sys::children::End;
use crate::time::Deadline;
use args::Args;
use start::Started;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The exit code of a process of which nobody can say how it ended.
pub(crate) const EXIT_UNKNOWN: i32 = i32::MIN;

/// What the child runs; its result is the exit code.
pub(crate) type Body = Arc<dyn Fn(Child) -> i32 + Send + Sync>;

/// How a child comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// As a copy of its parent.
    Fork,
    /// As a fresh image of the executable.
    Spawn,
}

/// The method of those that name none: 0 not set, 1 fork, 2 spawn. A child has its parent's.
static DEFAULT: AtomicU8 = AtomicU8::new(0);

impl Method {
    pub(crate) fn default_one() -> Self {
        if DEFAULT.load(Ordering::Relaxed) == 2 { Method::Spawn } else { Method::Fork }
    }

    /// Sets the default, once, or by force again.
    pub(crate) fn set_default(self, force: bool) -> Result<()> {
        let to = if self == Method::Spawn { 2 } else { 1 };
        if DEFAULT.compare_exchange(0, to, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            if !force {
                fail!(State, "the start method has been set already");
            }
            DEFAULT.store(to, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What a process shall be.
pub(crate) struct Plan {
    pub(crate) body: Body,
    /// Where the body's function is, for a fresh image to find; None where it has none.
    pub(crate) address: Option<usize>,
    /// Whether it was given a pointer into the parent's memory.
    pub(crate) has_user: bool,
    /// stdin stays the parent's; otherwise it is /dev/null.
    pub(crate) keep_stdin: bool,
    /// None: the default one at the start.
    pub(crate) method: Option<Method>,
}

/// A child, before, while and after it runs. Only the process that made it may use it.
pub(crate) struct Process {
    state: Mutex<State>,
}

enum State {
    Initial { plan: Plan, args: Args },
    Running(Arc<Started>),
    Ended { pid: u32, code: i32 },
}

impl Process {
    pub(crate) fn new(plan: Plan) -> Self {
        Process { state: Mutex::new(State::Initial { plan, args: Args::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic below leaves one of the states, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One argument more, while it has not been started.
    fn with_args(&self, add: impl FnOnce(&mut Args) -> Result<()>) -> Result<()> {
        match &mut *self.state() {
            State::Initial { args, .. } => add(args),
            _ => fail!(State, "the process was started already: its arguments are fixed"),
        }
    }

    pub(crate) fn add_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.with_args(|args| args.add_bytes(bytes))
    }

    pub(crate) fn add_object(&self, kind: Kind, r: Ref, held: Entry) -> Result<()> {
        self.with_args(|args| args.add_object(kind, r, held))
    }

    /// Starts the child and drops what only it needs.
    pub(crate) fn start(&self) -> Result<()> {
        let mut state = self.state();
        let State::Initial { plan, args } = &mut *state else {
            fail!(State, "a process cannot be started twice");
        };
        let method = plan.method.unwrap_or_else(Method::default_one);
        if method == Method::Spawn && plan.has_user {
            fail!(
                Unsupported,
                "a fresh image does not have the parent's memory: pass bytes as arguments, and NULL as user"
            );
        }
        let started = start::start(method, plan.keep_stdin, args, plan.address, |child| (plan.body)(child))?;
        *state = State::Running(Arc::new(started));
        Ok(())
    }

    /// Waits for the child's end.
    pub(crate) fn join(&self, deadline: Deadline) -> Result<()> {
        loop {
            let started = {
                let mut state = self.state();
                reap(&mut state);
                match &*state {
                    State::Initial { .. } => fail!(State, "the process was not started"),
                    State::Ended { .. } => return Ok(()),
                    State::Running(started) => Arc::clone(started),
                }
            };
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                fail!(Timeout, "the process is still running");
            }
            // The kernel wakes us at the end itself; a minute at most only bounds what poll is asked for.
            started.wait(remaining.min(Duration::from_secs(60)));
        }
    }

    /// -N for a signal; None while it runs or has not begun.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        let mut state = self.state();
        reap(&mut state);
        match *state {
            State::Ended { code, .. } => Some(code),
            _ => None,
        }
    }

    /// From the start to the end, as far as the kernel knows now.
    pub(crate) fn is_alive(&self) -> bool {
        let mut state = self.state();
        reap(&mut state);
        matches!(*state, State::Running(_))
    }

    /// The process's number, None before the start.
    pub(crate) fn pid(&self) -> Option<u32> {
        match *self.state() {
            State::Initial { .. } => None,
            State::Running(ref started) => Some(started.pid),
            State::Ended { pid, .. } => Some(pid),
        }
    }
}

/// Notes the child's end, if it has come; what it held in shared memory is taken back here.
fn reap(state: &mut State) {
    let State::Running(started) = state else { return };
    let Some(end) = started.ended() else { return };
    let (pid, owner) = (started.pid, started.owner);
    let code = match end {
        End::Exited(code) => code,
        End::Killed(signal) => -signal,
        End::Reaped => shm::exit_status(owner).unwrap_or(EXIT_UNKNOWN),
    };
    shm::sweep(owner);
    *state = State::Ended { pid, code };
}
