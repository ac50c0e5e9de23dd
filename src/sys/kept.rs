//! Descriptors that belong to this process alone: a child that libmp forks closes them, so that a lifeline's
//! end or a pidfd does not live on where nobody knows of it.

use super::fd::{self, Identity};
use super::page::{MutexGuard, page};
use crate::error::{Result, fail};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

/// What the list knows of a descriptor. The file behind it tells whether the number is still ours: the host
/// may close all that it finds, and open its own.
type Known = (RawFd, Option<Identity>);

struct Content {
    /// The process that the list is right for.
    epoch: u64,
    fds: Vec<Known>,
}

struct Shelf(UnsafeCell<Content>);

// SAFETY: the content is reached through `List` only, which holds the page's mutex.
unsafe impl Sync for Shelf {}

static LIST: Shelf = Shelf(UnsafeCell::new(Content { epoch: 0, fds: Vec::new() }));

/// The list, held: meanwhile no other thread forks a child of libmp's. Whoever makes descriptors that a child
/// must not have holds it from before they exist until they are listed, or closed again.
pub(crate) struct List<'a> {
    fds: &'a mut Vec<Known>,
    _guard: MutexGuard<'a>,
}

/// Takes the list.
pub(crate) fn list<'a>() -> List<'a> {
    let guard = page().descriptors.lock();
    // SAFETY: the mutex is held for as long as the reference lives.
    let content = unsafe { &mut *LIST.0.get() };
    let epoch = page().epoch.load(Ordering::Relaxed);
    if content.epoch != epoch {
        // The host forked this process, at any moment: what the list says may be torn. Forget, do not free.
        std::mem::forget(std::mem::take(&mut content.fds));
        content.epoch = epoch;
    }
    List { fds: &mut content.fds, _guard: guard }
}

impl List<'_> {
    /// Lists a descriptor.
    pub(crate) fn keep(&mut self, fd: OwnedFd) -> Kept {
        let identity = fd::identity(fd.as_raw_fd());
        self.fds.push((fd.as_raw_fd(), identity));
        Kept { fd: ManuallyDrop::new(fd), identity, epoch: page().epoch.load(Ordering::Relaxed) }
    }

    /// Closes one that was listed.
    pub(crate) fn close(&mut self, mut kept: Kept) {
        kept.close(self.fds);
        std::mem::forget(kept);
    }
}

/// Such a descriptor.
pub(crate) struct Kept {
    fd: ManuallyDrop<OwnedFd>,
    identity: Option<Identity>,
    epoch: u64,
}

impl Kept {
    /// The descriptor, if its number still leads to the file that it led to.
    pub(crate) fn ours(&self) -> Option<BorrowedFd<'_>> {
        (fd::identity(self.fd.as_raw_fd()) == self.identity).then(|| self.fd.as_fd())
    }

    /// The descriptor of a socket that serves a call: a host that closes what is not its own gets what it asked for.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// In a child that libmp forked: one that [`close_all`] has spared is listed as this process's.
    pub(crate) fn inherit(&self) -> Kept {
        // SAFETY: the child's copy of the descriptor, which nobody else in it owns: the parent's object is not
        // dropped here in a way that closes it.
        list().keep(unsafe { OwnedFd::from_raw_fd(self.fd.as_raw_fd()) })
    }

    /// What a fork of the program's own finds its copy by.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.fd.as_raw_fd(), self.identity)
    }

    /// The program's from now on.
    pub(crate) fn into_fd(self) -> OwnedFd {
        let fd = self.fd.as_raw_fd();
        list().fds.retain(|&(f, _)| f != fd);
        let mut kept = ManuallyDrop::new(self);
        // SAFETY: taken once: the object is not dropped.
        unsafe { ManuallyDrop::take(&mut kept.fd) }
    }

    fn close(&mut self, list: &mut Vec<Known>) {
        let fd = self.fd.as_raw_fd();
        list.retain(|&(f, _)| f != fd);
        if self.ours().is_some() {
            // SAFETY: closed once: whoever calls this drops or forgets the object. With the list held no fork
            // can see the descriptor closed and still listed.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // In a forked child the number may long lead to something else.
        if self.epoch == page().epoch.load(Ordering::Relaxed) {
            self.close(list().fds);
        }
    }
}

/// A descriptor of a parent's, for its forks.
#[derive(Clone, Copy)]
pub(crate) struct Mark(RawFd, Option<Identity>);

impl Mark {
    /// In a fork of the program's own, which has a copy of each descriptor that its parent had open.
    pub(crate) fn inherit(self) -> Result<Kept> {
        let Mark(fd, identity) = self;
        let mut list = list();
        // Who was started by libmp has closed it, and may have another one of the same file there.
        let is_mine = list.fds.iter().any(|&(f, _)| f == fd);
        if is_mine || identity.is_none() || fd::identity(fd) != identity {
            fail!(State, "this process does not have what its parent had: it was closed, or not handed over");
        }
        // SAFETY: this process's copy of the descriptor: it is open, and on no list of who owns one.
        Ok(list.keep(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

/// A listed descriptor, if there is one, that goes again should nothing come of it; while the list is held it
/// cannot go by itself.
pub(crate) struct Listed<'a, 'b> {
    pub(crate) list: &'a mut List<'b>,
    pub(crate) kept: Option<Kept>,
}

impl Listed<'_, '_> {
    /// It stays.
    pub(crate) fn take(mut self) -> Option<Kept> {
        self.kept.take()
    }
}

impl Drop for Listed<'_, '_> {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.list.close(kept);
        }
    }
}

/// In a child that libmp forked with the list held, so that it is whole: closes what is the parent's, but for what
/// the child is handed.
pub(crate) fn close_all(spared: &[RawFd]) {
    let _guard = page().descriptors.lock();
    // SAFETY: as in `list`.
    let content = unsafe { &mut *LIST.0.get() };
    for (fd, identity) in content.fds.drain(..) {
        if !spared.contains(&fd) && fd::identity(fd) == identity {
            // SAFETY: the child's copy of a descriptor that the parent's objects own; in the child nobody uses
            // them, and `Kept::drop` does not close them.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}
