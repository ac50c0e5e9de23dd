//! Waiting for any of many things. How the news gets here is said in `park/bells.rs`; here is what is looked at, and
//! when: first the bell is asked for, then all things are looked at, then comes the sleep.

use crate::park::{Bells, Tree, round, slice};
use crate::shm::{self, EventBlock, In, LockBlock, SemaphoreBlock, TREE};
use crate::sys::futex::{self, Slept};
use crate::sys::poll::Row;
use crate::time::Deadline;
use std::cell::RefCell;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// After so many slices without news a wait that nobody owns counts as idle.
const IDLE_AFTER: u32 = 20;

/// Something in shared memory that can be ready.
pub(crate) trait Watched: Send + Sync {
    /// Those who share it.
    fn tree(&self) -> In;
    /// Asks to be told when it may have become ready; true where it is, as far as that takes no second look.
    fn watch(&self) -> bool;
    /// Whether what it is waited for could be had now. `thoroughly`: also from the dead, which costs system calls.
    fn is_ready(&self, thoroughly: bool) -> bool;
    /// Whether it may become ready by somebody's death.
    fn is_owned(&self) -> bool {
        false
    }
}

/// What is ready for good.
pub(crate) struct Always;

impl Watched for Always {
    fn tree(&self) -> In {
        In(&TREE)
    }

    fn watch(&self) -> bool {
        true
    }

    fn is_ready(&self, _: bool) -> bool {
        true
    }
}

/// A lock that could be taken.
pub(crate) struct FreeLock<'a>(pub(crate) &'a LockBlock);

impl Watched for FreeLock<'_> {
    fn tree(&self) -> In {
        shm::tree_of(self.0)
    }

    fn watch(&self) -> bool {
        self.tree().watch(&self.0.lock);
        self.0.lock.watch()
    }

    fn is_ready(&self, thoroughly: bool) -> bool {
        let tree = self.tree();
        let dead = || self.0.lock.owner().is_none_or(|owner| owner != tree.me() && tree.is_dead(owner));
        !self.0.lock.is_held() || thoroughly && dead()
    }

    fn is_owned(&self) -> bool {
        true
    }
}

/// An RLock that the calling thread could take.
pub(crate) struct OwnLock<'a>(pub(crate) &'a LockBlock);

impl Watched for OwnLock<'_> {
    fn tree(&self) -> In {
        shm::tree_of(self.0)
    }

    fn watch(&self) -> bool {
        FreeLock(self.0).watch()
    }

    fn is_ready(&self, thoroughly: bool) -> bool {
        self.0.is_own(&self.tree()) || FreeLock(self.0).is_ready(thoroughly)
    }

    fn is_owned(&self) -> bool {
        true
    }
}

impl Watched for SemaphoreBlock {
    fn tree(&self) -> In {
        shm::tree_of(self)
    }

    fn watch(&self) -> bool {
        let spot = self.semaphore.spot();
        self.tree().watch(spot);
        spot.watch();
        false
    }

    fn is_ready(&self, thoroughly: bool) -> bool {
        if thoroughly {
            self.look_for_dead();
        }
        self.free().is_ok_and(|free| free > 0)
    }

    fn is_owned(&self) -> bool {
        self.keeps_accounts()
    }
}

impl Watched for EventBlock {
    fn tree(&self) -> In {
        shm::tree_of(self)
    }

    fn watch(&self) -> bool {
        let spot = self.spot();
        self.tree().watch(spot);
        spot.watch();
        false
    }

    fn is_ready(&self, _: bool) -> bool {
        self.is_set()
    }
}

/// An event that is set, or was since this was made.
pub(crate) struct Pulse<'a>(&'a EventBlock, u64);

impl<'a> Pulse<'a> {
    /// The event itself.
    pub(crate) fn event(&self) -> &'a EventBlock {
        self.0
    }

    pub(crate) fn new(event: &'a EventBlock) -> Self {
        Pulse(event, event.times_set())
    }
}

impl Watched for Pulse<'_> {
    fn tree(&self) -> In {
        self.0.tree()
    }

    fn watch(&self) -> bool {
        self.0.watch()
    }

    fn is_ready(&self, _: bool) -> bool {
        self.0.is_set() || self.0.times_set() != self.1
    }
}

/// This process's bells in all the segments that some things are in.
pub(crate) struct OwnBells(Vec<(usize, &'static Bells)>);

/// What they were.
pub(crate) struct States<'a>(Vec<(&'a AtomicU32, u32)>);

impl OwnBells {
    pub(crate) fn of<'a>(trees: impl Iterator<Item = In> + 'a) -> Self {
        let mut bells: Vec<(usize, &'static Bells)> = Vec::new();
        for (number, all) in trees.map(In::bell) {
            if !bells.iter().any(|(_, known)| std::ptr::eq(*known, all)) {
                bells.push((number, all));
            }
        }
        OwnBells(bells)
    }

    /// To be read before anything is watched.
    pub(crate) fn states(&self) -> States<'_> {
        States(self.0.iter().map(|&(number, bells)| (bells.word(number), bells.state(number))).collect())
    }
}

impl States<'_> {
    /// Sleeps until one of them has rung since.
    pub(crate) fn sleep(&self, limit: Duration) -> Slept {
        futex::wait_any(&self.0, limit)
    }
}

/// How long sleeps are. A ring may be lost with who was to ring, and an owner may die.
pub(crate) fn patience(slices: u32, owned: bool, remaining: Duration) -> Duration {
    slice(!owned && slices >= IDLE_AFTER, remaining)
}

/// What is waited for, and what of it is ready.
pub(crate) struct Things<'a> {
    pub(crate) all: &'a [&'a dyn Watched],
    pub(crate) ready: &'a mut [bool],
}

impl Things<'_> {
    /// Whether any is ready, and which.
    pub(super) fn look(&mut self, thoroughly: bool) -> bool {
        self.each(|thing| thing.is_ready(thoroughly))
    }

    pub(super) fn watch(&mut self) -> bool {
        self.each(|thing| thing.watch())
    }

    fn each(&mut self, what: impl Fn(&dyn Watched) -> bool) -> bool {
        let mut any = false;
        for (ready, thing) in self.ready.iter_mut().zip(self.all) {
            *ready = what(*thing);
            any |= *ready;
        }
        any
    }

    pub(super) fn is_owned(&self) -> bool {
        self.all.iter().any(|thing| thing.is_owned())
    }

    pub(super) fn trees(&self) -> impl Iterator<Item = In> {
        self.all.iter().map(|thing| thing.tree())
    }
}

/// Waits until something is ready, or the time is over.
pub(crate) fn wait(things: &mut Things, deadline: Deadline) -> bool {
    if things.look(false) {
        return true;
    }
    let bells = OwnBells::of(things.trees());
    let owned = things.is_owned();
    let mut slices = 0;
    // The dead are asked after with the first look and after each slice.
    let mut thoroughly = true;
    loop {
        let shared = RefCell::new(&mut *things);
        let look = || {
            let mut things = shared.borrow_mut();
            things.look(false) || thoroughly && things.look(true)
        };
        let found = round(|| bells.states(), || shared.borrow_mut().watch(), look);
        let Some(states) = found else { return true };
        let remaining = deadline.remaining();
        if remaining.is_zero() {
            return false;
        }
        let limit = patience(slices, owned, remaining);
        thoroughly = states.sleep(limit) == Slept::Elapsed;
        if thoroughly {
            slices += 1;
            if limit < remaining && things.look(false) {
                note_rescue(things.all);
                return true;
            }
        }
    }
}

/// Somebody became ready, and no bell rang for it.
fn note_rescue(things: &[&dyn Watched]) {
    let found = things.iter().find(|thing| thing.is_ready(false));
    if let Some(tree) = found.map(|thing| thing.tree()).filter(|tree| tree.wakes().0 == 0) {
        tree.note_rescue();
    }
}

/// Waits for foreign descriptors, and for nothing else.
pub(crate) fn wait_for_descriptors(row: &mut Row, deadline: Deadline) -> crate::error::Result<bool> {
    loop {
        if row.wait(deadline.remaining())? > 0 {
            return Ok(true);
        }
        if deadline.is_over() {
            return Ok(false);
        }
    }
}
