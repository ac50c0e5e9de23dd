//! One end of a connection after the handshake: messages, each behind its length in 4 bytes, big end first. None of
//! the calls waits but [`Channel::exchange`].

use super::bytes::Bytes;
use super::outgoing::Outgoing;
use crate::error::{Error, Result, Status, fail};
use crate::park::Patience;
use crate::sys::kept::Kept;
use crate::sys::sockets::{self, For, Moved};
use crate::time::Deadline;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Room that is made for what comes, until it is known to be more.
const FIRST: usize = 4 << 10;
/// Room that is made for a longer message on its word alone; more, as it comes: then a length costs the other side as
/// much as it costs this one.
const TRUSTED: usize = 1 << 20;
/// Room that a buffer keeps while nothing is in it.
const KEPT: usize = 64 << 10;
/// From here on bytes stay where they are, where that is possible, instead of being copied.
pub(super) const LARGE: usize = 16 << 10;
/// A wait is cut into pieces of this length at most.
const SLICE: Duration = Duration::from_secs(60);
pub(super) const HEAD: usize = 4;

pub(super) struct Channel {
    socket: Kept,
    /// What came and was not taken yet begins at `taken`.
    input: Vec<u8>,
    taken: usize,
    pub(super) output: Outgoing<Bytes>,
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

/// A message that has come.
pub(super) enum Message {
    /// In the channel's buffer, which is to be given back.
    Among(Vec<u8>, Range<usize>),
    /// In a buffer of its own, behind its length.
    Alone(Arc<Vec<u8>>),
}

impl Message {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Message::Among(input, range) => &input[range.clone()],
            Message::Alone(all) => &all[HEAD..],
        }
    }

    /// For a value that stays in it.
    pub(super) fn alone(&self) -> Option<&Arc<Vec<u8>>> {
        match self {
            Message::Among(..) => None,
            Message::Alone(all) => Some(all),
        }
    }
}

impl Channel {
    pub(super) fn new(socket: Kept) -> Self {
        Channel {
            socket,
            input: Vec::new(),
            taken: 0,
            output: Outgoing::default(),
            patience: Patience::default(),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }

    /// Reads some of what is there, behind what [`Self::take`] has found to be no whole message.
    pub(super) fn fill(&mut self) -> Result<Came> {
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        let came = self.input.len();
        let wanted = self.next_len().map_or(FIRST, |len| (HEAD + len).min(TRUSTED.max(2 * came)));
        let wanted = wanted.max(FIRST).max(came + 1);
        if self.input.capacity() < wanted {
            self.input.try_reserve_exact(wanted - came).map_err(|_| no_memory())?;
        }
        let room = self.input.capacity() - came;
        Ok(match sockets::receive_behind(self.socket.fd(), &mut self.input, room)? {
            Moved::Bytes(_) => Came::Something,
            Moved::NotNow => Came::Nothing,
            Moved::End => Came::End,
            Moved::Reset => Came::Reset,
        })
    }

    /// How long the next message is, as soon as that has come.
    fn next_len(&self) -> Option<usize> {
        let head = self.input[self.taken..].first_chunk::<HEAD>()?;
        Some(u32::from_be_bytes(*head) as usize)
    }

    /// The next message, if all of it has come; to be given back before anything else.
    pub(super) fn take(&mut self, most: usize) -> Result<Option<Message>> {
        let Some(len) = self.next_len() else { return Ok(None) };
        if len > most {
            fail!(Invalid, "a message of {len} bytes came, and at most {most} are taken");
        }
        let from = self.taken + HEAD;
        if self.input.len() - from < len {
            return Ok(None);
        }
        let input = std::mem::take(&mut self.input);
        if len >= LARGE && input.capacity() == HEAD + len {
            return Ok(Some(Message::Alone(Arc::new(input))));
        }
        self.taken = 0;
        Ok(Some(Message::Among(input, from..from + len)))
    }

    pub(super) fn give_back(&mut self, message: Message) {
        let Message::Among(input, range) = message else { return };
        self.input = input;
        if range.end < self.input.len() {
            self.taken = range.end;
        } else {
            match self.input.capacity() > KEPT {
                true => self.input = Vec::new(),
                false => self.input.clear(),
            }
        }
    }

    /// Bytes of its buffers, but for small ones.
    pub(super) fn large(&self) -> usize {
        [self.input.capacity(), self.output.size()].into_iter().filter(|&size| size > KEPT).sum()
    }

    /// Sends what the other side takes.
    pub(super) fn flush(&mut self) -> Result<()> {
        while self.output.left() > 0 {
            let (first, second) = self.output.next();
            match sockets::send(self.socket.fd(), first, second)? {
                Moved::Bytes(n) => self.output.advance(n),
                Moved::NotNow => return Ok(()),
                Moved::End | Moved::Reset => return Err(Error::new(Status::Eof, "the other end is closed")),
            }
        }
        self.output.start_anew(KEPT);
        Ok(())
    }

    /// Sends a request, and waits for what comes back; to be given back.
    pub(super) fn exchange<B: AsRef<[u8]>>(
        &mut self,
        request: &mut Outgoing<B>,
        most: usize,
        deadline: Deadline,
    ) -> Result<Message> {
        while request.left() > 0 {
            let (first, second) = request.next();
            match sockets::send(self.socket.fd(), first, second)? {
                Moved::Bytes(n) => request.advance(n),
                Moved::NotNow => self.wait(For::Writing, deadline)?,
                Moved::End | Moved::Reset => return Err(server_gone()),
            }
        }
        loop {
            if let Some(message) = self.take(most)? {
                return Ok(message);
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

fn server_gone() -> Error {
    Error::new(Status::Eof, "the manager's server is gone")
}

pub(super) fn no_memory() -> Error {
    Error::new(Status::NoMemory, "no memory for a message")
}
