//! Put and get.

use super::position::{Between, LONGEST};
use super::ring::{Record, Ring, SHORTEST, damaged};
use super::side::Hold;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, Data, Kind, Object, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering;

/// What is put.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    Bytes(&'a [u8]),
    /// The sentinel, which is not the empty message.
    None,
}

/// The ring that whoever names no size gets.
const USUAL: usize = 64 << 10;

/// Makes one with a ring of at least `bytes`, for at most `maxsize` messages; 0: the usual, no limit.
pub(crate) fn create(bytes: usize, maxsize: usize) -> Result<Object> {
    let bytes = if bytes == 0 { USUAL } else { bytes.max(SHORTEST) };
    let bytes = match bytes.checked_next_power_of_two() {
        Some(bytes) if bytes <= LONGEST => bytes,
        _ => fail!(Invalid, "a ring of {bytes} bytes is asked for, and {LONGEST} is the most"),
    };
    shm::create::<QueueBlock>(Kind::Queue, bytes, |block| {
        block.maxsize.store(maxsize as u64, Ordering::Relaxed);
    })
}

/// Whether a message of `grains` fits behind what is there.
#[inline(always)]
pub(super) fn fits(block: &QueueBlock, ring: &Ring, used: Between, grains: u32) -> bool {
    let maxsize = block.maxsize.load(Ordering::Relaxed);
    // `used` is at most what 28 bits hold, and so is what a message takes: the sum does not wrap.
    used.grains + grains <= ring.grains() && (maxsize == 0 || u64::from(used.messages) < maxsize)
}

impl QueueBlock {
    /// Puts a message, waiting for room. `stay` keeps the queue for as long as this sleeps.
    #[inline(always)]
    pub(crate) fn put<P>(
        &self,
        message: Message<'_>,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
    ) -> Result<()> {
        // What hands a block on needs the queue to stay, also when another thread frees its handle.
        if !self.is_large(message)
            && let Some(hold) = self.producers.hold_quickly()
            && self.put_held(hold, message)?
        {
            return Ok(());
        }
        let _stay = stay()?;
        self.put_patiently(message, Deadline::after(timeout))
    }

    /// Whether the message lies outside the ring.
    #[inline(always)]
    fn is_large(&self, message: Message<'_>) -> bool {
        let size = self.head.size.load(Ordering::Relaxed) as usize;
        matches!(message, Message::Bytes(bytes) if bytes.len() > size / 4)
    }

    /// With the lock, which this releases: false when there is no room.
    #[inline(always)]
    fn put_held(&self, hold: Hold<'_>, message: Message<'_>) -> Result<bool> {
        let ring = Ring::of(self)?;
        let tail = self.producers.own_position();
        let bytes = match message {
            Message::Bytes(bytes) if bytes.len() <= ring.longest() => bytes,
            Message::Bytes(bytes) => return self.put_large(hold, &ring, bytes),
            Message::None => &[],
        };
        let place = ring.place(tail.at(), bytes.len());
        if !fits(self, &ring, tail.since(self.producers.seen()), place.grains) {
            let used = tail.since(self.producers.look_at(&self.consumers));
            if used.grains > ring.grains() {
                return damaged();
            }
            if !fits(self, &ring, used, place.grains) {
                return Ok(false);
            }
        }
        match message {
            Message::Bytes(_) => ring.write(place, bytes),
            Message::None => ring.write_none(place),
        }
        self.publish_put(hold, tail, tail.after(place.grains, false));
        Ok(true)
    }

    #[cold]
    #[inline(never)]
    fn put_patiently(&self, message: Message<'_>, deadline: Deadline) -> Result<()> {
        loop {
            let Some(hold) = self.producers.hold(deadline) else {
                fail!(Full, "other processes were putting messages all the time");
            };
            if self.put_held(hold, message)? {
                return Ok(());
            }
            if !self.wait_for_room(message, deadline) {
                let Between { messages, grains } = self.used();
                fail!(Full, "there are {messages} messages in the queue, in {} bytes", grains as usize * 8);
            }
        }
    }

    /// Gets a message, waiting for one. `take` is given its bytes where they lie, None for the message "none";
    /// a message of which it wants nothing, because it fails, stays.
    #[inline(always)]
    pub(crate) fn get<R, P>(
        &self,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
        mut take: impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<R> {
        if let Some(hold) = self.consumers.hold_quickly()
            && let Some(taken) = self.get_held(hold, false, &mut take)?
        {
            return Ok(taken);
        }
        let _stay = stay()?;
        self.get_patiently(Deadline::after(timeout), &mut take)
    }

    /// With the lock, which this releases: None when there is no message, or, for who has not made sure that the
    /// queue stays, one that lies outside the ring.
    #[inline(always)]
    fn get_held<R>(
        &self,
        hold: Hold<'_>,
        stays: bool,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<Option<R>> {
        let ring = Ring::of(self)?;
        let head = self.consumers.own_position();
        let mut filled = self.consumers.seen().since(head).grains;
        if filled == 0 || filled > ring.grains() {
            filled = self.consumers.look_at(&self.producers).since(head).grains;
            if filled == 0 {
                return Ok(None);
            }
            if filled > ring.grains() {
                return damaged();
            }
        }
        let (record, grains) = ring.read(head.at(), filled)?;
        let taken = match record {
            Record::Bytes { offset, len } => take(Some(ring.part(offset, len))),
            Record::None => take(None),
            Record::Large { .. } if !stays => return Ok(None),
            Record::Large { carrier } => {
                return self.get_large(hold, carrier, head, head.after(grains, true), take).map(Some);
            }
        };
        self.publish_get(hold, head, head.after(grains, false), taken).map(Some)
    }

    #[cold]
    #[inline(never)]
    fn get_patiently<R>(
        &self,
        deadline: Deadline,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<R> {
        loop {
            let Some(hold) = self.consumers.hold(deadline) else {
                // A wake for a message may have brought us here.
                self.message.notify::<shm::ThisTree>(1);
                fail!(Empty, "other processes were getting messages all the time");
            };
            if let Some(taken) = self.get_held(hold, true, take)? {
                return Ok(taken);
            }
            if !self.wait_for_message(deadline) {
                return Err(empty());
            }
        }
    }

    /// What is in the queue, at some moment during the call.
    pub(super) fn used(&self) -> Between {
        let mut head = self.consumers.position();
        for _ in 0..4 {
            let tail = self.producers.position();
            let now = self.consumers.position();
            if now == head {
                return tail.since(head);
            }
            head = now;
        }
        // Others are at it all the time: at least the tail is no older than the head.
        self.producers.position().since(head)
    }

    /// How many messages there are.
    pub(crate) fn count(&self) -> usize {
        shm::settle_pending();
        self.used().messages as usize
    }

    /// Before this process gives the queue up. Whoever has got a message may free the queue through which it came,
    /// while the thread that put it still has the lock to release.
    pub(crate) fn part(&self) {
        self.producers.await_stragglers();
        self.consumers.await_stragglers();
    }

    /// Whether not even an empty message would fit.
    pub(crate) fn is_full(&self) -> Result<bool> {
        let ring = Ring::of(self)?;
        shm::settle_pending();
        Ok(!fits(self, &ring, self.used(), 1))
    }
}

#[cold]
fn empty() -> Error {
    Error::new(Status::Empty, "there is no message in the queue")
}
