//! Parcels: messages that carry handles. A parcel is a block that holds what its handles stand for, as a ledger does,
//! so that whoever frees the parcel gives that up, too. Its data is its carriers, as many words that say what kind of
//! handle each was, the message's bytes, and papers: what is to be said of handles that go by descriptors. One without handles is a message that is lent: see `spares.rs`.
//!
//! | step                                    | a process killed right after it                          |
//! |-----------------------------------------|----------------------------------------------------------|
//! | the block is made, in its ledger        | the sweep of its slot frees the block                    |
//! | a carrier holds an object, one transaction | the same, and gives the object up                     |
//! | the queue has the block, and lost it    | see `queue/large.rs`                                     |
//! | a pipe has the block, and lost it       | see `wire/pipe/parcels.rs`                               |
//! | who got it has it in its ledger         | as the first                                             |

use super::blocks;
use super::books;
use super::carriers::carried_ref;
use super::layout::{BlockHead, Kind, Ref, Words};
use super::ledger::{self, Entry, Line};
use super::objects::{self, Data, Object, create_in, hold_by, resolve_in};
use super::pipe_block::PipeBlock;
use super::queue_block::QueueBlock;
use super::segment::{Segment, TREE};
use super::tree::tree_of;
use crate::error::{Result, fail};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What can be in one. Nothing else is looked for there: what was overwritten leads at most to one of these.
pub(super) const CONTENTS: [Kind; 12] = [
    Kind::Lock,
    Kind::RLock,
    Kind::Semaphore,
    Kind::Event,
    Kind::Barrier,
    Kind::Condition,
    Kind::Value,
    Kind::Array,
    Kind::Memory,
    Kind::Queue,
    Kind::Priority,
    Kind::Pipe,
];

/// A parcel.
#[repr(C)]
pub(crate) struct ParcelBlock {
    pub(crate) head: BlockHead,
    /// How many handles.
    count: AtomicU64,
    /// How many bytes the message has.
    len: AtomicU64,
    /// Of a message with descriptors the how manyeth such it is on its way; 0: it has none.
    pub(crate) number: AtomicU64,
}

// SAFETY: repr(C), atomics only.
unsafe impl Words for ParcelBlock {}

/// What a handle stands for.
#[derive(Clone, Copy)]
pub(crate) struct Content {
    /// None: it is in no segment, and goes with the message by a descriptor alone.
    pub(crate) object: Option<(Kind, Ref)>,
    /// What the handle is, for who makes one again.
    pub(crate) what: u64,
}

const WORDS: usize = 2 * size_of::<u64>();

impl ParcelBlock {
    fn data(&self) -> Option<(usize, Data)> {
        let data = objects::data(&self.head).filter(Data::is_words)?;
        let count = self.count.load(Relaxed);
        (count <= (data.len() / WORDS) as u64).then_some((count as usize, data))
    }

    /// The words that hold what is in it.
    pub(super) fn carriers(&self) -> &'static [AtomicU64] {
        self.data().map_or(&[], |(count, data)| &data.words()[..count])
    }

    /// The message.
    pub(crate) fn bytes(&self) -> Option<Data> {
        let (count, data) = self.data()?;
        let len = self.len.load(Relaxed) as usize;
        (len <= data.len() - count * WORDS).then(|| data.part(count * WORDS, len))
    }

    /// What is behind the message.
    pub(crate) fn papers(&self) -> Option<Data> {
        let (count, data) = self.data()?;
        let from = (self.len.load(Relaxed) as usize).checked_add(count * WORDS)?;
        Some(data.part(from, data.len().checked_sub(from)?))
    }

    /// What the handles at these places are.
    pub(crate) fn whats(&self) -> &'static [AtomicU64] {
        self.data().map_or(&[], |(count, data)| &data.words()[count..2 * count])
    }

    /// The message is as long as this.
    pub(crate) fn set_len(&self, len: usize) {
        self.len.store(len as u64, Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.carriers().len()
    }

    /// What the handle at this place stands for, held by this process from now on; None where there is no such.
    pub(crate) fn take(&self, at: usize) -> Option<Result<(Object, Kind, u64)>> {
        let (count, data) = self.data()?;
        let words = data.words();
        let r = carried_ref(words[..count].get(at)?)?;
        let kind = CONTENTS.into_iter().find(|&kind| resolve_in::<ParcelBlock>(&TREE, r, kind).is_some())?;
        let held = objects::hold(r, kind);
        Some(held.map(|entry| (Object { r, entry }, kind, words[count + at].load(Relaxed))))
    }
}

/// Makes one, in this process's ledger. What is in it is the tree's.
pub(crate) fn pack(bytes: &[u8], contents: &[Content]) -> Result<Object> {
    pack_with(bytes, &[], contents)
}

/// The same with papers.
pub(crate) fn pack_with(bytes: &[u8], papers: &[u8], contents: &[Content]) -> Result<Object> {
    let words = contents.len().checked_mul(WORDS);
    let all = words.and_then(|words| words.checked_add(bytes.len())?.checked_add(papers.len()));
    let Some(all) = all else {
        fail!(NoMemory, "{} handles are more than a message can have", contents.len())
    };
    let make = |block: &ParcelBlock| {
        block.count.store(contents.len() as u64, Relaxed);
        block.set_len(bytes.len());
    };
    let object = create_in::<ParcelBlock>(&TREE, Kind::Parcel, all.max(1), make)?;
    fill(object, bytes, papers, contents).inspect_err(|_| objects::release(object.entry))?;
    Ok(object)
}

fn fill(object: Object, bytes: &[u8], papers: &[u8], contents: &[Content]) -> Result<()> {
    let block = resolve_in::<ParcelBlock>(&TREE, object.r, Kind::Parcel);
    let Some((_, data)) = block.and_then(ParcelBlock::data) else {
        fail!(Panic, "a fresh block is not there")
    };
    data.write(contents.len() * WORDS, bytes);
    data.write(contents.len() * WORDS + bytes.len(), papers);
    let words = data.words();
    for (at, content) in contents.iter().enumerate() {
        words[contents.len() + at].store(content.what, Relaxed);
        if let Some((kind, r)) = content.object {
            hold_by(&TREE, r, kind, &words[at])?;
        }
    }
    Ok(())
}

/// The parcel that a carrier holds. Only the tree has any: what is in another segment is a stranger's.
pub(crate) fn packed(carrier: &AtomicU64) -> Option<&'static ParcelBlock> {
    let r = carried_ref(carrier).filter(|_| tree_of(carrier).0.is_tree())?;
    objects::resolve(r, Kind::Parcel)
}

/// The parcel that this process holds.
pub(crate) fn parcel(entry: Entry) -> Option<&'static ParcelBlock> {
    packed(entry.word()).filter(|_| !entry.is_named())
}

/// Where a queue or a pipe that is about to be freed names the next such.
fn behind(s: &'static Segment, r: Ref) -> Option<&'static AtomicU64> {
    let queue = resolve_in::<QueueBlock>(s, r, Kind::Queue).map(|queue| &queue.behind);
    queue.or_else(|| resolve_in::<PipeBlock>(s, r, Kind::Pipe).map(|pipe| &pipe.behind))
}

/// What a parcel that is being freed held, for the last time, and is a queue or a pipe: it waits for its turn, since
/// there may be parcels with such in it, and so on. False where it is nothing of the kind.
pub(super) fn set_aside(books: &mut books::Books, carrier: &AtomicU64, r: Ref) -> bool {
    let s = books.segment();
    let Some(next) = behind(s, r) else { return false };
    if blocks::resolve(s, r).is_none_or(|(head, _)| head.holders() > 1) {
        return false;
    }
    let waiting = &s.header().waiting;
    // Behind the first one, which may be being freed: the word that names that goes over to the next one.
    let first = carried_ref(waiting).filter(|&first| first != r).and_then(|first| behind(s, first));
    let mut tx = books.begin();
    match first {
        Some(first) => {
            tx.set(next, first.load(Relaxed));
            tx.set(first, ledger::held(r));
        }
        None => {
            tx.set(next, 0);
            tx.set(waiting, ledger::held(r));
        }
    }
    tx.set(carrier, 0);
    tx.commit();
    true
}

/// The queue or pipe that is freed after this one.
pub(super) fn next_of(s: &'static Segment, r: Ref) -> Option<Ref> {
    behind(s, r).and_then(carried_ref)
}

/// The first that waits.
pub(super) fn waiting(s: &'static Segment) -> Option<(&'static AtomicU64, Ref)> {
    let word = &s.header().waiting;
    match ledger::read(word) {
        Line::Held(r) => Some((word, r)),
        _ => None,
    }
}

const _: () = assert!(size_of::<ParcelBlock>() == 64);
