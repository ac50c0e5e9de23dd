//! The barrier: so many parties wait for each other, cycle after cycle.

use crate::error::{Error, Result, Status, fail};
use crate::park::{Failure, MOST_PARTIES};
use crate::shm::{self, BarrierBlock, Kind, Object, Segment};
use crate::sys::exit::at_exit;
use crate::time::Deadline;
use std::sync::atomic::Ordering;

/// Makes one. `action` names what the last party runs, for processes that find it by that; empty for nothing.
pub(crate) fn create(
    s: &'static Segment,
    parties: u64,
    timeout: i64,
    action: &[u8],
    user: u64,
) -> Result<Object> {
    if !(1..=MOST_PARTIES).contains(&parties) {
        fail!(Invalid, "a barrier has 1 to {MOST_PARTIES} parties, and {parties} are asked for");
    }
    let rows = parties as usize * 16;
    let object = shm::create_in::<BarrierBlock>(s, Kind::Barrier, rows + action.len(), |block| {
        block.parties.store(parties, Ordering::Relaxed);
        block.timeout.store(timeout as u64, Ordering::Relaxed);
        block.user.store(user, Ordering::Relaxed);
    })?;
    let block = shm::resolve_in::<BarrierBlock>(s, object.r, Kind::Barrier);
    match block.and_then(|block| shm::data(&block.head)) {
        Some(data) => data.write(rows, action),
        None => {
            shm::release(object.entry);
            return Err(overwritten());
        }
    }
    Ok(object)
}

impl BarrierBlock {
    /// What the last party runs.
    pub(crate) fn action(&self) -> Result<Vec<u8>> {
        let rows = self.parties.load(Ordering::Relaxed).saturating_mul(16) as usize;
        let data = shm::data(&self.head).filter(|data| data.len() >= rows).ok_or_else(overwritten)?;
        let mut name = vec![0; data.len() - rows];
        data.read(rows, &mut name);
        Ok(name)
    }

    /// Whether one that was found by its name is as it was asked for. What `user` points to each process knows itself.
    pub(crate) fn fits(&self, parties: u64, timeout: i64, action: &[u8]) -> Result<()> {
        let has = self.parties.load(Ordering::Relaxed);
        if has != parties {
            fail!(Invalid, "the barrier that has the name is for {has} parties, and {parties} are asked for");
        }
        let has = self.timeout.load(Ordering::Relaxed) as i64;
        if has != timeout {
            fail!(
                Invalid,
                "the barrier that has the name has a timeout of {has} ns, and {timeout} ns are asked for"
            );
        }
        let has = self.action()?;
        if has != action {
            let (has, asked) = match (has.is_empty(), action.is_empty()) {
                (true, _) => ("no action", "one with an action"),
                (_, true) => ("an action", "one without"),
                _ => ("an action", "one with another"),
            };
            fail!(Invalid, "the barrier that has the name has {has}, and {asked} is asked for");
        }
        Ok(())
    }

    /// Waits for the others; the one who comes last calls `action`, where the barrier has one. Answers how many
    /// came before.
    pub(crate) fn wait(&self, timeout: i64, action: impl FnOnce() -> Result<()>) -> Result<u32> {
        // Who has taken part and exits in good order is not missed. Once for each program is enough.
        at_exit(note_exit);
        let deadline = Deadline::after(timeout.min(self.timeout.load(Ordering::Relaxed) as i64));
        self.barrier().ok_or_else(overwritten)?.wait(&shm::tree_of(self), deadline, action).map_err(
            |failure| match failure {
                Failure::Broken => Error::new(Status::BrokenBarrier, "the barrier is broken"),
                Failure::TooLate => Error::new(
                    Status::BrokenBarrier,
                    "the others did not come in time, and so the barrier is broken now",
                ),
                Failure::NotIn => Error::new(Status::Timeout, "the parties are complete without this call"),
                Failure::Action(error) => error,
            },
        )
    }

    pub(crate) fn abort(&self) {
        self.barrier().inspect(|barrier| barrier.abort(&shm::tree_of(self)));
    }

    pub(crate) fn reset(&self) {
        self.barrier().inspect(|barrier| barrier.reset(&shm::tree_of(self)));
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.barrier().is_none_or(|barrier| barrier.is_broken())
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.barrier().map_or(0, |barrier| barrier.waiting())
    }
}

extern "C" fn note_exit() {
    shm::note_normal_exit();
}

#[cold]
fn overwritten() -> Error {
    Error::new(Status::BrokenBarrier, "the barrier's memory was overwritten")
}
