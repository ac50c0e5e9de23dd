//! Messages outside the ring: those that carry handles, each in a block that holds what the handles stand for, and those
//! that were written in place, or are read so, in blocks that the two sides hand to and fro. One of the way's carriers
//! holds that block for as long as the piece that names the carrier is in the ring: both change
//! in one transaction of the books, when the message is sent and when it is received. So the handles always have a
//! holder, and one only, and with the last process that has the pipe go the messages that nobody received.
//!
//! | killed right after                                       | what others find                                 |
//! |----------------------------------------------------------|--------------------------------------------------|
//! | send: the block was made, in the sender's ledger         | the sweep of its slot frees the block            |
//! | send: the piece was written behind the end               | the same; the next sender writes over the piece  |
//! | send: carrier set and position stored, one transaction   | the message is in                                |
//! | send, where somebody polls: the same, with what is next in place of the position | who sends next sends it, see `bell.rs` |
//! | receive: the bytes were copied out                       | the next receiver finds the message              |
//! | receive: carrier emptied, position stored and block in the receiver's ledger, one transaction | the message is gone, and the sweep of its slot frees the block |
//!
//! Descriptors that go with such a message are in the socket, under a number that the block has: sent before the piece,
//! and taken out after it, as for a piece that tells of one descriptor.
//!
//! What is entered of a transaction and not stored yet is stored by who takes over the lock, or asks for the end.

use super::bell;
use super::line::Awaited;
use super::receive::Receiving;
use super::send::Sending;
use super::way::{Piece, Way, damaged};
use crate::error::{Result, fail};
use crate::shm::{self, Data, Edge, Entry, Object};
use crate::sys::kept::Kept;
use crate::sys::sockets::For;
use crate::time::Deadline;
use crate::wire::lent::Lent;
use crate::wire::load::Load;
use crate::wire::receive::{self, Came, Source};
use std::os::fd::RawFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of such messages that are on one way together: more would lie in no cache when they are read. A longer message
/// goes by itself.
const TOGETHER: usize = 1 << 20;

/// What a receiving call does about such messages.
#[derive(Default)]
pub(super) struct Laden {
    /// With handles, too.
    is_wanted: bool,
    /// The carrier of the message that is being received, where it is such a one.
    begun: Option<usize>,
    /// What holds the message that was received.
    holder: Option<Entry>,
    /// What came with it.
    fds: Vec<Kept>,
}

impl Laden {
    pub(super) fn wanted() -> Self {
        Laden { is_wanted: true, ..Self::default() }
    }

    /// What holds the handles of the message that was received, if it carries any.
    pub(super) fn take(&mut self) -> Option<Load> {
        let is_laden = |holder: &mut Entry| shm::parcel(*holder).is_some_and(|parcel| parcel.count() > 0);
        Some(Load::new(self.holder.take_if(is_laden)?, std::mem::take(&mut self.fds)))
    }
}

impl Sending<'_> {
    /// `fds` go along, if any.
    pub(super) fn push_parcel(&self, parcel: Object, fds: &[RawFd], deadline: Deadline) -> Result<()> {
        let line = self.0;
        let way = &line.sends;
        line.check_other()?;
        let tail = way.tail();
        let Some(block) = shm::parcel(parcel.entry) else { return damaged() };
        let len = block.bytes().map_or(0, |data| data.len());
        let size = Piece::Parcel(0).size();
        line.await_room(tail, size, Awaited::Message, deadline)?;
        let carrier = loop {
            // Before the carriers are looked at: what is received after this ends the wait below.
            let room = way.room_now(tail);
            if let Some(carrier) = empty_carrier(way, len) {
                break carrier;
            }
            if room >= way.size() {
                return damaged();
            }
            line.await_room(tail, room + size, Awaited::Message, deadline)?;
        };
        // Of descriptors who polls learns by themselves.
        let rings = fds.is_empty() && bell::is_awaited(&way.block.sender);
        if rings {
            bell::await_room(way, line.socket.fd(), || line.socket.wait(For::Writing, deadline))?;
        }
        if !fds.is_empty() {
            // Before the piece that tells of it: who finds the piece finds the descriptors.
            block.number.store(self.send_fds(fds, deadline)?, Relaxed);
        }
        let to = way.write(tail, Piece::Parcel(carrier), &[]);
        let Edge { next, position, .. } = &way.block.sender;
        let says = if rings { next } else { position };
        if !shm::carry_and_store(parcel, &way.carriers[carrier], says, to) {
            fail!(Panic, "a fresh message is not there");
        }
        if rings {
            bell::ring_anyway(way, line.socket.fd(), to);
            way.sent(to);
        }
        line.wake_receiver(rings || !fds.is_empty());
        Ok(())
    }
}

/// With the sender's lock, under which they are filled: one for a message of `len` bytes. Relaxed: a position that says
/// so was acquired before, and the books see to the rest.
fn empty_carrier(way: &Way, len: usize) -> Option<usize> {
    let on_the_way = |carrier: &AtomicU64| shm::packed(carrier)?.bytes().map(|data| data.len());
    let bytes = way.carriers.iter().filter_map(on_the_way).fold(len, usize::saturating_add);
    let empty = way.carriers.iter().position(|carrier| carrier.load(Relaxed) == 0)?;
    (bytes <= TOGETHER || way.carriers.iter().all(|carrier| carrier.load(Relaxed) == 0)).then_some(empty)
}

impl Receiving<'_> {
    /// The next message is in this carrier. How long it is.
    pub(super) fn begin_parcel(&mut self, carrier: usize) -> Result<usize> {
        let (count, data) = self.parcel(carrier)?;
        if count > 0 && !self.laden.is_wanted {
            let only = "only mp_connection_recv_buffer receives it";
            fail!(Unsupported, "the message carries {count} handles: {only}");
        }
        self.laden.begun = Some(carrier);
        Ok(data.len())
    }

    /// The carrier of the message that is being received, where it carries handles.
    pub(super) fn begun_parcel(&self) -> Option<usize> {
        self.laden.begun
    }

    /// How many handles the message in this carrier has, and its bytes.
    fn parcel(&self, carrier: usize) -> Result<(usize, Data)> {
        let block = self.line.receives.carriers.get(carrier).and_then(shm::packed);
        match block.and_then(|block| Some((block.count(), block.bytes()?))) {
            Some(parcel) => Ok(parcel),
            None => damaged(),
        }
    }

    /// Copies the bytes to where there is room for all of them.
    pub(super) fn copy_parcel(&mut self, carrier: usize, room: &mut [u8]) -> Result<Came> {
        let (_, data) = self.parcel(carrier)?;
        let len = data.len().min(room.len());
        data.read(0, &mut room[..len]);
        Ok(Came::Bytes(len))
    }

    /// Copies the bytes behind the body, where nothing is yet.
    pub(super) fn read_parcel(&mut self, carrier: usize, left: usize) -> Result<Came> {
        let (_, data) = self.parcel(carrier)?;
        let len = data.len().min(left);
        receive::reserve(&mut self.input.body, len, left)?;
        data.append_to(0, len, &mut self.input.body);
        Ok(Came::Bytes(len))
    }

    /// All of it was copied: this process has it.
    pub(super) fn take_parcel(&mut self, carrier: usize) -> Result<Vec<u8>> {
        // Where this fails the message stays, whole.
        let body = std::mem::take(&mut self.input.body);
        let (way, socket) = (&self.line.receives, self.line.socket.fd());
        let to = way.head() + Piece::Parcel(carrier).size();
        let fds = match way.number(carrier) {
            Some(number) => bell::find(way, number, socket)?,
            None => None,
        };
        match shm::take_carried(&way.carriers[carrier], &way.block.receiver.position, to)? {
            Some(holder) => self.laden.holder = Some(holder),
            None => return damaged(),
        }
        if let Some(fds) = fds {
            bell::drop_next(socket);
            self.laden.fds = fds;
        }
        self.passed(to);
        Ok(body)
    }

    /// Takes the next message, waiting for one, to be read in place.
    pub(super) fn peek(&mut self, deadline: Deadline) -> Result<Lent> {
        self.length(deadline)?;
        let Some(carrier) = self.begun_parcel() else {
            return Ok(Lent::Own(receive::into_vec(self, usize::MAX, deadline, |_| {})?, 0));
        };
        self.take_parcel(carrier)?;
        match self.laden.holder.and_then(|holder| Some((holder, shm::parcel(holder)?.bytes()?))) {
            Some((holder, data)) => {
                self.laden.holder = None;
                Ok(Lent::Shared(holder, data))
            }
            None => damaged(),
        }
    }

    /// What the message was in is not needed any more.
    pub(super) fn leave_holder(&mut self) {
        if let Some(holder) = self.laden.holder.take() {
            shm::leave(holder, self.line.receives.spares);
        }
    }
}
