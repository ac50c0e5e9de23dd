//! One end of a connection after the handshake: messages, each behind its length in 4 bytes, big end first. None of
//! the calls waits but [`Channel::exchange`].

use crate::error::{Error, Result, Status, fail};
use crate::sys::kept::Kept;
use crate::sys::sockets::{self, For, Moved};
use crate::time::Deadline;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Room that is made for what comes, until it is known to be more.
const FIRST: usize = 4 << 10;
/// Room that a buffer keeps while nothing is in it.
const KEPT: usize = 64 << 10;
/// A wait is cut into pieces of this length at most.
const SLICE: Duration = Duration::from_secs(60);
const HEAD: usize = 4;

pub(super) struct Channel {
    socket: Kept,
    /// What came and was not taken yet begins at `taken`.
    input: Vec<u8>,
    taken: usize,
    /// What did not go yet begins at `gone`.
    output: Vec<u8>,
    gone: usize,
}

/// What came of an attempt to read.
#[derive(PartialEq, Eq)]
pub(super) enum Came {
    Something,
    Nothing,
    End,
    /// The end, and the other side did not read all that was sent to it.
    Reset,
}

impl Channel {
    pub(super) fn new(socket: Kept) -> Self {
        Channel { socket, input: Vec::new(), taken: 0, output: Vec::new(), gone: 0 }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }

    /// Reads some of what is there.
    pub(super) fn fill(&mut self) -> Result<Came> {
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        if self.input.capacity() - self.input.len() < FIRST {
            // Grows with what came: a length costs the other side as much as it costs this one.
            let more = self.input.len().max(FIRST);
            self.input.try_reserve(more).map_err(|_| no_memory())?;
        }
        let room = self.input.capacity() - self.input.len();
        Ok(match sockets::receive_behind(self.socket.fd(), &mut self.input, room)? {
            Moved::Bytes(_) => Came::Something,
            Moved::NotNow => Came::Nothing,
            Moved::End => Came::End,
            Moved::Reset => Came::Reset,
        })
    }

    /// The next message, if all of it has come.
    pub(super) fn take(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let Some(head) = self.input[self.taken..].first_chunk::<HEAD>() else { return Ok(None) };
        let len = u32::from_be_bytes(*head) as usize;
        if len > most {
            fail!(Invalid, "a message of {len} bytes came, and at most {most} are taken");
        }
        let from = self.taken + HEAD;
        let Some(message) = self.input.get(from..from + len) else { return Ok(None) };
        let mut copy = Vec::new();
        copy.try_reserve_exact(len).map_err(|_| no_memory())?;
        copy.extend_from_slice(message);
        self.taken = from + len;
        if self.taken == self.input.len() && self.input.capacity() > KEPT {
            (self.input, self.taken) = (Vec::new(), 0);
        }
        Ok(Some(copy))
    }

    /// Bytes of its buffers, but for small ones.
    pub(super) fn large(&self) -> usize {
        [&self.input, &self.output].iter().map(|buffer| buffer.capacity()).filter(|&size| size > KEPT).sum()
    }

    /// Puts a message behind those that are to go.
    pub(super) fn put(&mut self, message: &[u8]) -> Result<()> {
        let Ok(len) = u32::try_from(message.len()) else {
            fail!(Invalid, "a message has less than 4 GiB, and this one has {} bytes", message.len());
        };
        self.output.try_reserve(HEAD + message.len()).map_err(|_| no_memory())?;
        self.output.extend_from_slice(&len.to_be_bytes());
        self.output.extend_from_slice(message);
        Ok(())
    }

    /// Bytes that are still to go.
    pub(super) fn unsent(&self) -> usize {
        self.output.len() - self.gone
    }

    /// Sends what the other side takes.
    pub(super) fn flush(&mut self) -> Result<()> {
        while self.unsent() > 0 {
            match sockets::send(self.socket.fd(), &self.output[self.gone..], &[])? {
                Moved::Bytes(n) => self.gone += n,
                Moved::NotNow => return Ok(()),
                Moved::End | Moved::Reset => return Err(Error::new(Status::Eof, "the other end is closed")),
            }
        }
        self.output.clear();
        self.gone = 0;
        if self.output.capacity() > KEPT {
            self.output = Vec::new();
        }
        Ok(())
    }

    /// Sends a request, and waits for what comes back.
    pub(super) fn exchange(&mut self, message: &[u8], most: usize, deadline: Deadline) -> Result<Vec<u8>> {
        self.put(message)?;
        loop {
            self.flush()?;
            let what = if self.unsent() > 0 { For::Writing } else { For::Reading };
            if what == For::Reading {
                if let Some(message) = self.take(most)? {
                    return Ok(message);
                }
                match self.fill()? {
                    Came::Something => continue,
                    Came::Nothing => {}
                    Came::End | Came::Reset => fail!(Eof, "the manager's server is gone"),
                }
            }
            let left = deadline.remaining();
            if left.is_zero() {
                fail!(
                    Timeout,
                    "the manager's server did not answer in time: what was asked for may be done yet"
                );
            }
            sockets::wait(self.socket.fd(), what, left.min(SLICE));
        }
    }
}

fn no_memory() -> Error {
    Error::new(Status::NoMemory, "no memory for a message")
}
