//! What an asynchronous call comes to: asked for by any thread, settled once by the helper.

use super::Pool;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{In, TREE};
use crate::sync::watch::Watched;
use crate::sys::thread;
use crate::time::Deadline;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// The results of a call.
#[derive(Debug)]
pub(crate) enum Value {
    /// Of fixed size, side by side.
    Array(Vec<u8>),
    /// Of any size; None where an item has none.
    Each(Vec<Option<Vec<u8>>>),
}

/// A call that is over.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) error: Option<Error>,
    /// After a failure those that had come in.
    pub(crate) value: Value,
    /// What each item came to.
    pub(crate) statuses: Vec<Status>,
    /// A failure did not keep the other items from being done.
    pub(crate) run_all: bool,
}

#[derive(Default)]
struct State {
    settled: Option<Arc<Settled>>,
    /// The callbacks have run: everybody may know.
    public: bool,
    /// What became of the last cancel.
    verdict: Option<bool>,
    watchers: Vec<Weak<Watcher>>,
    /// This process's bell is to be rung when everybody may know.
    rings: bool,
}

/// See the module.
pub(crate) struct Answer {
    state: Mutex<State>,
    changed: Condvar,
    /// Its number among the pool's asynchronous calls.
    pub(super) key: u64,
    pool: Weak<Pool>,
    /// Items that came back, and all.
    done: AtomicUsize,
    total: usize,
    /// When it became public, among all; 0 before.
    when: AtomicU64,
    /// The thread that runs the callbacks, which knows earlier; 0 for none.
    knows: AtomicU32,
}

/// Somebody who waits for several.
#[derive(Default)]
struct Watcher {
    changes: Mutex<u64>,
    changed: Condvar,
}

/// For what of several results somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    All,
    First,
    FirstError,
}

impl Answer {
    pub(super) fn new(pool: &Arc<Pool>, key: u64, total: usize) -> Self {
        Answer {
            state: Mutex::default(),
            changed: Condvar::new(),
            key,
            pool: Arc::downgrade(pool),
            done: AtomicUsize::new(0),
            total,
            when: AtomicU64::new(0),
            knows: AtomicU32::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_done(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// Items that are done, and all.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.done.load(Ordering::Relaxed).min(self.total), self.total)
    }

    /// The call is over: the calling thread may know, which tells others by `publish`.
    pub(super) fn settle(&self, settled: Settled) {
        self.knows.store(thread::number(), Ordering::Relaxed);
        self.lock().settled = Some(Arc::new(settled));
        self.changed.notify_all();
    }

    pub(super) fn publish(&self) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let mut state = self.lock();
        self.when.store(LAST.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Release);
        state.public = true;
        self.changed.notify_all();
        for watcher in state.watchers.drain(..).filter_map(|w| w.upgrade()) {
            *watcher.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            watcher.changed.notify_all();
        }
        let rings = state.rings;
        drop(state);
        if rings {
            let (number, bells) = In(&TREE).bell();
            bells.shake(number);
        }
    }

    fn of(&self, state: &State) -> Option<Arc<Settled>> {
        let known = state.public || self.knows.load(Ordering::Relaxed) == thread::number();
        state.settled.as_ref().filter(|_| known).cloned()
    }

    /// What it came to, if it is over.
    pub(crate) fn settled(&self) -> Option<Arc<Settled>> {
        self.of(&self.lock())
    }

    /// Whether a worker has begun anything of it.
    pub(crate) fn has_begun(&self) -> bool {
        let is_out = |pool: Arc<Pool>| pool.dispatcher().has_begun(self.key);
        // In this order: what came back meanwhile counts among what is done.
        self.pool.upgrade().is_some_and(is_out) || self.progress().0 > 0
    }

    /// Waits until it is over.
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<Arc<Settled>> {
        let mut state = self.lock();
        loop {
            if let Some(settled) = self.of(&state) {
                return Ok(settled);
            }
            let left = deadline.remaining();
            if left.is_zero() {
                fail!(Timeout, "{} of {} items were not done in time", self.left(), self.total);
            }
            state = wait(&self.changed, state, left);
        }
    }

    fn left(&self) -> usize {
        self.total - self.progress().0
    }

    /// Takes back what was not begun, and stops what was; false if it is over already.
    pub(crate) fn cancel(&self, grace: Duration) -> Result<bool> {
        let mut state = self.lock();
        if state.settled.is_some() {
            return Ok(false);
        }
        state.verdict = None;
        drop(state);
        let Some(pool) = self.pool.upgrade() else { return Ok(false) };
        let waits = pool.cancel_call(self.key, grace);
        let mut state = self.lock();
        loop {
            // The helper itself cannot wait for its own verdict.
            if let Some(verdict) = state.verdict.or(if waits { None } else { Some(true) }) {
                return Ok(verdict);
            }
            if state.settled.is_some() {
                return Ok(false);
            }
            state = wait(&self.changed, state, Duration::MAX);
        }
    }

    /// By the helper: what became of a cancel.
    pub(super) fn judge(&self, cancelled: bool) {
        self.lock().verdict = Some(cancelled);
        self.changed.notify_all();
    }
}

/// One of the things that are waited for together. It is in nobody's shared memory, but who waits sleeps on a bell in
/// this tree's.
impl Watched for Arc<Answer> {
    fn tree(&self) -> In {
        In(&TREE)
    }

    fn watch(&self) -> bool {
        let mut state = self.lock();
        state.rings = true;
        // Later than this it rings.
        state.public
    }

    fn is_ready(&self, _: bool) -> bool {
        self.settled().is_some()
    }
}

fn wait<'a, T>(on: &Condvar, guard: MutexGuard<'a, T>, limit: Duration) -> MutexGuard<'a, T> {
    // Where a clock cannot hold it, the limit is none.
    let limit = limit.min(Duration::from_secs(1 << 30));
    on.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0
}

/// Waits for several, of which some may be missing.
pub(crate) fn wait_for(answers: &[Option<&Answer>], until: Until, deadline: Deadline) -> Result<()> {
    let is_enough = || {
        let mut known = answers.iter().flatten().map(|a| a.settled());
        match until {
            Until::All => known.all(|s| s.is_some()),
            Until::First => answers.iter().flatten().next().is_none() || known.any(|s| s.is_some()),
            Until::FirstError => {
                let mut all = true;
                known.any(|s| match s {
                    Some(settled) => settled.error.is_some(),
                    None => {
                        all = false;
                        false
                    }
                }) || all
            }
        }
    };
    let watcher = Arc::new(Watcher::default());
    for answer in answers.iter().flatten() {
        let mut state = answer.lock();
        if !state.public {
            state.watchers.retain(|w| w.strong_count() > 0);
            state.watchers.push(Arc::downgrade(&watcher));
        }
    }
    loop {
        let seen = *watcher.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if is_enough() {
            return Ok(());
        }
        let changes = watcher.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if *changes != seen {
            continue;
        }
        let left = deadline.remaining();
        if left.is_zero() {
            fail!(Timeout, "what was waited for did not come in time");
        }
        drop(wait(&watcher.changed, changes, left));
    }
}

/// Of those that are over, the place of the one that was first.
pub(crate) fn earliest(answers: &[Option<&Answer>]) -> Option<usize> {
    let when = |a: &Answer| a.when.load(Ordering::Acquire);
    let over = answers.iter().enumerate().filter_map(|(i, a)| a.map(|a| (i, when(a))));
    over.filter(|&(_, when)| when != 0).min_by_key(|&(_, when)| when).map(|(i, _)| i)
}
