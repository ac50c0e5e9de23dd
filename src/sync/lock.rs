//! The lock: owned by a process, released by anyone, taken over from the dead.

use crate::error::{Error, Result, Status, fail};
use crate::park::{Held, Tree};
use crate::shm::{self, Kind, LockBlock, Object, Segment};
use crate::time::Deadline;
use std::sync::atomic::Ordering;

const REPORT: u64 = 1;

/// Makes one, unlocked. `report`: acquire answers OWNER_DIED where it takes over.
pub(crate) fn create(s: &'static Segment, report: bool) -> Result<Object> {
    create_as(s, Kind::Lock, report)
}

pub(super) fn create_as(s: &'static Segment, kind: Kind, report: bool) -> Result<Object> {
    shm::create_in::<LockBlock>(s, kind, 0, |block| {
        block.lock.reset();
        block.options.store(if report { REPORT } else { 0 }, Ordering::Relaxed);
    })
}

impl LockBlock {
    /// Takes the lock; OWNER_DIED only where that was asked for.
    #[inline(always)]
    pub(crate) fn acquire<T: Tree>(&self, tree: &T, timeout: i64) -> Result<Status> {
        match self.lock.acquire(tree, || Deadline::after(timeout)) {
            Some(held) => Ok(self.told(held)),
            None => Err(timed_out()),
        }
    }

    /// Whether one that was found is as it was asked for.
    pub(crate) fn fits(&self, report: bool) -> Result<()> {
        let reports = |yes| if yes { "reports" } else { "does not report" };
        let has = self.options.load(Ordering::Relaxed) & REPORT != 0;
        if has != report {
            fail!(
                Invalid,
                "the lock that has the name {} the death of an owner, and one that {} it is asked for",
                reports(has),
                reports(report)
            );
        }
        Ok(())
    }

    /// What the one who asked for the lock is told.
    #[inline(always)]
    pub(super) fn told(&self, held: Held) -> Status {
        match held {
            Held::AfterDeath if self.options.load(Ordering::Relaxed) & REPORT != 0 => Status::OwnerDied,
            _ => Status::Ok,
        }
    }

    /// Gives it back, whoever holds it.
    #[inline(always)]
    pub(crate) fn release<T: Tree>(&self, tree: &T) -> Result<()> {
        if self.lock.release(tree) { Ok(()) } else { Err(over_release()) }
    }
}

#[cold]
pub(super) fn timed_out() -> Error {
    Error::new(Status::Timeout, "the lock is held by somebody else")
}

#[cold]
fn over_release() -> Error {
    Error::new(Status::OverRelease, "nobody holds the lock")
}
