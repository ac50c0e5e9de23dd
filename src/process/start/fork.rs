//! The fork start method.

use super::{FAILED_TO_BEGIN, Started, run_to_the_end};
use crate::error::Result;
use crate::park::{Owner, Tree};
use crate::shm::{self, ThisTree};
use crate::sys::children::{self, Fork};
use crate::sys::kept::{self, Listed};
use crate::sys::{lifeline, signals, stdio};
use std::os::fd::OwnedFd;

/// A child that has a slot, and a ledger that can be written to, and does not run yet.
pub(super) struct Prepared {
    owner: Owner,
    /// It dies with its parent, and Ctrl-C is not meant for it.
    worker: bool,
    keep_stdin: bool,
    started: bool,
}

/// Takes a slot for a child.
pub(super) fn prepare(worker: bool, keep_stdin: bool) -> Result<Prepared> {
    let owner = shm::claim_child(ThisTree.me())?;
    Ok(Prepared { owner, worker, keep_stdin, started: false })
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.started {
            shm::give_up(self.owner);
        }
    }
}

impl Prepared {
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Forks. Only the parent returns.
    pub(super) fn start(mut self, body: impl FnOnce() -> i32) -> Result<Started> {
        stdio::flush_before_fork();
        // Until the new descriptors are listed no other thread's child may come by.
        let mut list = kept::list();
        let (parents_end, childs_end) = match self.worker {
            true => lifeline::pair().map(|(p, c)| (Some(list.keep(p)), Some(c)))?,
            false => (None, None),
        };
        let parents_end = Listed { list: &mut list, kept: parents_end };
        let place = children::reserve_descriptor()?;
        let held = signals::hold()?;
        match children::fork()? {
            Fork::Child => {
                // The list's mutex is free in the child already: the kernel has wiped it.
                std::mem::forget(parents_end);
                std::mem::forget(list);
                drop(place);
                self.run(childs_end, held, body)
            }
            Fork::Parent { pid } => {
                drop(place);
                let trace = children::open_pidfd(pid);
                shm::note_pid(self.owner, pid);
                self.started = true;
                let lifeline = parents_end.take();
                let started = Started::new(pid, self.owner, trace, lifeline, &mut list);
                drop(childs_end);
                drop(list);
                drop(held);
                Ok(started)
            }
        }
    }

    /// The child's whole life.
    fn run(&self, lifeline: Option<OwnedFd>, held: signals::Held, body: impl FnOnce() -> i32) -> ! {
        stdio::forget_parents();
        kept::close_all();
        let began = shm::enter_child(self.owner).and_then(|()| {
            if !self.keep_stdin {
                children::close_stdin()?;
            }
            if self.worker {
                signals::for_worker()?;
            }
            lifeline.as_ref().map_or(Ok(true), lifeline::arm)
        });
        if !matches!(began, Ok(true)) {
            children::exit_now(FAILED_TO_BEGIN);
        }
        drop(held);
        // The mask is the caller's again, but what ends a worker must reach it.
        if self.worker && signals::unblock_for_worker().is_err() {
            children::exit_now(FAILED_TO_BEGIN);
        }
        run_to_the_end(body)
    }
}
