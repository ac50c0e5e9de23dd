//! Sleeping on a word that other processes change. All futexes here are shared ones.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

/// Why a sleeper is awake again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Somebody woke it.
    Woken,
    /// A signal handler ran.
    Interrupted,
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
        _ => Slept::Interrupted,
    }
}

/// The most words that the kernel lets one thread sleep on.
const MOST: usize = 128;

/// How long a sleep on several words is where the kernel cannot do that (before Linux 5.16), or they are too many.
const WITHOUT: Duration = Duration::from_millis(10);

/// What the kernel calls `struct futex_waitv`.
#[repr(C)]
struct Waiter {
    expected: u64,
    word: u64,
    flags: u32,
    reserved: u32,
}

/// Sleeps while each word is what is expected of it, at most `limit`.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], limit: Duration) -> Slept {
    match words {
        [] => {
            std::thread::sleep(limit);
            return Slept::Elapsed;
        }
        [(word, expected)] => return wait(word, *expected, limit),
        _ => {}
    }
    // FUTEX_32, and shared.
    let waiter = |&(word, expected): &(&AtomicU32, u32)| Waiter {
        expected: expected.into(),
        word: word.as_ptr().addr() as u64,
        flags: 2,
        reserved: 0,
    };
    if words.len() <= MOST {
        let waiters: Vec<Waiter> = words.iter().map(waiter).collect();
        let until = monotonic_after(limit);
        // SAFETY: so many structs are there; their words outlive the call; until is a valid timespec.
        let r = unsafe {
            libc::syscall(
                libc::SYS_futex_waitv,
                waiters.as_ptr(),
                waiters.len(),
                0,
                &raw const until,
                libc::CLOCK_MONOTONIC,
            )
        };
        match std::io::Error::last_os_error().raw_os_error() {
            _ if r >= 0 => return Slept::Woken,
            Some(libc::ETIMEDOUT) => return Slept::Elapsed,
            Some(libc::EAGAIN) => return Slept::Changed,
            Some(libc::EINTR) => return Slept::Interrupted,
            _ => {}
        }
    }
    match wait(words[0].0, words[0].1, limit.min(WITHOUT)) {
        // Another of them may have changed.
        Slept::Elapsed if limit > WITHOUT => Slept::Interrupted,
        slept => slept,
    }
}

/// The monotonic clock's time that is so far away.
fn monotonic_after(limit: Duration) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: now is a timespec to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let nanos = now.tv_nsec as u64 + u64::from(limit.subsec_nanos());
    libc::timespec {
        tv_sec: now.tv_sec
            + limit.as_secs().min(i32::MAX as u64) as libc::time_t
            + (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as _,
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

    #[test]
    fn several_words_are_slept_on() {
        let (one, two) = (AtomicU32::new(1), AtomicU32::new(2));
        assert_eq!(wait_any(&[(&one, 1), (&two, 2)], Duration::from_millis(1)), Slept::Elapsed);
        assert_ne!(wait_any(&[(&one, 1), (&two, 3)], Duration::from_secs(60)), Slept::Elapsed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                two.store(3, std::sync::atomic::Ordering::Release);
                wake(&two, 1);
            });
            assert_ne!(wait_any(&[(&one, 1), (&two, 2)], Duration::from_secs(60)), Slept::Elapsed);
        });
    }
}
