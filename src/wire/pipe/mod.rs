//! One end of a pipe: messages go through rings in shared memory, with a futex to wake by. Beneath them is a pair of
//! sockets, over which descriptors go, by which each end learns that nobody has the other one any more, and which
//! can be polled.
//!
//! Of the processes that have an end one sends and one receives at a time, for as long as a message takes.

mod bell;
mod line;
mod parcels;
mod receive;
mod send;
mod way;

pub(super) use line::Rings;

use super::lent::Lent;
use super::load::Load;
use super::output::Output;
use super::receive::{into_room, into_vec};
use super::turn::{Taken, Turn};
use crate::error::{Result, fail};
use crate::shm::{self, Content, Edge, Entry, Kind, Object, Ref};
use crate::sys::kept::{self, Kept, Mark};
use crate::sys::{packets, sockets};
use crate::time::Deadline;
use line::{Awaited, Line};
use parcels::Laden;
use receive::{Input, Receiving};
use send::Sending;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use way::damaged;

/// Which end it is, and of what.
#[derive(Clone, Copy)]
pub(super) struct Role {
    pub(super) first: bool,
    pub(super) duplex: bool,
}

impl Role {
    fn can_receive(self) -> bool {
        self.duplex || self.first
    }

    fn can_send(self) -> bool {
        self.duplex || !self.first
    }
}

/// One end.
pub(super) struct Pipe {
    /// None: it was closed.
    line: Mutex<Option<Arc<Line>>>,
    mark: Mark,
    reference: Ref,
    role: Role,
    input: Turn<Input>,
    output: Turn<Output>,
}

/// A side's lock, for a call; kept where that gives up in a message.
struct Hold<'a> {
    line: &'a Line,
    side: &'a Edge,
    keep: &'a AtomicBool,
}

impl<'a> Hold<'a> {
    fn take(
        line: &'a Line,
        side: &'a Edge,
        keep: &'a AtomicBool,
        deadline: Deadline,
        doing: &str,
    ) -> Result<Self> {
        // The turn is this thread's, so nobody else changes that.
        if !keep.load(Relaxed) && !line.lock(side, deadline) {
            fail!(Timeout, "another process was {doing} all the time");
        }
        Ok(Hold { line, side, keep })
    }

    fn end(self, keep: bool) {
        self.keep.store(keep, Relaxed);
        if !keep {
            self.side.lock.release(&self.line.tree());
        }
    }
}

impl Pipe {
    /// Both ends. If not duplex the first only receives and the second only sends.
    pub(super) fn pair(duplex: bool) -> Result<(Self, Self)> {
        let rings = Rings::new(if duplex { 2 } else { 1 })?;
        let again = rings.again()?;
        let (first, second) = {
            let mut list = kept::list();
            let (first, second) = packets::pair()?;
            (list.keep(first), list.keep(second))
        };
        let end = |fd, rings, first| Self::new(fd, rings, Role { first, duplex });
        Ok((end(first, rings, true), end(second, again, false)))
    }

    pub(super) fn new(fd: Kept, rings: Rings, role: Role) -> Self {
        let (mark, reference) = (fd.mark(), rings.reference());
        let line = Line::new(fd, rings, role.first);
        Pipe {
            line: Mutex::new(Some(Arc::new(line))),
            mark,
            reference,
            role,
            input: Turn::new(Input::default()),
            output: Turn::new(Output::default()),
        }
    }

    /// In a fork of the program's own: its copy of this end. Where its parent was in a message, that is another
    /// process's that it waits for.
    pub(super) fn in_fork(&self) -> Result<Self> {
        let rings = Rings::held(self.reference)?;
        Ok(Self::new(self.mark.inherit()?, rings, self.role))
    }

    fn line(&self) -> Result<Arc<Line>> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone().ok_or_else(super::stream::closed)
    }

    pub(super) fn can_receive(&self) -> bool {
        self.role.can_receive()
    }

    pub(super) fn can_send(&self) -> bool {
        self.role.can_send()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.line().is_err()
    }

    /// Closes it. Calls that wait in other threads leave, and with the last of them goes the descriptor.
    pub(super) fn close(&self) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = line {
            line.socket.close();
            line.disturb();
            self.input.disturb();
            self.output.disturb();
        }
    }

    /// Sends with `how`.
    fn sending(
        &self,
        deadline: Deadline,
        how: impl FnOnce(&mut Output, &Sending<'_>) -> Result<()>,
    ) -> Result<()> {
        let line = self.line()?;
        self.check_sends()?;
        let Some(mut output) = self.output.take(deadline, || line.socket.check())? else {
            fail!(Timeout, "another thread was sending all the time");
        };
        let side = &line.sends.block.sender;
        let hold = Hold::take(&line, side, &line.is_sending, deadline, "sending")?;
        let sent = line.finish_dead(deadline).and_then(|()| how(&mut output, &Sending(&line)));
        hold.end(!output.is_between());
        sent
    }

    pub(super) fn send(&self, message: &[u8], deadline: Deadline) -> Result<()> {
        self.sending(deadline, |output, to| output.send(to, message, deadline))
    }

    pub(super) fn send_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        self.sending(deadline, |output, to| output.send_fd(to, fd, deadline))
    }

    /// Sends a message that carries handles; of some there are papers and descriptors.
    pub(super) fn send_handles(
        &self,
        bytes: &[u8],
        contents: &[Content],
        papers: &[u8],
        fds: &[RawFd],
        deadline: Deadline,
    ) -> Result<()> {
        if contents.iter().any(|content| content.object == Some((Kind::Pipe, self.reference))) {
            fail!(Invalid, "one of the handles is of the pipe itself, which would hold itself for ever");
        }
        let parcel = shm::pack_with(bytes, papers, contents)?;
        self.send_parcel(parcel, fds, deadline).inspect_err(|_| shm::release(parcel.entry))
    }

    /// Receives with `how`.
    fn receiving<R>(
        &self,
        deadline: Deadline,
        how: impl FnOnce(&mut Receiving<'_>) -> Result<R>,
    ) -> Result<R> {
        let line = self.line()?;
        self.check_receives()?;
        let Some(mut input) = self.take_input(&line, deadline)? else {
            fail!(Timeout, "another thread was receiving all the time");
        };
        let side = &line.receives.block.receiver;
        let hold = Hold::take(&line, side, &line.is_receiving, deadline, "receiving")?;
        let mut receiving = Receiving::new(&line, &mut input);
        let got = how(&mut receiving);
        receiving.leave_holder();
        hold.end(!input.is_between());
        got
    }

    fn take_input(&self, line: &Line, deadline: Deadline) -> Result<Option<Taken<'_, Input>>> {
        self.input.take(deadline, || line.socket.check())
    }

    fn check_sends(&self) -> Result<()> {
        if !self.can_send() {
            fail!(State, "this end only receives");
        }
        Ok(())
    }

    fn check_receives(&self) -> Result<()> {
        if !self.can_receive() {
            fail!(State, "this end only sends");
        }
        Ok(())
    }

    pub(super) fn receive_into(
        &self,
        room: &mut [u8],
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<()> {
        self.receiving(deadline, |from| into_room(from, room, deadline, tell))
    }

    pub(super) fn receive_vec(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<Vec<u8>> {
        self.receiving(deadline, |from| into_vec(from, most, deadline, tell))
    }

    /// The same, with the handles that it carries, if any.
    pub(super) fn receive_laden(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<(Vec<u8>, Option<Load>)> {
        self.receiving(deadline, |from| {
            from.laden = Laden::wanted();
            let message = into_vec(from, most, deadline, tell)?;
            Ok((message, from.laden.take()))
        })
    }

    /// Room for a message of at most `len` bytes.
    pub(super) fn reserve(&self, len: usize) -> Result<Lent> {
        let line = self.line()?;
        self.check_sends()?;
        let (entry, data) = shm::room(line.sends.spares, len)?;
        Ok(Lent::Shared(entry, data))
    }

    /// Sends the first `len` bytes of what was reserved; what fails leaves it reserved.
    pub(super) fn commit(&self, room: Entry, len: usize, deadline: Deadline) -> Result<()> {
        match shm::close_room(room, len) {
            Some(parcel) => self.send_parcel(parcel, &[], deadline),
            None => damaged(),
        }
    }

    fn send_parcel(&self, parcel: Object, fds: &[RawFd], deadline: Deadline) -> Result<()> {
        self.sending(deadline, |output, to| {
            output.finish_begun(to, deadline)?;
            to.push_parcel(parcel, fds, deadline)
        })
    }

    /// Gives up room that was reserved.
    pub(super) fn cancel(&self, room: Entry) {
        self.leave(room, |line| line.sends.spares);
    }

    /// The next message, to be read in place.
    pub(super) fn peek(&self, deadline: Deadline) -> Result<Lent> {
        self.receiving(deadline, |from| from.peek(deadline))
    }

    /// Gives up a message that was read.
    pub(super) fn release(&self, message: Entry) {
        self.leave(message, |line| line.receives.spares);
    }

    fn leave(&self, block: Entry, to: impl FnOnce(&Line) -> &'static [AtomicU64]) {
        match self.line() {
            Ok(line) => shm::leave(block, to(&line)),
            // It was closed, and the other end may be gone.
            Err(_) => shm::release(block),
        }
    }

    pub(super) fn receive_fd(&self, deadline: Deadline) -> Result<OwnedFd> {
        self.receiving(deadline, |from| from.receive_fd(deadline))
    }

    /// Waits until there is something to receive, an end included.
    pub(super) fn poll(&self, deadline: Deadline) -> Result<()> {
        let line = self.line()?;
        self.check_receives()?;
        line.await_piece(deadline, Awaited::Anything).map(drop)
    }

    /// For the program to poll.
    pub(super) fn descriptor(&self) -> Result<RawFd> {
        let line = self.line()?;
        if !self.can_receive() {
            return Ok(line.socket.fd().as_raw_fd());
        }
        line.bell.descriptor(&line.receives, line.socket.fd())
    }

    /// For one wait, before which is looked whether something has come already.
    pub(super) fn descriptor_once(&self) -> Result<RawFd> {
        let line = self.line()?;
        bell::announce_once(&line.receives.block.sender);
        Ok(line.socket.fd().as_raw_fd())
    }

    /// Does something with the socket.
    pub(super) fn with_fd<R>(&self, what: impl FnOnce(BorrowedFd<'_>) -> R) -> Result<R> {
        Ok(what(self.line()?.socket.fd()))
    }

    /// The same end once more. Not in the middle of a message, and not while another thread uses it.
    pub(super) fn again(&self) -> Result<(Kept, Rings, Role)> {
        let line = self.line()?;
        let idle =
            self.input.peek(Input::is_between).and_then(|a| Some(a && self.output.peek(Output::is_between)?));
        if idle != Some(true) {
            fail!(State, "the connection is in the middle of a message");
        }
        let rings = line.rings().again()?;
        let mut list = kept::list();
        Ok((list.keep(sockets::again(line.socket.fd())?), rings, self.role))
    }
}
