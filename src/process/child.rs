//! What a child's function is given, and what it gives back.

use super::args::Arg;
use super::codec::{Blob, Passed};
use super::start::spawn;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, BytesBlock, Kind, Object, Ref};
use crate::sys::fd::Identity;
use crate::wire::Carried;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a run in the parent itself leaves its result.
type Here = Arc<Mutex<Option<Vec<u8>>>>;

/// A child's arguments, and the way back.
pub(crate) struct Child {
    pub(crate) args: Vec<Arg>,
    here: Option<Here>,
}

impl Child {
    /// In a child of its own.
    pub(super) fn new(args: Vec<Arg>) -> Self {
        Child { args, here: None }
    }

    /// In the parent.
    pub(super) fn here(args: Vec<Arg>) -> Self {
        Child { args, here: Some(Here::default()) }
    }

    /// Whether this is a run in the parent itself.
    pub(crate) fn is_here(&self) -> bool {
        self.here.is_some()
    }

    /// In a fresh image: from what the parent has it told.
    pub(crate) fn received(args: Vec<Passed<'_>>) -> Self {
        let receive = |arg| match arg {
            Passed::Bytes(Blob(bytes)) => Arg::Bytes(bytes.into_owned()),
            Passed::Voucher(Blob(bytes)) => Arg::Voucher(bytes.into_owned()),
            Passed::Named(kind, r, fd, device, inode) => match Kind::from_bits(kind) {
                Some(kind) => {
                    let object = shm::receive(fd, Identity { device, inode }, Ref::from_bits(r), kind);
                    Arg::Object(kind, object.ok())
                }
                None => Arg::Bytes(Vec::new()),
            },
            Passed::Carried(fd, what, held) => {
                let held = held.map(|(r, entry)| spawn::object(r, entry));
                Arg::Carried(Mutex::new(Carried::received(fd, what, held).ok()))
            }
            Passed::Object(kind, r, entry) => match Kind::from_bits(kind) {
                Some(kind) => Arg::Object(kind, Some(spawn::object(r, entry))),
                None => Arg::Bytes(Vec::new()),
            },
        };
        Child::new(args.into_iter().map(receive).collect())
    }

    /// Where what the function returns will lie.
    pub(super) fn result_here(&self) -> Here {
        self.here.clone().unwrap_or_default()
    }

    /// Leaves bytes for the parent, in the place of those that it left before.
    pub(crate) fn leave(&self, bytes: &[u8]) -> Result<()> {
        let Some(here) = &self.here else { return shm::leave_result(bytes) };
        let mut copy = Vec::new();
        reserve(&mut copy, bytes.len())?;
        copy.extend_from_slice(bytes);
        *here.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        Ok(())
    }
}

/// Copies out what a child has left.
pub(super) fn read(object: Object, out: &mut Vec<u8>) -> Result<()> {
    let Some(data) = shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| shm::data(&b.head))
    else {
        fail!(State, "the result's block in shared memory is damaged");
    };
    reserve(out, data.len())?;
    data.append_to(0, data.len(), out);
    Ok(())
}

/// Room for `len` bytes more, or a status.
pub(super) fn reserve(out: &mut Vec<u8>, len: usize) -> Result<()> {
    out.try_reserve_exact(len)
        .map_err(|_| Error::new(Status::NoMemory, "no memory for what the child returned"))
}
