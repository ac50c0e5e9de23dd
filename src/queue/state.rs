//! Making a queue, and what can be asked of it.

use super::chain::FIRST;
use super::position::{Between, GRAIN, LONGEST, MOST};
use super::put::Message;
use super::ring::{Ring, SHORTEST};
use super::tally::Tally;
use crate::error::{Result, fail};
use crate::park::Tree;
use crate::shm::{self, Kind, Object, QueueBlock, Segment};
use std::sync::atomic::Ordering::Relaxed;

/// How a queue shall be; 0 is no limit.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    /// The most messages.
    pub(crate) maxsize: usize,
    /// The most bytes of messages.
    pub(crate) maxbytes: usize,
    /// Bytes of its one ring; 0: as many rings as are needed.
    pub(crate) ring: usize,
}

impl Limits {
    /// The most messages and bytes, and the ring's bytes, as a queue has them.
    fn words(&self) -> Result<[u64; 3]> {
        let ring = match self.ring {
            0 => Some(0),
            ring => ring.max(SHORTEST).checked_next_power_of_two(),
        };
        let Some(ring) = ring.filter(|&bytes| bytes <= LONGEST) else {
            fail!(Invalid, "a ring of {} bytes is asked for, and {LONGEST} is the most", self.ring);
        };
        let most = |limit: usize, most: u64| if limit == 0 { most } else { most.min(limit as u64) };
        Ok([most(self.maxsize, MOST), most(self.maxbytes, u64::MAX), ring as u64])
    }
}

/// Makes one.
pub(crate) fn create(s: &'static Segment, limits: Limits) -> Result<Object> {
    let [maxsize, maxbytes, ring] = limits.words()?;
    let object = shm::create_in::<QueueBlock>(s, Kind::Queue, 0, |block| {
        block.maxsize.store(maxsize, Relaxed);
        block.maxbytes.store(maxbytes, Relaxed);
        block.grows.store((ring == 0).into(), Relaxed);
    })?;
    let bytes = if ring == 0 { FIRST } else { ring as usize };
    match shm::resolve_in::<QueueBlock>(s, object.r, Kind::Queue) {
        Some(block) => shm::begin_rings(block, bytes).inspect_err(|_| shm::release(object.entry))?,
        None => fail!(Panic, "a fresh block is not there"),
    }
    Ok(object)
}

/// What can be known of a queue.
pub(crate) struct Stats {
    /// What is in it now.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// The most that was seen in it.
    pub(crate) most_messages: u64,
    pub(crate) most_bytes: u64,
    /// What ever was put and got.
    pub(crate) put: Tally,
    pub(crate) got: Tally,
    pub(crate) dropped: u64,
    pub(crate) unfinished: u64,
    /// How often a put and a get had to sleep.
    pub(crate) put_waits: u64,
    pub(crate) get_waits: u64,
    pub(crate) memory: u64,
}

impl QueueBlock {
    /// INVALID where the queue has other limits.
    pub(crate) fn fits(&self, limits: Limits) -> Result<()> {
        let ring = Ring::of(&self.producers)?.grains() as u64 * GRAIN as u64;
        let has =
            [self.maxsize.load(Relaxed), self.maxbytes.load(Relaxed), if self.grows() { 0 } else { ring }];
        let asked = limits.words()?;
        let text = |[maxsize, maxbytes, ring]: [u64; 3]| {
            let shown = |limit, none| if limit == none { 0 } else { limit };
            let (maxsize, maxbytes) = (shown(maxsize, MOST), shown(maxbytes, u64::MAX));
            format!("maxsize {maxsize}, maxbytes {maxbytes} and ring {ring}")
        };
        if has != asked {
            fail!(Invalid, "the queue has {}, and {} are asked for", text(has), text(asked));
        }
        Ok(())
    }

    pub(crate) fn stats(&self) -> Stats {
        shm::settle_pending(self);
        // What was got before what was put: there never seems to be less than nothing in the queue.
        let got = self.consumers.position_and_tally().1;
        let put = self.producers.position_and_tally().1;
        let (messages, bytes) = (put.messages.wrapping_sub(got.messages), put.bytes.wrapping_sub(got.bytes));
        Stats {
            messages,
            bytes,
            most_messages: self.consumers.most.load(Relaxed).max(messages),
            most_bytes: self.consumers.seen_bytes.load(Relaxed).max(bytes),
            put,
            got,
            dropped: self.dropped.load(Relaxed),
            unfinished: self.unfinished(),
            put_waits: self.producers.waits.load(Relaxed),
            get_waits: self.consumers.waits.load(Relaxed),
            memory: shm::memory(self),
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
        shm::settle_pending(self);
        self.used().messages as usize
    }

    /// Before this process gives the queue up. Whoever has got a message may free the queue through which it came,
    /// while the thread that put it still has the lock to release.
    pub(crate) fn part<T: Tree>(&self, tree: &T) {
        self.producers.await_stragglers(tree);
        self.consumers.await_stragglers(tree);
    }

    /// Whether not even an empty message would fit, or all the bytes are there that may be.
    pub(crate) fn is_full(&self) -> Result<bool> {
        Ring::of(&self.producers)?;
        shm::settle_pending(self);
        let (put, got) = (self.producers.position_and_tally().1, self.consumers.position_and_tally().1);
        let bytes = put.bytes.saturating_sub(got.bytes);
        Ok(bytes >= self.maxbytes.load(Relaxed) || !self.has_room(Message::None))
    }
}
