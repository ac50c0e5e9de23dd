//! One end of a connection, whatever it stands on.

use super::carried::{Carried, What};
use super::handshake::{Handshake, Key};
use super::stream::Stream;
use crate::error::Result;
use crate::sys::fd;
use crate::sys::kept::{self, Kept};
use crate::sys::sockets::{self, Address};
use crate::time::Deadline;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// What a connection stands on.
enum Transport {
    Stream(Stream),
}

/// One end. Any thread may use it; of those who send, and of those who receive, one at a time is at work.
pub(crate) struct Connection(Transport);

impl Connection {
    pub(super) fn over(fd: Kept) -> Self {
        Connection(Transport::Stream(Stream::new(fd, true, true)))
    }

    fn stream(&self) -> &Stream {
        let Transport::Stream(stream) = &self.0;
        stream
    }

    /// Takes over a connected socket of the program's.
    pub(crate) fn from_fd(raw: RawFd, can_receive: bool, can_send: bool) -> Result<Self> {
        sockets::check_stream(raw)?;
        let mut list = kept::list();
        let kept = list.keep(fd::adopt(raw)?);
        Ok(Connection(Transport::Stream(Stream::new(kept, can_receive, can_send))))
    }

    /// Two ends. If not duplex the first only receives and the second only sends.
    pub(crate) fn pair(duplex: bool) -> Result<(Self, Self)> {
        let (first, second) = {
            let mut list = kept::list();
            let (first, second) = sockets::pair()?;
            (list.keep(first), list.keep(second))
        };
        if !duplex {
            sockets::end_writing(first.fd())?;
        }
        let end =
            |fd, can_receive, can_send| Connection(Transport::Stream(Stream::new(fd, can_receive, can_send)));
        Ok((end(first, true, duplex), end(second, duplex, true)))
    }

    /// In a child: what it was handed.
    pub(super) fn received(fd: Kept, can_receive: bool, can_send: bool) -> Self {
        Connection(Transport::Stream(Stream::new(fd, can_receive, can_send)))
    }

    pub(crate) fn send(&self, message: &[u8], deadline: Deadline) -> Result<()> {
        self.stream().send(message, deadline)
    }

    /// Receives a message into `room`; `tell` learns its length, which may be more than fits.
    pub(crate) fn receive_into(
        &self,
        room: &mut [u8],
        deadline: Deadline,
        tell: impl FnOnce(usize),
    ) -> Result<()> {
        self.stream().receive(deadline, |input, socket| input.receive_into(socket, room, deadline, tell))
    }

    /// Receives a message of at most `most` bytes into memory of its own.
    pub(crate) fn receive(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnOnce(usize),
    ) -> Result<Vec<u8>> {
        self.stream().receive(deadline, |input, socket| input.receive_vec(socket, most, deadline, tell))
    }

    pub(crate) fn poll(&self, deadline: Deadline) -> Result<()> {
        self.stream().poll(deadline)
    }

    pub(crate) fn send_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        self.stream().send_fd(fd, deadline)
    }

    pub(crate) fn receive_fd(&self, deadline: Deadline) -> Result<OwnedFd> {
        self.stream().receive_fd(deadline)
    }

    /// Has the other end prove that it knows the key.
    pub(crate) fn deliver_challenge(&self, key: Key, deadline: Deadline) -> Result<()> {
        Handshake::delivering(key).advance(self, deadline)
    }

    /// Proves to the other end, which asks, that this one knows the key.
    pub(crate) fn answer_challenge(&self, key: Key, deadline: Deadline) -> Result<()> {
        Handshake::answering(key).advance(self, deadline)
    }

    pub(crate) fn descriptor(&self) -> Result<RawFd> {
        self.stream().descriptor()
    }

    pub(crate) fn can_receive(&self) -> bool {
        self.stream().can_receive()
    }

    pub(crate) fn can_send(&self) -> bool {
        self.stream().can_send()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stream().is_closed()
    }

    pub(crate) fn close(&self) {
        self.stream().close();
    }

    /// Does something with the descriptor.
    pub(super) fn with_fd<R>(&self, what: impl FnOnce(BorrowedFd<'_>) -> R) -> Result<R> {
        Ok(what(self.stream().socket()?.fd()))
    }

    /// Where this end is, and the other one.
    pub(super) fn ends(&self) -> Result<(Option<Address>, Option<Address>)> {
        let socket = self.stream().socket()?;
        Ok((sockets::own(socket.fd()), sockets::other(socket.fd())))
    }

    /// The process and the user at the other end, where the kernel knows.
    pub(super) fn peer(&self) -> Option<(u32, u32)> {
        let socket = self.stream().socket().ok()?;
        sockets::peer(socket.fd())
    }

    /// The same end once more, for a child.
    pub(crate) fn carry(&self) -> Result<Carried> {
        let (can_receive, can_send) = (self.can_receive(), self.can_send());
        Ok(Carried::new(self.stream().again()?, What::Connection { can_receive, can_send }))
    }
}
