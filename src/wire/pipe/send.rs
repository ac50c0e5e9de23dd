//! Sending through a pipe.

use super::bell;
use super::line::{Awaited, Line};
use super::way::Piece;
use crate::error::Result;
use crate::sys::sockets::For;
use crate::time::Deadline;
use crate::wire::output::Outlet;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;

/// What begins a message that comes in parts counts as so much of it.
const BEGUN: usize = 1;

/// With the sender's lock.
pub(super) struct Sending<'a>(pub(super) &'a Line);

impl Sending<'_> {
    /// Sends descriptors, of which a piece shall tell by the number that they get: never 0.
    pub(super) fn send_fds(&self, fds: &[RawFd], deadline: Deadline) -> Result<u64> {
        let line = self.0;
        let counter = &line.sends.block.sender.descriptors;
        let number = counter.load(Relaxed) % (u64::MAX >> 8) + 1;
        // First: whoever sends the next one, should this process be killed, takes another number.
        counter.store(number, Relaxed);
        let wait = || line.socket.wait(For::Writing, deadline);
        bell::send_descriptors(&line.sends, line.socket.fd(), (number, fds), wait)?;
        Ok(number)
    }

    fn publish(&self, to: u64, deadline: Deadline) -> Result<()> {
        let is_told = self.0.ring(to, deadline)?;
        self.sent(to, is_told);
        Ok(())
    }

    /// Who polls was told, or not.
    fn sent(&self, to: u64, is_told: bool) {
        self.0.sends.sent(to);
        self.0.wake_receiver(is_told);
    }
}

impl Outlet for Sending<'_> {
    fn push(&self, message: &[u8], gone: &mut usize, deadline: Deadline) -> Result<()> {
        let line = self.0;
        let way = &line.sends;
        line.check_other()?;
        let mut tail = way.tail();
        if *gone == 0 && message.len() <= way.longest() {
            let piece = Piece::Whole(message.len());
            line.await_room(tail, piece.size(), Awaited::Message, deadline)?;
            return self.publish(way.write(tail, piece, message), deadline);
        }
        let begin = Piece::Begin(message.len());
        while *gone < BEGUN + message.len() {
            let rest = &message[gone.saturating_sub(BEGUN)..];
            let part = &rest[..rest.len().min(way.longest())];
            let piece = Piece::Part(part.len());
            let of = if *gone == 0 { Awaited::Message } else { Awaited::Rest };
            line.await_room(tail, begin.size() + piece.size(), of, deadline)?;
            if *gone == 0 {
                tail = way.write(tail, begin, &[]);
            }
            tail = way.write(tail, piece, part);
            self.publish(tail, deadline)?;
            *gone = (*gone).max(BEGUN) + part.len();
        }
        Ok(())
    }

    /// The descriptor before the piece that tells of it: who finds the piece finds the descriptor.
    fn push_fd(&self, fd: RawFd, deadline: Deadline) -> Result<()> {
        let line = self.0;
        let way = &line.sends;
        line.check_other()?;
        let tail = way.tail();
        line.await_room(tail, Piece::Descriptor(0).size(), Awaited::Message, deadline)?;
        let number = self.send_fds(&[fd], deadline)?;
        self.sent(way.write(tail, Piece::Descriptor(number), &[]), true);
        Ok(())
    }
}
