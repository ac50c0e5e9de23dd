//! A list of fixed length in shared memory: each item has a slot that it may change its type in.
//!
//! The memory begins with a mark and the number of items. Then three words for each: what it is with its length,
//! where its slot is, and how many bytes the slot has. Then the slots. All of it may be overwritten by any
//! process, at any time: each call reads each word once, and checks what it read before it follows it.

use super::memory;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, Data, Kind, MemoryBlock, Object, Segment};

/// "mplist" and the format's number.
const MARK: u64 = 0x6D70_6C69_7374_0001;
const WORD: usize = 8;
const HEADER: usize = 2 * WORD;
const ENTRY: usize = 3 * WORD;
/// Text and bytes are shorter.
const LONGEST: usize = 10 << 20;
/// Above the length, in an entry's first word.
const TYPE_AT: u32 = 56;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Int(i64),
    Double(f64),
    Bool(bool),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
}

/// The same in the list, the text or the bytes still being there.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    None,
    Int(i64),
    Double(f64),
    Bool(bool),
    Text(Data),
    Bytes(Data),
}

impl Value<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Value::Text(bytes) | Value::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// What its slot has room for: numbers always, and as much text or bytes, in whole words.
    fn room(&self) -> usize {
        (self.bytes().len() / WORD + 1) * WORD
    }

    fn check(&self) -> Result<()> {
        let len = self.bytes().len();
        if len >= LONGEST {
            fail!(Invalid, "an item of {len} bytes is too long: less than {LONGEST} it must have");
        }
        if let Value::Text(text) = self
            && text.contains(&0)
        {
            fail!(Invalid, "the text has a NUL in it: store it as bytes");
        }
        Ok(())
    }
}

/// An item's entry, checked: the slot lies in the memory.
struct Entry {
    what: u64,
    slot: Data,
}

/// A list, found in memory.
#[derive(Clone, Copy)]
pub(crate) struct List {
    data: Data,
    count: usize,
}

/// Makes one.
pub(crate) fn create(s: &'static Segment, items: &[Value<'_>]) -> Result<Object> {
    let object = memory::create(s, takes(items)?)?;
    let filled = find(s, object).and_then(|data| fill(data, items));
    filled.map(|()| object).inspect_err(|_| shm::release(object.entry))
}

/// How many bytes one takes.
pub(crate) fn takes(items: &[Value<'_>]) -> Result<usize> {
    let table = items.len().checked_mul(ENTRY).and_then(|bytes| bytes.checked_add(HEADER));
    let mut size = table.ok_or_else(too_many)?;
    for item in items {
        item.check()?;
        size = size.checked_add(item.room()).ok_or_else(too_many)?;
    }
    Ok(size)
}

fn too_many() -> Error {
    Error::new(Status::NoMemory, "so many items are more than there is memory")
}

fn find(s: &'static Segment, object: Object) -> Result<Data> {
    match shm::resolve_in::<MemoryBlock>(s, object.r, Kind::Memory) {
        Some(block) => block.data(),
        None => Err(damaged()),
    }
}

fn fill(data: Data, items: &[Value<'_>]) -> Result<()> {
    let list = List { data, count: items.len() };
    let mut at = HEADER + items.len() * ENTRY;
    for (index, item) in items.iter().enumerate() {
        let entry = HEADER + index * ENTRY;
        data.part(entry + WORD, WORD).store(at as u64);
        data.part(entry + 2 * WORD, WORD).store(item.room() as u64);
        at += item.room();
        list.set(index, *item)?;
    }
    data.part(WORD, WORD).store(items.len() as u64);
    data.part(0, WORD).store(MARK);
    Ok(())
}

#[cold]
fn damaged() -> Error {
    Error::new(Status::State, "the memory holds no list, or a damaged one")
}

impl List {
    /// The list that the memory holds.
    pub(crate) fn of(data: Data) -> Result<Self> {
        if data.len() < HEADER || data.part(0, WORD).load() != MARK {
            return Err(damaged());
        }
        let count = usize::try_from(data.part(WORD, WORD).load()).map_err(|_| damaged())?;
        match count.checked_mul(ENTRY) {
            Some(table) if table <= data.len() - HEADER => Ok(List { data, count }),
            _ => Err(damaged()),
        }
    }

    /// Whether one that was found by its name is as it was asked for: as many items, with as much room. What they are
    /// now is no matter. None: any list.
    pub(crate) fn fits(&self, items: Option<&[Value<'_>]>) -> Result<()> {
        let Some(items) = items else { return Ok(()) };
        if items.len() != self.count {
            fail!(
                Invalid,
                "the list that has the name has {} items, and {} are asked for",
                self.count,
                items.len()
            );
        }
        for (index, item) in items.iter().enumerate() {
            let (has, asked) = (self.entry(index)?.slot.len(), item.room());
            if has != asked {
                fail!(
                    Invalid,
                    "in the list that has the name item {index} has room for {has} bytes, and {asked} are asked for"
                );
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn word(&self, index: usize, which: usize) -> Data {
        self.data.part(HEADER + index * ENTRY + which * WORD, WORD)
    }

    fn entry(&self, index: usize) -> Result<Entry> {
        if index >= self.count {
            fail!(Invalid, "index {index} is out of range: the list has {} items", self.count);
        }
        let number = |which| usize::try_from(self.word(index, which).load()).map_err(|_| damaged());
        let (at, room) = (number(1)?, number(2)?);
        let inside = at.checked_add(room).is_some_and(|end| end <= self.data.len());
        if !inside || room < WORD || !at.is_multiple_of(WORD) || at < HEADER + self.count * ENTRY {
            return Err(damaged());
        }
        Ok(Entry { what: self.word(index, 0).load(), slot: self.data.part(at, room) })
    }

    pub(crate) fn get(&self, index: usize) -> Result<Found> {
        let Entry { what, slot } = self.entry(index)?;
        let bits = || slot.part(0, WORD).load();
        let len = (what & ((1 << TYPE_AT) - 1)) as usize;
        let bytes = || if len <= slot.len() { Ok(slot.part(0, len)) } else { Err(damaged()) };
        Ok(match what >> TYPE_AT {
            0 => Found::None,
            1 => Found::Int(bits() as i64),
            2 => Found::Double(f64::from_bits(bits())),
            3 => Found::Bool(bits() != 0),
            4 => Found::Text(bytes()?),
            5 => Found::Bytes(bytes()?),
            _ => return Err(damaged()),
        })
    }

    pub(crate) fn set(&self, index: usize, item: Value<'_>) -> Result<()> {
        item.check()?;
        let slot = self.entry(index)?.slot;
        let bytes = item.bytes();
        if bytes.len() > slot.len() {
            fail!(Invalid, "{} bytes exceed the item's room, which is {} bytes", bytes.len(), slot.len());
        }
        let number = slot.part(0, WORD);
        let kind: u64 = match item {
            Value::None => 0,
            Value::Int(to) => {
                number.store(to as u64);
                1
            }
            Value::Double(to) => {
                number.store(to.to_bits());
                2
            }
            Value::Bool(to) => {
                number.store(to.into());
                3
            }
            Value::Text(_) => 4,
            Value::Bytes(_) => 5,
        };
        slot.write(0, bytes);
        self.word(index, 0).store(kind << TYPE_AT | bytes.len() as u64);
        Ok(())
    }

    /// Whether an item is of the same type and the same value.
    fn is(&self, index: usize, item: Value<'_>) -> Result<bool> {
        Ok(match (self.get(index)?, item) {
            (Found::None, Value::None) => true,
            (Found::Int(a), Value::Int(b)) => a == b,
            (Found::Double(a), Value::Double(b)) => a == b,
            (Found::Bool(a), Value::Bool(b)) => a == b,
            (Found::Text(a), Value::Text(b)) | (Found::Bytes(a), Value::Bytes(b)) => a.is(b),
            _ => false,
        })
    }

    /// The first such item from `from` on.
    pub(crate) fn index(&self, item: Value<'_>, from: usize) -> Result<Option<usize>> {
        for index in from..self.count {
            if self.is(index, item)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// How many such items there are.
    pub(crate) fn count(&self, item: Value<'_>) -> Result<usize> {
        let mut found = 0;
        for index in 0..self.count {
            found += usize::from(self.is(index, item)?);
        }
        Ok(found)
    }

    /// The item's type as Python's `struct` module writes it: for text and bytes, how much there is room for.
    pub(crate) fn format(&self, index: usize) -> Result<String> {
        let room = self.entry(index)?.slot.len();
        Ok(match self.get(index)? {
            Found::None => "xxxxxx?x".into(),
            Found::Int(_) => "q".into(),
            Found::Double(_) => "d".into(),
            Found::Bool(_) => "xxxxxxx?".into(),
            Found::Text(_) | Found::Bytes(_) => format!("{room}s"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(items: &[Value<'_>]) -> (Object, List) {
        shm::join().unwrap();
        let object = create(&shm::TREE, items).unwrap();
        (object, List::of(find(&shm::TREE, object).unwrap()).unwrap())
    }

    #[test]
    fn whatever_the_words_are_no_call_leaves_the_memory() {
        let items = [Value::Int(5), Value::Text(b"abc"), Value::Bytes(&[0; 20]), Value::None];
        let (object, list) = made(&items);
        let data = find(&shm::TREE, object).unwrap();
        let size = data.len() as u64;
        let hostile = [
            0,
            1,
            7,
            8,
            15,
            16,
            size - 8,
            size - 1,
            size,
            size + 8,
            1 << 55,
            5 << 56 | size,
            4 << 56 | 1 << 40,
            6 << 56,
            u64::MAX,
            u64::MAX - 7,
            i64::MAX as u64,
        ];
        for word in 0..data.len() / WORD {
            let was = data.part(word * WORD, WORD).load();
            for bits in hostile {
                data.part(word * WORD, WORD).store(bits);
                if let Ok(list) = List::of(data) {
                    for index in (0..list.len().min(6)).chain([list.len(), usize::MAX]) {
                        let _ = list.get(index).map(|found| match found {
                            Found::Text(bytes) | Found::Bytes(bytes) => bytes.len(),
                            _ => 0,
                        });
                        let _ = list.format(index);
                    }
                    let _ = list.count(Value::Int(5));
                    let _ = list.index(Value::Text(b"abc"), 0);
                }
                data.part(word * WORD, WORD).store(was);
            }
        }
        assert!(list.is(1, Value::Text(b"abc")).unwrap());
        shm::release(object.entry);
    }

    #[test]
    fn a_store_where_the_slot_lies_elsewhere_is_refused() {
        let (object, list) = made(&[Value::Int(5), Value::Int(6)]);
        let data = find(&shm::TREE, object).unwrap();
        for at in [0, 8, HEADER as u64, HEADER as u64 + 8, data.len() as u64, data.len() as u64 - 4, u64::MAX]
        {
            list.word(0, 1).store(at);
            assert_eq!(list.set(0, Value::Int(9)).unwrap_err().status, Status::State, "{at}");
        }
        assert!(list.is(1, Value::Int(6)).unwrap());
        shm::release(object.entry);
    }
}
