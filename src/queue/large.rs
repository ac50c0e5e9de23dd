//! Messages outside the ring: more than a quarter of it. Each lies in a block of bytes that one of the queue's
//! carriers holds, and the record in the ring says which.
//!
//! A carrier is in flight from the store of the position that publishes its record to the store that takes the
//! record back; the n-th such message is in carrier `order[n % LARGE]`, so producers know which ones those are.
//! The others hold spare blocks, or nothing, and are for the producers' lock's holder to use.
//!
//! | step                                            | a process killed right after it               |
//! |-------------------------------------------------|-----------------------------------------------|
//! | put: a block is made, in its ledger             | the sweep of its slot frees the block         |
//! | put: the block goes to a carrier, one transaction | the carrier has a spare block               |
//! | put: bytes, length and order are written        | the same                                      |
//! | put: the position is stored                     | the message is in                             |
//! | get: the bytes are copied out                   | the message is there for the next consumer    |
//! | get: the position is stored                     | the message is gone, the carrier has a spare  |
//! | get, of a big one: position stored and block taken from the carrier, one transaction | the message is gone, and the sweep frees the block |
//!
//! At no step is the block held by nobody, and at none does a message that is in have no block.

use super::bounded::Message;
use super::position::Position;
use super::ring::{Ring, damaged};
use super::side::Hold;
use crate::error::Result;
use crate::shm::{self, BytesBlock, Data, Kind, LARGE, QueueBlock};
use std::sync::atomic::Ordering::Relaxed;

/// What is in flight together is at most this, or the ring's length if that is more, or one message.
const IN_FLIGHT: usize = 1 << 20;
/// Larger blocks are not kept as spares.
const SPARE: usize = 2 << 20;
/// What the blocks' sizes are multiples of.
const STEP: usize = 64 << 10;

/// Which carriers are in flight.
struct Flight {
    count: usize,
    bytes: usize,
    /// A bit for each.
    busy: u32,
}

impl QueueBlock {
    fn flight(&self, head: Position, tail: Position) -> Option<Flight> {
        let count = usize::from(tail.large().wrapping_sub(head.large()));
        if count > LARGE {
            return None;
        }
        let mut flight = Flight { count, bytes: 0, busy: 0 };
        for n in 0..count {
            let turn = usize::from(head.large().wrapping_add(n as u8)) % LARGE;
            let carrier = self.order[turn].load(Relaxed) as usize % LARGE;
            flight.busy |= 1 << carrier;
            flight.bytes = flight.bytes.saturating_add(self.lengths[carrier].load(Relaxed) as usize);
        }
        Some(flight)
    }

    /// Whether one more of `len` bytes may go up.
    fn may_start(&self, ring: &Ring, flight: &Flight, len: usize) -> bool {
        let most = IN_FLIGHT.max(ring.grains() as usize * 8);
        flight.count == 0 || (flight.count < LARGE && flight.bytes.saturating_add(len) <= most)
    }

    /// See [`QueueBlock::has_room`].
    pub(super) fn has_large_room(&self, ring: &Ring, bytes: &[u8]) -> bool {
        let (head, tail) = (self.consumers.position(), self.producers.position());
        let Some(flight) = self.flight(head, tail) else { return true };
        self.may_start(ring, &flight, bytes.len()) && self.has_room(Message::None)
    }

    /// With the producers' lock, which this releases: false when there is no room.
    #[cold]
    #[inline(never)]
    pub(super) fn put_large(&self, hold: Hold<'_>, ring: &Ring, bytes: &[u8]) -> Result<bool> {
        let tail = self.producers.own_position();
        let head = self.producers.look_at(&self.consumers);
        let place = ring.place(tail.at(), 0);
        let Some(flight) = self.flight(head, tail) else { return damaged() };
        if !self.has_room(Message::None) || !self.may_start(ring, &flight, bytes.len()) {
            return Ok(false);
        }
        let (carrier, data) = self.block_for(flight.busy, bytes.len())?;
        data.write(0, bytes);
        self.lengths[carrier].store(bytes.len() as u64, Relaxed);
        self.order[usize::from(tail.large()) % LARGE].store(carrier as u64, Relaxed);
        ring.write_large(place, carrier);
        self.publish_put(hold, tail, tail.after(place.grains, true));
        Ok(true)
    }

    /// A carrier that is not busy, with a block of at least `len` bytes.
    fn block_for(&self, busy: u32, len: usize) -> Result<(usize, Data)> {
        let idle = || (0..LARGE).filter(|carrier| busy & 1 << carrier == 0);
        let room = |carrier: usize| shm::data(&shm::carried(&self.carriers[carrier])?.head);
        // The first ones first: the fewer are in use, the warmer they are.
        for carrier in idle() {
            if let Some(data) = room(carrier).filter(|data| data.len() >= len) {
                return Ok((carrier, data));
            }
        }
        let Some(carrier) = idle().next() else { return damaged() };
        shm::drop_carried(&self.carriers[carrier]);
        let size = len.checked_next_multiple_of(STEP).unwrap_or(len);
        let make = || shm::create::<BytesBlock>(Kind::Bytes, size, |_| {});
        let object = make().or_else(|_| {
            // What is full may be full of our own spares.
            idle().for_each(|spare| shm::drop_carried(&self.carriers[spare]));
            make()
        })?;
        shm::carry(object, &self.carriers[carrier]);
        match room(carrier).filter(|data| data.len() >= len) {
            Some(data) => Ok((carrier, data)),
            None => damaged(),
        }
    }

    /// With the consumers' lock, which this releases.
    #[cold]
    #[inline(never)]
    pub(super) fn get_large<R>(
        &self,
        hold: Hold<'_>,
        carrier: usize,
        from: Position,
        to: Position,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<R> {
        let len = self.lengths[carrier].load(Relaxed) as usize;
        let block = shm::carried(&self.carriers[carrier]).and_then(|block| shm::data(&block.head));
        let Some(data) = block.filter(|data| data.len() >= len) else { return damaged() };
        let taken = take(Some(data.part(0, len)));
        if taken.is_err() || data.len() <= SPARE {
            return self.publish_get(hold, from, to, taken);
        }
        // Without memory for an entry of the ledger the block stays as a spare.
        let position = &self.consumers.position;
        match shm::take_carried(&self.carriers[carrier], position, to.bits()) {
            Ok(Some(entry)) => {
                self.end_get(hold, from, to);
                shm::release(entry);
                taken
            }
            _ => self.publish_get(hold, from, to, taken),
        }
    }
}
