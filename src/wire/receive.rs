//! Receiving a message, from whatever it comes: what has come of it stays when a call gives up, and the next call
//! goes on where that was.

use crate::error::{Error, Result, Status, fail};
use crate::time::Deadline;

/// What came of waiting for more of a message.
pub(super) enum Came {
    /// So many bytes, at least one.
    Bytes(usize),
    /// None any more: the other end is closed.
    End,
    /// The rest will not come, but other messages may: who sent it died.
    Torn,
}

/// Where messages come from.
pub(super) trait Source {
    /// How long the message that comes next is.
    fn length(&mut self, deadline: Deadline) -> Result<usize>;
    /// What calls that gave up have received of it.
    fn body(&mut self) -> &mut Vec<u8>;
    /// Receives more of it into `room`, which is for all that is left.
    fn read(&mut self, room: &mut [u8], deadline: Deadline) -> Result<Came>;
    /// Receives more of it behind the body; at most `left` bytes are missing.
    fn read_behind(&mut self, left: usize, deadline: Deadline) -> Result<Came>;
    /// All of it was received.
    fn done(&mut self) -> Result<Vec<u8>>;
    /// Nothing more can be received.
    fn give_up(&mut self, why: Error);

    /// What is said where the other end was closed in a message.
    fn ended(&mut self, len: usize) -> Error {
        let came = self.body().len();
        Error::new(Status::Eof, format!("the other end was closed in a message: {came} of {len} bytes came"))
    }
}

/// Receives a message into `room`. What it is told first is the message's length, which may not fit.
pub(super) fn into_room(
    from: &mut impl Source,
    room: &mut [u8],
    deadline: Deadline,
    mut tell: impl FnMut(usize),
) -> Result<()> {
    'message: loop {
        let len = from.length(deadline)?;
        tell(len);
        let size = room.len();
        let Some(room) = room.get_mut(..len) else {
            fail!(TooSmall, "the message has {len} bytes, and the buffer {size}");
        };
        let kept = from.body().len();
        let mut at = kept;
        let error = loop {
            if at == len {
                let body = from.done()?;
                room[..kept].copy_from_slice(&body);
                return Ok(());
            }
            match from.read(&mut room[at..], deadline) {
                Ok(Came::Bytes(n)) => at += n,
                Ok(Came::Torn) => continue 'message,
                Ok(Came::End) => break None,
                Err(e) => break Some(e),
            }
        };
        let body = from.body();
        if body.try_reserve(at - kept).is_err() {
            let text = "a part of a message had come, and there was no memory to keep it";
            from.give_up(Error::new(Status::NoMemory, text));
            return Err(Error::new(Status::NoMemory, text));
        }
        body.extend_from_slice(&room[kept..at]);
        return Err(error.unwrap_or_else(|| from.ended(len)));
    }
}

/// Receives a message of at most `most` bytes into memory of its own, which grows with what comes: a length costs the
/// other side as much as it costs this one.
pub(super) fn into_vec(
    from: &mut impl Source,
    most: usize,
    deadline: Deadline,
    mut tell: impl FnMut(usize),
) -> Result<Vec<u8>> {
    'message: loop {
        let len = from.length(deadline)?;
        tell(len);
        if len > most {
            fail!(TooSmall, "the message has {len} bytes, and at most {most} are wanted");
        }
        while from.body().len() < len {
            let left = len - from.body().len();
            match from.read_behind(left, deadline)? {
                Came::Bytes(_) => {}
                Came::Torn => continue 'message,
                Came::End => return Err(from.ended(len)),
            }
        }
        return from.done();
    }
}

/// Room for `least` bytes more behind what has come of a message that `left` bytes are missing of.
pub(super) fn reserve(body: &mut Vec<u8>, least: usize, left: usize) -> Result<()> {
    /// Room is made for so much of a message before any of it has come.
    const FIRST: usize = 64 << 10;
    if body.capacity() - body.len() < least {
        let more = body.len().max(FIRST).max(least).min(left);
        if body.try_reserve_exact(more).is_err() {
            let len = body.len().saturating_add(left);
            fail!(NoMemory, "no memory for a message of {len} bytes");
        }
    }
    Ok(())
}
