//! Time as src/park knows it. It passes when a process of the model says so (`Process::strike`), and only once.

use crate::world;
use std::cell::Cell;
use std::time::Duration;

/// Ends no later than with this sleep; shorter than any slice.
pub(crate) const SOON: Duration = Duration::from_nanos(1);

thread_local! {
    /// Whether what lasts a moment is over at once, or takes longer than the run.
    static MOMENTS_ARE_OVER: Cell<bool> = const { Cell::new(true) };
}

/// For a run's processes.
pub(crate) fn moments_are_over(over: bool) {
    MOMENTS_ARE_OVER.set(over);
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    NoWait,
    /// When the clock strikes.
    Strike,
    Never,
}

impl Deadline {
    /// A moment, or until the clock strikes where that comes first.
    pub(crate) fn after(nanoseconds: i64) -> Self {
        match nanoseconds {
            ..=0 => Deadline::NoWait,
            1 => Deadline::Strike,
            _ if MOMENTS_ARE_OVER.get() => Deadline::NoWait,
            _ => Deadline::Never,
        }
    }

    pub(crate) fn remaining(self) -> Duration {
        match self {
            Deadline::NoWait => Duration::ZERO,
            Deadline::Strike if world::has_struck() => Duration::ZERO,
            Deadline::Strike => SOON,
            Deadline::Never => Duration::MAX,
        }
    }

    pub(crate) fn or_after(self, _least: Duration) -> Self {
        if matches!(self, Deadline::Never) { self } else { Deadline::Strike }
    }

    pub(crate) fn is_over(self) -> bool {
        self.remaining().is_zero()
    }
}

/// Whoever spins looks once and finds that it took too long.
#[derive(Clone, Copy)]
pub(crate) struct Instant;

impl Instant {
    pub(crate) fn now() -> Self {
        Instant
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_secs(1)
    }
}
