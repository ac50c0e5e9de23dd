//! The processes of a model: who sleeps where, who is killed and when, and who finds out.
//!
//! Each process is one thread of the checker. A process that is to be killed leaves after so many of its steps (a
//! store, a wake, or being woken); all its other moments are the same to everybody as the one after its last step.
//! Then it is dead for whoever asks, and the sleepers' slices end, once at its death and again whenever all survivors
//! sleep. Without a death no sleep ends unless somebody wakes it, and where all sleep a wake was lost.

use crate::sys::atomic::Ordering;
use loom::sync::Mutex;
use loom::sync::atomic::AtomicU32;
use loom::thread::{self, Thread, ThreadId};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// How often the slices of all survivors may end because all of them sleep. They need a few at most.
const MOST_RESCUES: usize = 4;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Woken,
    Elapsed,
}

/// After which of its steps a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) process: usize,
    pub(crate) step: usize,
}

struct Process {
    id: ThreadId,
    thread: Thread,
    number: usize,
    steps: usize,
    /// It has made a SeqCst store and no SeqCst fence since.
    must_fence: bool,
    killed: bool,
    over: bool,
    sleep: Option<Sleep>,
}

struct Sleep {
    address: usize,
    timed: bool,
    ended: Option<Ended>,
    since: usize,
}

/// What all processes of one run see.
struct Shared {
    /// A bit for each dead process.
    dead: AtomicU32,
    /// 1: the clock has struck.
    clock: AtomicU32,
    /// 1: somebody sat down somewhere.
    seated: AtomicU32,
    /// Held by who buries somebody.
    funeral: Mutex<()>,
}

#[derive(Default)]
struct World {
    processes: Vec<Process>,
    shared: Option<Arc<Shared>>,
    expected: usize,
    kill: Option<Kill>,
    happened: bool,
    struck: bool,
    rescues: usize,
    sleeps: usize,
    found_asleep: usize,
}

thread_local! {
    /// All threads of the checker are one thread of the system's.
    static WORLD: RefCell<World> = RefCell::default();
    /// Runs so far.
    pub(crate) static RUNS: Cell<usize> = const { Cell::new(0) };
}

/// What a killed process leaves by.
struct Killed;

/// A run begins.
pub(crate) fn begin(processes: usize, kill: Option<Kill>) {
    RUNS.set(RUNS.get() + 1);
    let shared = Shared {
        dead: AtomicU32::new(0),
        clock: AtomicU32::new(0),
        seated: AtomicU32::new(0),
        funeral: Mutex::new(()),
    };
    WORLD.set(World { shared: Some(Arc::new(shared)), expected: processes, kill, ..World::default() });
}

/// Whether somebody was killed.
pub(crate) fn somebody_died() -> bool {
    WORLD.with_borrow(|world| world.happened)
}

/// Whether no process has begun yet.
pub(crate) fn is_new() -> bool {
    WORLD.with_borrow(|world| world.processes.is_empty())
}

/// The run and the look at what it left are over.
pub(crate) fn end() {
    WORLD.take();
}

/// Somebody found work that nobody had woken it for.
pub(crate) fn note_rescue() {
    WORLD.with_borrow_mut(|world| world.found_asleep += 1);
}

/// Runs a process; false when it was killed.
pub(crate) fn live(number: usize, body: impl FnOnce()) -> bool {
    let thread = thread::current();
    WORLD.with_borrow_mut(|world| {
        world.processes.push(Process {
            id: thread.id(),
            thread,
            number,
            steps: 0,
            must_fence: false,
            killed: false,
            over: false,
            sleep: None,
        });
    });
    let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    if let Err(why) = &left
        && !why.is::<Killed>()
    {
        std::panic::resume_unwind(left.unwrap_err());
    }
    let all_asleep = mine(|world, me| {
        world.processes[me].over = true;
        world.all_asleep()
    });
    if all_asleep {
        rescue();
    }
    left.is_ok()
}

fn mine<R>(body: impl FnOnce(&mut World, usize) -> R) -> R {
    let id = thread::current().id();
    WORLD.with_borrow_mut(|world| {
        let me = world.processes.iter().position(|p| p.id == id).expect("a process of the model");
        body(world, me)
    })
}

/// Which process the caller is; None where the model is set up and looked at.
pub(crate) fn number() -> Option<usize> {
    let id = thread::current().id();
    WORLD.with_borrow(|world| world.processes.iter().find(|p| p.id == id).map(|p| p.number))
}

/// The caller is not in a run any more: what it does is not noticed by anybody.
pub(crate) fn is_ghost() -> bool {
    std::thread::panicking() || is_mine(|process| process.killed)
}

/// False outside of a process: there the model is set up and looked at.
fn is_mine(what: impl FnOnce(&mut Process) -> bool) -> bool {
    let id = thread::current().id();
    WORLD.with_borrow_mut(|world| world.processes.iter_mut().find(|p| p.id == id).is_some_and(what))
}

/// A SeqCst fence is made; answers whether there was a SeqCst store before it that asked for one.
pub(crate) fn fenced() -> bool {
    is_mine(|process| std::mem::take(&mut process.must_fence))
}

/// A word was changed.
pub(crate) fn stored(seq_cst: bool) {
    is_mine(|process| {
        process.must_fence |= seq_cst;
        false
    });
    step();
}

/// A step that others may notice is done.
fn step() {
    let id = thread::current().id();
    let dies = WORLD.with_borrow_mut(|world| {
        let kill = world.kill;
        let process = world.processes.iter_mut().find(|p| p.id == id)?;
        process.steps += 1;
        let dies = kill == Some(Kill { process: process.number, step: process.steps });
        dies.then_some(process.number)
    });
    let Some(number) = dies else { return };
    // Release: the survivors see all that was done before the end.
    shared().dead.fetch_or(1 << number, Ordering::Release);
    mine(|world, me| {
        world.happened = true;
        world.processes[me].killed = true;
        world.end_slices();
    });
    std::panic::resume_unwind(Box::new(Killed));
}

fn shared() -> Arc<Shared> {
    WORLD.with_borrow(|world| Arc::clone(world.shared.as_ref().expect("a run")))
}

pub(crate) fn is_dead(number: usize) -> bool {
    // A change, so that it is seen what was done last. Acquire: see above.
    !is_ghost() && shared().dead.fetch_or(0, Ordering::AcqRel) & 1 << number != 0
}

/// Never two at once.
pub(crate) fn one_by_one(body: impl FnOnce()) {
    if !is_ghost() {
        let shared = shared();
        let _alone = shared.funeral.lock();
        body();
    }
}

pub(crate) fn somebody_sits() {
    if !is_ghost() {
        shared().seated.store(1, Ordering::Relaxed);
    }
}

/// Only for runs in which somebody will sit.
pub(crate) fn await_seat() {
    while shared().seated.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
}

/// Time passes.
pub(crate) fn strike() {
    shared().clock.fetch_or(1, Ordering::Relaxed);
    WORLD.with_borrow_mut(|world| {
        world.struck = true;
        world.end(|sleep| sleep.timed);
    });
}

/// Whether it has; does not count as a step.
pub(crate) fn has_struck() -> bool {
    is_ghost() || shared().clock.load(Ordering::Relaxed) == 1
}

pub(crate) fn look_at_clock() -> bool {
    shared().clock.fetch_or(0, Ordering::Relaxed) == 1
}

impl World {
    /// Ends sleeps as their limits do.
    fn end(&mut self, which: impl Fn(&Sleep) -> bool) {
        for process in self.processes.iter_mut().filter(|p| !p.killed) {
            if let Some(sleep) = &mut process.sleep
                && sleep.ended.is_none()
                && which(sleep)
            {
                sleep.ended = Some(Ended::Elapsed);
                process.thread.unpark();
            }
        }
    }

    fn end_slices(&mut self) {
        self.end(|_| true);
    }

    /// Nobody runs, though somebody has not come to its end.
    fn all_asleep(&self) -> bool {
        let asleep = |p: &Process| p.sleep.as_ref().is_some_and(|sleep| sleep.ended.is_none());
        self.processes.len() == self.expected
            && self.processes.iter().all(|p| p.over || asleep(p))
            && self.processes.iter().any(|p| !p.over)
    }
}

/// All sleep. After a death their slices end; otherwise they would sleep for ever.
fn rescue() {
    WORLD.with_borrow_mut(|world| {
        assert!(world.happened, "a wake was lost: all sleep");
        world.rescues += 1;
        assert!(world.rescues <= MOST_RESCUES, "the survivors do not go on");
        world.end_slices();
    });
}

/// Sleeps. The comparison was the caller's last step, and nobody has done anything since.
pub(crate) fn sleep(address: usize, timed: bool) -> Ended {
    if number().is_none() {
        // All are gone, and whoever held something died with it.
        return Ended::Elapsed;
    }
    let (all_asleep, struck) = mine(|world, me| {
        world.sleeps += 1;
        let since = world.sleeps;
        world.processes[me].sleep = Some(Sleep { address, timed, ended: None, since });
        (world.all_asleep(), world.struck)
    });
    if timed && struck {
        mine(|world, me| world.processes[me].sleep = None);
        look_at_clock();
        return Ended::Elapsed;
    }
    if all_asleep {
        rescue();
    }
    let ended = loop {
        let ended = mine(|world, me| {
            let ended = world.processes[me].sleep.as_ref().and_then(|sleep| sleep.ended);
            if ended.is_some() {
                world.processes[me].sleep = None;
            }
            ended
        });
        match ended {
            Some(ended) => break ended,
            None => thread::park(),
        }
    };
    if timed && ended == Ended::Elapsed {
        // So that from now on the clock is seen to have struck.
        look_at_clock();
    }
    if ended == Ended::Woken {
        // One may be killed with a wake that was another's.
        step();
    }
    ended
}

/// Wakes those who have slept longest.
pub(crate) fn wake(address: usize, count: i32) -> usize {
    let woken = WORLD.with_borrow_mut(|world| {
        let mut sleepers: Vec<_> = world
            .processes
            .iter_mut()
            .filter(|p| p.sleep.as_ref().is_some_and(|s| s.address == address && s.ended.is_none()))
            .collect();
        sleepers.sort_by_key(|p| p.sleep.as_ref().map(|s| s.since));
        let woken = sleepers.len().min(count.max(0) as usize);
        for process in &mut sleepers[..woken] {
            if let Some(sleep) = &mut process.sleep {
                sleep.ended = Some(Ended::Woken);
            }
            process.thread.unpark();
        }
        woken
    });
    step();
    woken
}
