//! Who is woken, and when: as seldom as can be, because a wake costs as much as a hundred messages.
//!
//! | who                            | wakes                    | when                                    |
//! |--------------------------------|--------------------------|-----------------------------------------|
//! | a put                          | one consumer             | the queue was empty before it           |
//! | a get                          | one consumer             | the queue is not empty after it         |
//! | a get                          | producers in `room`      | always, as many as can go on, all where not each message fits |
//! | a get                          | producers in `half`      | it made the queue half empty, as many   |
//! | who leaves without its message | one consumer             | always                                  |
//! | who ends the queue or a handle | everybody                | always                                  |
//!
//! No consumer sleeps beside a message. A put that finds the queue not empty leaves the wake to whoever gets the
//! message before its own: that get stores the head, fences and reads the tail, this put stores the tail, fences
//! and reads the head, so either the get sees that there is more, or the put sees that there was nothing.
//!
//! A producer that finds the queue full first sleeps until it is half empty, or for [`CALM`]: then the two sides
//! do not wake each other for each message, and room that is there is used a millisecond later at worst.

use super::get::Head;
use super::position::{Between, Position};
use super::put::{Message, Tail};
use super::ring::Ring;
use super::side::Hold;
use super::tally::Tally;
use crate::error::Result;
use crate::park::{Spot, Tree, Wait, Waking};
use crate::shm::QueueBlock;
use crate::time::Deadline;
use std::convert::Infallible;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

/// How long a producer waits for more room than it needs.
const CALM: Duration = Duration::from_millis(1);

/// Sleeps in a spot until `look` says yes; false when the time ran out.
pub(super) fn sleep<T: Tree>(spot: &Spot, tree: &T, deadline: Deadline, look: impl Fn() -> bool) -> bool {
    sleep_and(spot, tree, deadline, look, || ())
}

/// The same, with something to do now and then.
fn sleep_and<T: Tree>(
    spot: &Spot,
    tree: &T,
    deadline: Deadline,
    look: impl Fn() -> bool,
    tick: impl Fn(),
) -> bool {
    let found = || look().then_some(());
    let tick = || {
        tick();
        Ok::<_, Infallible>(())
    };
    match spot.wait_asleep(tree, deadline, false, found, tick) {
        Ok(Wait::Found(())) => true,
        Ok(Wait::TimedOut) => false,
        Err(never) => match never {},
    }
}

impl QueueBlock {
    /// After messages were put: releases the lock.
    #[inline(always)]
    pub(super) fn wake_after_put<T: Tree>(
        &self,
        hold: Hold<'_, T>,
        tail: &Tail,
        waking: Option<Waking<'_, T>>,
    ) {
        // Rule 4 of sleeping, and what is said at the top.
        fence(Ordering::SeqCst);
        let awaited = self.message.has_sleepers() && self.consumers.position().is_level_with(tail.from);
        hold.release_and(waking, awaited, || self.message.wake::<T>(1));
    }

    /// Before a get is published. For who waits for a message, the put that found the queue empty has said it.
    #[inline(always)]
    pub(super) fn announce_room<'a, T: Tree>(&self, hold: &Hold<'a, T>) -> Option<Waking<'a, T>> {
        self.room.announce(hold.tree())
    }

    /// After messages were got: releases the lock.
    #[inline(always)]
    pub(super) fn wake_after_get<T: Tree>(
        &self,
        hold: Hold<'_, T>,
        head: &Head,
        waking: Option<Waking<'_, T>>,
    ) {
        // As above.
        fence(Ordering::SeqCst);
        let awaited = self.message.has_sleepers() || self.half.has_sleepers() || self.room.has_sleepers();
        hold.release_and(waking, awaited, || self.wake_those_after_get::<T>(head));
    }

    /// After a get that failed, and that may have been woken: releases the lock.
    #[cold]
    pub(super) fn wake_in_place_of_this<T: Tree>(&self, hold: Hold<'_, T>) {
        fence(Ordering::SeqCst);
        hold.release_and(None, self.message.has_sleepers(), || self.message.wake::<T>(1));
    }

    #[cold]
    fn wake_those_after_get<T: Tree>(&self, head: &Head) {
        let (tail, put) = self.producers.position_and_tally();
        if self.message.has_sleepers() && !tail.is_level_with(head.at) {
            self.message.wake::<T>(1);
        }
        if self.half.has_sleepers()
            && !self.is_half_empty((tail, put), (head.from, head.was))
            && self.is_half_empty((tail, put), (head.at, head.tally))
        {
            self.half.wake::<T>(self.who_can_go_on(tail, head));
        }
        if self.room.has_sleepers() {
            self.room.wake::<T>(self.who_can_go_on(tail, head));
        }
    }

    /// How many producers are to be woken: as many as there are places, where each message fits that finds a place.
    pub(super) fn who_can_go_on(&self, tail: Position, head: &Head) -> i32 {
        let Ok(ring) = Ring::of(&self.producers) else { return i32::MAX };
        let used = tail.since(head.at);
        // Up to half of a ring is used: then what lies in it and what it may have to skip are the other half at most.
        let fits = tail.large_since(head.at) == 0 && (self.grows() || used.grains < ring.grains() / 2);
        if !fits || self.maxbytes.load(Ordering::Relaxed) != u64::MAX {
            return i32::MAX;
        }
        let places = self.maxsize.load(Ordering::Relaxed).saturating_sub(used.messages.into());
        // None at all, where others were quicker: then they are woken by who gets what those put.
        i32::try_from(places.max(1)).unwrap_or(i32::MAX)
    }

    /// Wakes all that sleep here, because what they wait for may never come.
    pub(crate) fn wake_all<T: Tree>(&self, _: &T) {
        for spot in [&self.message, &self.half, &self.room, &self.joined] {
            spot.notify::<T>(i32::MAX);
        }
    }

    fn is_half_empty(&self, (tail, put): (Position, Tally), (head, got): (Position, Tally)) -> bool {
        let used = tail.since(head);
        let half = |limit: &std::sync::atomic::AtomicU64| limit.load(Ordering::Relaxed) / 2;
        let ring = || Ring::of(&self.producers).map_or(0, |ring| ring.grains());
        u64::from(used.messages) <= half(&self.maxsize)
            && put.bytes.wrapping_sub(got.bytes) <= half(&self.maxbytes)
            && (self.grows() || used.grains <= ring() / 2)
    }

    /// False when the time ran out. `open` fails once the wait is to be given up.
    pub(super) fn wait_for_room<T: Tree>(
        &self,
        tree: &T,
        message: Message<'_>,
        deadline: Deadline,
        open: &impl Fn() -> Result<()>,
    ) -> bool {
        let ended = || self.is_shut() || open().is_err();
        let look = || self.has_room(message) || ended();
        if look() {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        if self.producers.patience.spin(look) {
            return true;
        }
        self.producers.waits.fetch_add(1, Ordering::Relaxed);
        let calm = Deadline::after(deadline.remaining().min(CALM).as_nanos() as i64);
        let both = || (self.producers.position_and_tally(), self.consumers.position_and_tally());
        let half = || {
            let (tail, head) = both();
            self.is_half_empty(tail, head) || ended()
        };
        sleep(&self.half, tree, calm, half);
        sleep(&self.room, tree, deadline, look) || look()
    }

    /// False when the time ran out. `open` as above.
    pub(super) fn wait_for_message<T: Tree>(
        &self,
        tree: &T,
        deadline: Deadline,
        open: &impl Fn() -> Result<()>,
    ) -> bool {
        let look = || self.used().messages > 0 || self.has_orphans() || self.is_shut() || open().is_err();
        self.bury_borrowers(tree);
        if look() {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        if self.consumers.patience.spin(look) {
            return true;
        }
        self.consumers.waits.fetch_add(1, Ordering::Relaxed);
        sleep_and(&self.message, tree, deadline, look, || self.bury_borrowers(tree))
    }

    /// Whether there seems to be room; only the lock's holder can be sure.
    pub(super) fn has_room(&self, message: Message<'_>) -> bool {
        // Who puts will find out what is wrong here.
        let Ok(ring) = Ring::of(&self.producers) else { return true };
        let (tail, put) = self.producers.position_and_tally();
        let (head, got) = self.consumers.position_and_tally();
        let Between { messages, grains } = tail.since(head);
        let bytes = message.len();
        let flying = put.bytes.wrapping_sub(got.bytes);
        if u64::from(messages) >= self.maxsize.load(Ordering::Relaxed)
            || flying.saturating_add(bytes as u64) > self.maxbytes.load(Ordering::Relaxed)
        {
            return false;
        }
        if self.grows() || grains > ring.grains() {
            return true;
        }
        if message.is_outside(&ring) {
            return self.has_large_room(&ring, head, tail, bytes);
        }
        grains + ring.place(tail.at(), bytes).grains <= ring.grains()
    }
}
