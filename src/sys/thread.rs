//! A number for each thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

static LAST: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The calling thread's number: at least 1, at most 30 bits, no other thread's of this process. A forked child's
/// only thread keeps the number of the one that forked.
#[inline(always)]
pub(crate) fn number() -> u32 {
    NUMBER.with(|number| match number.get() {
        0 => first(number),
        known => known,
    })
}

#[cold]
fn first(number: &Cell<u32>) -> u32 {
    loop {
        // Around again after one billion threads; 0 is for those that have none yet.
        let next = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & 0x3FFF_FFFF;
        if next != 0 {
            number.set(next);
            return next;
        }
    }
}
