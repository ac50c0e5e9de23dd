//! One end of a connection after the handshake: messages, each behind its length in 4 bytes, big end first. None of
//! the calls waits but [`Channel::exchange`].

use crate::error::{Error, Result, Status, fail};
use crate::park::Patience;
use crate::sys::kept::Kept;
use crate::sys::sockets::{self, For, Moved};
use crate::time::Deadline;
use std::ops::Range;
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
    /// For the answer, before a sleep.
    patience: Patience,
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
        Channel {
            socket,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            gone: 0,
            patience: Patience::default(),
        }
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
            let more = if self.input.is_empty() { FIRST } else { self.input.len().max(KEPT) };
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

    /// Where the next message lies in what came, if all of it has.
    pub(super) fn take(&mut self, most: usize) -> Result<Option<Range<usize>>> {
        let Some(head) = self.input[self.taken..].first_chunk::<HEAD>() else { return Ok(None) };
        let len = u32::from_be_bytes(*head) as usize;
        if len > most {
            fail!(Invalid, "a message of {len} bytes came, and at most {most} are taken");
        }
        let from = self.taken + HEAD;
        if self.input.len() - from < len {
            return Ok(None);
        }
        self.taken = from + len;
        Ok(Some(from..self.taken))
    }

    /// What came, for who looks at a message while the channel is changed otherwise; to be given back.
    pub(super) fn lend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    pub(super) fn give_back(&mut self, input: Vec<u8>) {
        self.input = input;
        if self.taken == self.input.len() {
            self.start_anew();
        }
    }

    /// Nothing of what came is wanted any more.
    pub(super) fn start_anew(&mut self) {
        self.taken = 0;
        match self.input.capacity() > KEPT {
            true => self.input = Vec::new(),
            false => self.input.clear(),
        }
    }

    /// Bytes of its buffers, but for small ones.
    pub(super) fn large(&self) -> usize {
        [&self.input, &self.output].iter().map(|buffer| buffer.capacity()).filter(|&size| size > KEPT).sum()
    }

    /// Puts a message of about so many bytes behind those that are to go.
    pub(super) fn put(&mut self, weight: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let begin = self.output.len();
        self.output.try_reserve(HEAD + weight).map_err(|_| no_memory())?;
        self.output.extend_from_slice(&[0; HEAD]);
        write(&mut self.output);
        match head_of(self.output.len() - begin - HEAD) {
            Ok(head) => self.output[begin..begin + HEAD].copy_from_slice(&head),
            Err(e) => {
                self.output.truncate(begin);
                return Err(e);
            }
        }
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
    pub(super) fn exchange(&mut self, message: &[u8], most: usize, deadline: Deadline) -> Result<&[u8]> {
        let head = head_of(message.len())?;
        let mut gone = 0;
        while gone < HEAD + message.len() {
            let moved = match gone.checked_sub(HEAD) {
                None => sockets::send(self.socket.fd(), &head[gone..], message)?,
                Some(gone) => sockets::send(self.socket.fd(), &message[gone..], &[])?,
            };
            match moved {
                Moved::Bytes(n) => gone += n,
                Moved::NotNow => self.wait(For::Writing, deadline)?,
                Moved::End | Moved::Reset => return Err(server_gone()),
            }
        }
        loop {
            if let Some(message) = self.take(most)? {
                return Ok(&self.input[message]);
            }
            let patience = std::mem::take(&mut self.patience);
            let mut came = Ok(Came::Nothing);
            patience.spin(|| {
                came = self.fill();
                !matches!(came, Ok(Came::Nothing))
            });
            self.patience = patience;
            match came? {
                Came::Something => {}
                Came::Nothing => self.wait(For::Reading, deadline)?,
                Came::End | Came::Reset => return Err(server_gone()),
            }
        }
    }

    fn wait(&self, what: For, deadline: Deadline) -> Result<()> {
        let left = deadline.remaining();
        if left.is_zero() {
            fail!(Timeout, "the manager's server did not answer in time: what was asked for may be done yet");
        }
        sockets::wait(self.socket.fd(), what, left.min(SLICE));
        Ok(())
    }
}

fn head_of(len: usize) -> Result<[u8; HEAD]> {
    match u32::try_from(len) {
        Ok(len) => Ok(len.to_be_bytes()),
        Err(_) => fail!(Invalid, "a message has less than 4 GiB, and this one has {len} bytes"),
    }
}

fn server_gone() -> Error {
    Error::new(Status::Eof, "the manager's server is gone")
}

fn no_memory() -> Error {
    Error::new(Status::NoMemory, "no memory for a message")
}
