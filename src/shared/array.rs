//! An array: items side by side in shared memory. Single numbers are read and written by atomic operations,
//! whatever is longer is copied under a lock.

use super::Item;
use super::guarded::{self, Guarded};
use super::number::Number;
use crate::error::{Result, Status, fail};
use crate::shm::{self, ArrayBlock, Data, Kind, Object, Segment};
use crate::sync::guarding::Guard;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Makes one of `length` items. `fill` gets the bytes to write the initial items to.
pub(crate) fn create(
    s: &'static Segment,
    item: Item,
    length: usize,
    guard: Guard,
    fill: impl FnOnce(Data) -> Result<()>,
) -> Result<Object> {
    let bytes = takes(item, length)?;
    let make = || {
        shm::create_in::<ArrayBlock>(s, Kind::Array, bytes, |block| {
            block.item.store(item.to_word(), Relaxed);
            block.length.store(length as u64, Relaxed);
        })
    };
    let find = |r| shm::resolve_in::<ArrayBlock>(s, r, Kind::Array);
    let object = guarded::create(s, guard, make, |r| Some(&find(r)?.lock))?;
    match find(object.r).map_or(Ok(()), |block| block.data().and_then(fill)) {
        Ok(()) => Ok(object),
        Err(e) => {
            shm::release(object.entry);
            Err(e)
        }
    }
}

/// How many bytes its items take.
pub(crate) fn takes(item: Item, length: usize) -> Result<usize> {
    match length.checked_mul(item.size()) {
        Some(bytes) => Ok(bytes),
        None => fail!(NoMemory, "{length} items of {} bytes are more than there is memory", item.size()),
    }
}

/// Makes one like `source`, which keeps its own lock. Also says what `under` said.
pub(crate) fn copy<K>(
    source: &ArrayBlock,
    guard: Guard,
    keep: impl FnOnce() -> Result<K>,
) -> Result<(Object, Status)> {
    let mut status = Status::Ok;
    let object = create(&shm::TREE, source.item()?, source.length(), guard, |to| {
        status = source.under(keep, || {
            source.data()?.copy_to(&to);
            Ok(())
        })?;
        Ok(())
    })?;
    Ok((object, status))
}

impl Guarded for ArrayBlock {
    fn lock_word(&self) -> &AtomicU64 {
        &self.lock
    }
}

impl ArrayBlock {
    pub(crate) fn item(&self) -> Result<Item> {
        Item::from_word(self.item.load(Relaxed))
    }

    /// Whether one that was found by its name is as it was asked for; no length: of any.
    pub(crate) fn fits(&self, item: Item, length: Option<usize>, guard: Guard) -> Result<()> {
        self.item()?.fits("array", item)?;
        let has = self.length();
        match length {
            Some(length) if length != has => {
                fail!(Invalid, "the array that has the name has {has} items, and {length} are asked for")
            }
            _ => self.lock_fits(guard),
        }
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
    fn slice(&self, first: usize, count: usize, size: usize) -> Result<Data> {
        let (length, item) = (self.length(), self.item()?.size());
        if first > length || count > length - first {
            fail!(Invalid, "items {first} to {first} + {count} are out of range: the array has {length}");
        }
        // No product of what the array has overflows; what it says it has may be another's doing.
        if count.checked_mul(item) != Some(size) {
            fail!(Invalid, "{count} items of {item} bytes are not the buffer's {size} bytes");
        }
        let data = self.data()?;
        Ok(data.part(first * item, size))
    }

    /// Copies items out.
    pub(crate) fn read<K>(
        &self,
        keep: impl FnOnce() -> Result<K>,
        (first, count): (usize, usize),
        out: &mut [u8],
    ) -> Result<Status> {
        let items = self.slice(first, count, out.len())?;
        self.under(keep, || {
            items.read(0, out);
            Ok(())
        })
    }

    /// Copies items in.
    pub(crate) fn write<K>(
        &self,
        keep: impl FnOnce() -> Result<K>,
        (first, count): (usize, usize),
        bytes: &[u8],
    ) -> Result<Status> {
        let items = self.slice(first, count, bytes.len())?;
        self.under(keep, || {
            items.write(0, bytes);
            Ok(())
        })
    }

    /// An item as a number; whether it is one, its operations find out.
    pub(crate) fn number(&self, index: usize) -> Result<Number<Data>> {
        let item = self.item()?;
        if index >= self.length() {
            fail!(Invalid, "index {index} is out of range: the array has {} items", self.length());
        }
        if let Item::Struct { .. } = item {
            fail!(Invalid, "the items are structs: numbers cannot be read from them or written to them");
        }
        Ok(Number { item, bits: self.data()?.part(index * item.size(), item.size()) })
    }

    fn chars(&self) -> Result<Data> {
        if !self.item()?.is_char() {
            fail!(
                Invalid,
                "strings are for arrays of char, and the items have {} bytes",
                self.item()?.size()
            );
        }
        self.data()
    }

    /// The bytes before the first NUL, or all of them, given to `take` with the lock held.
    pub(crate) fn get_string<K>(
        &self,
        keep: impl FnOnce() -> Result<K>,
        take: impl FnOnce(Data) -> Result<()>,
    ) -> Result<Status> {
        let chars = self.chars()?;
        self.under(keep, || take(chars.part(0, chars.find(0).unwrap_or(chars.len()))))
    }

    /// Stores a string, with a NUL behind it where there is room for one; what follows stays as it is.
    pub(crate) fn set_string<K>(
        &self,
        keep: impl FnOnce() -> Result<K>,
        text: &std::ffi::CStr,
    ) -> Result<Status> {
        let chars = self.chars()?;
        let with_nul = text.to_bytes_with_nul();
        let bytes = &with_nul[..with_nul.len().min(chars.len())];
        if text.to_bytes().len() > chars.len() {
            fail!(
                Invalid,
                "the string of {} bytes is too long: the array has {}",
                text.to_bytes().len(),
                chars.len()
            );
        }
        self.under(keep, || {
            chars.write(0, bytes);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_overwritten_leads_nowhere() {
        shm::join().unwrap();
        let object =
            create(&shm::TREE, Item::from_type(3).unwrap(), 10, Guard::Own(false), |_| Ok(())).unwrap();
        let block = shm::resolve::<ArrayBlock>(object.r, Kind::Array).unwrap();
        let (item, length, lock) =
            (block.item.load(Relaxed), block.length.load(Relaxed), block.lock.load(Relaxed));
        let refuses = |bits: u64| {
            let all = block.length();
            let mut out = [0; 20];
            assert!(block.data().is_err(), "{bits:#x}");
            assert!(block.read(|| Ok(()), (0, 10), &mut out).is_err(), "{bits:#x}");
            assert!(block.write(|| Ok(()), (all.saturating_sub(1), 1), &[0; 2]).is_err(), "{bits:#x}");
            assert!(block.number(5).and_then(|number| number.set_int(1)).is_err(), "{bits:#x}");
            assert!(block.set_string(|| Ok(()), c"a").is_err(), "{bits:#x}");
        };
        for bits in [0, 1, 5, 11, 12, 11 | 3 << 8, 11 | 1 << 60, u64::MAX] {
            block.item.store(bits, Relaxed);
            refuses(bits);
        }
        block.item.store(item, Relaxed);
        for bits in [9, 11, 1 << 20, 1 << 63 | 10, u64::MAX / 2 + 6, u64::MAX] {
            block.length.store(bits, Relaxed);
            refuses(bits);
        }
        block.length.store(length, Relaxed);
        for bits in [1, object.r.bits(), lock ^ 1 << 40, u64::MAX] {
            block.lock.store(bits, Relaxed);
            assert!(block.guarding().is_err() && block.read(|| Ok(()), (0, 10), &mut [0; 20]).is_err());
        }
        block.lock.store(lock, Relaxed);
        assert!(block.read(|| Ok(()), (0, 10), &mut [0; 20]).is_ok());
        shm::release(object.entry);
    }
}
