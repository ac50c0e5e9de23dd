//! The fork start method.

use super::{FAILED_TO_BEGIN, Started, Tie, run_fork_hooks, run_to_the_end};
use crate::error::Result;
use crate::park::{Owner, Tree};
use crate::process::own::{self, Hook, Origin};
use crate::shm::{self, ThisTree};
use crate::sys::children::{self, Fork};
use crate::sys::kept::{self, Listed};
use crate::sys::setup::{self, Setup};
use crate::sys::{lifeline, outermost, signals, stdio};
use std::os::fd::{OwnedFd, RawFd};

/// A child that has a slot, and a ledger that can be written to, and does not run yet.
pub(super) struct Prepared<'a> {
    owner: Owner,
    tie: Tie,
    setup: &'a Setup,
    started: bool,
}

/// Takes a slot for a child.
pub(super) fn prepare(tie: Tie, setup: &Setup) -> Result<Prepared<'_>> {
    let owner = shm::claim_child(ThisTree.me())?;
    Ok(Prepared { owner, tie, setup, started: false })
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if !self.started {
            shm::give_up(self.owner);
        }
    }
}

impl Prepared<'_> {
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Forks. Only the parent returns. The child keeps the `handed` descriptors.
    pub(super) fn start(
        mut self,
        origin: Origin,
        handed: &[RawFd],
        body: impl FnOnce() -> i32,
    ) -> Result<Started> {
        stdio::flush_before_fork();
        let hooks = own::fork_hooks();
        outermost::look();
        // Until the new descriptors are listed no other thread's child may come by.
        let mut list = kept::list();
        let (parents_end, childs_end) = match self.tie.has_lifeline() {
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
                kept::close_all(handed);
                self.run(childs_end, held, origin, hooks, body)
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
    fn run(
        &self,
        lifeline: Option<OwnedFd>,
        held: signals::Held,
        origin: Origin,
        hooks: Vec<Hook>,
        body: impl FnOnce() -> i32,
    ) -> ! {
        stdio::forget_parents();
        if shm::enter_child(self.owner).is_err() {
            children::exit_now(FAILED_TO_BEGIN);
        }
        own::begin(origin, hooks.clone());
        if let Err((part, errno)) = self.setup.apply() {
            shm::report_birth(part, errno);
            children::exit_now(FAILED_TO_BEGIN);
        }
        if let Some(strings) = &self.setup.environment {
            setup::set_environment(strings.clone());
        }
        let calm = if self.tie == Tie::Worker { signals::for_worker() } else { Ok(()) };
        let began = calm.and_then(|()| lifeline.as_ref().map_or(Ok(true), lifeline::arm));
        if !matches!(began, Ok(true)) {
            children::exit_now(FAILED_TO_BEGIN);
        }
        match self.tie {
            Tie::Zygote => std::mem::forget(held),
            _ => drop(held),
        }
        // The mask is the caller's again, but what ends a worker must reach it.
        if self.tie == Tie::Worker && signals::unblock_for_worker().is_err() {
            children::exit_now(FAILED_TO_BEGIN);
        }
        if self.setup.may_fail() {
            shm::report_birth(0, 0);
        }
        run_to_the_end(|| {
            if self.tie != Tie::Zygote {
                run_fork_hooks(&hooks);
            }
            body()
        })
    }
}
