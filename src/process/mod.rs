//! Processes: an object in the parent, a context in the child.
//!
//! | state   | is                                                                      |
//! |---------|-------------------------------------------------------------------------|
//! | Initial | a child that was not started, with its arguments                        |
//! | Running | a child that was started and has not been seen to have ended            |
//! | Ended   | a child that has ended and was reaped                                   |
//! | Own     | the process itself                                                      |
//! | Parent  | the process's parent                                                    |
#![forbid(unsafe_code)]

mod args;
mod child;
mod codec;
mod describe;
pub(crate) mod end;
mod method;
pub(crate) mod own;
mod parent;
pub(crate) mod start;
mod target;

pub(crate) use args::{Arg, Voucher};
pub(crate) use child::Child;
pub(crate) use codec::{Job, decode, encode};
pub(crate) use method::Method;
pub(crate) use start::forkserver::{leave as stop_server, preload, run as run_server};
pub(crate) use start::note_starts;
pub(crate) use start::server::{Calls, serve};
pub(crate) use start::spawn::{
    Newborn, executable, keep_executable, newborn, note_bootstrap, refuse, set_executable,
};
pub(crate) use target::{Target, must_be_here, named, register};

use crate::error::{Result, fail};
use crate::log;
use crate::shm::{self, Entry, Kind, Object, Ref};
use crate::sys::children::End;
use crate::sys::setup::Setup;
use crate::sys::signals;
use crate::time::Deadline;
use crate::wire::Carried;
use args::Args;
use parent::Watch;
use start::Started;
use std::ffi::CString;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The exit code of a process of which nobody can say how it ended.
pub(crate) const EXIT_UNKNOWN: i32 = i32::MIN;

/// What the child runs; its result is the exit code.
pub(crate) type Body = Arc<dyn Fn(Child) -> i32 + Send + Sync>;

/// What a process shall be.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) body: Body,
    /// Where the body's function is, for a fresh image to find; None where it has none.
    pub(crate) address: Option<usize>,
    /// Whether it was given a pointer into the parent's memory.
    pub(crate) has_user: bool,
    /// None: the default one at the start.
    pub(crate) method: Option<Method>,
    /// What it is called by itself: "Process", "SpawnProcess".
    pub(crate) type_name: &'static str,
    /// None: one that it gets by itself.
    pub(crate) name: Option<CString>,
    /// None: as its maker.
    pub(crate) daemon: Option<bool>,
    /// The arguments stay after the start, for one more like it.
    pub(crate) keep_arguments: bool,
    pub(crate) setup: Setup,
}

/// A process. Only the process that made the object may use it.
pub(crate) struct Process {
    /// The last is the name; the others stay for those who still look at them.
    names: Mutex<Vec<CString>>,
    /// Its place in the tree: "3:1".
    path: String,
    type_name: &'static str,
    parent_pid: Option<u32>,
    daemon: AtomicBool,
    /// What a child was made of.
    plan: Option<Plan>,
    state: Mutex<State>,
    /// Handles that the program has of it.
    handles: AtomicUsize,
    /// What a run in place has returned.
    result_here: Mutex<Option<Vec<u8>>>,
}

enum State {
    Initial(Args),
    Running { started: Arc<Started>, args: Args },
    Ended { pid: u32, code: i32, result: Option<Object>, args: Args, sentinel: Option<Arc<Started>> },
    Own,
    Parent(Watch),
}

/// A poisoned lock is as good as any: a panic below leaves one of the states.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// A child that is not started yet.
    pub(crate) fn new(plan: Plan) -> Self {
        Self::with_args(plan, Args::default())
    }

    fn with_args(plan: Plan, args: Args) -> Self {
        let path = own::next_path();
        let name = plan
            .name
            .clone()
            .unwrap_or_else(|| CString::new(format!("{}-{path}", plan.type_name)).unwrap_or_default());
        let daemon = plan.daemon.unwrap_or_else(own::is_daemon);
        let mut made = Self::bare(State::Initial(args), plan.type_name, name);
        made.path = path;
        made.daemon = AtomicBool::new(daemon);
        made.parent_pid = Some(std::process::id());
        made.plan = Some(plan);
        made
    }

    fn bare(state: State, type_name: &'static str, name: CString) -> Self {
        Process {
            names: Mutex::new(vec![name]),
            path: String::new(),
            type_name,
            parent_pid: None,
            daemon: AtomicBool::new(false),
            plan: None,
            state: Mutex::new(state),
            handles: AtomicUsize::new(0),
            result_here: Mutex::new(None),
        }
    }

    /// The process that asks.
    pub(crate) fn own() -> Self {
        let origin = own::origin();
        let type_name = if origin.parent.is_some() { "Process" } else { "_MainProcess" };
        let mut made = Self::bare(State::Own, type_name, origin.name);
        made.parent_pid = origin.parent.map(|p| p.pid);
        made.daemon = AtomicBool::new(origin.daemon);
        made
    }

    /// The parent of the process that asks; None in a main process.
    pub(crate) fn parent() -> Option<Self> {
        let parent = own::parent()?;
        let watch = Watch::new(parent.pid);
        let mut made = Self::bare(State::Parent(watch), "_ParentProcess", parent.name);
        made.parent_pid = parent.parent_pid;
        Some(made)
    }

    /// One more like this, not started, under a name of its own if it has not been given one.
    pub(crate) fn again(&self) -> Result<Self> {
        let Some(plan) = &self.plan else { fail!(State, "this process is not one of its own's children") };
        let args = match &*lock(&self.state) {
            State::Initial(args) => args.again()?,
            State::Running { args, .. } | State::Ended { args, .. } if plan.keep_arguments => args.again()?,
            _ => fail!(
                State,
                "the arguments went to the child: set keep_arguments in the options, or ask before the start"
            ),
        };
        Ok(Self::with_args(plan.clone(), args))
    }

    /// The program has a handle more.
    pub(crate) fn note_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// The program gives up a handle; not the last one of a child that runs.
    pub(crate) fn drop_handle(&self) -> Result<()> {
        if self.plan.is_none() {
            fail!(State, "the handles of a process itself and of its parent stay");
        }
        if self.handles.load(Ordering::Relaxed) <= 1 && self.is_alive() {
            fail!(State, "the process still runs: join it first");
        }
        self.handles.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    /// The arguments, while it has not been started.
    fn with_initial(&self, add: impl FnOnce(&mut Args) -> Result<()>) -> Result<()> {
        match &mut *lock(&self.state) {
            State::Initial(args) => add(args),
            State::Own | State::Parent(_) => fail!(State, "this process is not one of its own's children"),
            _ => fail!(State, "the process was started already: its arguments are fixed"),
        }
    }

    pub(crate) fn add_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.with_initial(|args| args.add_bytes(bytes))
    }

    pub(crate) fn add_object(&self, kind: Kind, r: Ref, held: Entry) -> Result<()> {
        self.with_initial(|args| args.add_object(kind, r, held))
    }

    pub(crate) fn add_carried(&self, carried: Carried) -> Result<()> {
        self.with_initial(|args| args.add_carried(carried))
    }

    pub(crate) fn add_voucher(&self, voucher: Arc<dyn Voucher>) -> Result<()> {
        self.with_initial(|args| args.add_voucher(voucher))
    }

    /// Starts the child and drops what only it needs.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        let method = self.start_locked();
        match method {
            Ok(method) => note_starts(Some(method)),
            Err(_) => log::catch_up(),
        }
        method.map(drop)
    }

    fn start_locked(self: &Arc<Self>) -> Result<Method> {
        for child in own::some_children() {
            child.reap_if_ended();
        }
        let mut state = lock(&self.state);
        let (State::Initial(args), Some(plan)) = (&mut *state, &self.plan) else {
            fail!(State, "a process cannot be started twice");
        };
        let method = plan.method.unwrap_or_else(Method::default_one);
        if method != Method::Fork && plan.has_user {
            fail!(
                Unsupported,
                "a fresh image does not have the parent's memory: pass bytes as arguments, and NULL as user"
            );
        }
        let origin = own::child_origin(self.name(), self.path.clone(), self.is_daemon())?;
        let body = |child| (plan.body)(child);
        let started = start::start(method, &plan.setup, origin, args, plan.address, body)?;
        if !plan.keep_arguments {
            args.clear();
        }
        let args = std::mem::take(args);
        *state = State::Running { started: Arc::new(started), args };
        own::adopt(Arc::clone(self));
        Ok(method)
    }

    /// Runs the function here and now. The process stays as it is.
    pub(crate) fn run(&self) -> Result<i32> {
        let (body, child) = match (&*lock(&self.state), &self.plan) {
            (State::Initial(args), Some(plan)) => (Arc::clone(&plan.body), args.child_here()?),
            (State::Initial(_), None) | (State::Own | State::Parent(_), _) => {
                fail!(State, "this process is not one of its own's children")
            }
            _ => fail!(State, "the process was started already: its arguments went to the child"),
        };
        self.plan.as_ref().and_then(|plan| plan.address).map_or(Ok(()), must_be_here)?;
        let result = child.result_here();
        let code = body(child);
        *lock(&self.result_here) = lock(&result).take();
        Ok(code)
    }

    /// Waits for the process's end.
    pub(crate) fn join(&self, deadline: Deadline) -> Result<()> {
        loop {
            let started = {
                let state = self.seen();
                match &*state {
                    State::Initial(_) => fail!(State, "the process was not started"),
                    State::Own => fail!(State, "a process cannot join itself"),
                    State::Ended { .. } => return Ok(()),
                    State::Running { started, .. } => Some(Arc::clone(started)),
                    State::Parent(watch) if watch.is_over()? => return Ok(()),
                    State::Parent(_) => None,
                }
            };
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                fail!(Timeout, "the process is still running");
            }
            // The kernel wakes us at the end itself; a minute at most only bounds what poll is asked for.
            let limit = remaining.min(Duration::from_secs(60));
            match started {
                Some(started) => started.wait(limit),
                None => parent::wait(limit)?,
            }
        }
    }

    /// -N for a signal; None while it runs or has not begun.
    pub(crate) fn exit_code(&self) -> Result<i32> {
        let state = self.seen();
        match *state {
            State::Ended { code, .. } => Ok(code),
            State::Parent(_) => fail!(Unsupported, "only a process's parent learns its exit code"),
            _ => fail!(State, "the process has not ended"),
        }
    }

    /// From the start to the end, as far as the kernel knows now.
    pub(crate) fn is_alive(&self) -> bool {
        let state = self.seen();
        match &*state {
            State::Running { .. } | State::Own => true,
            State::Parent(watch) => !watch.is_over().unwrap_or(false),
            _ => false,
        }
    }

    /// Whether it is over, and known to be.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.seen(), State::Ended { .. })
    }

    /// The process's number, None before the start.
    pub(crate) fn pid(&self) -> Option<u32> {
        match *lock(&self.state) {
            State::Initial(_) => None,
            State::Running { ref started, .. } => Some(started.pid),
            State::Ended { pid, .. } => Some(pid),
            State::Own => Some(std::process::id()),
            State::Parent(ref watch) => Some(watch.pid()),
        }
    }

    /// A descriptor that is readable once the process has ended, and good as long as the object lives.
    pub(crate) fn sentinel(&self) -> Result<RawFd> {
        let mut state = self.seen();
        match &mut *state {
            State::Initial(_) => fail!(State, "the process was not started"),
            State::Own => fail!(State, "a process cannot wait for its own end"),
            State::Parent(watch) => watch.sentinel(),
            State::Running { started, .. } => started.sentinel(),
            State::Ended { sentinel: Some(started), .. } => started.sentinel(),
            State::Ended { .. } => {
                fail!(State, "the process has ended, and nobody had asked for its sentinel before")
            }
        }
    }

    /// Sends a signal, to a child or to the parent; nothing happens if it has ended.
    pub(crate) fn signal(&self, signal: i32) -> Result<()> {
        let state = self.seen();
        match &*state {
            State::Initial(_) => fail!(State, "the process was not started"),
            State::Ended { .. } => Ok(()),
            State::Running { started, .. } => started.signal(signal),
            State::Own | State::Parent(_) => {
                fail!(State, "this process is not one of its own's children")
            }
        }
    }

    /// What it has returned, into `out`.
    pub(crate) fn result(&self, out: &mut Vec<u8>) -> Result<()> {
        let state = self.seen();
        let empty = "the child has returned nothing";
        match &*state {
            State::Ended { result: Some(object), .. } => child::read(*object, out),
            State::Ended { result: None, .. } => fail!(Empty, "{empty}"),
            State::Initial(_) => match &*lock(&self.result_here) {
                Some(bytes) => {
                    child::reserve(out, bytes.len())?;
                    out.extend_from_slice(bytes);
                    Ok(())
                }
                None => fail!(State, "the process was not started"),
            },
            State::Running { .. } => fail!(State, "the process has not ended"),
            State::Own | State::Parent(_) => {
                fail!(State, "this process is not one of its own's children")
            }
        }
    }

    /// Looks, without waiting, whether it has ended.
    pub(crate) fn reap_if_ended(&self) {
        // Whoever holds the state looks himself.
        if let Ok(mut state) = self.state.try_lock() {
            let end = self.reap(&mut state);
            drop(state);
            self.log(end);
        }
    }

    /// The state, with the child's end in it, if it has come.
    fn seen(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        let end = self.reap(&mut state);
        if end.is_some() && log::enabled(log::INFO) {
            // Nobody is told anything while a lock is held; and nothing follows the end.
            drop(state);
            self.log(end);
            state = lock(&self.state);
        }
        state
    }

    fn log(&self, end: Option<(u32, End)>) {
        let Some((pid, end)) = end else { return };
        let name = || self.name().to_string_lossy().into_owned();
        match end {
            End::Exited(code) => {
                log::note(log::DEBUG, || {
                    format!("process {} (pid {pid}) has exited with code {code}", name())
                });
            }
            End::Killed(signal) => log::note(log::INFO, || {
                format!("process {} (pid {pid}) was killed by {}", name(), signals::name(signal))
            }),
            End::Reaped => log::note(log::INFO, || {
                format!("process {} (pid {pid}) has ended, and somebody else has reaped it", name())
            }),
        }
    }

    /// Notes the child's end, if it has come; what it held in shared memory is taken back here.
    fn reap(&self, state: &mut State) -> Option<(u32, End)> {
        let State::Running { started, args } = state else { return None };
        let end = started.ended()?;
        let (pid, owner) = (started.pid, started.owner);
        let code = match end {
            End::Exited(code) => code,
            End::Killed(signal) => -signal,
            End::Reaped => shm::exit_status(owner).unwrap_or(EXIT_UNKNOWN),
        };
        let result = shm::take_result(owner).unwrap_or_else(|_| {
            shm::refuse_result(owner);
            None
        });
        shm::sweep(owner);
        let sentinel = started.is_watched().then(|| Arc::clone(started));
        *state = State::Ended { pid, code, result, args: std::mem::take(args), sentinel };
        own::bury(self);
        Some((pid, end))
    }

    pub(crate) fn name(&self) -> CString {
        lock(&self.names).last().cloned().unwrap_or_default()
    }

    /// The name where it lies, which is good as long as the object lives, whatever it is called then.
    pub(crate) fn with_name<R>(&self, look: impl FnOnce(&CString) -> R) -> R {
        let names = lock(&self.names);
        look(names.last().unwrap_or(&CString::default()))
    }

    /// At any time. A child that runs keeps the one that it was started with.
    pub(crate) fn set_name(&self, name: CString) -> Result<()> {
        let state = lock(&self.state);
        if matches!(*state, State::Parent(_)) {
            fail!(State, "a process cannot rename its parent");
        }
        if matches!(*state, State::Own) {
            own::set_name(name.clone());
        }
        lock(&self.names).push(name);
        Ok(())
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.daemon.load(Ordering::Relaxed)
    }

    /// Before the start.
    pub(crate) fn set_daemon(&self, daemon: bool) -> Result<()> {
        match *lock(&self.state) {
            State::Initial(_) => {
                self.daemon.store(daemon, Ordering::Relaxed);
                Ok(())
            }
            _ => fail!(State, "the process was started already: whether it is a daemon is fixed"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let State::Ended { result: Some(object), .. } = &*lock(&self.state) {
            shm::release(object.entry);
        }
    }
}
