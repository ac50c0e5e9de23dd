//! A value: one number in a word of shared memory, changed by atomic operations and nothing else; or a struct,
//! copied whole under a lock.
//!
//! The word may hold more than the item's width: adding goes on in 64 bits, and whoever reads takes the low
//! bytes, which are the same. So `fetch_add` is one instruction for every integer type.
//!
//! A struct with a lock has room for itself twice. What shall be stored goes into the second half first, then
//! the word says so, then it is copied to where it belongs. Whoever holds the lock next completes what a killed
//! process began:
//!
//! | word | means                                                                   |
//! |------|-------------------------------------------------------------------------|
//! | 0    | the first half is the value                                             |
//! | else | the second half is; copying it to the first half again does no harm     |
//!
//! It changes only under the lock. A struct without one is copied as it is, by whoever wants to.

use super::Item;
use super::guarded::{self, Guarded};
use super::number::Number;
use crate::error::{Result, Status, fail};
use crate::shm::{self, Data, Kind, Object, Segment, ValueBlock};
use crate::sync::guarding::Guard;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// Makes one. `initial` holds the item's bytes.
pub(crate) fn create(
    s: &'static Segment,
    item: Item,
    guard: Guard,
    initial: Option<&[u8]>,
) -> Result<Object> {
    let bytes = takes(item, guard)?;
    let word = match item {
        Item::Struct { .. } => 0,
        _ => initial.map_or(0, bits),
    };
    let make = || {
        shm::create_in::<ValueBlock>(s, Kind::Value, bytes, |block| {
            block.item.store(item.to_word(), Relaxed);
            block.word.store(word, Relaxed);
        })
    };
    let find = |r| shm::resolve_in::<ValueBlock>(s, r, Kind::Value);
    let object = guarded::create(s, guard, make, |r| Some(&find(r)?.lock))?;
    if let (Item::Struct { .. }, Some(initial)) = (item, initial)
        && let Some(block) = find(object.r)
    {
        match block.whole() {
            Ok(whole) => whole.write(0, initial),
            Err(e) => {
                shm::release(object.entry);
                return Err(e);
            }
        }
    }
    Ok(object)
}

/// How many bytes one takes beside its block.
pub(crate) fn takes(item: Item, guard: Guard) -> Result<usize> {
    match item {
        Item::Struct { size } => data_size(size, matches!(guard, Guard::None)),
        _ => Ok(0),
    }
}

/// Makes one like `source`, which keeps its own lock. Also says what `under` said.
pub(crate) fn copy<K>(
    source: &ValueBlock,
    guard: Guard,
    keep: impl FnOnce() -> Result<K>,
) -> Result<(Object, Status)> {
    let item = source.item()?;
    let object = create(&shm::TREE, item, guard, None)?;
    let Some(block) = shm::resolve::<ValueBlock>(object.r, Kind::Value) else {
        fail!(State, "the copy was overwritten while it was made");
    };
    let copied = match item {
        Item::Struct { .. } => source.under(keep, || {
            source.whole()?.copy_to(&block.whole()?);
            Ok(())
        }),
        _ => {
            block.word.store(source.word.load(Acquire), Release);
            Ok(Status::Ok)
        }
    };
    match copied {
        Ok(status) => Ok((object, status)),
        Err(e) => {
            shm::release(object.entry);
            Err(e)
        }
    }
}

/// Little-endian bytes of an item as a word.
fn bits(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// How many bytes a struct's block has.
fn data_size(size: usize, raw: bool) -> Result<usize> {
    let twice = size.checked_next_multiple_of(64).and_then(|half| half.checked_add(size));
    match twice {
        _ if raw => Ok(size),
        Some(twice) => Ok(twice),
        None => fail!(NoMemory, "a struct of {size} bytes is more than there is memory"),
    }
}

impl Guarded for ValueBlock {
    fn lock_word(&self) -> &AtomicU64 {
        &self.lock
    }

    fn settle(&self) {
        // Acquire: the second half is complete where the word says so.
        if self.word.load(Acquire) == 0 {
            return;
        }
        if let Ok(Item::Struct { .. }) = self.item()
            && let Ok((whole, second)) = self.halves()
        {
            second.copy_to(&whole);
            self.word.store(0, Release);
        }
    }
}

impl ValueBlock {
    pub(crate) fn item(&self) -> Result<Item> {
        Item::from_word(self.item.load(Relaxed))
    }

    /// Whether one that was found by its name is as it was asked for.
    pub(crate) fn fits(&self, item: Item, guard: Guard) -> Result<()> {
        self.item()?.fits("value", item)?;
        self.lock_fits(guard)
    }

    /// The value as a number; whether it is one, its operations find out.
    pub(crate) fn number(&self) -> Result<Number<&AtomicU64>> {
        Ok(Number { item: self.item()?, bits: &self.word })
    }

    /// The same as the number's `fetch_add` for who comes often; None, and nothing was done, where it is no
    /// integer. `note` is what `note` answered once: the item that lies beside the word would make the line come
    /// twice, for reading and then for writing, where others write it all the time.
    #[inline(always)]
    pub(crate) fn fetch_add_quickly(&self, note: u64, by: i64) -> Option<i64> {
        Item::int_quickly(note, 0)?;
        Item::int_quickly(note, self.word.fetch_add(by as u64, AcqRel))
    }

    /// The item's type, which never changes.
    pub(crate) fn note(&self) -> u64 {
        self.item.load(Relaxed)
    }

    /// A struct's bytes. What the block says of itself is checked: another process may have written over it.
    pub(crate) fn whole(&self) -> Result<Data> {
        let Item::Struct { size } = self.item()? else {
            fail!(Invalid, "the value is a number");
        };
        match shm::data(&self.head) {
            Some(data) if data_size(size, self.is_raw()).is_ok_and(|bytes| bytes == data.len()) => {
                Ok(data.part(0, size))
            }
            _ => fail!(State, "the value's block in shared memory is damaged"),
        }
    }

    /// Where a struct with a lock is, and where it is stored first.
    fn halves(&self) -> Result<(Data, Data)> {
        let whole = self.whole()?;
        match shm::data(&self.head) {
            Some(data) if data.len() > whole.len() => {
                Ok((whole, data.part(data.len() - whole.len(), whole.len())))
            }
            _ => fail!(State, "the value's block in shared memory is damaged"),
        }
    }

    /// Copies the item out; `out` is as long as the item.
    pub(crate) fn get<K>(&self, keep: impl FnOnce() -> Result<K>, out: &mut [u8]) -> Result<Status> {
        if let Item::Struct { .. } = self.check_size(out.len())? {
            return self.under(keep, || {
                self.whole()?.read(0, out);
                Ok(())
            });
        }
        let word = self.word.load(Acquire).to_le_bytes();
        out.copy_from_slice(&word[..out.len()]);
        Ok(Status::Ok)
    }

    /// Stores an item given by its bytes.
    pub(crate) fn set<K>(&self, keep: impl FnOnce() -> Result<K>, bytes: &[u8]) -> Result<Status> {
        if let Item::Struct { .. } = self.check_size(bytes.len())? {
            return self.under(keep, || self.set_whole(bytes));
        }
        self.word.store(bits(bytes), Release);
        Ok(Status::Ok)
    }

    /// Stores a struct. The caller holds the lock, if there is one.
    fn set_whole(&self, bytes: &[u8]) -> Result<()> {
        if self.is_raw() {
            self.whole()?.write(0, bytes);
            return Ok(());
        }
        let (whole, second) = self.halves()?;
        second.write(0, bytes);
        // Release: the second half is complete before the word says so.
        self.word.store(1, Release);
        // And the word says so before the first half changes.
        fence(Release);
        second.copy_to(&whole);
        self.word.store(0, Release);
        Ok(())
    }

    fn check_size(&self, size: usize) -> Result<Item> {
        let item = self.item()?;
        if size != item.size() {
            fail!(Invalid, "the value has {} bytes, and the buffer {size}", item.size());
        }
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(size: usize) -> (Object, &'static ValueBlock) {
        shm::join().unwrap();
        let object =
            create(&shm::TREE, Item::of_size(size).unwrap(), Guard::Own(false), Some(&vec![1; size]))
                .unwrap();
        (object, shm::resolve(object.r, Kind::Value).unwrap())
    }

    fn got(block: &ValueBlock) -> Vec<u8> {
        let mut out = vec![0; block.item().unwrap().size()];
        block.get(|| Ok(()), &mut out).unwrap();
        out
    }

    #[test]
    fn a_store_that_was_said_to_be_complete_is_completed() {
        for size in [1, 63, 64, 65, 300, 40000] {
            let (object, block) = made(size);
            let (whole, second) = block.halves().unwrap();
            second.write(0, &vec![2; size]);
            // Killed before the word says so.
            assert_eq!(got(block), vec![1; size]);
            block.word.store(1, Relaxed);
            // Killed in the middle of the first half.
            whole.write(0, &vec![2; size / 2]);
            assert_eq!(got(block), vec![2; size]);
            assert_eq!(block.word.load(Relaxed), 0);
            shm::release(object.entry);
        }
    }

    #[test]
    fn a_block_that_was_overwritten_leads_nowhere() {
        let (object, block) = made(100);
        let (item, lock) = (block.item.load(Relaxed), block.lock.load(Relaxed));
        for bits in [0, 11, 12, 11 | 101 << 8, 11 | 1 << 40, u64::MAX] {
            block.item.store(bits, Relaxed);
            let mut out = [0; 100];
            assert!(
                block.get(|| Ok(()), &mut out).is_err() && block.set(|| Ok(()), &out).is_err(),
                "{bits:#x}"
            );
            assert!(block.whole().is_err());
            block.settle();
        }
        block.item.store(item, Relaxed);
        for bits in [1, object.r.bits(), lock ^ 1 << 40, u64::MAX] {
            block.lock.store(bits, Relaxed);
            assert!(block.guarding().is_err() && block.get(|| Ok(()), &mut [0; 100]).is_err(), "{bits:#x}");
        }
        block.lock.store(lock, Relaxed);
        assert_eq!(got(block), [1; 100]);
        shm::release(object.entry);
    }
}
