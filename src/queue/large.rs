//! Messages outside the ring: more than a quarter of it. Each lies in a block of bytes that one of the ring's
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

use super::get::Head;
use super::parcels::Packed;
use super::position::{GRAIN, Position};
use super::put::{Message, Tail};
use super::ring::{Ring, damaged};
use super::side::Hold;
use crate::error::{Result, fail};
use crate::park::Tree;
use crate::shm::{self, BytesBlock, Data, Entry, Kind, LARGE, Object, QueueBlock, RingBlock};
use std::sync::atomic::Ordering::Relaxed;

/// What is in flight together in a queue that does not grow is at most this, or the ring's length if that is more,
/// or one message.
const IN_FLIGHT: usize = 1 << 20;
/// Larger blocks are not kept as spares.
const SPARE: usize = 2 << 20;
/// How many are kept in a queue that grows, and that may have many in flight.
const SPARES: usize = 2;
/// What the blocks' sizes are multiples of.
const STEP: usize = 64 << 10;

/// Which carriers are in flight.
struct Flight {
    count: usize,
    bytes: usize,
    /// A bit for each.
    busy: u32,
}

impl RingBlock {
    fn flight(&self, head: Position, tail: Position) -> Option<Flight> {
        let count = tail.large_since(head);
        if count > LARGE {
            return None;
        }
        let mut flight = Flight { count, bytes: 0, busy: 0 };
        for n in 0..count {
            let turn = (usize::from(head.large()) + n) % LARGE;
            let carrier = self.order[turn].load(Relaxed) as usize % LARGE;
            flight.busy |= 1 << carrier;
            flight.bytes = flight.bytes.saturating_add(self.lengths[carrier].load(Relaxed) as usize);
        }
        Some(flight)
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
        let make = || shm::create_in::<BytesBlock>(shm::tree_of(self).0, Kind::Bytes, size, |_| {});
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

    /// A carrier that is not busy, with the block that this process held.
    fn take_in(&self, busy: u32, object: Object) -> Result<usize> {
        let is_bare = |&carrier: &usize| self.carriers[carrier].load(Relaxed) == 0;
        let idle = || (0..LARGE).filter(|carrier| busy & 1 << carrier == 0);
        let Some(carrier) = idle().find(is_bare).or(idle().next_back()) else { return damaged() };
        shm::drop_carried(&self.carriers[carrier]);
        if !shm::carry(object, &self.carriers[carrier]) {
            fail!(Invalid, "another thread has committed or cancelled the same");
        }
        Ok(carrier)
    }
}

impl QueueBlock {
    /// Whether one more of `len` bytes may go up.
    fn may_start(&self, ring: &Ring, flight: &Flight, len: usize) -> bool {
        let most = if self.grows() { usize::MAX } else { IN_FLIGHT.max(ring.grains() as usize * GRAIN) };
        flight.count == 0 || (flight.count < LARGE && flight.bytes.saturating_add(len) <= most)
    }

    /// See [`QueueBlock::has_room`], of a queue that does not grow.
    pub(super) fn has_large_room(&self, ring: &Ring, head: Position, tail: Position, len: usize) -> bool {
        let flight = shm::ring_of(&self.producers).and_then(|block| block.flight(head, tail));
        let Some(flight) = flight else { return true };
        self.may_start(ring, &flight, len) && self.has_room(Message::None)
    }

    /// With the producers' lock, who have just looked at the consumers: puts the message into a block, and its record
    /// into the ring, at the tail that moves on; false where it does not fit.
    #[cold]
    #[inline(never)]
    pub(super) fn place_large(&self, ring: &Ring, tail: &mut Tail, message: Message<'_>) -> Result<bool> {
        let len = message.len();
        let Some(block) = shm::ring_of(&self.producers) else { return damaged() };
        let Some(flight) = block.flight(self.producers.seen(), tail.at) else { return damaged() };
        let place = ring.place(tail.at.at(), 0);
        if !self.ring_has(ring, tail, place.grains) || !self.may_start(ring, &flight, len) {
            return Ok(false);
        }
        let carrier = match message {
            Message::Reserved(object, _) => block.take_in(flight.busy, object)?,
            _ => {
                let (carrier, data) = block.block_for(flight.busy, len)?;
                data.write(0, message.bytes());
                carrier
            }
        };
        block.lengths[carrier].store(len as u64, Relaxed);
        block.order[usize::from(tail.at.large()) % LARGE].store(carrier as u64, Relaxed);
        ring.write_large(place, carrier);
        tail.take(place.grains, len, true);
        Ok(true)
    }

    /// With the consumers' lock, which this releases.
    #[cold]
    #[inline(never)]
    pub(super) fn get_large<R, T: Tree>(
        &self,
        hold: Hold<'_, T>,
        carrier: usize,
        (mut head, grains): (Head, u32),
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
        parcel: Option<&mut Option<Entry>>,
    ) -> Result<R> {
        let Some(ring) = shm::ring_of(&self.consumers) else { return damaged() };
        let len = ring.lengths[carrier].load(Relaxed) as usize;
        if let Some(block) = shm::packed(&ring.carriers[carrier]) {
            let message = Packed { block, carrier: &ring.carriers[carrier], len };
            return self.get_parcel(hold, message, (head, grains), take, parcel);
        }
        let block = shm::carried(&ring.carriers[carrier]).and_then(|block| shm::data(&block.head));
        let Some(data) = block.filter(|data| data.len() >= len) else { return damaged() };
        let taken = take(Some(data.part(0, len)));
        head.take(grains, len, true);
        let is_spare = data.len() <= SPARE && (!self.grows() || carrier < SPARES);
        if taken.is_err() || is_spare {
            return self.publish_get(hold, &head, taken);
        }
        // Without memory for an entry of the ledger the block stays as a spare.
        let to = head.at.turned();
        self.consumers.prepare(to, head.tally);
        let waking = self.announce_room(&hold);
        match shm::take_carried(&ring.carriers[carrier], &self.consumers.position, to.bits()) {
            Ok(Some(entry)) => {
                self.wake_after_get(hold, &head, waking);
                shm::release(entry);
                taken
            }
            _ => self.publish_get(hold, &head, taken),
        }
    }
}
