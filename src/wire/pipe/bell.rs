//! Bells: packets in the socket, for who polls it. Who receives announces that it does; from then on a sender puts one
//! there before it sends a piece, unless one is there. Each says up to where that piece goes: who finds the ring empty
//! takes out those that tell of what has been received, and no other. So the socket is readable for everybody who polls
//! it while something is in the ring, and is not readable any more soon after.
//!
//! | word              | value                                       | who                                       |
//! |-------------------|---------------------------------------------|-------------------------------------------|
//! | `announced`       | bit 0: once                                 | a wait sets it; who rings clears it       |
//! |                   | bit 1: from now on                          | the program was told a descriptor         |
//! | sender's `next`   | where the position will be: a piece is written up to there | with the sender's lock     |
//! |                   | the position, or less                       | the same, where it was not told of        |
//! | sender's `bell`   | what the last bell in the socket says       | with the sender's lock, after that        |
//! |                   | 0: there may be none                        | the same: descriptors come behind it      |
//! | receiver's `bell` | bells up to here may be taken               | with the receiver's lock, before that     |
//!
//! A bell can be relied on while the sender's word is beyond the receiver's. A sender says what is next, and then looks
//! whether it can rely on one; a receiver says that it takes them, and then looks whether something is next. Fences on
//! both sides make sure that one sees the other: the sender puts a new one there, or the receiver leaves the old ones.
//!
//! A piece that a bell tells of is sent, whether its sender has said so yet or not: who finds the bell first stores the
//! position in its place. So who is told finds the piece. Descriptors tell of their piece, too, from just before it is
//! sent until it was received.
//!
//! | killed                          | what others find                                                            |
//! |---------------------------------|-----------------------------------------------------------------------------|
//! | sender: said what is next       | the next sender tells of it, and sends it; or a receiver does, at the end   |
//! | sender: a bell tells of it      | the same, or who receives stores the position                               |
//! | sender: its descriptors are there | who receives takes over the lock, and drops them, or the next ones do     |
//! | receiver: said that it takes bells | the next piece has one, too, and the old ones go with that               |
//! | receiver: descriptors were received | who takes over the lock drops them                                      |
//!
//! What was sent before it was announced that somebody polls has no bell, and a receiver can put nothing into its own
//! socket. So what the program polls is the socket together with a flag of this process's own, which is raised until
//! the ring was empty once.

use super::way::{Way, lock_side};
use crate::error::{Result, Status};
use crate::shm::{Edge, In};
use crate::sys::atomic::fence;
use crate::sys::flag::Flag;
use crate::sys::kept::{self, Kept};
use crate::sys::packets;
use crate::sys::sockets::{self, For, Many, Moved};
use crate::time::Deadline;
use crate::wire::output::gone_away;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const ONCE: u32 = 1;
const FROM_NOW_ON: u32 = 2;

/// Bytes of a packet with descriptors: their number.
const NUMBER: usize = 8;
/// Bytes of a bell: a position, and one more to know it by.
const BELL: usize = NUMBER + 1;

fn bell(position: u64) -> [u8; BELL] {
    let mut bytes = [0; BELL];
    bytes[..NUMBER].copy_from_slice(&position.to_ne_bytes());
    bytes
}

/// What comes next in the socket.
enum Packet {
    Bell(u64),
    Descriptors(u64),
}

fn next_packet(socket: BorrowedFd<'_>) -> Result<Option<Packet>> {
    Ok(match packets::peek::<NUMBER>(socket)? {
        Some((bytes, BELL)) => Some(Packet::Bell(u64::from_ne_bytes(bytes))),
        Some((bytes, NUMBER)) => Some(Packet::Descriptors(u64::from_ne_bytes(bytes))),
        _ => None,
    })
}

/// Whether a bell can be relied on: with the sender's lock, after what is next was said, and a fence. Relaxed: with that
/// it sees a receiver that takes what is there.
fn is_there(way: &Way) -> bool {
    way.block.sender.bell.load(Relaxed) > way.block.receiver.bell.load(Relaxed)
}

/// After the same: tells of what is next by a new bell, or one that is there. Where there is no room `wait` waits for some.
fn tell(way: &Way, socket: BorrowedFd<'_>, to: u64, mut wait: impl FnMut() -> Result<()>) -> Result<()> {
    while !is_there(way) {
        let moved = sockets::send_along(socket, &bell(to), &[]).map_err(|e| e.with_status(Status::Os))?;
        match moved {
            Moved::Bytes(_) => {
                way.block.sender.bell.store(to, Relaxed);
                break;
            }
            Moved::NotNow => wait()?,
            Moved::End | Moved::Reset => return Err(gone_away()),
        }
    }
    Ok(())
}

/// With the sender's lock: whether somebody polls, who is to be told of each piece before it is sent.
pub(super) fn is_awaited(sender: &Edge) -> bool {
    sender.announced.load(Relaxed) != 0
}

/// With the sender's lock, where somebody polls and a piece is written up to `to`: tells of it. Then it is sent.
#[cold]
pub(super) fn ring(
    way: &Way,
    socket: BorrowedFd<'_>,
    to: u64,
    wait: impl FnMut() -> Result<()>,
) -> Result<()> {
    let sender = &way.block.sender;
    // Before the bell: who is woken by that may announce anew.
    sender.announced.fetch_and(!ONCE, Relaxed);
    // Release: who finds it there finds the piece.
    sender.next.store(to, Release);
    fence(SeqCst);
    tell(way, socket, to, wait).inspect_err(|_| sender.next.store(way.tail(), Relaxed))
}

/// The same where it cannot be taken back: a transaction has said that it is next, or it was sent already when nobody
/// had announced that it polls. Then who polls knows of what the socket is full of, if it is. Where the kernel has no
/// memory the next piece tells of this one.
#[cold]
pub(super) fn ring_anyway(way: &Way, socket: BorrowedFd<'_>, to: u64) {
    way.block.sender.announced.fetch_and(!ONCE, Relaxed);
    fence(SeqCst);
    let _ = tell(way, socket, to, || Err(gone_away()));
}

/// With the sender's lock: waits until a bell is there, or there is room for one.
pub(super) fn await_room(
    way: &Way,
    socket: BorrowedFd<'_>,
    mut wait: impl FnMut() -> Result<()>,
) -> Result<()> {
    while !is_there(way) && !sockets::wait(socket, For::Writing, Duration::ZERO) {
        wait()?;
    }
    Ok(())
}

/// With the sender's lock, before anything is written: what a dead one has said is next is told of, and sent.
pub(super) fn finish_dead(way: &Way, socket: BorrowedFd<'_>, wait: impl FnMut() -> Result<()>) -> Result<()> {
    let next = way.block.sender.next.load(Relaxed);
    if next > way.tail() {
        fence(SeqCst);
        tell(way, socket, next, wait)?;
        way.sent(next);
    }
    Ok(())
}

/// With the sender's lock: sends descriptors, before the piece that tells of them by their number; who polls is told of
/// that piece by them.
pub(super) fn send_descriptors(
    way: &Way,
    socket: BorrowedFd<'_>,
    (number, fds): (u64, &[RawFd]),
    mut wait: impl FnMut() -> Result<()>,
) -> Result<()> {
    // Who receives them takes out the bells before them. So the piece behind theirs has a new one.
    way.block.sender.bell.store(0, Relaxed);
    loop {
        match sockets::send_along(socket, &number.to_ne_bytes(), fds)? {
            Moved::Bytes(_) => return Ok(()),
            Moved::NotNow => wait()?,
            Moved::End | Moved::Reset => return Err(gone_away()),
        }
    }
}

/// The next piece is to be told of. What has come already has to be looked for after this.
pub(super) fn announce_once(sender: &Edge) {
    sender.announced.fetch_or(ONCE, SeqCst);
    fence(SeqCst);
}

/// With the receiver's lock: whether what a packet tells of has come, or may come in a moment, from a living sender. If
/// not it is not relied on either.
fn is_coming(way: &Way, tree: &In) -> bool {
    let (sender, receiver) = (&way.block.sender, &way.block.receiver);
    if lock_side(sender, tree, Deadline::NoWait).is_none() {
        return true;
    }
    let has_come = way.has_come();
    if !has_come {
        receiver.bell.store(way.head(), Relaxed);
    }
    sender.lock.release(tree);
    has_come
}

/// What is next is sent, where nothing has come.
fn send_next(way: &Way, next: u64) {
    // Its sender may have done so, and sent more. Release: for who looks later.
    let _ = way.block.sender.position.compare_exchange(way.head(), next, Release, Relaxed);
}

/// After the end of all senders: what the last one has said is next is sent.
pub(super) fn send_last(way: &Way) {
    // Acquire: the piece is in place.
    let next = way.block.sender.next.load(Acquire);
    if next > way.head() {
        send_next(way, next);
    }
}

/// What the program polls.
struct Polled {
    many: Kept,
    flag: Flag,
    is_raised: bool,
}

impl Polled {
    fn raise(&mut self, to: bool) {
        if self.is_raised != to {
            self.is_raised = to;
            if to { self.flag.raise() } else { self.flag.lower() }
        }
    }
}

/// The receiver's part. None: the program was told no descriptor.
#[derive(Default)]
pub(super) struct Bell(Mutex<Option<Polled>>);

impl Bell {
    fn polled(&self) -> MutexGuard<'_, Option<Polled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor that the program polls.
    pub(super) fn descriptor(&self, way: &Way, socket: BorrowedFd<'_>) -> Result<RawFd> {
        let mut polled = self.polled();
        let place = match &mut *polled {
            Some(place) => place,
            none => {
                let flag = Flag::new()?;
                let many = {
                    let mut list = kept::list();
                    list.keep(Many::new()?.into_fd())
                };
                Many::add(many.fd(), socket)?;
                Many::add(many.fd(), flag.borrowed())?;
                none.insert(Polled { many, flag, is_raised: false })
            }
        };
        way.block.sender.announced.fetch_or(FROM_NOW_ON, SeqCst);
        fence(SeqCst);
        place.raise(way.has_come());
        Ok(place.many.fd().as_raw_fd())
    }

    /// With the receiver's lock, after something was received, or nothing was there.
    pub(super) fn settle(&self, way: &Way, socket: BorrowedFd<'_>, tree: &In) {
        let (sender, receiver) = (&way.block.sender, &way.block.receiver);
        if way.has_come() || !is_awaited(sender) && !is_there(way) {
            return;
        }
        if let Some(polled) = &mut *self.polled() {
            polled.raise(false);
        }
        let (head, taken) = (way.head(), receiver.bell.load(Relaxed));
        receiver.bell.store(head, Relaxed);
        fence(SeqCst);
        // Acquire: the piece is in place.
        let next = sender.next.load(Acquire);
        let has_come = way.has_come();
        // What a sender may rely on stays.
        let mut leaves_bells = has_come || next > head && sender.bell.load(Relaxed) > taken;
        if leaves_bells {
            receiver.bell.store(taken, Relaxed);
        }
        if has_come {
            return;
        }
        while let Ok(Some(packet)) = next_packet(socket) {
            match packet {
                Packet::Bell(to) if to > head && to == sender.next.load(Acquire) => {
                    return send_next(way, to);
                }
                Packet::Bell(to) if to <= head && !leaves_bells => {}
                _ if is_coming(way, tree) => return,
                _ => leaves_bells = false,
            }
            if packets::discard(socket).is_err() {
                return;
            }
        }
    }
}

/// With the receiver's lock, whose position is that of their piece: finds the descriptors of this number in the socket,
/// where they stay until [`drop_next`]; None where they are lost. What is before them goes: a dead one's, and bells, on
/// which nobody relies.
pub(super) fn find(way: &Way, number: u64, socket: BorrowedFd<'_>) -> Result<Option<Vec<Kept>>> {
    loop {
        match next_packet(socket)? {
            Some(Packet::Descriptors(next)) if next == number => {
                way.block.receiver.descriptors.store(number, Relaxed);
                let mut list = kept::list();
                let found = packets::copy::<NUMBER>(socket)?;
                return Ok(found.map(|message| message.fds.into_iter().map(|fd| list.keep(fd)).collect()));
            }
            Some(Packet::Descriptors(next)) if next > number => return Ok(None),
            None => return Ok(None),
            _ => packets::discard(socket)?,
        }
    }
}

/// After the position that says so: what was found is received. What stays, since the kernel has no memory, goes when
/// the next one is looked for.
pub(super) fn drop_next(socket: BorrowedFd<'_>) {
    let _ = packets::discard(socket);
}

/// With the receiver's lock, whose last holder was killed: it may have received what it found, and not dropped it.
pub(super) fn drop_found(way: &Way, socket: BorrowedFd<'_>) {
    let found = way.block.receiver.descriptors.load(Relaxed);
    let is_next = matches!(next_packet(socket), Ok(Some(Packet::Descriptors(next))) if next == found);
    // With the piece at the head they are received again.
    if is_next && way.number_at_head() != Some(found) {
        drop_next(socket);
    }
}
