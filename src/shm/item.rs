//! What a worker works on at the moment, for whoever asks in its process, without a lock.
//!
//! One thread shows items, one after the other. The turn is odd while it does, so that who reads knows what belongs
//! together; 0 items are shown where the input has no address.

use super::Data;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};

/// What is shown of an item.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) input: Data,
    /// Where a result of fixed size goes.
    pub(crate) output: Option<Data>,
    pub(crate) index: u64,
    /// The slot of its task; None for what is no task.
    pub(crate) task: Option<usize>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct ItemCell {
    turn: AtomicU64,
    input: Words,
    output: Words,
    index: AtomicU64,
    /// One more than the slot's number.
    task: AtomicUsize,
}

/// A [`Data`], or null.
#[derive(Default)]
struct Words {
    at: AtomicPtr<u8>,
    len: AtomicUsize,
}

impl Words {
    fn set(&self, data: Option<Data>) {
        let (at, len) = data.map_or((std::ptr::null_mut(), 0), |data| (data.at, data.len));
        self.at.store(at, Ordering::Relaxed);
        self.len.store(len, Ordering::Relaxed);
    }

    /// Both words; they may belong to different ones.
    fn get(&self) -> (*mut u8, usize) {
        (self.at.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed))
    }
}

/// A `Data` whose words were stored together.
fn data((at, len): (*mut u8, usize)) -> Option<Data> {
    (!at.is_null()).then_some(Data { at, len })
}

impl ItemCell {
    /// Grows with whatever is shown: two that are equal are the same item's.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    /// By the one thread that works.
    #[inline]
    pub(crate) fn show(&self, item: Option<Shown>) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        // Who sees one of the words sees that the turn is odd, or a later one.
        fence(Ordering::Release);
        self.input.set(item.map(|item| item.input));
        if let Some(Shown { output, index, task, .. }) = item {
            self.output.set(output);
            self.index.store(index, Ordering::Relaxed);
            self.task.store(task.map_or(0, |task| task + 1), Ordering::Relaxed);
        }
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// By any thread: what is shown, and its turn.
    #[inline]
    pub(crate) fn get(&self) -> Option<(Shown, u64)> {
        loop {
            let turn = self.turn.load(Ordering::Acquire);
            let (input, output) = (self.input.get(), self.output.get());
            let (index, task) = (self.index.load(Ordering::Relaxed), self.task.load(Ordering::Relaxed));
            // What was read before is not younger than the turn that follows.
            fence(Ordering::Acquire);
            if turn & 1 == 0 && self.turn.load(Ordering::Relaxed) == turn {
                let (input, output) = (data(input)?, data(output));
                return Some((Shown { input, output, index, task: task.checked_sub(1) }, turn));
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn what_is_read_belongs_together() {
        static MEMORY: [u8; 1 << 10] = [0; 1 << 10];
        let (cell, over) = (ItemCell::default(), AtomicBool::new(false));
        let at = |n: usize| MEMORY.as_ptr().cast_mut().wrapping_add(n);
        assert!(cell.get().is_none());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if let Some((Shown { input, output, index, task }, _)) = cell.get() {
                        let n = index as usize;
                        assert_eq!((input.len(), input.address()), (n, at(n)));
                        assert_eq!(output.map_or(0, |o| o.len()), n / 2 * (n & 1));
                        assert_eq!(task, n.checked_sub(1));
                    }
                }
            });
            for round in 0..200_000 {
                let n = round % 500;
                let input = Data { at: at(n), len: n };
                let output = (n & 1 == 1).then_some(Data { at: at(0), len: n / 2 });
                cell.show(Some(Shown { input, output, index: n as u64, task: n.checked_sub(1) }));
                if round % 7 == 0 {
                    cell.show(None);
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        cell.show(None);
        assert!(cell.get().is_none());
    }
}
