//! One end of a connection, whatever it stands on.

use super::carried::{Carried, What};
use super::handshake::{Handshake, Key};
use super::lent::Loans;
use super::load::{self, Load};
use super::pipe::Pipe;
use super::stream::Stream;
use crate::error::{Result, fail};
use crate::shm::Content;
use crate::sys::fd;
use crate::sys::kept::{self, Kept};
use crate::sys::lifeline;
use crate::sys::sockets::{self, Address};
use crate::time::Deadline;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// What a connection stands on.
pub(super) enum Transport {
    Stream(Stream),
    Pipe(Pipe),
}

/// The same call on whichever it is.
macro_rules! on {
    ($connection:expr, $end:ident => $call:expr) => {
        match &$connection.transport {
            Transport::Stream($end) => $call,
            Transport::Pipe($end) => $call,
        }
    };
}

/// One end. Any thread may use it; of those who send, and of those who receive, one at a time is at work.
pub(crate) struct Connection {
    pub(super) transport: Transport,
    /// Room for messages that are being written, and messages that are being read.
    pub(super) reserved: Loans,
    pub(super) peeked: Loans,
}

impl Connection {
    pub(super) fn over(fd: Kept) -> Self {
        Self::received(fd, true, true)
    }

    pub(super) fn of_pipe(pipe: Pipe) -> Self {
        Self::on(Transport::Pipe(pipe))
    }

    fn on(transport: Transport) -> Self {
        Connection { transport, reserved: Loans::default(), peeked: Loans::default() }
    }

    /// Takes over a connected socket of the program's.
    pub(crate) fn from_fd(raw: RawFd, can_receive: bool, can_send: bool, most: usize) -> Result<Self> {
        sockets::check_stream(raw)?;
        let mut list = kept::list();
        let kept = list.keep(fd::adopt(raw)?);
        Ok(Self::received(kept, can_receive, can_send).limited(most))
    }

    /// Two ends in shared memory. If not duplex the first only receives and the second only sends.
    pub(crate) fn pair(duplex: bool) -> Result<(Self, Self)> {
        let (first, second) = Pipe::pair(duplex)?;
        Ok((Self::of_pipe(first), Self::of_pipe(second)))
    }

    /// Two ends of a socket: whoever polls one need not say so before.
    pub(crate) fn socket_pair() -> Result<(Self, Self)> {
        let mut list = kept::list();
        let (first, second) = lifeline::pair()?;
        Ok((Self::over(list.keep(first)), Self::over(list.keep(second))))
    }

    /// In a child: what it was handed.
    pub(super) fn received(fd: Kept, can_receive: bool, can_send: bool) -> Self {
        Self::on(Transport::Stream(Stream::new(fd, can_receive, can_send)))
    }

    /// In a fork of the program's own: its copy of this end, of which nothing is lent.
    pub(crate) fn in_fork(&self) -> Result<Self> {
        Ok(Self::on(match &self.transport {
            Transport::Stream(stream) => Transport::Stream(stream.in_fork()?),
            Transport::Pipe(pipe) => Transport::Pipe(pipe.in_fork()?),
        }))
    }

    /// Messages have at most so many bytes from now on. A pipe's other end is one of the program's own.
    pub(super) fn limited(mut self, most: usize) -> Self {
        if let Transport::Stream(stream) = &mut self.transport {
            stream.limit(most);
        }
        self
    }

    pub(crate) fn send(&self, message: &[u8], deadline: Deadline) -> Result<()> {
        on!(self, end => end.send(message, deadline))
    }

    /// Receives a message into `room`; `tell` learns its length, which may be more than fits.
    pub(crate) fn receive_into(
        &self,
        room: &mut [u8],
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<()> {
        on!(self, end => end.receive_into(room, deadline, tell))
    }

    /// Receives a message of at most `most` bytes into memory of its own.
    pub(crate) fn receive(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<Vec<u8>> {
        on!(self, end => end.receive_vec(most, deadline, tell))
    }

    /// The same, with the handles that it carries, if any.
    pub(crate) fn receive_laden(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<(Vec<u8>, Option<Load>)> {
        match &self.transport {
            Transport::Stream(stream) => Ok((stream.receive_vec(most, deadline, tell)?, None)),
            Transport::Pipe(pipe) => pipe.receive_laden(most, deadline, tell),
        }
    }

    /// Sends a message that carries handles.
    pub(crate) fn send_handles(
        &self,
        bytes: &[u8],
        contents: &[Content],
        carried: &[Carried],
        deadline: Deadline,
    ) -> Result<()> {
        match &self.transport {
            Transport::Stream(_) => fail!(
                Unsupported,
                "the other end of a socket may be another program's: pipes and queues carry handles"
            ),
            Transport::Pipe(pipe) => {
                let (papers, fds) = load::pack(carried)?;
                pipe.send_handles(bytes, contents, &papers, &fds, deadline)
            }
        }
    }

    pub(crate) fn poll(&self, deadline: Deadline) -> Result<()> {
        on!(self, end => end.poll(deadline))
    }

    pub(crate) fn send_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        on!(self, end => end.send_fd(fd, deadline))
    }

    pub(crate) fn receive_fd(&self, deadline: Deadline) -> Result<OwnedFd> {
        on!(self, end => end.receive_fd(deadline))
    }

    /// Has the other end prove that it knows the key.
    pub(crate) fn deliver_challenge(&self, key: Key, deadline: Deadline) -> Result<()> {
        Handshake::delivering(key).advance(self, deadline)
    }

    /// Proves to the other end, which asks, that this one knows the key.
    pub(crate) fn answer_challenge(&self, key: Key, deadline: Deadline) -> Result<()> {
        Handshake::answering(key).advance(self, deadline)
    }

    /// For the program to poll, from now on.
    pub(crate) fn descriptor(&self) -> Result<RawFd> {
        on!(self, end => end.descriptor())
    }

    /// To be polled once: before that has to be looked whether something has come already.
    pub(crate) fn descriptor_once(&self) -> Result<RawFd> {
        match &self.transport {
            Transport::Stream(stream) => stream.descriptor(),
            Transport::Pipe(pipe) => pipe.descriptor_once(),
        }
    }

    pub(crate) fn can_receive(&self) -> bool {
        on!(self, end => end.can_receive())
    }

    pub(crate) fn can_send(&self) -> bool {
        on!(self, end => end.can_send())
    }

    pub(crate) fn is_closed(&self) -> bool {
        on!(self, end => end.is_closed())
    }

    pub(crate) fn close(&self) {
        on!(self, end => end.close())
    }

    /// Does something with the descriptor.
    pub(crate) fn with_fd<R>(&self, what: impl FnOnce(BorrowedFd<'_>) -> R) -> Result<R> {
        match &self.transport {
            Transport::Stream(stream) => Ok(what(stream.socket()?.fd())),
            Transport::Pipe(pipe) => pipe.with_fd(what),
        }
    }

    /// The socket of a client's end, between two messages.
    pub(crate) fn into_socket(self) -> Result<Kept> {
        match self.transport {
            Transport::Stream(stream) => stream.into_socket(),
            Transport::Pipe(_) => fail!(Unsupported, "a pipe is more than a socket"),
        }
    }

    /// Where this end is, and the other one.
    pub(super) fn ends(&self) -> Result<(Option<Address>, Option<Address>)> {
        self.with_fd(|fd| (sockets::own(fd), sockets::other(fd)))
    }

    /// The process and the user at the other end, where the kernel knows.
    pub(super) fn peer(&self) -> Option<(u32, u32)> {
        self.with_fd(sockets::peer).ok()?
    }

    /// The same end once more, for a child.
    pub(crate) fn carry(&self) -> Result<Carried> {
        match &self.transport {
            Transport::Pipe(pipe) => Ok(Carried::of_pipe(pipe.again()?)),
            Transport::Stream(stream) => {
                let (can_receive, can_send) = (self.can_receive(), self.can_send());
                Ok(Carried::new(
                    stream.again()?,
                    What::Connection { can_receive, can_send, most: stream.most() },
                ))
            }
        }
    }
}
