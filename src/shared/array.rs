//! An array: items side by side in shared memory, each read and written whole.

use super::Item;
use crate::error::{Result, fail};
use crate::shm::{self, ArrayBlock, Data, Kind, Object};
use std::sync::atomic::Ordering::Relaxed;

/// Makes one of `length` items. `fill` gets the bytes to write the initial items to.
pub(crate) fn create(number: i32, length: usize, fill: impl FnOnce(Data)) -> Result<Object> {
    let item = Item::from_number(number)?;
    let Some(bytes) = length.checked_mul(item.size()) else {
        fail!(NoMemory, "{length} items of {} bytes are more than there is memory", item.size());
    };
    let object = shm::create::<ArrayBlock>(Kind::Array, bytes, |block| {
        block.item.store(number as u64, Relaxed);
        block.length.store(length as u64, Relaxed);
    })?;
    if let Some(block) = shm::resolve::<ArrayBlock>(object.r, Kind::Array) {
        block.data().map(fill)?;
    }
    Ok(object)
}

impl ArrayBlock {
    pub(crate) fn item(&self) -> Result<Item> {
        Item::from_number(self.item.load(Relaxed) as i32)
    }

    pub(crate) fn length(&self) -> usize {
        self.length.load(Relaxed) as usize
    }

    /// All items. What the block says of itself is checked: another process may have written over it.
    pub(crate) fn data(&self) -> Result<Data> {
        let bytes = self.length().checked_mul(self.item()?.size());
        match shm::data(&self.head) {
            Some(data) if Some(data.len()) == bytes => Ok(data),
            _ => fail!(State, "the array's block in shared memory is damaged"),
        }
    }

    /// The bytes of `count` items from `first` on, which `size` bytes of the caller's are for.
    pub(crate) fn slice(&self, first: usize, count: usize, size: usize) -> Result<Data> {
        let (length, item) = (self.length(), self.item()?.size());
        if first > length || count > length - first {
            fail!(Invalid, "items {first} to {first} + {count} are out of range: the array has {length}");
        }
        if count * item != size {
            fail!(Invalid, "{count} items have {} bytes, and the buffer {size}", count * item);
        }
        Ok(self.data()?.part(first * item, size))
    }

    fn element(&self, index: usize) -> Result<(Item, Data)> {
        let item = self.item()?;
        if index >= self.length() {
            fail!(Invalid, "index {index} is out of range: the array has {} items", self.length());
        }
        Ok((item, self.data()?.part(index * item.size(), item.size())))
    }

    pub(crate) fn get_int(&self, index: usize) -> Result<i64> {
        let (item, at) = self.element(index)?;
        item.int(at.load())
    }

    pub(crate) fn set_int(&self, index: usize, to: i64) -> Result<()> {
        let (item, at) = self.element(index)?;
        item.check_int()?;
        at.store(to as u64);
        Ok(())
    }

    pub(crate) fn get_double(&self, index: usize) -> Result<f64> {
        let (item, at) = self.element(index)?;
        item.check_double()?;
        Ok(f64::from_bits(at.load()))
    }

    pub(crate) fn set_double(&self, index: usize, to: f64) -> Result<()> {
        let (item, at) = self.element(index)?;
        item.check_double()?;
        at.store(to.to_bits());
        Ok(())
    }
}
