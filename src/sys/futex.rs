//! Sleeping on a word that other processes change. All futexes here are shared ones.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

/// Why a sleeper is awake again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Somebody woke it, or a signal handler ran: look at the state either way.
    Woken,
    /// The word did not have the expected value, so it did not sleep.
    Changed,
    /// The time was up.
    Elapsed,
}

/// Sleeps while `*word == expected`, at most `limit`.
pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Duration) -> Slept {
    wait_at(word.as_ptr(), expected, limit)
}

/// Wakes up to `count` sleepers; answers how many there were.
pub(crate) fn wake(word: &AtomicU32, count: i32) -> usize {
    wake_at(word.as_ptr(), count)
}

/// Sleeps while the low half of `*word` is `expected`, at most `limit`.
pub(crate) fn wait_low(word: &AtomicU64, expected: u32, limit: Duration) -> Slept {
    wait_at(low_half(word), expected, limit)
}

/// Wakes up to `count` sleepers of the word's low half.
pub(crate) fn wake_low(word: &AtomicU64, count: i32) -> usize {
    wake_at(low_half(word), count)
}

#[cfg(target_endian = "little")]
fn low_half(word: &AtomicU64) -> *mut u32 {
    // Only the kernel reads through this pointer; the program itself always uses the whole word.
    word.as_ptr().cast()
}

fn wait_at(word: *mut u32, expected: u32, limit: Duration) -> Slept {
    let limit = libc::timespec {
        tv_sec: limit.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: limit.subsec_nanos().into(),
    };
    // SAFETY: word points to four mapped, aligned bytes that outlive the call, because it comes from a
    // reference to an atomic; limit is a valid timespec. FUTEX_WAIT measures it on the monotonic clock.
    let r = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, &raw const limit) };
    if r == 0 {
        return Slept::Woken;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => Slept::Elapsed,
        Some(libc::EAGAIN) => Slept::Changed,
        _ => Slept::Woken,
    }
}

fn wake_at(word: *mut u32, count: i32) -> usize {
    // SAFETY: FUTEX_WAKE uses the address only to find sleepers; it comes from a live atomic.
    let r = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count) };
    r.max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_does_not_sleep() {
        let word = AtomicU32::new(7);
        assert_eq!(wait(&word, 8, Duration::from_secs(60)), Slept::Changed);
    }

    #[test]
    fn the_low_half_is_what_the_kernel_compares() {
        let word = AtomicU64::new(0xAAAA_AAAA_0000_0007);
        assert_eq!(wait_low(&word, 8, Duration::from_secs(60)), Slept::Changed);
        assert_eq!(wait_low(&word, 7, Duration::from_millis(1)), Slept::Elapsed);
        assert_eq!(wake_low(&word, 1), 0);
    }
}
