//! What the calls on one end of a pipe use: the rings, the socket beneath them, and how they wait.

use super::bell::{self, Bell};
use super::way::{Way, damaged, lock_side};
use crate::error::{Error, Result, Status, fail};
use crate::park::{Held, Owner, Patience, Tree, Wait};
use crate::shm::{self, Data, Edge, In, Kind, Object, PipeBlock, RING, Ref};
use crate::sys::atomic::fence;
use crate::sys::kept::Kept;
use crate::sys::sockets::{self, For};
use crate::time::Deadline;
use crate::wire::output::gone_away;
use crate::wire::stream::Socket;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// How long a sender waits for more room than it needs, so that the two sides do not wake each other for each message.
const CALM: Duration = Duration::from_millis(1);
/// How long a receiver waits before it asks the kernel whether somebody who was killed had the other end: that would
/// cost as much as all else in a short wait. More than the kernel's tick: where a timer may end before that, Linux wakes
/// on another CPU, which takes ten times as long.
const SHORT: Duration = Duration::from_millis(10);

/// What one waits for, or for room for what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Whatever comes, without the receiver's lock.
    Anything,
    Message,
    /// More of a message.
    Rest,
}

impl Awaited {
    fn spin(self, patience: &Patience, look: impl FnMut() -> bool) -> bool {
        if self == Awaited::Rest { patience.spin_for_rest(look) } else { patience.spin(look) }
    }
}

/// A reference to the rings, let go when it is dropped.
pub(in crate::wire) struct Rings {
    object: Object,
    block: &'static PipeBlock,
    data: Data,
    /// Whose it is: a forked child's copy of it is nobody's.
    owner: Owner,
}

impl Rings {
    /// Of a new pipe, with one or two ways.
    pub(super) fn new(ways: usize) -> Result<Self> {
        Self::of(shm::create::<PipeBlock>(Kind::Pipe, ways * RING, |_| {})?)
    }

    /// Takes over what this process holds.
    pub(in crate::wire) fn of(object: Object) -> Result<Self> {
        let block = shm::resolve::<PipeBlock>(object.r, Kind::Pipe);
        let data = block
            .and_then(|block| shm::data(&block.head))
            .filter(|data| [RING, 2 * RING].contains(&data.len()));
        let (Some(block), Some(data)) = (block, data) else {
            shm::release(object.entry);
            return damaged();
        };
        Ok(Rings { object, block, data, owner: shm::tree_of(block).me() })
    }

    /// Of a pipe that there is.
    pub(super) fn held(r: Ref) -> Result<Self> {
        Self::of(Object { r, entry: shm::hold(r, Kind::Pipe)? })
    }

    /// One more.
    pub(in crate::wire) fn again(&self) -> Result<Self> {
        Self::held(self.object.r)
    }

    pub(in crate::wire) fn reference(&self) -> Ref {
        self.object.r
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        let tree = shm::tree_of(self.block);
        if tree.me() != self.owner {
            return;
        }
        // Nobody may be left on this side: whoever sleeps asks the socket, which was closed before.
        for way in &self.block.ways {
            way.sender.moved.notify::<In>(i32::MAX);
            way.receiver.moved.notify::<In>(i32::MAX);
        }
        shm::release(self.object.entry);
    }
}

/// One end, while it is open or a call uses it. What it is made of is dropped in this order.
pub(super) struct Line {
    pub(super) socket: Socket,
    pub(super) bell: Bell,
    pub(super) sends: Way,
    pub(super) receives: Way,
    /// This process holds the sender's or the receiver's lock beyond a call, which gave up in a message.
    pub(super) is_sending: AtomicBool,
    pub(super) is_receiving: AtomicBool,
    /// Who had the pipe when somebody last saw that the other end is open, as the block's `refs` says it.
    seen_holders: AtomicU64,
    tree: In,
    rings: Rings,
}

impl Line {
    /// The first or the second end.
    pub(super) fn new(fd: Kept, rings: Rings, first: bool) -> Self {
        let data = rings.data;
        let [from_first, from_second] = &rings.block.ways;
        let [of_first, of_second] = &rings.block.carriers;
        // Where there is one ring it is the second end's, and the other way is not used.
        let from_first = Way::new(from_first, of_first, data.part(0, RING));
        let from_second = Way::new(from_second, of_second, data.part(data.len() - RING, RING));
        let (sends, receives) = if first { (from_first, from_second) } else { (from_second, from_first) };
        Line {
            socket: Socket::new(fd),
            bell: Bell::default(),
            sends,
            receives,
            is_sending: AtomicBool::new(false),
            is_receiving: AtomicBool::new(false),
            seen_holders: AtomicU64::new(0),
            tree: shm::tree_of(rings.block),
            rings,
        }
    }

    pub(super) fn tree(&self) -> In {
        self.tree
    }

    pub(super) fn rings(&self) -> &Rings {
        &self.rings
    }

    /// Asks the kernel whether nobody has the other end: that costs as much as a hundred messages.
    fn is_hung_up(&self) -> bool {
        let holders = self.holders();
        let is = sockets::is_hung_up(self.socket.fd());
        if !is {
            self.seen_holders.store(holders, Relaxed);
        }
        is
    }

    fn holders(&self) -> u64 {
        self.rings.block.head.refs.load(Relaxed)
    }

    /// Whether nobody has let go of the pipe, or died and was swept, since the kernel was asked.
    fn seems_open(&self) -> bool {
        self.holders() == self.seen_holders.load(Relaxed)
    }

    /// An error if nobody has the other end, as far as that can be known without the kernel.
    pub(super) fn check_other(&self) -> Result<()> {
        if self.seems_open() || !self.is_hung_up() { Ok(()) } else { Err(gone_away()) }
    }

    /// Takes the lock of one of this end's sides; false: the time ran out.
    pub(super) fn lock(&self, side: &Edge, deadline: Deadline) -> bool {
        let held = lock_side(side, &self.tree, deadline);
        if held == Some(Held::AfterDeath) && std::ptr::eq(side, &self.receives.block.receiver) {
            bell::drop_found(&self.receives, self.socket.fd());
        }
        held.is_some()
    }

    /// With the sender's lock, where a piece is written up to this place: tells who polls, before it is sent. False:
    /// nobody does.
    pub(super) fn ring(&self, to: u64, deadline: Deadline) -> Result<bool> {
        let is_awaited = bell::is_awaited(&self.sends.block.sender);
        if is_awaited {
            bell::ring(&self.sends, self.socket.fd(), to, || self.socket.wait(For::Writing, deadline))?;
        }
        Ok(is_awaited)
    }

    /// With the sender's lock, before anything is sent.
    pub(super) fn finish_dead(&self, deadline: Deadline) -> Result<()> {
        bell::finish_dead(&self.sends, self.socket.fd(), || self.socket.wait(For::Writing, deadline))
    }

    /// After a piece was sent, of which who polls was told, or not.
    pub(super) fn wake_receiver(&self, is_told: bool) {
        let sender = &self.sends.block.sender;
        // Rule 4 of sleeping; the same holds for who has announced that it polls.
        fence(SeqCst);
        if sender.moved.has_sleepers() {
            sender.moved.wake::<In>(i32::MAX);
        }
        if !is_told && bell::is_awaited(sender) {
            bell::ring_anyway(&self.sends, self.socket.fd(), self.sends.tail());
        }
    }

    /// After pieces were received, up to this place.
    pub(super) fn wake_sender(&self, head: u64) {
        let way = self.receives.block;
        // As above. Who sees the sleeper sees what it wants: that was stored before.
        fence(SeqCst);
        if way.receiver.moved.has_sleepers() && head >= way.sender.wanted.load(Relaxed) {
            way.receiver.moved.wake::<In>(i32::MAX);
        }
    }

    /// With the sender's lock: waits until so many bytes can be written.
    pub(super) fn await_room(&self, tail: u64, need: u64, of: Awaited, deadline: Deadline) -> Result<()> {
        let way = &self.sends;
        if way.room(tail) >= need || way.room_now(tail) >= need {
            return Ok(());
        }
        self.await_room_slowly(tail, need, of, deadline)
    }

    #[cold]
    fn await_room_slowly(&self, tail: u64, need: u64, of: Awaited, deadline: Deadline) -> Result<()> {
        let way = &self.sends;
        let (sender, receiver) = (&way.block.sender, &way.block.receiver);
        let is_closed = || self.socket.check().is_err();
        let has = |bytes| way.room_now(tail) >= bytes || is_closed();
        let still_open = || if self.is_hung_up() { Err(gone_away()) } else { Ok(()) };
        self.socket.check()?;
        way.check_filled(tail)?;
        if deadline.is_over() {
            still_open()?;
            fail!(Timeout, "the time ran out");
        }
        if of.spin(&sender.patience, || has(need)) {
            return self.socket.check();
        }
        let calm = deadline.or_before(CALM);
        // Half of the ring; where that is free, and it is something else that runs short, half of what is in it.
        let room = way.room(tail);
        let half = if room < way.size() / 2 { way.size() / 2 } else { room + (way.size() - room) / 2 };
        for (bytes, deadline) in [(need.max(half), calm), (need, deadline)] {
            sender.wanted.store((tail + bytes).saturating_sub(way.size()), Relaxed);
            let look = || has(bytes).then_some(());
            match receiver.moved.wait_asleep(&self.tree, deadline, true, look, still_open)? {
                Wait::Found(()) => return self.socket.check(),
                Wait::TimedOut => still_open()?,
            }
        }
        fail!(Timeout, "the time ran out")
    }

    /// Waits until something has come; false: nothing has, and nothing will.
    pub(super) fn await_piece(&self, deadline: Deadline, of: Awaited) -> Result<bool> {
        let has_lock = of != Awaited::Anything;
        let way = &self.receives;
        let look = || way.has_come() || self.socket.check().is_err();
        self.socket.check()?;
        if way.has_come() {
            return Ok(true);
        }
        if !deadline.is_over() && of.spin(&way.block.receiver.patience, look) {
            return self.socket.check().map(|()| true);
        }
        let moved = &way.block.sender.moved;
        let found = || look().then_some(());
        // Whoever is woken for nothing may be at the end.
        let sleep = |until| moved.wait_asleep(&self.tree, until, true, found, || Err(()));
        if self.seems_open()
            && let Ok(Wait::Found(())) = sleep(deadline.or_before(SHORT))
        {
            return self.socket.check().map(|()| true);
        }
        if self.is_hung_up() {
            return Ok(self.has_come_before_end());
        }
        if deadline.is_over() {
            self.settle_bell(has_lock);
            return if way.has_come() { Ok(true) } else { Err(timed_out()) };
        }
        match sleep(deadline) {
            Ok(Wait::Found(())) => return self.socket.check().map(|()| true),
            Ok(Wait::TimedOut) => return Err(timed_out()),
            // It lasts, or there is something to see.
            Err(()) => {}
        }
        loop {
            self.settle_bell(has_lock);
            bell::announce_once(&way.block.sender);
            if way.has_come() {
                return Ok(true);
            }
            if self.is_hung_up() {
                return Ok(self.has_come_before_end());
            }
            self.socket.wait(For::Reading, deadline)?;
            // Another process that is receiving sees to the bell, soon.
            if !has_lock && !way.has_come() && !self.settle_bell(false) {
                let soon = deadline.or_before(CALM);
                let _ = moved.wait_asleep(&self.tree, soon, true, found, || Ok::<_, ()>(()));
            }
        }
    }

    /// What was sent comes before the end, also what a killed sender has only entered.
    fn has_come_before_end(&self) -> bool {
        shm::settle_pending(self.receives.block);
        bell::send_last(&self.receives);
        self.receives.has_come()
    }

    /// Nothing was there, or no longer: has the descriptors say so. False where somebody else is receiving.
    pub(super) fn settle_bell(&self, has_lock: bool) -> bool {
        let receiver = &self.receives.block.receiver;
        // One that was killed is not receiving any more.
        if !has_lock && !self.lock(receiver, Deadline::NoWait) {
            return false;
        }
        self.bell.settle(&self.receives, self.socket.fd(), &self.tree);
        if !has_lock {
            receiver.lock.release(&self.tree);
        }
        true
    }

    /// Whoever waits in this process looks whether it still shall.
    pub(super) fn disturb(&self) {
        self.receives.block.sender.moved.notify::<In>(i32::MAX);
        self.sends.block.receiver.moved.notify::<In>(i32::MAX);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.tree.me() != self.rings.owner {
            return;
        }
        for (is_held, lock) in [
            (&self.is_sending, &self.sends.block.sender.lock),
            (&self.is_receiving, &self.receives.block.receiver.lock),
        ] {
            if is_held.load(Relaxed) {
                lock.release(&self.tree);
            }
        }
    }
}

#[cold]
fn timed_out() -> Error {
    Error::new(Status::Timeout, "nothing came in time")
}
