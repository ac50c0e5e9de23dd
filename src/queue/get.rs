//! Get.

use super::end::closed;
use super::position::Position;
use super::ring::{Record, Ring, damaged};
use super::side::Hold;
use super::tally::Tally;
use crate::error::{Error, Result, Status, fail};
use crate::park::Tree;
use crate::shm::{Data, Entry, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering::Relaxed;

/// What the consumers' lock's holder knows before it gets.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Where the lock's holder found the begin.
    pub(super) from: Position,
    /// Where the next record is; not published yet.
    pub(super) at: Position,
    /// What had been got where the lock's holder found it.
    pub(super) was: Tally,
    /// What will have been got then.
    pub(super) tally: Tally,
}

impl Head {
    /// One message further.
    #[inline(always)]
    pub(super) fn take(&mut self, grains: u32, bytes: usize, large: bool) {
        self.at = self.at.after(grains, large);
        self.tally.messages = self.tally.messages.wrapping_add(1);
        self.tally.bytes = self.tally.bytes.wrapping_add(bytes as u64);
    }
}

/// The record that the consumers' lock's holder comes to next, and the grains that it takes.
pub(super) struct Oldest {
    pub(super) ring: Ring,
    pub(super) head: Head,
    pub(super) record: Record,
    pub(super) grains: u32,
}

impl QueueBlock {
    /// With the consumers' lock.
    #[inline(always)]
    pub(super) fn head(&self) -> Head {
        let at = self.consumers.own_position();
        let was = self.consumers.own_tally(at);
        Head { from: at, at, was, tally: was }
    }

    /// How many grains the oldest message's record may have, 0 where there is no message.
    #[inline(always)]
    pub(super) fn filled(&self, ring: &Ring, head: &Head) -> Result<u32> {
        let grows = self.grows();
        let mut tail = self.consumers.seen();
        if tail.is_level_with(head.at) || (!grows && tail.since(head.at).grains > ring.grains()) {
            tail = self.look_at_producers(head);
            if tail.is_level_with(head.at) {
                return Ok(0);
            }
        }
        // Where rings may lie in between, the distance says nothing.
        match tail.since(head.at).grains {
            _ if grows => Ok(ring.grains()),
            0 => damaged(),
            filled if filled > ring.grains() => damaged(),
            filled => Ok(filled),
        }
    }

    /// With the consumers' lock: the oldest record, None where there is none.
    #[inline(always)]
    pub(super) fn oldest(&self) -> Result<Option<Oldest>> {
        let ring = Ring::of(&self.consumers)?;
        let head = self.head();
        let filled = self.filled(&ring, &head)?;
        if filled == 0 {
            return Ok(None);
        }
        let (record, grains) = ring.read(head.at.at(), filled)?;
        Ok(Some(Oldest { ring, head, record, grains }))
    }

    /// Looks at the producers anew, and notes what it sees.
    #[inline(always)]
    fn look_at_producers(&self, head: &Head) -> Position {
        let (now, put) = self.producers.position_and_tally();
        self.consumers.seen.store(now.bits(), Relaxed);
        let messages = now.since(head.at).messages.into();
        if messages > self.consumers.most.load(Relaxed) {
            self.consumers.most.store(messages, Relaxed);
        }
        let bytes = put.bytes.wrapping_sub(head.tally.bytes);
        if bytes > self.consumers.seen_bytes.load(Relaxed) {
            self.consumers.seen_bytes.store(bytes, Relaxed);
        }
        now
    }

    /// Gets a message if that takes no more than a moment and nobody has to be waited for. `take` is given its bytes
    /// where they lie, None for the message "none"; a message of which it wants nothing, because it fails, stays.
    #[inline(always)]
    pub(crate) fn get_quickly<R, T: Tree>(
        &self,
        tree: &T,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some(hold) = self.consumers.hold_quickly(tree) else { return Ok(None) };
        if self.gate.load(Relaxed) != 0 {
            return Ok(None);
        }
        let Some(Oldest { ring, mut head, record, grains }) = self.oldest()? else { return Ok(None) };
        let (taken, len) = match record {
            Record::Bytes { offset, len } => (take(Some(ring.part(offset, len))), len),
            Record::None => (take(None), 0),
            _ => return Ok(None),
        };
        head.take(grains, len, false);
        self.publish_get(hold, &head, taken).map(Some)
    }

    /// Gets a message, waiting for one. `open` as for [`QueueBlock::put`]. Where the message carries handles, what holds
    /// them goes to `parcel`, or the message stays.
    #[cold]
    #[inline(never)]
    pub(crate) fn get<R, T: Tree>(
        &self,
        tree: &T,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
        mut parcel: Option<&mut Option<Entry>>,
    ) -> Result<R> {
        self.wait_and_take(tree, deadline, open, |hold| {
            if self.has_orphans()
                && let Some(taken) = self.get_orphan(take)?
            {
                return Ok(Some(taken));
            }
            self.get_held(hold, take, parcel.as_deref_mut())
        })
    }

    /// Takes a message out, by `take`, which releases the consumers' lock and has None where there is no message, as
    /// often as it takes.
    pub(super) fn wait_and_take<R, T: Tree>(
        &self,
        tree: &T,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
        mut take: impl FnMut(Hold<'_, T>) -> Result<Option<R>>,
    ) -> Result<R> {
        loop {
            open()?;
            let Some(hold) = self.consumers.hold(tree, deadline) else {
                // A wake for a message may have brought us here.
                self.message.notify::<T>(1);
                fail!(Empty, "other processes were getting messages all the time");
            };
            if self.is_cut_short() {
                self.drop_all(tree, &hold)?;
            }
            if let Some(taken) = take(hold)? {
                return Ok(taken);
            }
            if !self.wait_for_message(tree, deadline, &open) {
                open()?;
                return Err(empty());
            }
            if self.is_over() {
                return Err(closed());
            }
        }
    }

    /// With the lock, which this releases: None when there is no message.
    fn get_held<R, T: Tree>(
        &self,
        hold: Hold<'_, T>,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
        parcel: Option<&mut Option<Entry>>,
    ) -> Result<Option<R>> {
        loop {
            let Some(Oldest { ring, mut head, record, grains }) = self.oldest()? else { return Ok(None) };
            let (taken, len) = match record {
                Record::Bytes { offset, len } => (take(Some(ring.part(offset, len))), len),
                Record::None => (take(None), 0),
                Record::Large { carrier } => {
                    return self.get_large(hold, carrier, (head, grains), take, parcel).map(Some);
                }
                Record::Link => {
                    self.pass_link()?;
                    continue;
                }
            };
            head.take(grains, len, false);
            return self.publish_get(hold, &head, taken).map(Some);
        }
    }

    /// The messages are out, unless taking them failed.
    #[inline(always)]
    pub(super) fn publish_get<R, T: Tree>(
        &self,
        hold: Hold<'_, T>,
        head: &Head,
        taken: Result<R>,
    ) -> Result<R> {
        if taken.is_ok() {
            let waking = self.announce_room(&hold);
            self.consumers.publish(head.at, head.tally);
            self.wake_after_get(hold, head, waking);
        } else {
            self.wake_in_place_of_this(hold);
        }
        taken
    }
}

#[cold]
fn empty() -> Error {
    Error::new(Status::Empty, "there is no message in the queue")
}
