//! Put.

use super::position::Position;
use super::ring::{Ring, damaged};
use super::side::Hold;
use super::tally::Tally;
use crate::error::{Result, fail};
use crate::park::Tree;
use crate::shm::{Object, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering::Relaxed;

/// What is put.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    Bytes(&'a [u8]),
    /// The sentinel, which is not the empty message.
    None,
    /// So many bytes of a block that this process reserved.
    Reserved(Object, usize),
}

impl<'a> Message<'a> {
    #[inline(always)]
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Message::Bytes(bytes) => bytes,
            Message::None | Message::Reserved(..) => &[],
        }
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        match self {
            Message::Reserved(_, len) => len,
            message => message.bytes().len(),
        }
    }

    /// Whether it lies outside that ring.
    #[inline(always)]
    pub(super) fn is_outside(self, ring: &Ring) -> bool {
        matches!(self, Message::Reserved(..)) || self.bytes().len() > ring.longest()
    }
}

/// What the producers' lock's holder knows before it puts.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    /// Where the lock's holder found the end.
    pub(super) from: Position,
    /// Where the next record goes; not published yet.
    pub(super) at: Position,
    /// What will have been put then.
    pub(super) tally: Tally,
}

impl Tail {
    /// One message further.
    #[inline(always)]
    pub(super) fn take(&mut self, grains: u32, bytes: usize, large: bool) {
        self.at = self.at.after(grains, large);
        self.tally.messages = self.tally.messages.wrapping_add(1);
        self.tally.bytes = self.tally.bytes.wrapping_add(bytes as u64);
    }
}

impl QueueBlock {
    pub(super) fn grows(&self) -> bool {
        self.grows.load(Relaxed) != 0
    }

    /// With the producers' lock.
    #[inline(always)]
    pub(super) fn tail(&self) -> Tail {
        let at = self.producers.own_position();
        Tail { from: at, at, tally: self.producers.own_tally(at) }
    }

    /// Whether the limits let a message of so many bytes in, by what was seen of the consumers.
    #[inline(always)]
    pub(super) fn may_enter(&self, tail: &Tail, len: usize) -> bool {
        let messages = tail.at.since(self.producers.seen()).messages;
        let bytes = tail.tally.bytes.wrapping_sub(self.producers.seen_bytes.load(Relaxed));
        u64::from(messages) < self.maxsize.load(Relaxed)
            && bytes.saturating_add(len as u64) <= self.maxbytes.load(Relaxed)
    }

    /// Whether the ring has room for so many grains, by what was seen of the consumers.
    #[inline(always)]
    pub(super) fn ring_has(&self, ring: &Ring, tail: &Tail, grains: u32) -> bool {
        // `used` is at most what 28 bits hold, and so is what a message takes: the sum does not wrap. The last
        // grain is for a link.
        let used = tail.at.since(self.producers.seen()).grains;
        used + grains + u32::from(self.grows()) <= ring.grains()
    }

    /// Looks at the consumers anew, and notes what it sees. Who are in another ring have got nothing in this one.
    pub(super) fn look_at_consumers(&self, ring: &Ring, tail: &Tail) -> Result<()> {
        let here = !self.grows() || self.producers.is_in_ring_of(&self.consumers);
        let (position, tally) = self.consumers.position_and_tally();
        let seen = if here { position } else { self.producers.seen().with_messages_of(position) };
        self.producers.seen.store(seen.bits(), Relaxed);
        self.producers.seen_bytes.store(tally.bytes, Relaxed);
        if tail.at.since(seen).grains > ring.grains() {
            return damaged();
        }
        Ok(())
    }

    /// Puts a message if that takes no more than a moment and nobody has to be waited for.
    #[inline(always)]
    pub(crate) fn put_quickly<T: Tree>(&self, tree: &T, message: Message<'_>) -> Result<bool> {
        let Some(hold) = self.producers.hold_quickly(tree) else { return Ok(false) };
        if self.gate.load(Relaxed) != 0 {
            return Ok(false);
        }
        let ring = Ring::of(&self.producers)?;
        let mut tail = self.tail();
        if !self.place(&ring, &mut tail, message)? {
            return Ok(false);
        }
        self.publish_put(hold, &tail);
        Ok(true)
    }

    /// Writes a message into the ring, at the tail that moves on; false where it does not fit.
    #[inline(always)]
    pub(super) fn place(&self, ring: &Ring, tail: &mut Tail, message: Message<'_>) -> Result<bool> {
        let bytes = message.bytes();
        if message.is_outside(ring) {
            return Ok(false);
        }
        let place = ring.place(tail.at.at(), bytes.len());
        if !self.may_enter(tail, bytes.len()) || !self.ring_has(ring, tail, place.grains) {
            self.look_at_consumers(ring, tail)?;
            if !self.may_enter(tail, bytes.len()) || !self.ring_has(ring, tail, place.grains) {
                return Ok(false);
            }
        }
        match message {
            Message::Bytes(_) => ring.write(place, bytes),
            _ => ring.write_none(place),
        }
        tail.take(place.grains, bytes.len(), false);
        Ok(true)
    }

    /// Puts a message, waiting for room. `open` fails once the caller's handle is not to be used any more.
    #[cold]
    #[inline(never)]
    pub(crate) fn put<T: Tree>(
        &self,
        tree: &T,
        message: Message<'_>,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let len = message.len();
        let most = self.maxbytes.load(Relaxed);
        if len as u64 > most {
            fail!(Invalid, "the message has {len} bytes, and the queue is for {most} at a time");
        }
        loop {
            open()?;
            let Some(hold) = self.producers.hold(tree, deadline) else {
                fail!(Full, "other processes were putting messages all the time");
            };
            self.check_open_for_puts()?;
            if self.put_held(hold, message)? {
                return Ok(());
            }
            if !self.wait_for_room(tree, message, deadline, &open) {
                open()?;
                self.check_open_for_puts()?;
                let messages = self.used().messages;
                fail!(
                    Full,
                    "there are {messages} messages in the queue, and no room for another of {len} bytes"
                );
            }
        }
    }

    /// With the lock, which this releases: false when there is no room.
    fn put_held<T: Tree>(&self, hold: Hold<'_, T>, message: Message<'_>) -> Result<bool> {
        let len = message.len();
        loop {
            let ring = Ring::of(&self.producers)?;
            let mut tail = self.tail();
            if self.place(&ring, &mut tail, message)? {
                self.publish_put(hold, &tail);
                return Ok(true);
            }
            self.look_at_consumers(&ring, &tail)?;
            if !self.may_enter(&tail, len) {
                return Ok(false);
            }
            let is_reserved = matches!(message, Message::Reserved(..));
            if message.is_outside(&ring)
                && (is_reserved || !self.wants_longer_ring(&ring))
                && self.place_large(&ring, &mut tail, message)?
            {
                self.publish_put(hold, &tail);
                return Ok(true);
            }
            if !self.grows() {
                return Ok(false);
            }
            self.link(&ring)?;
        }
    }

    /// The messages are in.
    #[inline(always)]
    pub(super) fn publish_put<T: Tree>(&self, hold: Hold<'_, T>, tail: &Tail) {
        let waking = self.message.announce(hold.tree());
        self.producers.publish(tail.at, tail.tally);
        self.wake_after_put(hold, tail, waking);
    }
}
