//! A flag that processes wait for.
//!
//! | bits | meaning                        |
//! |------|--------------------------------|
//! | 0    | it is set                      |
//! | 1–63 | how often it was set, so far   |
//!
//! | from        | to             | who   | by                          |
//! |-------------|----------------|-------|-----------------------------|
//! | clear, n    | set, n + 1     | set   | compare-and-swap; wakes all |
//! | set, n      | clear, n       | clear | a bit and                   |
//!
//! Who waits goes by the flag or by the count, so a set that is cleared at once still releases all who waited.

use super::{Patience, Spot, Tree, Wait};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::time::Deadline;
use std::convert::Infallible;

const SET: u64 = 1;
const ONE: u64 = 2;

/// The flag in shared memory.
#[repr(C)]
#[derive(Default)]
pub(crate) struct EventWord {
    word: AtomicU64,
    spot: Spot,
    patience: Patience,
}

impl EventWord {
    /// Sets it, and wakes all who wait. Nothing changes where it is set.
    pub(crate) fn set<T: Tree>(&self, tree: &T) {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            // Where it is set the swap changes nothing, but still releases what this setter stored before.
            let set = if seen & SET != 0 { seen } else { seen.wrapping_add(ONE) | SET };
            // SeqCst: see `Spot::notify_swapped`.
            let swap = || self.word.compare_exchange(seen, set, Ordering::SeqCst, Ordering::Relaxed).is_ok();
            let done = if set == seen { swap() } else { self.spot.swap_and_notify(tree, i32::MAX, swap) };
            if done {
                return;
            }
            seen = self.word.load(Ordering::Relaxed);
        }
    }

    /// Clears it, whether it was set or not.
    pub(crate) fn clear(&self) {
        // Acquire: what is done after a clear stays after it, so that a set which comes in between is seen.
        self.word.fetch_and(!SET, Ordering::AcqRel);
    }

    /// Whether it is set.
    #[inline(always)]
    pub(crate) fn is_set(&self) -> bool {
        self.word.load(Ordering::Acquire) & SET != 0
    }

    /// How often it was set, so far.
    pub(crate) fn times_set(&self) -> u64 {
        self.word.load(Ordering::Acquire) & !SET
    }

    /// Where who waits sleeps.
    pub(crate) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Waits until it is set, or was while this call waited; false when the time ran out.
    pub(crate) fn wait<T: Tree>(&self, tree: &T, deadline: Deadline) -> bool {
        let began = self.word.load(Ordering::Acquire);
        let look = || {
            // SeqCst: see `Spot::notify_swapped`.
            let now = self.word.load(Ordering::SeqCst);
            (now & SET != 0 || now & !SET != began & !SET).then_some(())
        };
        if look().is_some() || !deadline.is_over() && self.patience.spin(|| look().is_some()) {
            return true;
        }
        let ended = self.spot.wait_asleep(tree, deadline, false, look, || Ok::<(), Infallible>(()));
        matches!(ended, Ok(Wait::Found(())))
    }

    /// A set whose wake is lost.
    #[cfg(test)]
    pub(crate) fn set_silently(&self) {
        self.word.fetch_add(ONE | SET, Ordering::Release);
    }

    #[cfg(test)]
    pub(crate) fn sleepers(&self) -> u32 {
        self.spot.sleepers()
    }
}
