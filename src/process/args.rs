//! What a child is given: bytes, copied when they are added, and shared objects.

use super::codec::{Blob, Passed};
use super::start::spawn;
use crate::error::{Error, Result, Status, fail};
use crate::park::Owner;
use crate::shm::{self, Entry, Kind, Object, Ref};
use crate::sys::fd::Identity;
use std::borrow::Cow;

/// More arguments than this are taken for a mistake.
const MOST: usize = 65_536;
/// And more bytes than this in all: whichever way a child is started, it can be told them.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// One argument in the parent.
enum Held {
    Bytes(Vec<u8>),
    /// The parent holds the object until the child does.
    Object(Kind, Ref, Entry),
}

/// The arguments in their order.
#[derive(Default)]
pub(super) struct Args {
    held: Vec<Held>,
    /// Bytes in all.
    bytes: usize,
}

impl Args {
    /// Room for one more, or a status.
    fn reserve(&mut self) -> Result<()> {
        if self.held.len() >= MOST {
            fail!(Invalid, "a process takes at most {MOST} arguments");
        }
        self.held.try_reserve(1).map_err(|_| Error::new(Status::NoMemory, "no memory for one more argument"))
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserve()?;
        let total = self.bytes.saturating_add(bytes.len());
        if total > MOST_BYTES {
            fail!(
                Invalid,
                "a process takes at most {MOST_BYTES} bytes of arguments, and these would be {total}"
            );
        }
        self.held.push(Held::Bytes(copy(bytes)?));
        self.bytes = total;
        Ok(())
    }

    /// An object that the caller holds by `held`.
    pub(super) fn add_object(&mut self, kind: Kind, r: Ref, held: Entry) -> Result<()> {
        self.reserve()?;
        let entry = if held.is_named() { shm::hold_again(held, r, kind)? } else { shm::hold(r, kind)? };
        self.held.push(Held::Object(kind, r, entry));
        Ok(())
    }

    /// Enters the objects into the ledger of a child that is about to start. In the segments of those that have
    /// names it has no ledger yet.
    pub(super) fn hand_to(&self, child: Owner) -> Result<Vec<Entry>> {
        let objects = self.held.iter().filter_map(|arg| match arg {
            Held::Object(kind, r, entry) if !entry.is_named() => Some((*kind, *r)),
            _ => None,
        });
        objects.map(|(kind, r)| shm::hold_for(child, r, kind)).collect()
    }

    /// What a fresh image is told of them; its ledger holds the objects.
    pub(super) fn pass_to(&self, child: Owner) -> Result<Vec<Passed<'_>>> {
        let mut passed = Vec::with_capacity(self.held.len());
        for arg in &self.held {
            passed.push(match arg {
                Held::Bytes(bytes) => Passed::Bytes(Blob(Cow::Borrowed(bytes))),
                Held::Object(kind, _, entry) if entry.is_named() => {
                    let (fd, file) = shm::passport(*entry)?;
                    Passed::Named(*kind as u8, fd, file.device, file.inode)
                }
                Held::Object(kind, r, _) => {
                    Passed::Object(*kind as u8, r.bits(), shm::hold_for(child, *r, *kind)?.bits())
                }
            });
        }
        Ok(passed)
    }

    /// In a forked child: its arguments. The bytes stay where the parent's copy of them is.
    pub(super) fn receive(&mut self, entries: Vec<Entry>) -> Child {
        let mut entries = entries.into_iter();
        let args = std::mem::take(&mut self.held).into_iter().map(|arg| match arg {
            Held::Bytes(bytes) => Arg::Bytes(bytes),
            Held::Object(kind, r, parents) => {
                let entry = match parents.is_named() {
                    true => shm::hold_again(parents, r, kind).ok(),
                    false => entries.next(),
                };
                Arg::Object(kind, entry.map(|entry| Object { r, entry }))
            }
        });
        Child { args: args.collect() }
    }

    /// In the parent: what the child has now, the parent holds no longer on its behalf.
    pub(super) fn clear(&mut self) {
        for arg in self.held.drain(..) {
            if let Held::Object(_, _, entry) = arg {
                shm::let_go(entry);
            }
        }
    }
}

impl Drop for Args {
    fn drop(&mut self) {
        self.clear();
    }
}

fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Error::new(Status::NoMemory, "no memory for the bytes of an argument"))?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// One argument in the child.
pub(crate) enum Arg {
    Bytes(Vec<u8>),
    /// An object that the child's ledger holds already.
    Object(Kind, Option<Object>),
}

/// What the child's function is given.
pub(crate) struct Child {
    pub(crate) args: Vec<Arg>,
}

impl Child {
    /// In a fresh image: from what the parent has it told.
    pub(crate) fn received(args: Vec<Passed<'_>>) -> Self {
        let receive = |arg| match arg {
            Passed::Bytes(Blob(bytes)) => Arg::Bytes(bytes.into_owned()),
            Passed::Named(kind, fd, device, inode) => match Kind::from_bits(kind) {
                Some(kind) => Arg::Object(kind, shm::receive(fd, Identity { device, inode }, kind).ok()),
                None => Arg::Bytes(Vec::new()),
            },
            Passed::Object(kind, r, entry) => match Kind::from_bits(kind) {
                Some(kind) => Arg::Object(kind, Some(spawn::object(r, entry))),
                None => Arg::Bytes(Vec::new()),
            },
        };
        Child { args: args.into_iter().map(receive).collect() }
    }
}
