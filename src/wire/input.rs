//! What has come of the message that is being received. It stays here when a call gives up, so that the next one
//! goes on where that was.

use super::frame::{self, Head};
use super::receive::{self, Came, Source};
use super::stream::{self, Socket};
use crate::error::{Error, Result, Status, fail};
use crate::sys::sockets::{self, Along, For, Moved};
use crate::time::Deadline;
use std::os::fd::OwnedFd;

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

    /// For a fork that cannot go on where its parent was.
    pub(super) fn torn() -> Self {
        Input { broken: Some(stream::torn("received")), ..Self::default() }
    }

    /// Whether the next bytes begin a message.
    pub(super) fn is_intact(&self) -> bool {
        self.is_between() && !self.along.lost && self.broken.is_none()
    }

    /// Whether nothing of a message has come.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && self.along.fds.is_empty()
    }

    /// How long the message that comes next is, which has at most `most` bytes.
    fn length(&mut self, socket: &Socket, most: usize, deadline: Deadline) -> Result<usize> {
        loop {
            if let Some(error) = &self.broken {
                return Err(error.clone());
            }
            if !self.along.fds.is_empty() || self.along.lost {
                fail!(State, "what comes next is a descriptor, not a message");
            }
            let need = match frame::read(&self.head[..self.have]) {
                Head::Length(len) if len <= most => return Ok(len),
                Head::Length(len) => {
                    let text = format!("the other side sent a length of {len} bytes, and {most} are allowed");
                    self.broken = Some(Error::os(BAD_MESSAGE, text));
                    continue;
                }
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
                Moved::End | Moved::Reset => return Err(self.end()),
            }
        }
    }

    fn end(&self) -> Error {
        let text = match self.have {
            0 => "the other end was closed".into(),
            have => format!("the other end was closed {have} bytes into the beginning of a message"),
        };
        Error::new(Status::Eof, text)
    }

    /// Receives a descriptor, if that is what comes next.
    pub(super) fn receive_fd(&mut self, socket: &Socket, most: usize, deadline: Deadline) -> Result<OwnedFd> {
        let came = self.length(socket, most, deadline);
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

/// What comes from a socket.
pub(super) struct FromSocket<'a> {
    pub(super) input: &'a mut Input,
    pub(super) socket: &'a Socket,
    /// The longest message that is taken.
    pub(super) most: usize,
}

impl Source for FromSocket<'_> {
    fn length(&mut self, deadline: Deadline) -> Result<usize> {
        self.input.length(self.socket, self.most, deadline)
    }

    fn body(&mut self) -> &mut Vec<u8> {
        &mut self.input.body
    }

    fn read(&mut self, room: &mut [u8], deadline: Deadline) -> Result<Came> {
        loop {
            match sockets::receive(self.socket.fd(), room)? {
                Moved::Bytes(n) => return Ok(Came::Bytes(n)),
                Moved::NotNow => self.socket.wait(For::Reading, deadline)?,
                Moved::End | Moved::Reset => return Ok(Came::End),
            }
        }
    }

    fn read_behind(&mut self, left: usize, deadline: Deadline) -> Result<Came> {
        receive::reserve(&mut self.input.body, 1, left)?;
        loop {
            match sockets::receive_behind(self.socket.fd(), &mut self.input.body, left)? {
                Moved::Bytes(n) => return Ok(Came::Bytes(n)),
                Moved::NotNow => self.socket.wait(For::Reading, deadline)?,
                Moved::End | Moved::Reset => return Ok(Came::End),
            }
        }
    }

    fn done(&mut self) -> Result<Vec<u8>> {
        self.input.have = 0;
        Ok(std::mem::take(&mut self.input.body))
    }

    fn give_up(&mut self, why: Error) {
        self.input.broken = Some(why);
    }
}
