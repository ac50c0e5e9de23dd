//! What has gone of the message that is being sent. A message of which a part has gone cannot be taken back: it
//! stays here when a call gives up, and goes on with the next call.

use super::frame;
use super::stream::{self, Socket};
use crate::error::{Error, Result, Status};
use crate::sys::sockets::{self, For, Moved};
use crate::time::Deadline;
use std::os::fd::RawFd;

/// EPIPE, the same on every Linux.
const BROKEN_PIPE: i32 = 32;

/// Where messages go.
pub(super) trait Outlet {
    /// Sends what is left of a message; of what has gone, what begins it included, `gone` says how much.
    fn push(&self, message: &[u8], gone: &mut usize, deadline: Deadline) -> Result<()>;
    /// Sends a descriptor: wholly or not at all.
    fn push_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()>;
}

#[derive(Default)]
pub(super) struct Output {
    half: Option<Half>,
    /// Nothing more can be sent.
    broken: Option<Error>,
}

/// A message of which a part has gone.
struct Half {
    message: Vec<u8>,
    /// Its beginning included.
    gone: usize,
}

impl Output {
    /// Whether there is no such message.
    pub(super) fn is_between(&self) -> bool {
        self.half.is_none()
    }

    /// For a fork that cannot go on where its parent was.
    pub(super) fn torn() -> Self {
        Output { broken: Some(stream::torn("sent")), ..Self::default() }
    }

    /// Whether the next bytes begin a message.
    pub(super) fn is_intact(&self) -> bool {
        self.is_between() && self.broken.is_none()
    }

    /// Sends a message. If a part of it has gone before, this is the rest of it; if that was another message's, that
    /// one goes first.
    pub(super) fn send(&mut self, to: &impl Outlet, message: &[u8], deadline: Deadline) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.finish(to, deadline)?.is_some_and(|sent| sent == message) {
            return Ok(());
        }
        let mut gone = 0;
        let Err(error) = to.push(message, &mut gone, deadline) else { return Ok(()) };
        if gone > 0 && error.status != Status::Eof {
            let mut copy = Vec::new();
            if copy.try_reserve_exact(message.len()).is_err() {
                let text = "a part of a message had gone, and there was no memory to keep the rest";
                self.broken = Some(Error::new(Status::NoMemory, text));
                return Err(Error::new(Status::NoMemory, text));
            }
            copy.extend_from_slice(message);
            self.half = Some(Half { message: copy, gone });
        }
        Err(error)
    }

    /// Sends what is left of a message, before something else goes.
    pub(super) fn finish_begun(&mut self, to: &impl Outlet, deadline: Deadline) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.finish(to, deadline).map(drop)
    }

    /// Sends what is left of a message, which is then given back.
    fn finish(&mut self, to: &impl Outlet, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let Some(half) = &mut self.half else { return Ok(None) };
        to.push(&half.message, &mut half.gone, deadline)?;
        Ok(self.half.take().map(|half| half.message))
    }

    /// Sends a descriptor.
    pub(super) fn send_fd(&mut self, to: &impl Outlet, fd: RawFd, deadline: Deadline) -> Result<()> {
        self.finish_begun(to, deadline)?;
        to.push_fd(fd, deadline)
    }
}

impl Outlet for Socket {
    fn push(&self, message: &[u8], gone: &mut usize, deadline: Deadline) -> Result<()> {
        let (head, head_len) = frame::begin(message.len());
        let head = &head[..head_len];
        while *gone < head_len + message.len() {
            let moved = match gone.checked_sub(head_len) {
                Some(at) => sockets::send(self.fd(), &message[at..], &[])?,
                None => sockets::send(self.fd(), &head[*gone..], message)?,
            };
            match moved {
                Moved::Bytes(n) => *gone += n,
                Moved::NotNow => self.wait(For::Writing, deadline)?,
                Moved::End | Moved::Reset => return Err(gone_away()),
            }
        }
        Ok(())
    }

    /// With one byte, as CPython does it.
    fn push_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        loop {
            match sockets::send_along(self.fd(), &[1], &[fd])? {
                Moved::Bytes(_) => return Ok(()),
                Moved::NotNow => self.wait(For::Writing, deadline)?,
                Moved::End | Moved::Reset => return Err(gone_away()),
            }
        }
    }
}

#[cold]
pub(super) fn gone_away() -> Error {
    Error::os(BROKEN_PIPE, "the other end is closed: nobody receives").with_status(Status::Eof)
}
