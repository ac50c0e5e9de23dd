//! Time as src/park knows it. It passes when a process of the model says so (`Process::strike`), and only once.

use crate::world;
use std::time::Duration;

/// Ends no later than with this sleep; shorter than any slice.
pub(crate) const SOON: Duration = Duration::from_nanos(1);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    NoWait,
    /// When the clock strikes.
    Strike,
    Never,
}

impl Deadline {
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
