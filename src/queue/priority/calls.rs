//! Put, get and lease.

use super::hold::{Hold, Missing, OPEN, Spare, damaged};
use super::state::{Move, State, What, describe, key, what};
use super::wake::Bell;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, BytesBlock, CARRIER, Data, Entry, Kind, Object, PriorityBlock, SHORT, short_bytes};
use crate::time::Deadline;
use std::sync::atomic::Ordering::Relaxed;

/// Blocks of more bytes are given back without the lock.
const BIG: usize = 64 << 10;

/// What is taken, as long as it lies where it lay.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    /// None for the message "none".
    pub(crate) bytes: Option<Data>,
    pub(crate) priority: i64,
}

/// A message on its way in: a long one with its block.
struct Parcel<'a> {
    message: Option<&'a [u8]>,
    block: Option<Object>,
}

impl Drop for Parcel<'_> {
    fn drop(&mut self) {
        if let Some(object) = self.block.take() {
            shm::release(object.entry);
        }
    }
}

fn is_long(message: Option<&[u8]>) -> bool {
    matches!(message, Some(bytes) if bytes.len() > SHORT)
}

impl<'a> Parcel<'a> {
    fn pack(message: Option<&'a [u8]>) -> Result<Self> {
        let mut parcel = Parcel { message, block: None };
        if let Some(bytes) = message
            && is_long(message)
        {
            if bytes.len() > What::LONGEST {
                fail!(NoMemory, "a message has {} bytes", bytes.len());
            }
            let object = shm::create::<BytesBlock>(Kind::Bytes, bytes.len(), |_| {})?;
            parcel.block = Some(object);
            match shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|block| shm::data(&block.head)) {
                Some(data) if data.len() >= bytes.len() => data.write(0, bytes),
                _ => return damaged(),
            }
        }
        Ok(parcel)
    }

    fn what(&self) -> What {
        match self.message {
            Some(bytes) => What::bytes(bytes.len(), self.block.is_some()),
            None => What::none(),
        }
    }
}

/// How a put went.
enum Put {
    Done,
    Full,
    Lacks(Missing),
    /// Only for who makes sure that the queue stays.
    Patiently,
}

/// How a get or lease went.
enum Step<R> {
    /// This, and its lease.
    Taken(R, u64),
    Empty,
    Lacks(Missing),
    /// Only for who makes sure that the queue stays.
    Patiently,
}

impl PriorityBlock {
    /// Puts a message, waiting for room. `stay` keeps the queue for as long as that takes.
    #[inline(always)]
    pub(crate) fn put<P>(
        &self,
        message: Option<&[u8]>,
        priority: i64,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
    ) -> Result<()> {
        if !is_long(message)
            && let Some(hold) = self.hold_quickly()
            && let Put::Done = self.put_held(hold, &mut Parcel { message, block: None }, priority)?
        {
            return Ok(());
        }
        let _stay = stay()?;
        self.put_patiently(message, priority, Deadline::after(timeout))
    }

    /// With the lock, which this releases.
    #[inline(always)]
    fn put_held(&self, hold: Hold<'_>, parcel: &mut Parcel<'_>, priority: i64) -> Result<Put> {
        if self.closed.load(Relaxed) != OPEN {
            return Err(closed());
        }
        if self.is_full() {
            return Ok(Put::Full);
        }
        let count = self.state().count;
        if let Some(missing) = hold.heap_lacks(u64::from(count) + self.leased() + 1)? {
            return Ok(Put::Lacks(missing));
        }
        let bell = Bell::of(&self.message);
        if bell.is_awaited() && !hold.stays {
            return Ok(Put::Patiently);
        }
        let sequence = self.sequence.load(Relaxed);
        describe(&self.element, priority, sequence, parcel.what());
        // Not what was here before.
        self.element[CARRIER].store(0, Relaxed);
        if let Some(object) = parcel.block.take() {
            self.set_state(State { under_way: Move::Loading, hole: 0, count });
            shm::carry(object, &self.element[CARRIER]);
        } else if let Some(bytes) = parcel.message {
            short_bytes(&self.element, bytes.len()).write(0, bytes);
        }
        self.set_state(State { under_way: Move::Up, hole: count, count: count + 1 });
        hold.count_put(sequence);
        hold.heap().up(count, count + 1)?;
        bell.ring_for(hold, 1);
        Ok(Put::Done)
    }

    #[cold]
    #[inline(never)]
    fn put_patiently(&self, message: Option<&[u8]>, priority: i64, deadline: Deadline) -> Result<()> {
        let mut parcel = Parcel::pack(message)?;
        let mut spare: Option<Spare> = None;
        loop {
            let Some(hold) = self.hold(deadline)? else {
                fail!(Full, "other processes were at work in the queue all the time");
            };
            if let Some(mut spare) = spare.take() {
                hold.add(&mut spare);
            }
            match self.put_held(hold, &mut parcel, priority)? {
                Put::Done => return Ok(()),
                Put::Patiently => {}
                Put::Lacks(missing) => spare = Some(missing.make()?),
                Put::Full => {
                    if !self.wait_for_room(deadline) {
                        fail!(Full, "there are {} messages in the queue", self.state().count);
                    }
                }
            }
        }
    }

    /// Gets a message, waiting for one. `take` is given it where it lies; what it wants nothing of, because it
    /// fails, stays.
    #[inline(always)]
    pub(crate) fn get<R, P>(
        &self,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
        take: impl FnMut(Taken) -> Result<R>,
    ) -> Result<R> {
        Ok(self.take(false, timeout, stay, take)?.0)
    }

    /// The same until it is acknowledged: with the lease's number.
    #[inline(always)]
    pub(crate) fn lease<R, P>(
        &self,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
        take: impl FnMut(Taken) -> Result<R>,
    ) -> Result<(R, u64)> {
        self.take(true, timeout, stay, take)
    }

    #[inline(always)]
    fn take<R, P>(
        &self,
        leased: bool,
        timeout: i64,
        stay: impl FnOnce() -> Result<P>,
        mut take: impl FnMut(Taken) -> Result<R>,
    ) -> Result<(R, u64)> {
        if let Some(hold) = self.hold_quickly()
            && let Step::Taken(taken, lease) = self.take_held(hold, leased, &mut take)?
        {
            return Ok((taken, lease));
        }
        let _stay = stay()?;
        self.take_patiently(leased, Deadline::after(timeout), &mut take)
    }

    /// With the lock, which this releases.
    #[inline(always)]
    fn take_held<R>(
        &self,
        hold: Hold<'_>,
        leased: bool,
        take: &mut impl FnMut(Taken) -> Result<R>,
    ) -> Result<Step<R>> {
        let mut ended = 0;
        if self.is_due() {
            if !hold.stays {
                return Ok(Step::Patiently);
            }
            ended = hold.give_back_of_dead()?;
        }
        let Some(left) = self.state().count.checked_sub(1) else {
            let over = self.closed.load(Relaxed) != OPEN && !hold.others_have_some()?;
            drop(hold);
            self.notify_of_ends(ended);
            return if over { Err(closed()) } else { Ok(Step::Empty) };
        };
        let heap = hold.heap();
        let root = heap.slot(0)?;
        let of = what(root);
        let bell = (self.maxsize.load(Relaxed) != 0).then(|| Bell::of(&self.room));
        let first = leased && self.given.load(Relaxed) == 0;
        let awaited = bell.as_ref().is_some_and(Bell::is_awaited);
        if !hold.stays && (of.is_long() || first || awaited || hold.has_spare_part()) {
            return Ok(Step::Patiently);
        }
        if leased
            && self.free.load(Relaxed) == 0
            && let Some(missing) = hold.leases_lack(self.made() + 1)?
        {
            drop(hold);
            self.notify_of_ends(ended);
            return Ok(Step::Lacks(missing));
        }
        heap.lift_last(left + 1)?;
        let taken = match self.look_at(root, of).and_then(&mut *take) {
            Ok(taken) => taken,
            Err(e) => {
                drop(hold);
                self.notify_of_ends(ended);
                // A wake for a message may have brought us here.
                self.message.notify::<shm::ThisTree>(1);
                return Err(e);
            }
        };
        let mut lease = 0;
        if leased {
            lease = hold.commit_lease(root, left)?;
        } else if of.is_long() {
            let carrier = root[CARRIER].load(Relaxed);
            let state = State::without_root(left).bits();
            hold.change(&[(&self.garbage, carrier), (&self.state, state)]);
        } else {
            self.set_state(State::without_root(left));
        }
        heap.close(left)?;
        let garbage = if leased { None } else { hold.drop_garbage() };
        let spare = if hold.stays && hold.has_spare_part() { hold.take_spare_part() } else { None };
        match bell {
            Some(bell) => bell.ring_for(hold, 1),
            None => drop(hold),
        }
        // Where there is anything more to do, the queue stays.
        self.notify_of_ends(ended);
        if first {
            self.message.notify::<shm::ThisTree>(i32::MAX);
        }
        garbage.into_iter().chain(spare).for_each(shm::release);
        Ok(Step::Taken(taken, lease))
    }

    /// Where a message is.
    #[inline(always)]
    fn look_at(&self, slot: &shm::Slot, of: What) -> Result<Taken> {
        let priority = key(slot).0;
        if of.is_none() {
            return Ok(Taken { bytes: None, priority });
        }
        let len = of.len();
        let bytes = if of.is_long() {
            shm::carried(&slot[CARRIER]).and_then(|block| shm::data(&block.head))
        } else {
            (len <= SHORT).then(|| short_bytes(slot, len))
        };
        match bytes.filter(|data| data.len() >= len) {
            Some(data) => Ok(Taken { bytes: Some(data.part(0, len)), priority }),
            None => damaged(),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_patiently<R>(
        &self,
        leased: bool,
        deadline: Deadline,
        take: &mut impl FnMut(Taken) -> Result<R>,
    ) -> Result<(R, u64)> {
        let mut spare: Option<Spare> = None;
        loop {
            let Some(hold) = self.hold(deadline)? else {
                self.message.notify::<shm::ThisTree>(1);
                fail!(Empty, "other processes were at work in the queue all the time");
            };
            if let Some(mut spare) = spare.take() {
                hold.add(&mut spare);
            }
            let seen = self.seen();
            match self.take_held(hold, leased, take)? {
                Step::Taken(taken, lease) => return Ok((taken, lease)),
                Step::Lacks(missing) => spare = Some(missing.make()?),
                Step::Empty | Step::Patiently => {
                    if !self.wait_for_message(seen, deadline) {
                        fail!(Empty, "there is no message in the queue");
                    }
                }
            }
        }
    }
}

impl Hold<'_> {
    /// Drops what nobody needs; a big block the caller releases without the lock.
    #[inline(always)]
    pub(super) fn drop_garbage(&self) -> Option<Entry> {
        if self.garbage.load(Relaxed) == 0 { None } else { self.drop_some_garbage() }
    }

    #[cold]
    fn drop_some_garbage(&self) -> Option<Entry> {
        let garbage = &self.garbage;
        let size = shm::carried(garbage).map_or(0, |block| block.head.size.load(Relaxed));
        if size > BIG as u64
            && let Ok(Some(entry)) = shm::take_carried(garbage, garbage, 0)
        {
            return Some(entry);
        }
        shm::drop_carried(garbage);
        // What leads to nothing is dropped by this.
        garbage.store(0, Relaxed);
        None
    }
}

#[cold]
fn closed() -> Error {
    Error::new(Status::Closed, "the queue was shut down")
}
