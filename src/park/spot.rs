//! A place to sleep until some state in shared memory has changed.

use super::{IDLE_AFTER, Tree, slice, spin};
use crate::sys::atomic::{AtomicU32, Ordering, fence};
use crate::sys::futex::{self, Slept};
use crate::time::Deadline;

/// The two words of the protocol. They say nothing about the state itself.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Spot {
    /// Bumped with each wake; what sleepers sleep on.
    sequence: AtomicU32,
    /// How many may sleep; errs high only.
    sleepers: AtomicU32,
}

/// In the count of sleepers: somebody has asked for a ring.
const WATCHED: u32 = 1 << 31;

/// As long as this is, nobody takes a wake that is on its way for one that was lost.
pub(crate) struct Waking<'a, T: Tree>(&'a T);

impl<T: Tree> Drop for Waking<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.end_wake(0);
    }
}

/// How a wait ended.
pub(crate) enum Wait<T> {
    /// The look found this.
    Found(T),
    /// The time ran out.
    TimedOut,
}

impl Spot {
    /// After the state was stored: wakes up to `count` sleepers, if there are any.
    #[inline]
    pub(crate) fn notify<T: Tree>(&self, count: i32) {
        // Rule 4: this fence and the one in `wait` make sure that either we see the sleeper here or it sees
        // the state that we stored before.
        fence(Ordering::SeqCst);
        if self.has_sleepers() {
            self.wake::<T>(count);
        }
    }

    /// The same after the state was changed by a SeqCst read-modify-write, which on every machine is fence enough:
    /// it comes before this load in the one order of all SeqCst operations, and a sleeper's raise of the count
    /// before its fence; so either we see the sleeper here, or its look behind the fence sees the new state.
    #[inline(always)]
    pub(crate) fn notify_swapped<T: Tree>(&self, count: i32) {
        if self.sleepers.load(Ordering::SeqCst) != 0 {
            self.wake::<T>(count);
        }
    }

    /// Changes the state by `swap`, a SeqCst read-modify-write that tells whether it did, and then wakes up to
    /// `count` sleepers. Meanwhile nobody takes a wake that is on its way for one that was lost.
    #[inline(always)]
    pub(crate) fn swap_and_notify<T: Tree>(&self, tree: &T, count: i32, swap: impl FnOnce() -> bool) -> bool {
        let _waking = self.announce(tree);
        let swapped = swap();
        if swapped {
            self.notify_swapped::<T>(count);
        }
        swapped
    }

    /// Before the state is stored, where somebody sleeps: a wake comes.
    #[inline(always)]
    pub(crate) fn announce<'a, T: Tree>(&self, tree: &'a T) -> Option<Waking<'a, T>> {
        self.has_sleepers().then(|| {
            tree.begin_wake();
            Waking(tree)
        })
    }

    /// The two halves of `notify`, for who looks at several spots behind one fence: whether anybody may sleep.
    #[inline(always)]
    pub(crate) fn has_sleepers(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) != 0
    }

    /// Wakes up to `count` sleepers.
    #[cold]
    pub(crate) fn wake<T: Tree>(&self, count: i32) {
        self.sequence.fetch_add(1, Ordering::Release);
        futex::wake(&self.sequence, count);
        // Last: see `bells.rs`.
        if self.sleepers.load(Ordering::Relaxed) & WATCHED != 0 {
            self.sleepers.fetch_and(!WATCHED, Ordering::AcqRel);
            T::ring((&raw const *self).addr());
        }
    }

    /// Asks for a ring with the next wake. The bell's table knows of it already.
    pub(crate) fn watch(&self) {
        // SeqCst: as a sleeper's count, it comes before the look that follows.
        self.sleepers.fetch_or(WATCHED, Ordering::SeqCst);
    }

    /// Sleeps until `look` finds something. `tick` runs at least after every slice: it asks who has died and
    /// may end the wait with an error. `owned`: somebody in particular is waited for, so slices stay short.
    pub(crate) fn wait<T, E, R: Tree>(
        &self,
        tree: &R,
        deadline: Deadline,
        owned: bool,
        mut look: impl FnMut() -> Option<T>,
        tick: impl FnMut() -> Result<(), E>,
    ) -> Result<Wait<T>, E> {
        if let Some(found) = look().or_else(|| if deadline.is_over() { None } else { spin(&mut look) }) {
            return Ok(Wait::Found(found));
        }
        self.wait_asleep(tree, deadline, owned, look, tick)
    }

    /// The same for who has spun already.
    pub(crate) fn wait_asleep<T, E, R: Tree>(
        &self,
        tree: &R,
        deadline: Deadline,
        owned: bool,
        mut look: impl FnMut() -> Option<T>,
        mut tick: impl FnMut() -> Result<(), E>,
    ) -> Result<Wait<T>, E> {
        if deadline.is_over() {
            return Ok(Wait::TimedOut);
        }
        let seat = tree.sit(self);
        let ended = self.sleep(tree, deadline, owned, &mut look, &mut tick);
        tree.rise(self, seat);
        // A wake that came while we left may have been meant for somebody who still sleeps.
        if !matches!(ended, Ok(Wait::Found(_))) {
            if let Some(found) = look() {
                return Ok(Wait::Found(found));
            }
            self.notify::<R>(1);
        }
        ended
    }

    fn sleep<T, E, R: Tree>(
        &self,
        tree: &R,
        deadline: Deadline,
        owned: bool,
        look: &mut impl FnMut() -> Option<T>,
        tick: &mut impl FnMut() -> Result<(), E>,
    ) -> Result<Wait<T>, E> {
        let mut slices = 0;
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            fence(Ordering::SeqCst);
            if let Some(found) = look() {
                return Ok(Wait::Found(found));
            }
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                return Ok(Wait::TimedOut);
            }
            let idle = !owned && slices >= IDLE_AFTER;
            let limit = slice(idle, remaining);
            if futex::wait(&self.sequence, sequence, limit) == Slept::Elapsed {
                slices += 1;
                if let Some(found) = look() {
                    // A sleep that the deadline cut short may end just before its wake comes.
                    if limit < remaining
                        && tree.wakes().0 == 0
                        && self.sequence.load(Ordering::Acquire) == sequence
                    {
                        tree.note_rescue();
                    }
                    return Ok(Wait::Found(found));
                }
            }
            tick()?;
        }
    }

    /// One sleeper more, who has a seat with the tree.
    pub(crate) fn enter(&self) {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
    }

    /// One sleeper less.
    pub(crate) fn leave(&self) {
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many may sleep.
    #[cfg(test)]
    pub(crate) fn sleepers(&self) -> u32 {
        self.sleepers.load(Ordering::Relaxed) & !WATCHED
    }

    /// How often somebody was woken.
    #[cfg(test)]
    pub(crate) fn wakes(&self) -> u32 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// For a spot whose users are all gone: nobody sleeps here.
    pub(crate) fn reset(&self) {
        self.sleepers.store(0, Ordering::Relaxed);
    }
}
