//! Records in the ring. Each begins with a word: its kind in the top byte, and a number below.
//!
//! | kind  | number            | behind it                                              |
//! |-------|-------------------|--------------------------------------------------------|
//! | BYTES | the length        | the message, padded to a grain                         |
//! | NONE  | 0                 | nothing: the message "none"                            |
//! | LARGE | a carrier's index | nothing: the message is in the block that it holds     |
//! | SKIP  | 0                 | nothing of use up to the ring's end; another record follows at its begin |
//! | LINK  | 0                 | nothing: what comes after it is in the next ring        |
//!
//! What is read here may have been overwritten by a stray pointer: it is checked before it is believed.

use super::position::{GRAIN, LONGEST};
use crate::error::{Result, fail};
use crate::shm::{self, Data, Side};

const BYTES: u64 = 1 << 56;
const NONE: u64 = 2 << 56;
const LARGE: u64 = 3 << 56;
const SKIP: u64 = 4 << 56;
const LINK: u64 = 5 << 56;
const NUMBER: u64 = (1 << 56) - 1;

/// The shortest ring, in bytes. A record is at most a quarter of it and a grain, and so is what it may have to
/// skip, so every record fits into an empty ring.
pub(super) const SHORTEST: usize = 256;

/// How far ahead both sides tell the processor what they will want: of 128 to 1024 bytes this did best where two
/// processes do nothing but put and get.
const AHEAD: usize = 256;
/// More of a record than that is too much to be on its way at once.
const MOST_AHEAD: usize = 2048;
/// A shorter ring has no place that is far from the other side.
const WORTH: usize = 16 << 10;

/// The ring's bytes in this process.
#[derive(Clone, Copy)]
pub(super) struct Ring {
    data: Data,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Where the message is, and how long.
    Bytes {
        offset: usize,
        len: usize,
    },
    None,
    Large {
        carrier: usize,
    },
    Link,
}

/// Room for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it would begin if it fitted before the ring's end.
    from: usize,
    /// Where it begins.
    offset: usize,
    /// Grains in all, what is skipped included.
    pub(super) grains: u32,
}

impl Ring {
    #[inline(always)]
    pub(super) fn of(side: &Side) -> Result<Self> {
        match shm::ring_data(side) {
            Some(data) if data.len().is_power_of_two() && (SHORTEST..=LONGEST).contains(&data.len()) => {
                Ok(Ring { data })
            }
            _ => damaged(),
        }
    }

    #[inline(always)]
    pub(super) fn grains(&self) -> u32 {
        (self.data.len() / GRAIN) as u32
    }

    /// The longest message that lies in the ring itself.
    #[inline(always)]
    pub(super) fn longest(&self) -> usize {
        self.data.len() / 4
    }

    #[inline(always)]
    fn offset(&self, at: u32) -> usize {
        (at as usize * GRAIN) & (self.data.len() - 1)
    }

    /// Room for a record with `bytes` behind its word.
    #[inline(always)]
    pub(super) fn place(&self, at: u32, bytes: usize) -> Place {
        let from = self.offset(at);
        let size = GRAIN + bytes.next_multiple_of(GRAIN);
        let rest = self.data.len() - from;
        match size <= rest {
            true => Place { from, offset: from, grains: (size / GRAIN) as u32 },
            false => Place { from, offset: 0, grains: ((rest + size) / GRAIN) as u32 },
        }
    }

    #[inline(always)]
    pub(super) fn write(&self, place: Place, bytes: &[u8]) {
        self.hint(place.offset + GRAIN + bytes.len(), bytes.len(), Data::will_write);
        self.set(place, BYTES | bytes.len() as u64);
        self.data.write(place.offset + GRAIN, bytes);
    }

    pub(super) fn write_none(&self, place: Place) {
        self.set(place, NONE);
    }

    pub(super) fn write_large(&self, place: Place, carrier: usize) {
        self.set(place, LARGE | carrier as u64);
    }

    /// At a position, without a skip: one grain is left everywhere.
    pub(super) fn write_link(&self, at: u32) {
        self.data.write(self.offset(at), &LINK.to_ne_bytes());
    }

    #[inline(always)]
    fn set(&self, place: Place, word: u64) {
        if place.offset != place.from {
            self.data.write(place.from, &SKIP.to_ne_bytes());
        }
        self.data.write(place.offset, &word.to_ne_bytes());
    }

    #[inline(always)]
    fn word(&self, offset: usize) -> u64 {
        let mut word = [0; GRAIN];
        self.data.read(offset, &mut word);
        u64::from_ne_bytes(word)
    }

    /// The record at a place that `filled` grains follow, and how many of them are its own.
    #[inline(always)]
    pub(super) fn read(&self, at: u32, filled: u32) -> Result<(Record, u32)> {
        let mut offset = self.offset(at);
        let mut skipped = 0;
        let mut word = self.word(offset);
        if word == SKIP {
            skipped = self.data.len() - offset;
            offset = 0;
            word = self.word(0);
        }
        let number = word & NUMBER;
        let (record, behind) = match word & !NUMBER {
            BYTES if number <= self.longest() as u64 => {
                let len = number as usize;
                (Record::Bytes { offset: offset + GRAIN, len }, len.next_multiple_of(GRAIN))
            }
            NONE => (Record::None, 0),
            LINK => (Record::Link, 0),
            LARGE if number < shm::LARGE as u64 => (Record::Large { carrier: number as usize }, 0),
            _ => return damaged(),
        };
        let grains = ((skipped + GRAIN + behind) / GRAIN) as u32;
        if offset + GRAIN + behind > self.data.len() || grains > filled {
            return damaged();
        }
        if (grains as usize * GRAIN) + AHEAD + behind < filled as usize * GRAIN {
            self.hint(offset + GRAIN + behind, behind, Data::will_read);
        }
        Ok((record, grains))
    }

    /// Behind the end of a record: a little further on there will be another one, of as many bytes if they are all alike.
    /// The other side was there last, so it lies in that one's cache.
    #[inline(always)]
    fn hint(&self, end: usize, bytes: usize, hint: impl Fn(&Data, usize, usize)) {
        if self.data.len() >= WORTH {
            hint(&self.data, (end + AHEAD) & (self.data.len() - 1), (GRAIN + bytes).min(MOST_AHEAD));
        }
    }

    /// A part of the ring.
    #[inline(always)]
    pub(super) fn part(&self, offset: usize, len: usize) -> Data {
        self.data.part(offset, len)
    }
}

/// What was found cannot be.
#[cold]
pub(super) fn damaged<T>() -> Result<T> {
    fail!(State, "the queue's block in shared memory is damaged")
}
