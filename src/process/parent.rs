//! A child's view of its parent.

use super::own;
use crate::error::{Result, fail};
use crate::sys::children::{self, Followed};
use crate::sys::local::Local;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// What is known of the parent's life; one for the process, however many ask.
#[derive(Default)]
enum Knowledge {
    #[default]
    NotAsked,
    Gone,
    Follow(Arc<OwnedFd>),
}

static KNOWLEDGE: Local<Knowledge> = Local::new();

/// A process whose parent is not its parent for the kernel is given the descriptor by it.
pub(super) fn begin(fd: OwnedFd) {
    KNOWLEDGE.begin(Knowledge::Follow(Arc::new(fd)));
}

/// A descriptor for the parent's end; None: it has come.
fn follow() -> Result<Option<Arc<OwnedFd>>> {
    let known = KNOWLEDGE.with(|k| match k {
        Knowledge::NotAsked => None,
        Knowledge::Gone => Some(None),
        Knowledge::Follow(fd) => Some(Some(Arc::clone(fd))),
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let Some(parent) = own::parent() else { fail!(State, "a main process has no parent") };
    let fd = children::open_parent(parent.pid)?.map(Arc::new);
    // Of two that ask at once the first has said it.
    Ok(KNOWLEDGE.with(|k| {
        if matches!(k, Knowledge::NotAsked) {
            *k = fd.map_or(Knowledge::Gone, Knowledge::Follow);
        }
        match k {
            Knowledge::Follow(fd) => Some(Arc::clone(fd)),
            _ => None,
        }
    }))
}

/// Waits for the parent's end, at most `limit`, or until a signal comes.
pub(super) fn wait(limit: Duration) -> Result<()> {
    if let Some(fd) = follow()? {
        children::is_over(Followed::Descriptor(fd.as_fd()), limit);
    }
    Ok(())
}

/// The parent as an object's content.
pub(super) struct Watch {
    pid: u32,
}

impl Watch {
    pub(super) fn new(pid: u32) -> Self {
        Watch { pid }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn is_over(&self) -> Result<bool> {
        Ok(match follow()? {
            Some(fd) => children::is_over(Followed::Descriptor(fd.as_fd()), Duration::ZERO),
            None => true,
        })
    }

    pub(super) fn sentinel(&self) -> Result<RawFd> {
        match follow()? {
            Some(fd) => Ok(fd.as_raw_fd()),
            None => fail!(State, "the parent had ended before anybody asked for its sentinel"),
        }
    }
}
