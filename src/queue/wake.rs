//! Who is woken, and when: as seldom as can be, because a wake costs as much as a hundred messages.
//!
//! | who                            | wakes                    | when                                    |
//! |--------------------------------|--------------------------|-----------------------------------------|
//! | a put                          | one consumer             | the queue was empty before it           |
//! | a get                          | one consumer             | the queue is not empty after it         |
//! | a get                          | producers in `room`, all | always: not each message fits anywhere  |
//! | a get                          | producers in `half`, all | it made the queue half empty            |
//! | who leaves without its message | one consumer             | always                                  |
//!
//! No consumer sleeps beside a message. A put that finds the queue not empty leaves the wake to whoever gets the
//! message before its own: that get stores the head, fences and reads the tail, this put stores the tail, fences
//! and reads the head, so either the get sees that there is more, or the put sees that there was nothing.
//!
//! A producer that finds the queue full first sleeps until it is half empty, or for [`CALM`]: then the two sides
//! do not wake each other for each message, and room that is there is used a millisecond later at worst.

use super::bounded::{Message, fits};
use super::position::{Between, Position};
use super::ring::Ring;
use super::side::Hold;
use crate::error::Result;
use crate::park::{Spot, Wait};
use crate::shm::{QueueBlock, ThisTree};
use crate::time::Deadline;
use std::convert::Infallible;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

/// How long a producer waits for more room than it needs.
const CALM: Duration = Duration::from_millis(1);

/// Sleeps in a spot until `look` says yes; false when the time ran out.
fn sleep(spot: &Spot, deadline: Deadline, look: impl Fn() -> bool) -> bool {
    let found = || look().then_some(());
    match spot.wait_asleep(&ThisTree, deadline, false, found, || Ok::<_, Infallible>(())) {
        Ok(Wait::Found(())) => true,
        Ok(Wait::TimedOut) => false,
        Err(never) => match never {},
    }
}

impl QueueBlock {
    /// The message is in. `from` is where the end was.
    #[inline(always)]
    pub(super) fn publish_put(&self, hold: Hold<'_>, from: Position, to: Position) {
        self.producers.publish(to);
        drop(hold);
        // Rule 4 of sleeping, and what is said at the top.
        fence(Ordering::SeqCst);
        if self.message.has_sleepers() && self.consumers.position() == from {
            self.message.wake::<ThisTree>(1);
        }
    }

    /// The message is out, unless taking it failed. `from` is where the begin was.
    #[inline(always)]
    pub(super) fn publish_get<R>(
        &self,
        hold: Hold<'_>,
        from: Position,
        to: Position,
        taken: Result<R>,
    ) -> Result<R> {
        if taken.is_ok() {
            self.consumers.publish(to);
            self.end_get(hold, from, to);
        } else {
            drop(hold);
            self.message.notify::<ThisTree>(1);
        }
        taken
    }

    /// After the position was stored.
    #[inline(always)]
    pub(super) fn end_get(&self, hold: Hold<'_>, from: Position, to: Position) {
        drop(hold);
        // As above.
        fence(Ordering::SeqCst);
        if self.message.has_sleepers() || self.half.has_sleepers() || self.room.has_sleepers() {
            self.wake_after_get(from, to);
        }
    }

    #[cold]
    fn wake_after_get(&self, from: Position, to: Position) {
        let tail = self.producers.position();
        if self.message.has_sleepers() && tail != to {
            self.message.wake::<ThisTree>(1);
        }
        if self.half.has_sleepers()
            && !self.is_half_empty(tail.since(from))
            && self.is_half_empty(tail.since(to))
        {
            self.half.wake::<ThisTree>(i32::MAX);
        }
        if self.room.has_sleepers() {
            self.room.wake::<ThisTree>(i32::MAX);
        }
    }

    fn is_half_empty(&self, used: Between) -> bool {
        let maxsize = self.maxsize.load(Ordering::Relaxed);
        let grains = Ring::of(self).map_or(0, |ring| ring.grains());
        used.grains <= grains / 2 && (maxsize == 0 || u64::from(used.messages) <= maxsize / 2)
    }

    /// False when the time ran out.
    pub(super) fn wait_for_room(&self, message: Message<'_>, deadline: Deadline) -> bool {
        if self.has_room(message) {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        if self.producers.patience.spin(|| self.has_room(message)) {
            return true;
        }
        let calm = Deadline::after(deadline.remaining().min(CALM).as_nanos() as i64);
        sleep(&self.half, calm, || self.is_half_empty(self.used()));
        sleep(&self.room, deadline, || self.has_room(message)) || self.has_room(message)
    }

    /// False when the time ran out.
    pub(super) fn wait_for_message(&self, deadline: Deadline) -> bool {
        let some = || self.used().grains > 0;
        if some() {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        self.consumers.patience.spin(some) || sleep(&self.message, deadline, some)
    }

    /// Whether there seems to be room; only the lock's holder can be sure.
    pub(super) fn has_room(&self, message: Message<'_>) -> bool {
        // Who puts will find out what is wrong here.
        let Ok(ring) = Ring::of(self) else { return true };
        let tail = self.producers.position();
        let bytes = match message {
            Message::Bytes(bytes) if bytes.len() > ring.longest() => {
                return self.has_large_room(&ring, bytes);
            }
            Message::Bytes(bytes) => bytes.len(),
            Message::None => 0,
        };
        let used = tail.since(self.consumers.position());
        used.grains > ring.grains() || fits(self, &ring, used, ring.place(tail.at(), bytes).grains)
    }
}
