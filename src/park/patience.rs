//! How long to look again and again before a sleep.

use super::pause;
use crate::sys::cpu;
use crate::time::Instant;
// The standard library's own also in the models: a hint decides how long somebody looks, and nothing else.
use std::sync::atomic::{AtomicU32, Ordering};

/// The longest that anybody goes on, in nanoseconds: about what a sleep and a wake cost.
const LONGEST: u32 = 12_000;
/// Where it ends, and so many waits later begins again.
const SHORTEST: u32 = 1_000;
const SHORT_WAITS: u32 = 50;
/// The longest for the rest of what has begun: about what it takes until a CPU that sleeps deeply runs who was woken.
const LONGEST_FOR_REST: u32 = 50_000;
/// Between two looks: long enough for the other side to get ahead, where it seems to have a CPU.
const APART_PAUSES: u32 = 32;
const TOGETHER_PAUSES: u32 = 2;

/// Bit 31: the last thing that was found came while this side ran.
const APART: u32 = 1 << 31;

/// For how long it pays to look before a sleep: a hint in shared memory, which may be anything.
///
/// Where both sides have a CPU, the other one is likely done before a sleep and a wake would be. Where they have
/// one CPU together, giving way to the other one is a sleep and a wake for half the price. And where the CPU is
/// wanted by somebody else, or nothing comes, neither pays, and waits soon are short.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Patience {
    /// [`APART`], and how much of [`LONGEST`] was taken off; beyond what leaves [`SHORTEST`]: how many waits were
    /// short. Relaxed, and what others store meanwhile is lost: nothing is told by it.
    hint: AtomicU32,
}

impl Patience {
    /// Looks until there is something, or it is time to sleep.
    pub(crate) fn spin(&self, mut look: impl FnMut() -> bool) -> bool {
        let hint = self.hint.load(Ordering::Relaxed);
        let less = hint & !APART;
        let limit = LONGEST.saturating_sub(less);
        let pauses = pauses(hint);
        if limit < SHORTEST {
            let found = pause(pauses) && look();
            let over = found || less > LONGEST + SHORT_WAITS;
            self.note(if over { 0 } else { less.max(LONGEST) + 1 }, hint & APART != 0);
            return found;
        }
        let (found, took) = look_until(limit, pauses, &mut look);
        // Somebody else may have had the CPU for long: then a sleep would have been better.
        let pays = found.is_some() && took < 2 * u64::from(LONGEST);
        self.note(if pays { 0 } else { less + limit / 4 }, found == Some(true));
        found.is_some()
    }

    /// Not where it is known: the line may be another side's.
    fn note(&self, less: u32, apart: bool) {
        let hint = less | if apart { APART } else { 0 };
        if self.hint.load(Ordering::Relaxed) != hint {
            self.hint.store(hint, Ordering::Relaxed);
        }
    }

    /// The same for the rest of something that the other side has begun: it is at work, or on its way to a CPU, which
    /// may take longer than a short sleep.
    pub(crate) fn spin_for_rest(&self, mut look: impl FnMut() -> bool) -> bool {
        look_until(LONGEST_FOR_REST, pauses(self.hint.load(Ordering::Relaxed)), &mut look).0.is_some()
    }

    /// For a block that is claimed again.
    pub(crate) fn reset(&self) {
        self.hint.store(0, Ordering::Relaxed);
    }
}

fn pauses(hint: u32) -> u32 {
    if hint & APART != 0 { APART_PAUSES } else { TOGETHER_PAUSES }
}

/// Looks again and again for so many nanoseconds: whether what was found came while this side ran, None where nothing
/// was; and how long it took.
fn look_until(limit: u32, pauses: u32, look: &mut impl FnMut() -> bool) -> (Option<bool>, u64) {
    let began = Instant::now();
    loop {
        let apart = pause(pauses) && look();
        let found = apart || cpu::give_way() && look();
        let took = began.elapsed().as_nanos() as u64;
        if found || took >= limit.into() {
            return (found.then_some(apart), took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What does not pay is given up soon, tried again at times, and back at once when it pays.
    #[test]
    fn it_is_as_long_as_it_pays() {
        let patience = Patience::default();
        let less = || patience.hint.load(Ordering::Relaxed) & !APART;
        let long = || LONGEST.saturating_sub(less()) >= SHORTEST;
        let mut waits = 0;
        while long() {
            assert!(!patience.spin(|| false));
            waits += 1;
        }
        assert!((2..30).contains(&waits), "{waits}");
        for _ in 0..SHORT_WAITS {
            assert!(!long() && !patience.spin(|| false));
        }
        while !long() {
            patience.spin(|| false);
            waits += 1;
        }
        assert!(waits < 60, "{waits}");
        patience.hint.store(u32::MAX, Ordering::Relaxed);
        assert!(!patience.spin(|| false) && long(), "a hint that makes no sense");
        patience.hint.store(LONGEST, Ordering::Relaxed);
        assert!(patience.spin(|| true) && long());
        assert_eq!(less(), 0);
    }
}
