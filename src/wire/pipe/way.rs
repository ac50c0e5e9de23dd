//! One way of a pipe: a ring of bytes, and in it pieces of messages. Each begins with a word, its kind in the top byte
//! and a number below, at a multiple of 8 bytes.
//!
//! | kind       | number           | behind it                                              |
//! |------------|------------------|--------------------------------------------------------|
//! | WHOLE      | the length       | a message                                              |
//! | BEGIN      | the length       | nothing: the message comes in parts                    |
//! | PART       | the length       | the next part of that message                          |
//! | DESCRIPTOR | the how manyeth  | nothing: it is in the socket                           |
//! | PARCEL     | its carrier      | nothing: the message is outside, with handles or lent  |
//!
//! Each side has one word that says how far it is, in bytes since the pipe was made, and stores it after what it says
//! is so. So there is no state in between:
//!
//! | killed right after                        | what others find                                     |
//! |-------------------------------------------|------------------------------------------------------|
//! | the sender's lock was taken               | the lock is taken over; the ring is as it was        |
//! | bytes were written behind the end         | nobody reads there; the next sender writes over them |
//! | the sender's position was stored          | the piece is in                                      |
//! | BEGIN or a PART was sent                  | the message is torn: another piece than PART follows, and what has come is dropped; or the end |
//! | a piece was read                          | the next receiver reads it again                     |
//! | BEGIN or a PART was received              | the next receiver drops parts until a message begins |
//!
//! What is read here may have been overwritten by a stray pointer: it is checked before it is believed.

use crate::error::{Result, fail};
use crate::park::Held;
use crate::shm::{self, Data, Edge, In, PARCELS, SPARES, WayBlock};
use crate::time::Deadline;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const WORD: usize = 8;
/// Bytes of a piece of a long message: a quarter of a ring or less, so that neither side waits for the other's copy.
const PIECE: usize = 16 << 10;
const NUMBER: u64 = (1 << 56) - 1;

/// What the first word of a piece says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Whole(usize),
    Begin(usize),
    Part(usize),
    Descriptor(u64),
    Parcel(usize),
}

impl Piece {
    fn bits(self) -> u64 {
        match self {
            Piece::Whole(len) => 1 << 56 | len as u64,
            Piece::Begin(len) => 2 << 56 | len as u64,
            Piece::Part(len) => 3 << 56 | len as u64,
            Piece::Descriptor(number) => 4 << 56 | number & NUMBER,
            Piece::Parcel(carrier) => 5 << 56 | carrier as u64,
        }
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let number = bits & NUMBER;
        let len = number as usize;
        Some(match bits >> 56 {
            1 => Piece::Whole(len),
            2 => Piece::Begin(len),
            3 => Piece::Part(len),
            4 => Piece::Descriptor(number),
            5 => Piece::Parcel(len),
            _ => return None,
        })
    }

    /// Bytes behind the word.
    fn behind(self) -> usize {
        match self {
            Piece::Whole(len) | Piece::Part(len) => len,
            Piece::Begin(_) | Piece::Descriptor(_) | Piece::Parcel(_) => 0,
        }
    }

    /// Bytes in the ring.
    pub(super) fn size(self) -> u64 {
        (WORD + self.behind().next_multiple_of(WORD)) as u64
    }
}

/// One way in this process.
pub(super) struct Way {
    pub(super) block: &'static WayBlock,
    /// Of messages outside the ring.
    pub(super) carriers: &'static [AtomicU64],
    /// Of blocks for such messages.
    pub(super) spares: &'static [AtomicU64],
    ring: Data,
}

impl Way {
    /// The ring's length is a power of two.
    pub(super) fn new(
        block: &'static WayBlock,
        carriers: &'static [AtomicU64; PARCELS + SPARES],
        ring: Data,
    ) -> Self {
        let (carriers, spares) = carriers.split_at(PARCELS);
        Way { block, carriers, spares, ring }
    }

    /// Bytes of the ring.
    pub(super) fn size(&self) -> u64 {
        self.ring.len() as u64
    }

    /// The most bytes of a message that lie in one piece: both sides copy at once what has more.
    pub(super) fn longest(&self) -> usize {
        PIECE - WORD
    }

    /// Where who has the sender's lock writes. Relaxed: those before it released the lock.
    pub(super) fn tail(&self) -> u64 {
        self.block.sender.position.load(Relaxed)
    }

    /// Where who has the receiver's lock reads.
    pub(super) fn head(&self) -> u64 {
        self.block.receiver.position.load(Relaxed)
    }

    /// How many bytes can be written at a place, by what was seen of the receiver.
    pub(super) fn room(&self, tail: u64) -> u64 {
        self.size().saturating_sub(tail.wrapping_sub(self.block.sender.seen.load(Relaxed)))
    }

    /// The same, having looked anew. Acquire: what it has received was read.
    pub(super) fn room_now(&self, tail: u64) -> u64 {
        self.block.sender.seen.store(self.block.receiver.position.load(Acquire), Relaxed);
        self.room(tail)
    }

    /// An error if more than the ring has room for seems to be in it, which nobody would ever receive.
    pub(super) fn check_filled(&self, tail: u64) -> Result<()> {
        let filled = tail.wrapping_sub(self.block.receiver.position.load(Relaxed));
        if filled > self.size() { damaged() } else { Ok(()) }
    }

    /// Whether there is something to receive. Acquire: what was sent is in place.
    pub(super) fn has_come(&self) -> bool {
        self.block.sender.position.load(Acquire) != self.head()
    }

    /// Writes a piece, for which there is room; where the next one goes.
    pub(super) fn write(&self, at: u64, piece: Piece, bytes: &[u8]) -> u64 {
        self.copy_in(at, &piece.bits().to_ne_bytes());
        self.copy_in(at + WORD as u64, bytes);
        at + piece.size()
    }

    fn copy_in(&self, at: u64, bytes: &[u8]) {
        let offset = self.offset(at);
        let (first, second) = bytes.split_at(bytes.len().min(self.ring.len() - offset));
        self.ring.write(offset, first);
        if !second.is_empty() {
            self.ring.write(0, second);
        }
    }

    /// The piece at the head, if there is one.
    pub(super) fn piece(&self, head: u64) -> Result<Option<Piece>> {
        let mut filled = self.block.receiver.seen.load(Relaxed).wrapping_sub(head);
        if filled == 0 || filled > self.size() {
            // Acquire: what was sent is in place.
            let tail = self.block.sender.position.load(Acquire);
            self.block.receiver.seen.store(tail, Relaxed);
            filled = tail.wrapping_sub(head);
        }
        if filled == 0 {
            return Ok(None);
        }
        let mut word = [0; WORD];
        self.copy_out(head, &mut word);
        match Piece::from_bits(u64::from_ne_bytes(word)) {
            Some(piece)
                if piece.behind() < self.ring.len() && piece.size() <= filled && filled <= self.size() =>
            {
                Ok(Some(piece))
            }
            _ => damaged(),
        }
    }

    /// The number of the descriptors that go with the piece at the head.
    pub(super) fn number_at_head(&self) -> Option<u64> {
        match self.piece(self.head()) {
            Ok(Some(Piece::Descriptor(number))) => Some(number),
            Ok(Some(Piece::Parcel(carrier))) => self.number(carrier),
            _ => None,
        }
    }

    /// The same of the message in this carrier, if any go with it.
    pub(super) fn number(&self, carrier: usize) -> Option<u64> {
        let number = shm::packed(self.carriers.get(carrier)?)?.number.load(Relaxed);
        (number != 0).then_some(number)
    }

    /// Copies out what is behind the first word of the piece at the head.
    pub(super) fn read(&self, head: u64, out: &mut [u8]) {
        self.copy_out(head + WORD as u64, out);
    }

    fn copy_out(&self, at: u64, out: &mut [u8]) {
        let offset = self.offset(at);
        let (first, second) = out.split_at_mut(out.len().min(self.ring.len() - offset));
        self.ring.read(offset, first);
        if !second.is_empty() {
            self.ring.read(0, second);
        }
    }

    /// The same to the end of `out`, which has room for it.
    pub(super) fn append(&self, head: u64, len: usize, out: &mut Vec<u8>) {
        let offset = self.offset(head + WORD as u64);
        let first = len.min(self.ring.len() - offset);
        self.ring.append_to(offset, first, out);
        self.ring.append_to(0, len - first, out);
    }

    fn offset(&self, at: u64) -> usize {
        at as usize & (self.ring.len() - 1)
    }

    /// What is before this place was sent. Release: it is in place.
    pub(super) fn sent(&self, to: u64) {
        self.block.sender.position.store(to, Release);
    }

    /// What is before this place was received. Release: it was read.
    pub(super) fn received(&self, to: u64) {
        self.block.receiver.position.store(to, Release);
    }
}

/// Takes a side's lock; None: the time ran out.
pub(super) fn lock_side(side: &Edge, tree: &In, deadline: Deadline) -> Option<Held> {
    let held = side.lock.acquire(tree, || deadline);
    if held == Some(Held::AfterDeath) {
        // The dead one's position may be entered and not stored yet: it would be later, over ours.
        shm::settle(side);
    }
    held
}

/// What was found cannot be.
#[cold]
pub(super) fn damaged<T>() -> Result<T> {
    fail!(State, "the pipe's block in shared memory is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back() {
        let most = NUMBER as usize;
        let pieces = [
            Piece::Whole(0),
            Piece::Begin(most),
            Piece::Part(7),
            Piece::Descriptor(NUMBER),
            Piece::Parcel(most),
        ];
        for piece in pieces {
            assert_eq!(Piece::from_bits(piece.bits()), Some(piece));
        }
        assert_eq!((Piece::Whole(0).size(), Piece::Part(9).size(), Piece::Begin(9).size()), (8, 24, 8));
        for bits in [0, 7, 6 << 56, u64::MAX] {
            assert_eq!(Piece::from_bits(bits), None);
        }
    }
}
