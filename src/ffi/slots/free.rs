//! Which slots of the table of handles are free.

use super::{CAPACITY, Slot, TABLE, is_closed, kind_of, reserve, slot};
use crate::error::{Result, fail};
use crate::sys::page::{MutexGuard, page};
use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// How many freed slots rest before the first of them is used again.
const RESTING: usize = 1024;

/// How many slots of a parent's are looked at for each handle that is made.
const LOOKS: usize = 4;

/// Which slots are free. What it knows goes stale with a fork and is then found out anew, little by little: a
/// child whose parent has many handles may live too short a life for looking at them all.
pub(super) struct Free {
    epoch: u64,
    /// Slots from here to the other that the parent may have used, and nobody has looked at yet.
    unseen: usize,
    inherited: usize,
    /// Freed ones, oldest first: a stale handle stays stale for long.
    queue: VecDeque<u32>,
    /// Slots from here on were never used.
    high: usize,
}

struct Shelf(UnsafeCell<Free>);

// SAFETY: the content is reached through `list()` only, which holds the page's mutex.
unsafe impl Sync for Shelf {}

static FREE: Shelf =
    Shelf(UnsafeCell::new(Free { epoch: 0, unseen: 0, inherited: 0, queue: VecDeque::new(), high: 0 }));

/// Under the mutex, and brought up to date after a fork.
pub(super) fn list<'a>() -> Result<(MutexGuard<'a>, &'a mut Free)> {
    let page = page();
    let guard = page.handles.lock();
    // SAFETY: the mutex is held for as long as the caller keeps the guard, which it does.
    let free = unsafe { &mut *FREE.0.get() };
    if CAPACITY.load(Ordering::Relaxed) == 0 {
        reserve()?;
    }
    let epoch = page.epoch.load(Ordering::Relaxed);
    if free.epoch != epoch {
        // Another thread of the parent may have been at it when this process was forked: forget, do not free.
        std::mem::forget(std::mem::take(&mut free.queue));
        // One more than the parent knew of: it may have been handing it out.
        free.high = (free.high + usize::from(free.epoch != 0)).min(CAPACITY.load(Ordering::Relaxed));
        (free.unseen, free.inherited) = (0, free.high);
        free.epoch = epoch;
    }
    Ok((guard, free))
}

impl Free {
    /// Looks at some of the parent's slots, or, if need be, at all until one is free.
    fn look(&mut self, needed: bool) {
        let mut looks = 0;
        while self.unseen < self.inherited && (looks < LOOKS || needed && self.queue.is_empty()) {
            let index = self.unseen;
            (self.unseen, looks) = (index + 1, looks + 1);
            if let Some(slot) = slot(index)
                && let tag = slot.tag.load(Ordering::Relaxed)
                && kind_of(tag).is_none()
                && !is_closed(tag)
            {
                // Those who were inside in the parent are not here. The page is not written to in vain.
                if slot.pins.load(Ordering::Relaxed) != 0 {
                    slot.pins.store(0, Ordering::Relaxed);
                }
                self.queue.push_back(index as u32);
            }
        }
    }

    /// One for a new handle: the oldest, once so many others rest that its stale handles stay stale for long, or one
    /// that was never used.
    pub(super) fn take(&mut self) -> Result<usize> {
        let fresh = self.high < CAPACITY.load(Ordering::Relaxed);
        self.look(!fresh);
        match self.queue.len() {
            waiting if fresh && waiting < RESTING => {
                self.high += 1;
                Ok(self.high - 1)
            }
            waiting if waiting > 0 => Ok(self.queue.pop_front().unwrap_or_default() as usize),
            _ => fail!(NoMemory, "{} handles are in use, which is all that there can be", self.high),
        }
    }

    /// The slot may be used again.
    pub(super) fn give_back(&mut self, slot: &'static Slot) {
        // SAFETY: both lie in the table.
        let index = unsafe { (&raw const *slot).offset_from(TABLE.load(Ordering::Relaxed)) } as usize;
        // One that nobody has looked at yet is found later.
        if !(self.unseen..self.inherited).contains(&index) {
            self.queue.push_back(index as u32);
        }
    }
}
