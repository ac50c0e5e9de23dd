//! The handles that a message shall carry, as C lists them.

use super::slots::{self, Known};
use crate::error::{Result, Status, fail};
use crate::shm::{self, Content, Object};
use core::ffi::c_void;

/// More handles than this in one message are taken for a mistake.
const MOST: usize = 65_536;

/// They stay for as long as this is.
pub(super) struct Cargo {
    known: Vec<Known>,
    contents: Vec<Content>,
}

impl Cargo {
    /// # Safety
    /// `handles` is NULL or points to `count` pointers.
    pub(super) unsafe fn of(handles: *const *const c_void, count: usize) -> Result<Self> {
        if count > MOST || (handles.is_null() && count > 0) {
            fail!(Invalid, "handles is NULL, or {count} are more than {MOST}");
        }
        let mut cargo = Cargo { known: Vec::new(), contents: Vec::new() };
        if cargo.known.try_reserve_exact(count).is_err() || cargo.contents.try_reserve_exact(count).is_err() {
            fail!(NoMemory, "no memory for {count} handles");
        }
        for at in 0..count {
            // SAFETY: the caller's promise.
            cargo.add(at, unsafe { *handles.add(at) }.addr() as u64)?;
        }
        Ok(cargo)
    }

    fn add(&mut self, at: usize, handle: u64) -> Result<()> {
        let one = match slots::known(handle) {
            Err(e) if e.status == Status::Unsupported => fail!(
                Unsupported,
                "handle {at} stands on a descriptor, or is for this process only: no message carries it"
            ),
            known => known?,
        };
        if one.entry.is_named() {
            fail!(Unsupported, "handle {at} is of an object with a name: open it by that");
        }
        let what = slots::kind_of(handle).map_or(0, |kind| kind as u64);
        self.contents.push(Content { kind: one.kind, r: one.r, what });
        self.known.push(one);
        Ok(())
    }

    pub(super) fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Where the blocks behind them are.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> {
        self.known.iter().map(|one| shm::address(Object { r: one.r, entry: one.entry }))
    }
}
