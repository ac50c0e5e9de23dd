//! The recursive lock: owned by a thread, released by it alone, taken over from the dead.

use super::lock::{self, timed_out};
use crate::error::{Error, Result, Status};
use crate::park::{self, TooDeep, Tree};
use crate::shm::{Kind, LockBlock, Object, Segment};
use crate::sys::thread;
use crate::time::Deadline;

/// Makes one, unlocked. `report`: acquire answers OWNER_DIED where it takes over.
pub(crate) fn create(s: &'static Segment, report: bool) -> Result<Object> {
    lock::create_as(s, Kind::RLock, report)
}

/// The calling thread as an RLock's holder.
#[inline(always)]
fn me<T: Tree>(tree: &T) -> u64 {
    park::holder(tree.me(), thread::number())
}

impl LockBlock {
    /// Takes the lock, once more if this thread has it.
    #[inline(always)]
    pub(crate) fn acquire_again<T: Tree>(&self, tree: &T, timeout: i64) -> Result<Status> {
        match self.lock.acquire_again(tree, me(tree), || Deadline::after(timeout)) {
            Ok(Some(held)) => Ok(self.told(held)),
            Ok(None) => Err(timed_out()),
            Err(TooDeep) => Err(too_deep()),
        }
    }

    /// The same if it takes no time.
    #[inline(always)]
    pub(crate) fn acquire_again_quickly<T: Tree>(&self, tree: &T) -> bool {
        self.lock.acquire_again_quickly(me(tree))
    }

    /// Whether this thread has it.
    pub(super) fn is_own<T: Tree>(&self, tree: &T) -> bool {
        self.lock.is_held_as(me(tree))
    }

    /// Gives it back once.
    #[inline(always)]
    pub(crate) fn release_once<T: Tree>(&self, tree: &T) -> Result<()> {
        if self.lock.release_once(tree, me(tree)) { Ok(()) } else { Err(not_owner()) }
    }

    /// The same if it takes no time.
    #[inline(always)]
    pub(crate) fn release_once_quickly<T: Tree>(&self, tree: &T) -> bool {
        self.lock.release_once_quickly(me(tree))
    }

    /// Gives it back wholly; answers how often this thread had it.
    pub(crate) fn release_wholly<T: Tree>(&self, tree: &T) -> Result<u64> {
        self.lock.release_wholly(tree, me(tree)).ok_or_else(not_owner)
    }

    /// Takes it as often as this thread had it, without limit.
    pub(crate) fn take_back<T: Tree>(&self, tree: &T, depth: u64) -> Status {
        match self.lock.take_back(tree, me(tree), depth, || Deadline::Never) {
            Some(held) => self.told(held),
            // There is no deadline that could be over.
            None => Status::Timeout,
        }
    }

    /// Whether this thread holds it and the holder before died.
    pub(crate) fn is_this_threads_recovered<T: Tree>(&self, tree: &T) -> bool {
        self.is_this_threads(tree) && self.lock.is_recovered(tree.me())
    }

    /// Whether this thread holds it, as an RLock.
    pub(crate) fn is_this_threads<T: Tree>(&self, tree: &T) -> bool {
        self.lock.depth_of(me(tree)).is_some()
    }
}

#[cold]
fn too_deep() -> Error {
    Error::new(Status::Invalid, "the thread holds the lock as often as can be counted")
}

#[cold]
pub(super) fn not_owner() -> Error {
    Error::new(Status::NotOwner, "the calling thread does not hold the lock")
}
