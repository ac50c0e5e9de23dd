//! Descriptors for the host's event loop: each is readable while the thing that it stands for is ready.
//!
//! Whoever makes a thing ready, in whatever process, cannot write to a descriptor of this one. So this process has a
//! helper thread, from the first such request to a second after the last, that sleeps on its bell (`park/bells.rs`), looks at the
//! things whose descriptors are not raised, and raises those that are ready. A raised one is not watched any more.
//! It is lowered by whoever finds in this process that the thing is not ready now, which is who has just taken from
//! it, before the call returns. So where nobody in another process takes as well, the descriptor is exact.

use super::watch::{OwnBells, Things, Watched, patience, wait};
use crate::error::{Result, fail};
use crate::park::round;
use crate::shm::{In, TREE};
use crate::sys::flag::Flag;
use crate::sys::futex::Slept;
use crate::sys::local::Local;
use crate::sys::poll::Row;
use crate::sys::thread;
use crate::time::Deadline;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A thing and its descriptor.
struct Entry {
    thing: Box<dyn Watched>,
    state: Mutex<State>,
}

struct State {
    /// None: the handle was freed. The helper may still know of the entry.
    flag: Option<Flag>,
    raised: bool,
}

impl Entry {
    /// Has the descriptor say what is so. `again`: also where it is raised.
    fn settle(&self, again: bool, thoroughly: bool) {
        let mut state = self.state();
        let State { flag: Some(flag), raised } = &mut *state else { return };
        if *raised && !again {
            return;
        }
        // Who sleeps has read the bells' states before.
        let look = || self.thing.is_ready(false);
        let ready = self.thing.is_ready(thoroughly) || round(|| (), || self.thing.watch(), look).is_none();
        match (ready, *raised) {
            (true, false) => flag.raise(),
            (false, true) => flag.lower(),
            _ => {}
        }
        *raised = ready;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fd(&self) -> Option<RawFd> {
        self.state().flag.as_ref().map(Flag::fd)
    }
}

/// A call that waits for things and for descriptors.
struct Caller {
    /// None: it is over. The helper may still know of it.
    flag: Mutex<Option<Flag>>,
    /// Where its things are.
    trees: Vec<In>,
}

impl Caller {
    fn flag(&self) -> MutexGuard<'_, Option<Flag>> {
        self.flag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self) {
        self.flag().as_ref().inspect(|flag| flag.raise());
    }

    fn lower(&self) {
        self.flag().as_ref().inspect(|flag| flag.lower());
    }
}

#[derive(Default)]
struct Known {
    /// By the handle's number.
    entries: BTreeMap<u64, Arc<Entry>>,
    /// Their flags are raised whenever a bell has rung.
    calls: Vec<Arc<Caller>>,
    /// Changes with the two above.
    version: u64,
    /// There is a helper thread.
    helped: bool,
}

static KNOWN: Local<Known> = Local::new();

/// Whether there ever was a descriptor: so that who has none pays nothing.
static ANY: AtomicBool = AtomicBool::new(false);

/// The descriptor for what a handle stands for; the same one each time.
pub(crate) fn descriptor(handle: u64, thing: impl FnOnce() -> Box<dyn Watched>) -> Result<RawFd> {
    let there = KNOWN.with(|known| known.entries.get(&handle).cloned());
    if let Some(fd) = there.and_then(|entry| entry.fd()) {
        return Ok(fd);
    }
    let state = Mutex::new(State { flag: Some(Flag::new()?), raised: false });
    let made = Arc::new(Entry { thing: thing(), state });
    ANY.store(true, Ordering::Relaxed);
    let (entry, spare) = KNOWN.with(|known| {
        known.version += 1;
        let entry = known.entries.entry(handle).or_insert_with(|| Arc::clone(&made));
        (Arc::clone(entry), made)
    });
    // Of two threads that asked at once one made it in vain; closing it takes locks.
    drop(spare);
    entry.settle(true, true);
    help().inspect_err(|_| forget(handle))?;
    match entry.fd() {
        Some(fd) => Ok(fd),
        None => fail!(BadHandle, "another thread has freed the handle"),
    }
}

/// Whether any handle has a descriptor: see [`taken`].
#[inline(always)]
pub(crate) fn any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// This process has taken from what a handle stands for.
#[cold]
pub(crate) fn taken(handle: u64) {
    if let Some(entry) = KNOWN.with(|known| known.entries.get(&handle).cloned()) {
        entry.settle(true, false);
    }
}

/// The handle is freed, and its descriptor closed.
pub(crate) fn forget(handle: u64) {
    if any() {
        let entry = KNOWN.with(|known| {
            known.version += 1;
            known.entries.remove(&handle)
        });
        // Now, whatever the helper is doing.
        drop(entry.and_then(|entry| entry.state().flag.take()));
    }
}

/// Sees to it that there is a helper, and that it knows of what is new.
fn help() -> Result<()> {
    let is_there = KNOWN.with(|known| std::mem::replace(&mut known.helped, true));
    if is_there {
        let (number, bells) = In(&TREE).bell();
        bells.shake(number);
        return Ok(());
    }
    let started = thread::start_helper("watch", serve);
    started.map(drop).inspect_err(|_| KNOWN.with(|known| known.helped = false))
}

/// The helper's life.
fn serve() {
    let (mut version, mut slices) = (None, 0);
    let (mut entries, mut calls) = (Vec::new(), Vec::<Arc<Caller>>::new());
    let mut thoroughly = false;
    loop {
        let news = KNOWN.with(|known| {
            if known.entries.is_empty() && known.calls.is_empty() {
                known.helped = false;
                return Some(None);
            }
            (version != Some(known.version)).then(|| {
                version = Some(known.version);
                Some((known.entries.values().cloned().collect(), known.calls.clone()))
            })
        });
        match news {
            Some(None) => return,
            Some(Some((all, waiting))) => {
                // What goes is dropped here, outside.
                (entries, calls) = (all, waiting);
                // Of a new call's things the bell may have rung already.
                calls.iter().for_each(|call| call.raise());
            }
            None => {}
        }
        let trees = entries.iter().map(|entry: &Arc<Entry>| entry.thing.tree());
        let theirs = calls.iter().flat_map(|call| call.trees.iter().copied());
        let bells = OwnBells::of(trees.chain(theirs).chain(std::iter::once(In(&TREE))));
        let states = bells.states();
        entries.iter().for_each(|entry| entry.settle(false, thoroughly));
        let owned = !calls.is_empty() || entries.iter().any(|entry| entry.thing.is_owned());
        let slept = states.sleep(patience(slices, owned, Duration::MAX));
        thoroughly = slept == Slept::Elapsed;
        slices = if thoroughly { slices + 1 } else { 0 };
        calls.iter().for_each(|call| call.raise());
    }
}

/// A call's own flag among those of the helper.
struct Call(Arc<Caller>, RawFd);

impl Call {
    fn new(trees: Vec<In>) -> Result<Self> {
        let flag = Flag::new()?;
        let fd = flag.fd();
        let caller = Arc::new(Caller { flag: Mutex::new(Some(flag)), trees });
        KNOWN.with(|known| {
            known.version += 1;
            known.calls.push(Arc::clone(&caller));
        });
        let call = Call(caller, fd);
        help()?;
        Ok(call)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let gone = KNOWN.with(|known| {
            known.version += 1;
            let at = known.calls.iter().position(|call| Arc::ptr_eq(call, &self.0));
            at.map(|at| known.calls.swap_remove(at))
        });
        drop(gone);
        drop(self.0.flag().take());
    }
}

/// Waits until some of the things is ready or some of the descriptors readable, or the time is over. The row says which
/// of the descriptors are.
pub(crate) fn wait_for_both(things: &mut Things, row: &mut Row, deadline: Deadline) -> Result<bool> {
    if things.all.is_empty() {
        return super::watch::wait_for_descriptors(row, deadline);
    }
    if row.is_empty() {
        return Ok(wait(things, deadline));
    }
    // Both are looked at before there is anything to be paid for.
    let found = row.wait(Duration::ZERO)? > 0;
    if things.look(true) || found || deadline.is_over() {
        return Ok(found || things.ready.contains(&true));
    }
    let call = Call::new(things.trees().collect())?;
    let rung = row.push(call.1);
    let owned = things.is_owned();
    let mut slices = 0;
    loop {
        let shared = RefCell::new(&mut *things);
        let (watch, look) = (|| shared.borrow_mut().watch(), || shared.borrow_mut().look(true));
        let now = round(|| call.0.lower(), watch, look).is_none();
        let remaining = deadline.remaining();
        let limit = if now { Duration::ZERO } else { patience(slices, owned, remaining) };
        let readable = row.wait(limit)?;
        if now || readable > usize::from(row.is_ready(rung)) {
            return Ok(true);
        }
        if remaining.is_zero() {
            return Ok(things.look(true));
        }
        slices += 1;
    }
}
