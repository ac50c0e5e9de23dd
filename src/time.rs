//! Timeouts become one monotonic deadline at the border.

use std::time::Duration;
pub(crate) use std::time::Instant;

/// Wait without limit.
pub(crate) const FOREVER: i64 = i64::MAX;

/// When a blocking call gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    /// Try once.
    NoWait,
    /// Give up at this moment.
    At(Instant),
    /// Never give up.
    Never,
}

impl Deadline {
    /// From nanoseconds: 0 and less try once, `FOREVER` and whatever the clock cannot hold never end.
    pub(crate) fn after(nanoseconds: i64) -> Self {
        if nanoseconds <= 0 {
            return Deadline::NoWait;
        }
        if nanoseconds == FOREVER {
            return Deadline::Never;
        }
        match Instant::now().checked_add(Duration::from_nanos(nanoseconds as u64)) {
            Some(at) => Deadline::At(at),
            None => Deadline::Never,
        }
    }

    /// How long is left, `Duration::MAX` for a deadline that never comes.
    pub(crate) fn remaining(self) -> Duration {
        match self {
            Deadline::NoWait => Duration::ZERO,
            Deadline::At(at) => at.saturating_duration_since(Instant::now()),
            Deadline::Never => Duration::MAX,
        }
    }

    /// The same, but no sooner than after `least`.
    pub(crate) fn or_after(self, least: Duration) -> Self {
        if self.remaining() >= least { self } else { Deadline::At(Instant::now() + least) }
    }

    /// The same, but no later than after `most`.
    pub(crate) fn or_before(self, most: Duration) -> Self {
        Self::after(self.remaining().min(most).as_nanos() as i64)
    }

    /// Whether it is time to give up.
    pub(crate) fn is_over(self) -> bool {
        self.remaining().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_less_try_once() {
        assert!(matches!(Deadline::after(0), Deadline::NoWait));
        assert!(matches!(Deadline::after(i64::MIN), Deadline::NoWait));
        assert!(Deadline::after(-1).is_over());
    }

    #[test]
    fn forever_is_never_over() {
        assert!(matches!(Deadline::after(FOREVER), Deadline::Never));
        assert!(!Deadline::after(FOREVER).is_over());
        assert!(!Deadline::after(FOREVER - 1).is_over());
    }

    #[test]
    fn a_deadline_is_put_off() {
        let hour = Duration::from_secs(3600);
        for soon in [Deadline::NoWait, Deadline::after(1)] {
            assert!(soon.or_after(hour).remaining() > hour / 2);
        }
        assert!(Deadline::At(Instant::now() + 2 * hour).or_after(hour).remaining() > hour);
        assert!(matches!(Deadline::Never.or_after(hour), Deadline::Never));
    }

    #[test]
    fn a_deadline_passes() {
        let soon = Deadline::after(1_000_000);
        while !soon.is_over() {
            std::thread::yield_now();
        }
        assert!(soon.remaining().is_zero());
    }
}
