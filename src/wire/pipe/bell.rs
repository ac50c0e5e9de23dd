//! Bytes in the socket, for who polls it. Who receives announces that it does; from then on a sender that has sent a
//! piece puts one there, unless one is there. Who receives takes it out once the ring is empty.
//!
//! | word        | value                 | who                                                               |
//! |-------------|-----------------------|-------------------------------------------------------------------|
//! | `announced` | bit 0: once           | a wait sets it; the sender that rings clears it                   |
//! |             | bit 1: from now on    | the program was told a descriptor                                 |
//! | `rung`      | → RINGING             | a sender, before it puts the byte there                           |
//! |             | RINGING → RUNG        | the same, after that                                              |
//! |             | → 0                   | the receiver, before it takes the byte, and after                 |
//!
//! A receiver can put nothing into its own socket. So what the program polls is the socket together with a flag of
//! this process's own, which is raised where the ring holds something that no byte may tell of any more. A sender
//! killed between its piece and its byte leaves the poller asleep until the next piece, or the end: with the sender's
//! lock RINGING is what a dead one has left, and the byte is put there again. What nothing in the ring belongs to, a
//! byte or a dead one's descriptor, is taken by whoever finds the ring empty.
//!
//! Where several processes receive, one that finds the ring empty may take the byte of a piece that comes meanwhile. If
//! it does not receive that piece itself, another one that polls sleeps until the next piece, or the end.

use super::way::{Way, lock_side};
use crate::error::Result;
use crate::shm::{Edge, In};
use crate::sys::atomic::fence;
use crate::sys::flag::Flag;
use crate::sys::kept::{self, Kept};
use crate::sys::packets;
use crate::sys::sockets::Many;
use crate::time::Deadline;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

const ONCE: u32 = 1;
const FROM_NOW_ON: u32 = 2;

const RINGING: u32 = 1;
const RUNG: u32 = 2;

/// Bytes of a packet: one of these is a bell's, eight of them are a descriptor's number.
const BELL: usize = 1;
const NUMBER: usize = 8;

/// With the sender's lock, after what was sent can be seen, and a fence.
#[cold]
pub(super) fn ring(sender: &Edge, socket: BorrowedFd<'_>) {
    // Before the byte: who is woken by that may announce anew.
    sender.announced.fetch_and(!ONCE, Relaxed);
    // Relaxed, for the fence: a receiver that is about to take the byte looks for what was sent after that.
    if sender.rung.load(Relaxed) != RUNG {
        sender.rung.store(RINGING, SeqCst);
        packets::try_send(socket, &[0; BELL]);
        // Not where a receiver has been there meanwhile, and may have taken it.
        let _ = sender.rung.compare_exchange(RINGING, RUNG, SeqCst, Relaxed);
    }
}

/// The next piece is to be told of. What has come already has to be looked for after this.
pub(super) fn announce_once(sender: &Edge) {
    sender.announced.fetch_or(ONCE, SeqCst);
    fence(SeqCst);
}

/// With the receiver's lock: drops the descriptor that comes next, if a killed sender has not told of it. A living one
/// is about to.
#[cold]
fn drop_forgotten(way: &Way, socket: BorrowedFd<'_>, tree: &In) -> bool {
    let sender = &way.block.sender;
    if !lock_side(sender, tree, Deadline::NoWait) {
        return false;
    }
    let forgotten = !way.has_come();
    if forgotten {
        let _ = packets::receive::<NUMBER>(socket);
    }
    sender.lock.release(tree);
    forgotten
}

/// With the receiver's lock: finds the descriptors of this number, which stay, and takes out what is before them: a
/// killed process's, or `bells`, of which there may have been some also where this fails.
fn find(number: u64, socket: BorrowedFd<'_>, bells: &mut bool) -> Result<Option<Vec<Kept>>> {
    loop {
        match packets::peek::<NUMBER>(socket)? {
            Some((_, BELL)) => *bells = true,
            Some((bytes, NUMBER)) if u64::from_ne_bytes(bytes) < number => {}
            Some((bytes, NUMBER)) if u64::from_ne_bytes(bytes) == number => {
                let mut list = kept::list();
                let found = packets::copy::<NUMBER>(socket)?;
                return Ok(found.map(|message| message.fds.into_iter().map(|fd| list.keep(fd)).collect()));
            }
            _ => return Ok(None),
        }
        packets::discard(socket)?;
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
        let sender = &way.block.sender;
        if way.has_come() || sender.announced.load(Relaxed) == 0 && sender.rung.load(Relaxed) == 0 {
            return;
        }
        let mut polled = self.polled();
        if let Some(polled) = &mut *polled {
            polled.raise(false);
        }
        sender.rung.swap(0, SeqCst);
        loop {
            match packets::peek::<NUMBER>(socket) {
                Ok(Some((_, BELL))) => drop(packets::receive::<BELL>(socket)),
                Ok(Some((_, NUMBER))) if drop_forgotten(way, socket, tree) => {}
                _ => break,
            }
        }
        // Of a byte that came after the first time, and was taken, nobody shall think that it is there.
        sender.rung.store(0, SeqCst);
        // A byte may have gone that told of this. Whoever sends after this finds that none is there.
        fence(SeqCst);
        if let Some(polled) = &mut *polled {
            polled.raise(way.has_come());
        }
    }

    /// With the receiver's lock: finds the descriptors of this number in the socket, where they stay until
    /// [`Bell::drop_next`]; None where they are lost.
    pub(super) fn find(&self, number: u64, way: &Way, socket: BorrowedFd<'_>) -> Result<Option<Vec<Kept>>> {
        let mut bells = false;
        let found = find(number, socket, &mut bells);
        if bells {
            way.block.sender.rung.store(0, SeqCst);
            if let Some(polled) = &mut *self.polled() {
                polled.raise(true);
            }
        }
        found
    }

    /// After the position that says so: what was found is received. What stays, since a process was killed before this,
    /// or the kernel has no memory, goes when the next one is looked for.
    pub(super) fn drop_next(socket: BorrowedFd<'_>) {
        let _ = packets::discard(socket);
    }
}
