//! The redo record of a lock: what is about to be written, so that whoever gets the lock after a death can
//! complete it.
//!
//! | count | the record                                                     |
//! |-------|----------------------------------------------------------------|
//! | 0     | nothing is pending: either nothing was begun or all is applied |
//! | n     | the n pairs are complete; applying them again does no harm     |

use super::segment::Segment;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How many words one transaction may change.
pub(crate) const PAIRS: usize = 32;

/// The record, in shared memory beside its lock.
#[repr(C)]
pub(crate) struct Redo {
    count: AtomicU64,
    _pad: AtomicU64,
    /// Offset in the segment, new value.
    pairs: [[AtomicU64; 2]; PAIRS],
}

/// Words to change together, under the lock that the record belongs to.
pub(crate) struct Transaction<'a> {
    s: &'static Segment,
    redo: &'a Redo,
    count: usize,
}

impl Redo {
    /// Begins one. The holder of the lock has at most one at a time.
    pub(crate) fn begin(&self, s: &'static Segment) -> Transaction<'_> {
        // The last one's count is 0 for everybody before a pair of this one is written.
        fence(Ordering::Release);
        Transaction { s, redo: self, count: 0 }
    }

    /// Whether something is entered and not applied, at some moment during the call.
    pub(crate) fn is_pending(&self) -> bool {
        self.count.load(Ordering::Relaxed) != 0
    }

    /// Completes what a dead holder left, if anything. The caller holds the lock.
    pub(crate) fn replay(&self, s: &'static Segment) -> bool {
        let count = self.count.load(Ordering::Acquire) as usize;
        if count == 0 {
            return false;
        }
        for pair in &self.pairs[..count.min(PAIRS)] {
            let offset = pair[0].load(Ordering::Relaxed) as usize;
            if let Some(word) = s.word_at(offset) {
                word.store(pair[1].load(Ordering::Relaxed), Ordering::Release);
            }
        }
        self.count.store(0, Ordering::Release);
        true
    }
}

impl Transaction<'_> {
    /// Whose words these are.
    pub(super) fn segment(&self) -> &'static Segment {
        self.s
    }

    /// `*word` shall be `value`.
    pub(crate) fn set(&mut self, word: &AtomicU64, value: u64) {
        let pair = &self.redo.pairs[self.count];
        pair[0].store(self.s.offset_of(word) as u64, Ordering::Relaxed);
        pair[1].store(value, Ordering::Relaxed);
        self.count += 1;
    }

    /// Makes it so. A process killed before the count is stored has changed nothing; one killed after it has
    /// changed everything, as far as the lock's next holder can tell.
    pub(crate) fn commit(self) {
        // Release: the pairs are complete before the count says so. Each store below is Release as well, so
        // that none of them is seen before the count, and the last one not before all of them.
        self.redo.count.store(self.count as u64, Ordering::Release);
        self.redo.replay(self.s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::segment::TREE;
    use crate::shm::{self, ArrayBlock, Kind};

    fn record() -> Redo {
        Redo {
            count: AtomicU64::new(0),
            _pad: AtomicU64::new(0),
            pairs: std::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]),
        }
    }

    /// Some words of the segment.
    fn words() -> (shm::Object, &'static [AtomicU64]) {
        shm::join().unwrap();
        let object = shm::create::<ArrayBlock>(Kind::Array, 256, |_| {}).unwrap();
        let at = shm::address(object) + 64;
        // SAFETY: the block's data, which nobody else uses.
        (object, unsafe { std::slice::from_raw_parts(at as *const AtomicU64, 32) })
    }

    fn values(words: &[AtomicU64]) -> Vec<u64> {
        words.iter().map(|w| w.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_kill_before_the_count_has_changed_nothing() {
        let (object, words) = words();
        let redo = record();
        let mut tx = redo.begin(&TREE);
        tx.set(&words[0], 1);
        tx.set(&words[1], 2);
        // The process dies here: no commit.
        assert!(!redo.replay(&TREE));
        assert_eq!(values(words), vec![0; 32]);
        shm::release(object.entry);
    }

    #[test]
    fn a_kill_after_any_store_is_completed() {
        for applied in 0..=3 {
            let (object, words) = words();
            let redo = record();
            let mut tx = redo.begin(&TREE);
            for (i, word) in words[..3].iter().enumerate() {
                tx.set(word, 10 + i as u64);
            }
            redo.count.store(tx.count as u64, Ordering::Release);
            // The process dies after so many of the stores.
            for (i, word) in words[..applied].iter().enumerate() {
                word.store(10 + i as u64, Ordering::Relaxed);
            }
            assert!(redo.replay(&TREE));
            assert_eq!(values(&words[..4]), [10, 11, 12, 0]);
            // And so may the one who completes it.
            redo.count.store(3, Ordering::Relaxed);
            assert!(redo.replay(&TREE) && !redo.replay(&TREE));
            assert_eq!(values(&words[..4]), [10, 11, 12, 0]);
            shm::release(object.entry);
        }
    }

    #[test]
    fn a_record_that_was_overwritten_does_no_harm() {
        shm::join().unwrap();
        let redo = record();
        for (i, pair) in redo.pairs.iter().enumerate() {
            pair[0].store(u64::MAX - i as u64 * 3, Ordering::Relaxed);
        }
        redo.count.store(u64::MAX, Ordering::Relaxed);
        assert!(redo.replay(&TREE) && !redo.replay(&TREE));
    }
}
