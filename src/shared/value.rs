//! A value: one number in a word of shared memory, changed by atomic operations and nothing else.
//!
//! The word may hold more than the item's width: adding goes on in 64 bits, and whoever reads takes the low
//! bytes, which are the same. So `fetch_add` is one instruction for every integer type.

use super::Item;
use crate::error::{Result, fail};
use crate::shm::{self, Kind, Object, ValueBlock};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Makes one. `initial` holds the item's bytes.
pub(crate) fn create(number: i32, initial: Option<&[u8]>) -> Result<Object> {
    Item::from_number(number)?;
    shm::create::<ValueBlock>(Kind::Value, 0, |block| {
        block.item.store(number as u64, Relaxed);
        block.word.store(initial.map_or(0, bits), Relaxed);
    })
}

/// Little-endian bytes of an item as a word.
fn bits(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

impl ValueBlock {
    pub(crate) fn item(&self) -> Result<Item> {
        Item::from_number(self.item.load(Relaxed) as i32)
    }

    /// Copies the item out; `out` is as long as the item.
    pub(crate) fn get(&self, out: &mut [u8]) -> Result<()> {
        self.check_size(out.len())?;
        let word = self.word.load(Acquire).to_le_bytes();
        out.copy_from_slice(&word[..out.len()]);
        Ok(())
    }

    /// Stores an item given by its bytes.
    pub(crate) fn set(&self, bytes: &[u8]) -> Result<()> {
        self.check_size(bytes.len())?;
        self.word.store(bits(bytes), Release);
        Ok(())
    }

    fn check_size(&self, size: usize) -> Result<()> {
        let item = self.item()?.size();
        if size != item {
            fail!(Invalid, "the value has {item} bytes, and the buffer {size}");
        }
        Ok(())
    }

    pub(crate) fn get_int(&self) -> Result<i64> {
        self.item()?.int(self.word.load(Acquire))
    }

    pub(crate) fn set_int(&self, to: i64) -> Result<()> {
        self.item()?.check_int()?;
        self.word.store(to as u64, Release);
        Ok(())
    }

    /// Adds, wrapping around at the item's width; answers what was there.
    pub(crate) fn fetch_add(&self, by: i64) -> Result<i64> {
        let item = self.item()?;
        item.check_int()?;
        item.int(self.word.fetch_add(by as u64, AcqRel))
    }

    /// The same for who comes often; None, and nothing was done, where it is no integer.
    /// `note` is what `note` answered once: the item that lies beside the word would make the line come twice, for
    /// reading and then for writing, where others write it all the time.
    #[inline(always)]
    pub(crate) fn fetch_add_quickly(&self, note: u64, by: i64) -> Option<i64> {
        Item::int_quickly(note, 0)?;
        Item::int_quickly(note, self.word.fetch_add(by as u64, AcqRel))
    }

    /// The item's number, which never changes.
    pub(crate) fn note(&self) -> u64 {
        self.item.load(Relaxed)
    }

    pub(crate) fn exchange(&self, to: i64) -> Result<i64> {
        let item = self.item()?;
        item.check_int()?;
        item.int(self.word.swap(to as u64, AcqRel))
    }

    /// Stores `to` if the value is `expected`. The error of the inner result is what it was instead.
    pub(crate) fn compare_exchange(&self, expected: i64, to: i64) -> Result<std::result::Result<(), i64>> {
        let item = self.item()?;
        let expected = item.int(expected as u64)?;
        loop {
            let word = self.word.load(Acquire);
            let now = item.int(word)?;
            if now != expected {
                return Ok(Err(now));
            }
            if self.word.compare_exchange(word, to as u64, AcqRel, Relaxed).is_ok() {
                return Ok(Ok(()));
            }
        }
    }

    pub(crate) fn get_double(&self) -> Result<f64> {
        self.item()?.check_double()?;
        Ok(f64::from_bits(self.word.load(Acquire)))
    }

    pub(crate) fn set_double(&self, to: f64) -> Result<()> {
        self.item()?.check_double()?;
        self.word.store(to.to_bits(), Release);
        Ok(())
    }
}
