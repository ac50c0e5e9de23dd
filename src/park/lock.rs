//! The lock word: owned by a process, stolen from a dead one.
//!
//! | bits  | meaning                                                       |
//! |-------|---------------------------------------------------------------|
//! | 0–15  | generation of the owner's slot                                |
//! | 16–30 | the owner's slot, 0: free                                     |
//! | 31    | W: somebody may sleep                                         |
//! | 32–61 | of an RLock the holder's thread, else 0 (see `rlock.rs`)       |
//! | 62    | H: somebody who sleeps was woken in vain too often; never without W |
//! | 63    | R: the last owner died holding it, and it was not released since |
//!
//! | from        | to              | who                   | by                                   |
//! |-------------|-----------------|-----------------------|--------------------------------------|
//! | 0           | me              | acquire               | compare-and-swap                     |
//! | 0           | me, W           | acquire after a sleep | compare-and-swap (others may sleep)  |
//! | X           | X, W (H)        | a sleeper             | compare-and-swap                     |
//! | X, H, W     | X, W            | a sleeper who leaves  | compare-and-swap                     |
//! | X (R)(W)    | 0               | release               | compare-and-swap; wakes one if W     |
//! | X, H, W (R) | H, W            | release               | compare-and-swap; wakes one          |
//! | H, W        | me, W           | acquire after a sleep | compare-and-swap                     |
//! | X dead (W)(H) | me, R, W      | steal                 | compare-and-swap of the whole word   |
//!
//! Each transition is one word, so a process killed anywhere leaves the state before or the state after. The
//! shape (a bit for sleepers, kept by whoever slept) is Drepper's "Futexes are tricky", mutex 2.
//!
//! Whoever comes along may take a free lock before somebody who was woken for it gets there. That is how much gets
//! done, and how somebody who sleeps can be left behind for ever by somebody who gives the lock back only to take
//! it again. So who was woken in vain a few times asks by H that the next release keeps the lock for the sleepers:
//! free, but others stand back and go to sleep behind them. (Go's mutex has such a mode; there it is a time that
//! brings it about.) Nobody in particular is waited for, and not for long, so a sleeper that dies costs time only.

use super::{Owner, Tree, slice};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::cpu;
use crate::sys::futex::{self, Slept};
use crate::time::Deadline;
use std::time::Duration;

/// Before each look at a lock that is held.
const PAUSES: &[u32] = &[32, 64];
const SLEEPERS: u64 = 1 << 31;
const RECOVERED: u64 = 1 << 63;
const HANDED: u64 = 1 << 62;
/// What of the word says who holds the lock.
const HOLDER: u64 = !(SLEEPERS | HANDED | RECOVERED);
/// Free, for somebody who slept.
const KEPT: u64 = HANDED | SLEEPERS;
/// How long a lock is kept for sleepers of whom none comes: a few wakes, also on a busy machine.
const STAND_BACK: Duration = Duration::from_millis(2);

/// A lock in shared memory.
#[repr(C)]
#[derive(Default)]
pub(crate) struct OwnerLock {
    word: AtomicU64,
    /// Of an RLock how often its holder has it; only the holder changes it.
    pub(super) depth: AtomicU64,
}

/// The lock is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// As it should be.
    Cleanly,
    /// Its last owner died holding it: what it guards may be half done.
    AfterDeath,
}

impl OwnerLock {
    /// Takes the lock, None when the time ran out.
    #[inline(always)]
    pub(crate) fn acquire<T: Tree>(&self, tree: &T, deadline: impl FnOnce() -> Deadline) -> Option<Held> {
        self.acquire_as(tree, tree.me().bits().into(), deadline)
    }

    /// The same for a holder that is more than a process: its owner's bits, and others above them.
    #[inline(always)]
    pub(super) fn acquire_as<T: Tree>(
        &self,
        tree: &T,
        holder: u64,
        deadline: impl FnOnce() -> Deadline,
    ) -> Option<Held> {
        if self.take(holder) {
            return Some(Held::Cleanly);
        }
        self.acquire_slowly(tree, holder, deadline())
    }

    /// Takes the lock if it is free this very moment.
    #[inline(always)]
    pub(crate) fn try_quickly(&self, me: Owner) -> bool {
        self.take(u64::from(me.bits()))
    }

    /// Acquire pairs with the release's exchange: what the last holder wrote is seen.
    #[inline(always)]
    pub(super) fn take(&self, word: u64) -> bool {
        self.word.compare_exchange(0, word, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn acquire_slowly<T: Tree>(&self, tree: &T, me: u64, deadline: Deadline) -> Option<Held> {
        if matches!(deadline, Deadline::NoWait) {
            return self.steal(tree, me);
        }
        if self.contend(me, cpu::give_way_where_it_pays) {
            return Some(Held::Cleanly);
        }
        let (mut slept, mut woken_in_vain) = (false, 0);
        loop {
            let mut seen = self.word.load(Ordering::Relaxed);
            let kept = seen == KEPT;
            if seen == 0 || kept && slept {
                // Others may sleep, and the bit that said so went with the release: keep it for them.
                if self.swap(seen, me | SLEEPERS) {
                    return Some(Held::Cleanly);
                }
                continue;
            }
            let wanted = seen | SLEEPERS | if woken_in_vain >= T::IN_VAIN { HANDED } else { 0 };
            if !kept && seen != wanted {
                if !self.swap(seen, wanted) {
                    continue;
                }
                seen = wanted;
            }
            // From here on the holder's release wakes somebody, also when it is not we who sleep: whoever
            // gives up below has passed on the wake that it may have eaten.
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                self.ask_no_more(woken_in_vain >= T::IN_VAIN);
                return self.steal(tree, me | SLEEPERS);
            }
            let (_, woken) = tree.wakes();
            let limit = if kept { STAND_BACK.min(remaining) } else { slice(false, remaining) };
            let ended = futex::wait_low(&self.word, seen as u32, limit);
            slept = true;
            match ended {
                Slept::Elapsed => {
                    if let Some(held) = self.steal(tree, me | SLEEPERS) {
                        // For a whole slice no lock has woken anybody, nobody is on the way, and this one is free. A
                        // sleep that the deadline cut short may end just before its wake comes, and who stood back
                        // comes after one that was somebody else's.
                        let lost = held == Held::Cleanly && limit < remaining && !kept;
                        if lost && tree.wakes() == (0, woken) {
                            tree.note_rescue();
                        }
                        return Some(held);
                    }
                }
                // Who was woken may find it taken already, by somebody who was awake all the time. Off this CPU it
                // would be no better off: others are woken only once it has the lock, or sleeps again.
                Slept::Woken => {
                    tree.is_awake();
                    if self.contend(me | SLEEPERS, || ()) {
                        return Some(Held::Cleanly);
                    }
                    woken_in_vain += 1;
                }
                Slept::Interrupted | Slept::Changed => {}
            }
        }
    }

    /// Who leaves does not want the lock to be kept. For another sleeper who asked too it does so again.
    fn ask_no_more(&self, asked: bool) {
        let mut seen = self.word.load(Ordering::Relaxed);
        while asked && seen & HANDED != 0 && seen & HOLDER != 0 && !self.swap(seen, seen & !HANDED) {
            seen = self.word.load(Ordering::Relaxed);
        }
    }

    /// Looks for a moment whether the lock becomes free; about as long as a sleep's first half takes. Few looks, far
    /// apart: each one takes the word's line from the holder, who gets much done meanwhile, and so all do. (Beside looks after 12 ns and then ever later,
    /// two processes that hammered a lock got a third to a half more done.) Between them, `rest` lets others
    /// run that want this CPU: the holder, or somebody who will not have to wait for the line.
    fn contend(&self, word: u64, rest: impl Fn()) -> bool {
        for times in if cpu::several() { PAUSES } else { &[] } {
            for _ in 0..*times {
                std::hint::spin_loop();
            }
            rest();
            // Relaxed suffices for looking: only the swap that takes the lock orders anything.
            let seen = self.word.load(Ordering::Relaxed);
            if seen == 0 && self.take(word) {
                return true;
            }
            if seen & HANDED != 0 {
                return seen == KEPT && word & SLEEPERS != 0 && self.swap(seen, word);
            }
        }
        false
    }

    /// Takes the lock if it is free or its owner is dead, as `word`.
    fn steal<T: Tree>(&self, tree: &T, word: u64) -> Option<Held> {
        loop {
            let seen = self.word.load(Ordering::Relaxed);
            if seen & HOLDER == 0 {
                if self.swap(seen, word | seen & SLEEPERS) {
                    return Some(Held::Cleanly);
                }
                continue;
            }
            // A word that names nobody was overwritten by a stray pointer, and nobody will release it.
            if Owner::from_bits(seen as u32).is_some_and(|owner| owner == tree.me() || !tree.is_dead(owner)) {
                return None;
            }
            // The complete dead word is compared, so this can only be the lock that the corpse held.
            if self.swap(seen, word | seen & SLEEPERS | RECOVERED) {
                tree.note_owner_death();
                return Some(Held::AfterDeath);
            }
        }
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back where `me` took it, from nobody dead, and nobody sleeps; else it does nothing.
    #[inline(always)]
    pub(crate) fn release_quickly(&self, me: Owner) -> bool {
        self.give_back_quickly(me.bits().into())
    }

    /// Release pairs with the next acquire.
    #[inline(always)]
    pub(super) fn give_back_quickly(&self, holder: u64) -> bool {
        self.word.compare_exchange(holder, 0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back, whoever took it; false when nobody held it. Once the word is free the next holder may
    /// have come and gone, and freed the lock: nothing of it is touched after that. (The kernel gets its address,
    /// to find sleepers by; whoever sleeps there on something else by then looks and sleeps on.)
    #[inline(always)]
    pub(crate) fn release<T: Tree>(&self, tree: &T) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        let mut begun = false;
        loop {
            if seen & HOLDER == 0 {
                if begun {
                    tree.end_wake(0);
                }
                return false;
            }
            if seen & SLEEPERS != 0 && !begun {
                begun = true;
                tree.begin_wake();
            }
            let next = if seen & HANDED != 0 { KEPT } else { 0 };
            // Release pairs with the next acquire.
            match self.word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if begun {
            self.wake(tree, seen & SLEEPERS != 0);
        }
        true
    }

    #[cold]
    fn wake<T: Tree>(&self, tree: &T, sleepers: bool) {
        tree.end_wake(if sleepers { futex::wake_low(&self.word, 1) as u32 } else { 0 });
        if sleepers {
            // By its address only: see above.
            T::ring((&raw const *self).addr());
        }
    }

    /// Asks for a ring with the next release; true where nobody holds it, and none is to be waited for. The bell's table
    /// knows of it already.
    pub(crate) fn watch(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let wanted = if seen & HOLDER != 0 { seen | SLEEPERS } else { seen };
            // A swap also where nothing changes: it goes by the newest word, and it releases what the table was told
            // to whoever gives back the lock from here on, who fences before reading the table.
            match self.word.compare_exchange(seen, wanted, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return seen & HOLDER == 0,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether anybody holds it, a dead process included: it is free only for the next acquire.
    pub(crate) fn is_held(&self) -> bool {
        self.word.load(Ordering::Relaxed) & HOLDER != 0
    }

    /// Whether this holder has it. Only the holder itself can rely on the answer.
    pub(crate) fn is_held_as(&self, holder: u64) -> bool {
        self.word.load(Ordering::Relaxed) & HOLDER == holder
    }

    /// The process that holds it, at some moment.
    pub(crate) fn owner(&self) -> Option<Owner> {
        Owner::from_bits(self.word.load(Ordering::Relaxed) as u32)
    }

    /// Whether `me` holds it and the holder before died.
    pub(crate) fn is_recovered(&self, me: Owner) -> bool {
        let seen = self.word.load(Ordering::Relaxed);
        seen & RECOVERED != 0 && Owner::from_bits(seen as u32) == Some(me)
    }

    /// A release whose wake is lost.
    #[cfg(test)]
    pub(crate) fn release_silently(&self) {
        self.word.store(0, Ordering::Release);
    }

    /// As if a sleeper asked for the holder's release.
    #[cfg(test)]
    pub(crate) fn ask(&self) {
        self.word.fetch_or(KEPT, Ordering::Relaxed);
    }

    /// Whether one does.
    #[cfg(test)]
    pub(crate) fn is_asked_for(&self) -> bool {
        self.word.load(Ordering::Relaxed) & HANDED != 0
    }

    /// Wakes somebody though nothing was released; how many that were.
    #[cfg(test)]
    pub(crate) fn wake_in_vain(&self) -> usize {
        futex::wake_low(&self.word, 1)
    }

    /// For a block that is claimed again: free, whatever was here.
    pub(crate) fn reset(&self) {
        self.word.store(0, Ordering::Relaxed);
        self.depth.store(0, Ordering::Relaxed);
    }
}
