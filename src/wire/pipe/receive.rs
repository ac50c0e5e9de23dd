//! Receiving from a pipe.

use super::bell;
use super::line::{Awaited, Line};
use super::parcels::Laden;
use super::way::{Piece, Way, damaged};
use crate::error::{Error, Result, Status, fail};
use crate::time::Deadline;
use crate::wire::receive::{self, Came, Source};
use std::os::fd::OwnedFd;

/// What has come of a message.
#[derive(Default)]
pub(super) struct Input {
    /// How long it is, if it comes in parts and its beginning was received.
    len: Option<usize>,
    /// What was received of it by calls that gave up.
    pub(super) body: Vec<u8>,
    /// There is nothing more to be made of what comes.
    broken: Option<Error>,
}

impl Input {
    /// Whether nothing of a message has come.
    pub(super) fn is_between(&self) -> bool {
        self.len.is_none()
    }
}

/// With the receiver's lock.
pub(super) struct Receiving<'a> {
    pub(super) line: &'a Line,
    pub(super) input: &'a mut Input,
    pub(super) laden: Laden,
}

impl<'a> Receiving<'a> {
    pub(super) fn new(line: &'a Line, input: &'a mut Input) -> Self {
        Receiving { line, input, laden: Laden::default() }
    }

    fn way(&self) -> &Way {
        &self.line.receives
    }

    /// The next piece, None where there will be none.
    fn piece(&self, deadline: Deadline) -> Result<Option<Piece>> {
        let of = if self.input.is_between() { Awaited::Message } else { Awaited::Rest };
        loop {
            if let Some(piece) = self.way().piece(self.way().head())? {
                return Ok(Some(piece));
            }
            if !self.line.await_piece(deadline, of)? {
                return Ok(None);
            }
        }
    }

    /// The next piece has been received.
    fn pass(&self, piece: Piece) {
        let to = self.way().head() + piece.size();
        self.way().received(to);
        self.passed(to);
    }

    /// What is before this place has been received, and the position says so.
    pub(super) fn passed(&self, to: u64) {
        self.line.wake_sender(to);
        self.line.settle_bell(true);
    }

    /// The next piece that is not left from a message whose receiver is gone.
    fn first(&mut self, deadline: Deadline) -> Result<Piece> {
        if let Some(error) = &self.input.broken {
            return Err(error.clone());
        }
        loop {
            match self.piece(deadline)? {
                Some(part @ Piece::Part(_)) => self.pass(part),
                Some(piece) => return Ok(piece),
                None => return Err(Error::new(Status::Eof, "the other end was closed")),
            }
        }
    }

    /// The next part of the message, which is at most so long; None and what is to be said of it where there is none.
    fn part(&mut self, left: usize, deadline: Deadline) -> Result<std::result::Result<usize, Came>> {
        if self.input.len.is_none() {
            match self.first(deadline)? {
                Piece::Whole(len) if len <= left => return Ok(Ok(len)),
                begin @ Piece::Begin(len) => {
                    self.input.len = Some(len);
                    self.pass(begin);
                }
                _ => return damaged(),
            }
        }
        match self.piece(deadline)? {
            Some(Piece::Part(len)) if len > 0 && len <= left => Ok(Ok(len)),
            Some(Piece::Part(_)) => damaged(),
            Some(_) => {
                // Whoever sent the beginning is gone.
                self.input.len = None;
                self.input.body.clear();
                Ok(Err(Came::Torn))
            }
            None => Ok(Err(Came::End)),
        }
    }

    /// After so many bytes of it were copied.
    fn copied(&self, len: usize) -> Came {
        // A whole message stays until all of it has been taken.
        if self.input.len.is_some() {
            self.pass(Piece::Part(len));
        }
        Came::Bytes(len)
    }

    /// Receives a descriptor, if that is what comes next.
    pub(super) fn receive_fd(&mut self, deadline: Deadline) -> Result<OwnedFd> {
        if let Some(len) = self.input.len {
            fail!(State, "what comes next is a message of {len} bytes, not a descriptor");
        }
        let piece = self.first(deadline)?;
        let number = match piece {
            Piece::Descriptor(number) => number,
            Piece::Whole(len) | Piece::Begin(len) | Piece::Part(len) => {
                fail!(State, "what comes next is a message of {len} bytes, not a descriptor")
            }
            Piece::Parcel(_) => fail!(State, "what comes next is a message, not a descriptor"),
        };
        let socket = self.line.socket.fd();
        let found = bell::find(self.way(), number, socket)?;
        self.way().received(self.way().head() + piece.size());
        if found.is_some() {
            bell::drop_next(socket);
        }
        self.passed(self.way().head());
        match found.and_then(|fds| fds.into_iter().next()) {
            Some(fd) => Ok(fd.into_fd()),
            None => fail!(Os, "a descriptor came and was lost"),
        }
    }
}

impl Source for Receiving<'_> {
    fn length(&mut self, deadline: Deadline) -> Result<usize> {
        if let Some(len) = self.input.len {
            return Ok(len);
        }
        match self.first(deadline)? {
            Piece::Whole(len) | Piece::Begin(len) => Ok(len),
            Piece::Parcel(carrier) => self.begin_parcel(carrier),
            Piece::Descriptor(_) => fail!(State, "what comes next is a descriptor, not a message"),
            Piece::Part(_) => damaged(),
        }
    }

    fn body(&mut self) -> &mut Vec<u8> {
        &mut self.input.body
    }

    fn read(&mut self, room: &mut [u8], deadline: Deadline) -> Result<Came> {
        if let Some(carrier) = self.begun_parcel() {
            return self.copy_parcel(carrier, room);
        }
        match self.part(room.len(), deadline)? {
            Ok(len) => {
                self.way().read(self.way().head(), &mut room[..len]);
                Ok(self.copied(len))
            }
            Err(none) => Ok(none),
        }
    }

    fn read_behind(&mut self, left: usize, deadline: Deadline) -> Result<Came> {
        if let Some(carrier) = self.begun_parcel() {
            return self.read_parcel(carrier, left);
        }
        match self.part(left, deadline)? {
            Ok(len) => {
                receive::reserve(&mut self.input.body, len, left)?;
                let head = self.way().head();
                self.line.receives.append(head, len, &mut self.input.body);
                Ok(self.copied(len))
            }
            Err(none) => Ok(none),
        }
    }

    fn done(&mut self) -> Result<Vec<u8>> {
        if let Some(carrier) = self.begun_parcel() {
            return self.take_parcel(carrier);
        }
        if self.input.len.take().is_none() {
            // It is there, or the call would not have come this far.
            match self.way().piece(self.way().head())? {
                Some(piece @ Piece::Whole(_)) => self.pass(piece),
                _ => return damaged(),
            }
        }
        Ok(std::mem::take(&mut self.input.body))
    }

    fn give_up(&mut self, why: Error) {
        self.input.broken = Some(why);
    }
}
