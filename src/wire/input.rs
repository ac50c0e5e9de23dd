//! What has come of the message that is being received. It stays here when a call gives up, so that the next one
//! goes on where that was.

use super::frame::{self, Head};
use super::stream::Socket;
use crate::error::{Error, Result, Status, fail};
use crate::sys::sockets::{self, Along, For, Moved};
use crate::time::Deadline;
use std::os::fd::OwnedFd;

/// Room is made for so much of a message before any of it has come.
const FIRST: usize = 64 << 10;
/// EBADMSG, the same on every Linux but for machines that libmp does not run on.
const BAD_MESSAGE: i32 = 74;

#[derive(Default)]
pub(super) struct Input {
    /// The beginning, as far as it is there.
    head: [u8; frame::MOST],
    have: usize,
    /// What was received of the message itself by calls that gave up.
    body: Vec<u8>,
    /// What came instead of a message.
    along: Along,
    /// There is nothing more to be made of what comes.
    broken: Option<Error>,
}

impl Input {
    /// Whether a message is about to be taken without anything else having to come.
    pub(super) fn is_ready(&self) -> bool {
        let whole = matches!(frame::read(&self.head[..self.have]), Head::Length(n) if n == self.body.len());
        whole || !self.along.fds.is_empty() || self.along.lost || self.broken.is_some()
    }

    /// Whether nothing of a message has come.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && self.along.fds.is_empty()
    }

    /// How long the message that comes next is.
    pub(super) fn length(&mut self, socket: &Socket, deadline: Deadline) -> Result<usize> {
        loop {
            if let Some(error) = &self.broken {
                return Err(error.clone());
            }
            if !self.along.fds.is_empty() || self.along.lost {
                fail!(State, "what comes next is a descriptor, not a message");
            }
            let need = match frame::read(&self.head[..self.have]) {
                Head::Length(len) => return Ok(len),
                Head::Needs(need) => need,
                Head::Nonsense(length) => {
                    let text =
                        format!("the other side sent a length of {length} bytes, which no message has");
                    self.broken = Some(Error::os(BAD_MESSAGE, text));
                    continue;
                }
            };
            let room = &mut self.head[self.have..need];
            match sockets::receive_along(socket.fd(), room, &mut self.along)? {
                // A descriptor comes with one byte of its own.
                Moved::Bytes(1) if self.have == 0 && (self.along.lost || !self.along.fds.is_empty()) => {}
                Moved::Bytes(n) => {
                    self.have += n;
                    // In the middle of a message there is nothing that one could belong to.
                    self.along = Along::default();
                }
                Moved::NotNow => socket.wait(For::Reading, deadline)?,
                Moved::End => return Err(self.end(None)),
            }
        }
    }

    fn end(&self, len: Option<usize>) -> Error {
        let text = match len {
            None if self.have == 0 => "the other end was closed".into(),
            None => format!("the other end was closed {} bytes into the beginning of a message", self.have),
            Some(len) => {
                format!("the other end was closed in a message: {} of {len} bytes came", self.body.len())
            }
        };
        Error::new(Status::Eof, text)
    }

    fn done(&mut self) -> Vec<u8> {
        self.have = 0;
        std::mem::take(&mut self.body)
    }

    /// Receives the message into `room`. What it is told first is the message's length, which may not fit.
    pub(super) fn receive_into(
        &mut self,
        socket: &Socket,
        room: &mut [u8],
        deadline: Deadline,
        tell: impl FnOnce(usize),
    ) -> Result<()> {
        let len = self.length(socket, deadline)?;
        tell(len);
        let size = room.len();
        let Some(room) = room.get_mut(..len) else {
            fail!(TooSmall, "the message has {len} bytes, and the buffer {size}");
        };
        let kept = self.body.len();
        let mut at = kept;
        let gave_up = loop {
            if at == len {
                break None;
            }
            match sockets::receive(socket.fd(), &mut room[at..]) {
                Ok(Moved::Bytes(n)) => at += n,
                Ok(Moved::NotNow) => {
                    if let Err(e) = socket.wait(For::Reading, deadline) {
                        break Some(e);
                    }
                }
                Ok(Moved::End) => break Some(Error::new(Status::Eof, "")),
                Err(e) => break Some(e),
            }
        };
        let Some(error) = gave_up else {
            room[..kept].copy_from_slice(&self.body);
            self.done();
            return Ok(());
        };
        if self.body.try_reserve(at - kept).is_err() {
            let text = "a part of a message had come, and there was no memory to keep it";
            self.broken = Some(Error::new(Status::NoMemory, text));
            return Err(Error::new(Status::NoMemory, text));
        }
        self.body.extend_from_slice(&room[kept..at]);
        Err(if error.status == Status::Eof { self.end(Some(len)) } else { error })
    }

    /// Receives the message into memory of its own, which grows with what comes: a length costs the other side as
    /// much as it costs this one.
    pub(super) fn receive_vec(
        &mut self,
        socket: &Socket,
        most: usize,
        deadline: Deadline,
        tell: impl FnOnce(usize),
    ) -> Result<Vec<u8>> {
        let len = self.length(socket, deadline)?;
        tell(len);
        if len > most {
            fail!(TooSmall, "the message has {len} bytes, and at most {most} are wanted");
        }
        while self.body.len() < len {
            let left = len - self.body.len();
            if self.body.capacity() == self.body.len() {
                let more = self.body.len().max(FIRST).min(left);
                if self.body.try_reserve_exact(more).is_err() {
                    fail!(NoMemory, "no memory for a message of {len} bytes");
                }
            }
            match sockets::receive_behind(socket.fd(), &mut self.body, left)? {
                Moved::Bytes(_) => {}
                Moved::NotNow => socket.wait(For::Reading, deadline)?,
                Moved::End => return Err(self.end(Some(len))),
            }
        }
        Ok(self.done())
    }

    /// Receives a descriptor, if that is what comes next.
    pub(super) fn receive_fd(&mut self, socket: &Socket, deadline: Deadline) -> Result<OwnedFd> {
        let came = self.length(socket, deadline);
        let along = std::mem::take(&mut self.along);
        if along.lost {
            fail!(Os, "a descriptor came and was lost: this process has no room for one more");
        }
        match (along.fds.into_iter().next(), came) {
            (Some(fd), _) => Ok(fd),
            (None, Ok(len)) => fail!(State, "what comes next is a message of {len} bytes, not a descriptor"),
            (None, Err(e)) => Err(e),
        }
    }
}
