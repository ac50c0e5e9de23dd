//! Numbers that many processes change: each operation is one atomic step, wherever the number lies.

use super::Item;
use crate::error::Result;
use crate::shm::Data;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Bits that are changed in one step. Above the item's width they may be anything.
pub(crate) trait Bits {
    fn load(&self) -> u64;
    fn store(&self, to: u64);
    fn add(&self, by: u64) -> u64;
    fn swap(&self, to: u64) -> u64;
    /// Stores `to` where the bits are `from`.
    fn replace(&self, from: u64, to: u64) -> bool;
}

impl Bits for &AtomicU64 {
    fn load(&self) -> u64 {
        AtomicU64::load(self, Acquire)
    }

    fn store(&self, to: u64) {
        AtomicU64::store(self, to, Release);
    }

    fn add(&self, by: u64) -> u64 {
        self.fetch_add(by, AcqRel)
    }

    fn swap(&self, to: u64) -> u64 {
        AtomicU64::swap(self, to, AcqRel)
    }

    fn replace(&self, from: u64, to: u64) -> bool {
        self.compare_exchange(from, to, AcqRel, Relaxed).is_ok()
    }
}

impl Bits for Data {
    fn load(&self) -> u64 {
        Data::load(self)
    }

    fn store(&self, to: u64) {
        Data::store(self, to);
    }

    fn add(&self, by: u64) -> u64 {
        Data::add(self, by)
    }

    fn swap(&self, to: u64) -> u64 {
        Data::swap(self, to)
    }

    fn replace(&self, from: u64, to: u64) -> bool {
        Data::replace(self, from, to)
    }
}

/// How an integer is changed, besides by adding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    And,
    Or,
    Xor,
    Min,
    Max,
}

/// An item and where it lies. Whoever makes one knows that the bits hold a whole item.
pub(crate) struct Number<B> {
    pub(crate) item: Item,
    pub(crate) bits: B,
}

impl<B: Bits> Number<B> {
    pub(crate) fn get_int(&self) -> Result<i64> {
        self.item.check_int()?;
        self.item.int(self.bits.load())
    }

    pub(crate) fn set_int(&self, to: i64) -> Result<()> {
        self.item.check_int()?;
        self.bits.store(to as u64);
        Ok(())
    }

    /// Adds, wrapping around at the item's width; answers what was there.
    pub(crate) fn fetch_add(&self, by: i64) -> Result<i64> {
        self.item.check_int()?;
        self.item.int(self.bits.add(by as u64))
    }

    pub(crate) fn exchange(&self, to: i64) -> Result<i64> {
        self.item.check_int()?;
        self.item.int(self.bits.swap(to as u64))
    }

    /// Stores `to` if the number is `expected`. The error of the inner result is what it was instead.
    pub(crate) fn compare_exchange(&self, expected: i64, to: i64) -> Result<std::result::Result<(), i64>> {
        let expected = self.item.int(expected as u64)?;
        loop {
            let bits = self.bits.load();
            let now = self.item.int(bits)?;
            if now != expected {
                return Ok(Err(now));
            }
            if self.bits.replace(bits, to as u64) {
                return Ok(Ok(()));
            }
        }
    }

    /// Changes it; answers what was there.
    pub(crate) fn change(&self, how: Change, by: i64) -> Result<i64> {
        let by = self.item.int(by as u64)?;
        self.update(|bits| {
            let now = self.item.int(bits)?;
            Ok((now, self.changed(how, now, by) as u64))
        })
    }

    fn changed(&self, how: Change, now: i64, by: i64) -> i64 {
        let signed = matches!(self.item, Item::Int { signed: true, .. });
        let less = if signed { by < now } else { (by as u64) < now as u64 };
        match how {
            Change::And => now & by,
            Change::Or => now | by,
            Change::Xor => now ^ by,
            Change::Min => {
                if less {
                    by
                } else {
                    now
                }
            }
            Change::Max => {
                if less {
                    now
                } else {
                    by
                }
            }
        }
    }

    /// Stores what `next` makes of the bits, and gives its answer. No other's change comes in between.
    fn update<R>(&self, next: impl Fn(u64) -> Result<(R, u64)>) -> Result<R> {
        loop {
            let bits = self.bits.load();
            let (answer, to) = next(bits)?;
            if self.bits.replace(bits, to) {
                return Ok(answer);
            }
        }
    }

    pub(crate) fn get_double(&self) -> Result<f64> {
        self.item.double(0)?;
        self.item.double(self.bits.load())
    }

    pub(crate) fn set_double(&self, to: f64) -> Result<()> {
        self.bits.store(self.item.double_bits(to)?);
        Ok(())
    }

    /// Adds to a float or double; answers what was there.
    pub(crate) fn fetch_add_double(&self, by: f64) -> Result<f64> {
        self.item.double(0)?;
        self.update(|bits| {
            let now = self.item.double(bits)?;
            Ok((now, self.item.double_bits(now + by)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_and_the_most_know_the_sign() {
        let changed = |kind: i32, how, now: i64, by: i64| {
            let word = AtomicU64::new(now as u64);
            let number = Number { item: Item::from_type(kind).unwrap(), bits: &word };
            number.change(how, by).unwrap();
            number.get_int().unwrap()
        };
        assert_eq!(changed(1, Change::Min, 5, -1), -1);
        assert_eq!(changed(2, Change::Min, 5, -1), 5);
        assert_eq!(changed(2, Change::Max, 5, -1), 255);
        assert_eq!(changed(7, Change::Max, 5, -1), 5);
        assert_eq!(changed(8, Change::Max, 5, -1), -1);
        assert_eq!(changed(8, Change::Min, -1, 5), 5);
        assert_eq!(changed(3, Change::Xor, -1, 1), -2);
    }
}
