//! One end of a socket. Bytes are read no further than the message that is asked for, so that the descriptor is
//! readable for whoever else waits for it as long as there is something to receive.

use super::input::{FromSocket, Input};
use super::output::Output;
use super::receive;
use super::turn::{SLICE, Turn};
use crate::error::{Error, Result, Status, fail};
use crate::sys::kept::{self, Kept, Mark};
use crate::sys::sockets::{self, For};
use crate::time::Deadline;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The socket, while a call uses it; it is closed when the last one has left.
pub(super) struct Socket {
    fd: Kept,
    /// Whoever waits shall leave.
    closed: AtomicBool,
}

impl Socket {
    pub(super) fn new(fd: Kept) -> Self {
        Socket { fd, closed: AtomicBool::new(false) }
    }

    /// Whoever waits leaves, now or soon.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.fd()
    }

    pub(super) fn check(&self) -> Result<()> {
        // Relaxed: it only has to be seen at some time.
        if self.closed.load(Ordering::Relaxed) { Err(closed()) } else { Ok(()) }
    }

    /// Waits until something can be tried again.
    pub(super) fn wait(&self, what: For, deadline: Deadline) -> Result<()> {
        self.check()?;
        let left = deadline.remaining();
        if left.is_zero() {
            fail!(Timeout, "the time ran out");
        }
        sockets::wait(self.fd(), what, left.min(SLICE));
        self.check()
    }
}

pub(super) fn closed() -> Error {
    Error::new(Status::Closed, "the connection was closed")
}

/// In a fork: its parent's message was not whole, and this process has no part in it.
pub(super) fn torn(what: &str) -> Error {
    Error::new(Status::State, format!("a message was being {what} when this process was forked"))
}

/// One end.
pub(super) struct Stream {
    /// None: it was closed.
    socket: Mutex<Option<Arc<Socket>>>,
    mark: Mark,
    /// Both ends are on this machine: descriptors can go along.
    is_local: bool,
    can_receive: bool,
    can_send: bool,
    /// The longest message that is sent or received.
    most: usize,
    input: Turn<Input>,
    output: Turn<Output>,
}

impl Stream {
    /// Of a listed descriptor.
    pub(super) fn new(fd: Kept, can_receive: bool, can_send: bool) -> Self {
        let is_local = sockets::own(fd.fd()).is_some_and(|at| at.is_local());
        let mark = fd.mark();
        let socket = Arc::new(Socket::new(fd));
        Stream {
            socket: Mutex::new(Some(socket)),
            mark,
            is_local,
            can_receive,
            can_send,
            most: usize::MAX,
            input: Turn::new(Input::default()),
            output: Turn::new(Output::default()),
        }
    }

    /// In a fork of the program's own: its copy of this end. A message that its parent was in the middle of stays its
    /// parent's, and nothing more goes that way here.
    pub(super) fn in_fork(&self) -> Result<Self> {
        let mut stream = Self::new(self.mark.inherit()?, self.can_receive, self.can_send);
        stream.most = self.most;
        if self.input.peek_in_fork(Input::is_intact) != Some(true) {
            stream.input = Turn::new(Input::torn());
        }
        if self.output.peek_in_fork(Output::is_intact) != Some(true) {
            stream.output = Turn::new(Output::torn());
        }
        Ok(stream)
    }

    pub(super) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn socket(&self) -> Result<Arc<Socket>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.clone().ok_or_else(closed)
    }

    fn check_receives(&self) -> Result<Arc<Socket>> {
        let socket = self.socket()?;
        if !self.can_receive {
            fail!(State, "this end only sends");
        }
        Ok(socket)
    }

    fn check_sends(&self) -> Result<Arc<Socket>> {
        let socket = self.socket()?;
        if !self.can_send {
            fail!(State, "this end only receives");
        }
        Ok(socket)
    }

    pub(super) fn can_receive(&self) -> bool {
        self.can_receive
    }

    pub(super) fn can_send(&self) -> bool {
        self.can_send
    }

    pub(super) fn is_closed(&self) -> bool {
        self.socket().is_err()
    }

    /// Closes it. Calls that wait in other threads leave soon, and with the last of them goes the descriptor.
    pub(super) fn close(&self) {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(socket) = socket {
            socket.close();
            self.input.disturb();
            self.output.disturb();
        }
    }

    pub(super) fn descriptor(&self) -> Result<RawFd> {
        Ok(self.socket()?.fd().as_raw_fd())
    }

    /// Whether a message of so many bytes can be sent.
    pub(super) fn check_length(&self, len: usize) -> Result<Arc<Socket>> {
        let socket = self.check_sends()?;
        if len > self.most {
            fail!(Invalid, "the message has {len} bytes, and {} are allowed", self.most);
        }
        Ok(socket)
    }

    /// Sends a message, or the rest of it.
    pub(super) fn send(&self, message: &[u8], deadline: Deadline) -> Result<()> {
        let socket = self.check_length(message.len())?;
        let Some(mut output) = self.output.take(deadline, || socket.check())? else {
            fail!(Timeout, "another thread was sending all the time");
        };
        output.send(&*socket, message, deadline)
    }

    /// Receives a message into `room`; `tell` learns its length, which may be more than fits.
    pub(super) fn receive_into(
        &self,
        room: &mut [u8],
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<()> {
        let how = |input: &mut Input, socket: &Socket| {
            receive::into_room(&mut FromSocket { input, socket, most: self.most }, room, deadline, tell)
        };
        self.receive(deadline, how)
    }

    /// Receives a message of at most `most` bytes into memory of its own.
    pub(super) fn receive_vec(
        &self,
        most: usize,
        deadline: Deadline,
        tell: impl FnMut(usize),
    ) -> Result<Vec<u8>> {
        let how = |input: &mut Input, socket: &Socket| {
            receive::into_vec(&mut FromSocket { input, socket, most: self.most }, most, deadline, tell)
        };
        self.receive(deadline, how)
    }

    /// Receives with `how`.
    fn receive<R>(
        &self,
        deadline: Deadline,
        how: impl FnOnce(&mut Input, &Socket) -> Result<R>,
    ) -> Result<R> {
        let socket = self.check_receives()?;
        let Some(mut input) = self.input.take(deadline, || socket.check())? else {
            fail!(Timeout, "another thread was receiving all the time");
        };
        how(&mut input, &socket)
    }

    /// Waits until there is something to receive, an end included.
    pub(super) fn poll(&self, deadline: Deadline) -> Result<()> {
        let socket = self.check_receives()?;
        loop {
            // What another thread is receiving is not there for this one.
            let kept = self.input.peek(Input::is_ready).unwrap_or(false);
            if kept || sockets::wait(socket.fd(), For::Reading, std::time::Duration::ZERO) {
                return Ok(());
            }
            if deadline.is_over() {
                fail!(Timeout, "nothing came");
            }
            socket.wait(For::Reading, deadline)?;
        }
    }

    /// Sends a descriptor between two messages, as CPython's `send_handle` does.
    pub(super) fn send_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        let socket = self.check_sends()?;
        self.check_local()?;
        let Some(mut output) = self.output.take(deadline, || socket.check())? else {
            fail!(Timeout, "another thread was sending all the time");
        };
        output.send_fd(&*socket, fd, deadline)
    }

    /// Receives a descriptor that comes between two messages.
    pub(super) fn receive_fd(&self, deadline: Deadline) -> Result<OwnedFd> {
        self.check_local()?;
        self.receive(deadline, |input, socket| input.receive_fd(socket, self.most, deadline))
    }

    fn check_local(&self) -> Result<()> {
        if !self.is_local {
            fail!(Unsupported, "descriptors go through sockets of this machine only (AF_UNIX)");
        }
        Ok(())
    }

    /// A second descriptor of the same end. Not in the middle of a message, and not while another thread uses it.
    pub(super) fn again(&self) -> Result<Kept> {
        let socket = self.between()?;
        let mut list = kept::list();
        Ok(list.keep(sockets::again(socket.fd())?))
    }

    /// Its descriptor, which takes no second one: whoever has proved a key with the last free one is let in.
    pub(super) fn into_socket(self) -> Result<Kept> {
        drop(self.between()?);
        let socket = self.socket.into_inner().unwrap_or_else(PoisonError::into_inner);
        // No call of another thread uses what this one owns.
        Ok(socket.and_then(Arc::into_inner).ok_or_else(closed)?.fd)
    }

    fn between(&self) -> Result<Arc<Socket>> {
        let socket = self.socket()?;
        let idle =
            self.input.peek(Input::is_between).and_then(|a| Some(a && self.output.peek(Output::is_between)?));
        if idle != Some(true) {
            fail!(State, "the connection is in the middle of a message");
        }
        Ok(socket)
    }
}
