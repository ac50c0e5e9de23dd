//! The lock that guards another object, a Lock or an RLock: a block of its own, which a carrier word of the
//! guarded object's block holds. So it lives as long as that object, and others may have handles to it as well.

use super::rlock::{self, not_owner};
use crate::error::{Error, Result, Status, fail};
use crate::park::{Owner, Tree};
use crate::shm::{self, In, Kind, LockBlock, Object, Ref, Segment};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What an object shall be guarded by.
#[derive(Clone, Copy)]
pub(crate) enum Guard {
    /// An RLock of its own; true: it reports the death of a holder.
    Own(bool),
    /// This Lock or RLock.
    Given(Kind, Ref),
    /// Nothing.
    None,
}

/// The guard, found.
#[derive(Clone, Copy)]
pub(crate) struct Guarding {
    block: &'static LockBlock,
    kind: Kind,
    r: Ref,
    tree: In,
}

impl Guard {
    /// Makes or takes the lock; this process holds it until it is with a carrier.
    pub(crate) fn prepare(self, s: &'static Segment) -> Result<Option<Object>> {
        Ok(match self {
            Guard::Own(report) => Some(rlock::create(s, report)?),
            Guard::Given(..) if !s.is_tree() => return Err(none_can_be_given()),
            Guard::Given(kind, r) => Some(Object { r, entry: shm::hold(r, kind)? }),
            Guard::None => None,
        })
    }
}

/// Puts a prepared lock where its object keeps it.
pub(crate) fn attach(lock: Option<Object>, carrier: &AtomicU64) {
    if let Some(object) = lock {
        shm::carry(object, carrier);
    }
}

/// Whether the lock of an object that was found by its name, which the carrier holds, is as it was asked for.
pub(crate) fn fits(carrier: &AtomicU64, guard: Guard) -> Result<()> {
    let is_raw = carrier.load(Relaxed) == 0;
    match (guard, find(carrier)) {
        (Guard::Given(..), _) => Err(none_can_be_given()),
        (Guard::None, None) if is_raw => Ok(()),
        (Guard::Own(report), Some(lock)) => lock.block.fits(report),
        (Guard::Own(_), None) if is_raw => {
            fail!(Invalid, "the object that has the name has no lock, and one with a lock is asked for")
        }
        (Guard::None, Some(_)) => {
            fail!(Invalid, "the object that has the name has a lock, and a raw one is asked for")
        }
        _ => fail!(Invalid, "the name leads to a file that was overwritten: there is no lock in it"),
    }
}

#[cold]
fn none_can_be_given() -> Error {
    Error::new(Status::Unsupported, "an object with a name has a lock of its own: none can be given")
}

/// The lock that a carrier holds, if any.
pub(crate) fn find(carrier: &AtomicU64) -> Option<Guarding> {
    let r = shm::carried_ref(carrier)?;
    let tree = shm::tree_of(carrier);
    [Kind::RLock, Kind::Lock].into_iter().find_map(|kind| {
        let block = shm::resolve_in::<LockBlock>(tree.0, r, kind)?;
        Some(Guarding { block, kind, r, tree })
    })
}

impl Guarding {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn reference(&self) -> Ref {
        self.r
    }

    fn is_recursive(&self) -> bool {
        self.kind == Kind::RLock
    }

    pub(crate) fn acquire(&self, timeout: i64) -> Result<Status> {
        if self.is_recursive() {
            self.block.acquire_again(&self.tree, timeout)
        } else {
            self.block.acquire(&self.tree, timeout)
        }
    }

    /// The same if it takes no time; false leaves everything as it was, also where the holder is dead.
    pub(crate) fn acquire_quickly(&self) -> bool {
        match self.is_recursive() {
            true => self.block.acquire_again_quickly(&self.tree),
            false => self.block.lock.try_quickly(self.tree.me()),
        }
    }

    pub(crate) fn release(&self) -> Result<()> {
        if self.is_recursive() { self.block.release_once(&self.tree) } else { self.block.release(&self.tree) }
    }

    /// Whether the caller holds it: this thread an RLock, this process a Lock.
    pub(crate) fn is_mine(&self) -> bool {
        match self.is_recursive() {
            true => self.block.is_this_threads(&self.tree),
            false => self.owner() == Some(self.tree.me()),
        }
    }

    /// NOT_OWNER unless the caller holds it.
    pub(crate) fn check_mine(&self) -> Result<()> {
        if self.is_mine() {
            return Ok(());
        }
        match self.is_recursive() {
            true => Err(not_owner()),
            false => fail!(NotOwner, "this process does not hold the lock"),
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.block.lock.is_held()
    }

    pub(crate) fn is_recovered(&self) -> bool {
        self.block.lock.is_recovered(self.tree.me())
    }

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.block.lock.owner()
    }

    /// Gives it back wholly, for a while; answers what `take_back` needs.
    pub(crate) fn give_up(&self) -> Result<u64> {
        if self.is_recursive() {
            return self.block.release_wholly(&self.tree);
        }
        self.check_mine()?;
        self.block.release(&self.tree)?;
        Ok(1)
    }

    /// Takes it again as it was, without limit. OWNER_DIED where it reports that.
    pub(crate) fn take_back(&self, depth: u64) -> Result<Status> {
        if self.is_recursive() {
            Ok(self.block.take_back(&self.tree, depth))
        } else {
            self.block.acquire(&self.tree, i64::MAX)
        }
    }

    /// Who has it, and how often, as Python tells it.
    pub(crate) fn describe(&self) -> String {
        if self.is_recursive() {
            self.block.describe_recursive(&self.tree)
        } else {
            self.block.describe(&self.tree)
        }
    }
}
