//! The handles and descriptors that a message shall carry, as C lists them.

use super::connection::mp_connection;
use super::handle;
use super::kind::Kind;
use super::listener::mp_listener;
use super::slots::{self, Known};
use crate::error::{Result, Status, fail};
use crate::shm::{self, Content, Object};
use crate::wire::Carried;
use core::ffi::{c_int, c_void};

/// More handles than this in one message are taken for a mistake.
const MOST: usize = 65_536;

/// In place of a kind: what comes is a descriptor of the program's, behind all handles.
pub(super) const DESCRIPTOR: u64 = 1 << 8;

/// What the message goes through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Queue,
    /// Descriptors can go along.
    Pipe,
}

/// They stay for as long as this is.
pub(super) struct Cargo {
    known: Vec<Known>,
    contents: Vec<Content>,
    carried: Vec<Carried>,
}

impl Cargo {
    /// # Safety
    /// `handles` is NULL or points to `count` pointers.
    pub(super) unsafe fn of(handles: *const *const c_void, count: usize, way: Way) -> Result<Self> {
        if count > MOST || (handles.is_null() && count > 0) {
            fail!(Invalid, "handles is NULL, or {count} are more than {MOST}");
        }
        let mut cargo = Cargo { known: Vec::new(), contents: Vec::new(), carried: Vec::new() };
        if cargo.known.try_reserve_exact(count).is_err() || cargo.contents.try_reserve_exact(count).is_err() {
            fail!(NoMemory, "no memory for {count} handles");
        }
        for at in 0..count {
            // SAFETY: the caller's promise.
            cargo.add(at, unsafe { *handles.add(at) }.addr() as u64, way)?;
        }
        Ok(cargo)
    }

    /// Descriptors besides.
    ///
    /// # Safety
    /// `fds` is NULL or points to `count` numbers.
    pub(super) unsafe fn with(mut self, fds: *const c_int, count: usize) -> Result<Self> {
        if count > MOST || (fds.is_null() && count > 0) {
            fail!(Invalid, "fds is NULL, or {count} are more than {MOST}");
        }
        if self.contents.try_reserve_exact(count).is_err() || self.carried.try_reserve_exact(count).is_err() {
            fail!(NoMemory, "no memory for {count} descriptors");
        }
        for at in 0..count {
            // SAFETY: the caller's promise.
            self.carried.push(Carried::descriptor_of_program(unsafe { *fds.add(at) })?);
            self.contents.push(Content { object: None, what: DESCRIPTOR });
        }
        Ok(self)
    }

    fn add(&mut self, at: usize, handle: u64, way: Way) -> Result<()> {
        let kind = slots::kind_of(handle);
        let what = kind.map_or(0, |kind| kind as u64);
        let known = std::ptr::without_provenance_mut::<c_void>(handle as usize);
        let carried = match kind.filter(|_| way == Way::Pipe) {
            Some(Kind::Connection) => Some(handle::object::<mp_connection>(known.cast())?.carry()?),
            Some(Kind::Listener) => Some(handle::object::<mp_listener>(known.cast())?.carry()?),
            _ => None,
        };
        if let Some(carried) = carried {
            self.contents.push(Content { object: carried.object(), what });
            if self.carried.try_reserve(1).is_err() {
                fail!(NoMemory, "no memory for a connection or a listener that shall go with a message");
            }
            self.carried.push(carried);
            return Ok(());
        }
        let one = match slots::known(handle) {
            Err(e) if e.status == Status::Unsupported => {
                fail!(
                    Unsupported,
                    "handle {at} stands on a descriptor, which only a pipe carries, or is for this process only"
                )
            }
            known => known?,
        };
        if one.entry.is_named() {
            fail!(Unsupported, "handle {at} is of an object with a name: open it by that");
        }
        self.contents.push(Content { object: Some((one.kind, one.r)), what });
        self.known.push(one);
        Ok(())
    }

    /// What stands on descriptors, in the order of the handles.
    pub(super) fn carried(&self) -> &[Carried] {
        &self.carried
    }

    pub(super) fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Where the blocks behind them are.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> {
        self.known.iter().map(|one| shm::address(Object { r: one.r, entry: one.entry }))
    }
}
