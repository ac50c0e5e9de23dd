//! A name's file on its way to become a segment of this process's, and back.

use super::super::layout::{Header, MAGIC, UNIT, hash};
use super::super::segment::{self, Mapped, Segment};
use super::super::table;
use super::{BASE, LARGEST};
use crate::error::{Result, fail};
use crate::sys::fd::{self, Identity};
use crate::sys::named::{self, Place, Seen};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering;

/// A mapped file that is not a segment of this process's yet; dropped, it is not mapped any more.
pub(super) struct Fresh {
    pub(super) s: &'static Segment,
    /// None once it stays.
    pub(super) fd: Option<OwnedFd>,
}

impl Fresh {
    pub(super) fn map(fd: OwnedFd) -> Result<Self> {
        let Some(identity) = fd::identity(fd.as_raw_fd()) else {
            fail!(Os, "cannot look at the file (fstat)")
        };
        let size = named::size(&fd)? as usize;
        let reserved = |s: &&'static Segment| s.reserved.load(Ordering::Relaxed);
        let idle = segment::named().filter(|s| s.size() == 0 && reserved(s) >= size).min_by_key(reserved);
        let s = match idle {
            Some(s) => s,
            None => segment::named().find(|s| reserved(s) == 0).map_or_else(segment::add, Ok)?,
        };
        let base = named::map(&fd, size, idle.map(Segment::base))?;
        s.reserved.fetch_max(size, Ordering::Relaxed);
        s.set(&Mapped { fd: fd.as_raw_fd(), base, size, identity });
        Ok(Fresh { s, fd: Some(fd) })
    }

    /// Takes its name away, if it is still its.
    pub(super) fn unlink(&self, at: &Place) -> Result<bool> {
        self.fd.as_ref().map_or(Ok(false), |fd| named::unlink(at, fd.as_raw_fd(), self.s.identity()))
    }

    pub(super) fn lock_shared(&self) -> Result<bool> {
        self.fd.as_ref().map_or(Ok(false), named::lock_shared)
    }

    /// It has become one: its descriptor stands in the segment, which closes it.
    pub(super) fn stays(mut self) {
        self.s.set_ready();
        let _ = self.fd.take().map(IntoRawFd::into_raw_fd);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // The descriptor closes itself.
        if self.fd.is_some() {
            forget(self.s);
        }
    }
}

/// Where the segment was mapped nothing is any more; its place is free for the next one.
pub(super) fn forget(s: &'static Segment) {
    let (base, reserved) = (s.base(), s.reserved.load(Ordering::Relaxed));
    s.set_me(0);
    s.epoch.store(0, Ordering::Relaxed);
    s.users.store(0, Ordering::Relaxed);
    s.unset();
    match named::unmap(base, reserved) {
        // The addresses are kept, so that whoever still knows one meets zeros and no stranger.
        Ok(()) => s.set_base(base),
        Err(_) => s.reserved.store(0, Ordering::Relaxed),
    }
}

/// What the words that a segment begins with say, checked before anything is mapped.
pub(super) fn check(fd: &OwnedFd) -> Result<()> {
    let size = named::size(fd)?;
    let Some([magic, layout, says]) = named::first_words::<3>(fd) else {
        fail!(Invalid, "the name leads to a file of {size} bytes, which is none of libmp's");
    };
    if magic >> 16 != MAGIC >> 16 {
        fail!(Invalid, "the name leads to a file that is none of libmp's");
    }
    if magic != MAGIC || layout != hash() {
        fail!(Unsupported, "the name leads to an object of another version of libmp");
    }
    if says != size || size < BASE as u64 || size > LARGEST as u64 || !size.is_multiple_of(UNIT as u64) {
        fail!(Invalid, "the name leads to a file of {size} bytes that was cut or overwritten: it had {says}");
    }
    const _: () = assert!(std::mem::offset_of!(Header, size) == 16);
    Ok(())
}

pub(super) fn check_owner(seen: &Seen, user: Option<u32>) -> Result<()> {
    if !seen.is_regular() {
        fail!(Invalid, "the name leads to something that is no file of libmp's");
    }
    if user.is_some_and(|user| user != seen.user()) {
        fail!(Invalid, "the name leads to a file of user {}, who is somebody else", seen.user());
    }
    Ok(())
}

/// This process's segment for a file, if it has one; in a forked child it may be its parent's.
pub(super) fn known(file: Identity) -> Option<&'static Segment> {
    segment::named().find(|s| s.size() != 0 && s.is_ready() && s.identity() == file)
}

/// Whether the file still has its size; also where that cannot be asked.
pub(super) fn is_whole(s: &'static Segment) -> bool {
    let size = s.descriptor().and_then(named::size_of);
    size.is_none_or(|size| size == s.size() as u64)
}

/// INVALID where it has not: nothing of it must be touched then.
pub(super) fn check_whole(s: &'static Segment) -> Result<()> {
    if !is_whole(s) {
        fail!(Invalid, "the name's file was cut or grown since: it had {} bytes", s.size());
    }
    Ok(())
}

/// The tables have their memory already, unless somebody has punched holes into the file.
pub(super) fn populate(s: &'static Segment) -> Result<()> {
    s.populate_tables()?;
    let ready = table::ready(s);
    if ready == 0 {
        fail!(Invalid, "the name leads to a file that was overwritten: it has no room for processes");
    }
    (1..=ready).step_by(16).chain([ready]).try_for_each(|n| s.populate_slots(n))
}
