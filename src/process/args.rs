//! What a child is given: bytes, copied when they are added, and shared objects.

use super::Child;
use super::codec::{Blob, Passed};
use crate::error::{Error, Result, Status, fail};
use crate::park::Owner;
use crate::shm::{self, Entry, Kind, Object, Ref};
use crate::wire::Carried;
use std::borrow::Cow;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};

/// More arguments than this are taken for a mistake.
const MOST: usize = 65_536;
/// And more bytes than this in all: whichever way a child is started, it can be told them.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// Something that is not in this process, nor on a descriptor: each child gets bytes by which it finds it.
pub(crate) trait Voucher: Send + Sync {
    /// For one child.
    fn issue(&self) -> Result<Vec<u8>>;
}

/// One argument in the parent.
enum Held {
    Bytes(Vec<u8>),
    /// The parent holds the object until the child does.
    Object(Kind, Ref, Entry),
    /// A connection or a listener: a descriptor of its own.
    Carried(Carried),
    Voucher(Arc<dyn Voucher>),
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
        let entry = hold(kind, r, held)?;
        self.held.push(Held::Object(kind, r, entry));
        Ok(())
    }

    /// A connection or a listener.
    pub(super) fn add_carried(&mut self, carried: Carried) -> Result<()> {
        self.reserve()?;
        self.held.push(Held::Carried(carried));
        Ok(())
    }

    pub(super) fn add_voucher(&mut self, voucher: Arc<dyn Voucher>) -> Result<()> {
        self.reserve()?;
        self.held.push(Held::Voucher(voucher));
        Ok(())
    }

    /// What the vouchers say to a child that is about to start.
    pub(super) fn issue(&self) -> Result<Vec<Vec<u8>>> {
        let issue = |arg: &Held| if let Held::Voucher(v) = arg { Some(v.issue()) } else { None };
        self.held.iter().filter_map(issue).collect()
    }

    /// The descriptors that a child gets.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let fd = |arg: &Held| if let Held::Carried(c) = arg { Some(c.descriptor()) } else { None };
        self.held.iter().filter_map(fd).collect()
    }

    /// Enters the objects into the ledger of a child that is about to start. In the segments of those that have
    /// names it has no ledger yet.
    pub(super) fn hand_to(&self, child: Owner) -> Result<Vec<Entry>> {
        let objects = self.held.iter().filter_map(|arg| match arg {
            Held::Object(kind, r, entry) if !entry.is_named() => Some((*kind, *r)),
            Held::Carried(carried) => carried.object(),
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
                Held::Voucher(voucher) => Passed::Voucher(Blob(Cow::Owned(voucher.issue()?))),
                Held::Carried(carried) => {
                    let held = match carried.object() {
                        Some((kind, r)) => Some((r.bits(), shm::hold_for(child, r, kind)?.bits())),
                        None => None,
                    };
                    Passed::Carried(carried.descriptor(), carried.what.clone(), held)
                }
                Held::Object(kind, r, entry) if entry.is_named() => {
                    let (fd, file) = shm::passport(*entry)?;
                    Passed::Named(*kind as u8, r.bits(), fd, file.device, file.inode)
                }
                Held::Object(kind, r, _) => {
                    Passed::Object(*kind as u8, r.bits(), shm::hold_for(child, *r, *kind)?.bits())
                }
            });
        }
        Ok(passed)
    }

    /// In a forked child: its arguments. The bytes stay where the parent's copy of them is.
    pub(super) fn receive(&mut self, entries: Vec<Entry>, vouchers: Vec<Vec<u8>>) -> Child {
        let (mut entries, mut vouchers) = (entries.into_iter(), vouchers.into_iter());
        let args = std::mem::take(&mut self.held).into_iter().map(|arg| match arg {
            Held::Bytes(bytes) => Arg::Bytes(bytes),
            Held::Voucher(_) => Arg::Voucher(vouchers.next().unwrap_or_default()),
            Held::Carried(carried) => {
                let held = carried.object().and_then(|_| entries.next());
                Arg::Carried(Mutex::new(Some(carried.arrived(held))))
            }
            Held::Object(kind, r, parents) => {
                let entry = match parents.is_named() {
                    true => shm::hold_again(parents, r, kind).ok(),
                    false => entries.next(),
                };
                Arg::Object(kind, entry.map(|entry| Object { r, entry }))
            }
        });
        Child::new(args.collect())
    }

    /// The same once more.
    pub(super) fn again(&self) -> Result<Self> {
        let mut again = Args::default();
        for arg in &self.held {
            match arg {
                Held::Bytes(bytes) => again.add_bytes(bytes)?,
                Held::Carried(carried) => again.add_carried(carried.again()?)?,
                Held::Voucher(voucher) => again.add_voucher(Arc::clone(voucher))?,
                Held::Object(kind, r, entry) => again.add_object(*kind, *r, *entry)?,
            }
        }
        Ok(again)
    }

    /// For a run in this process: copies, with references of their own.
    pub(super) fn child_here(&self) -> Result<Child> {
        let mut args = Vec::with_capacity(self.held.len());
        for arg in &self.held {
            args.push(match arg {
                Held::Bytes(bytes) => Arg::Bytes(copy(bytes)?),
                Held::Voucher(voucher) => Arg::Voucher(voucher.issue()?),
                Held::Carried(carried) => Arg::Carried(Mutex::new(Some(carried.again()?))),
                Held::Object(kind, r, entry) => {
                    Arg::Object(*kind, Some(Object { r: *r, entry: hold(*kind, *r, *entry)? }))
                }
            });
        }
        Ok(Child::here(args))
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

/// Holds an object once more that this process holds by `held`.
fn hold(kind: Kind, r: Ref, held: Entry) -> Result<Entry> {
    if held.is_named() { shm::hold_again(held, r, kind) } else { shm::hold(r, kind) }
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
    /// A connection or a listener, until it is asked for.
    Carried(Mutex<Option<Carried>>),
    /// What a [`Voucher`] said.
    Voucher(Vec<u8>),
}
