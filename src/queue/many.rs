//! Several messages at once: one lock, one store that publishes them all, one wake.

use super::put::Message;
use super::ring::{Record, Ring};
use super::side::Hold;
use crate::error::Result;
use crate::park::Tree;
use crate::shm::{Data, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering::Relaxed;

impl QueueBlock {
    /// Puts so many messages, waiting for room; `done` counts those that are in. `open` as for [`QueueBlock::put`].
    pub(crate) fn put_many<'a, T: Tree>(
        &self,
        tree: &T,
        count: usize,
        message: impl Fn(usize) -> Result<Message<'a>>,
        done: &mut usize,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<()> {
        while *done < count {
            open()?;
            if let Some(hold) = self.producers.hold_quickly(tree).map(Hold::of_pinned)
                && self.gate.load(Relaxed) == 0
            {
                self.put_batch(hold, count, &message, done)?;
            }
            // What needs another ring, a block of its own, or patience.
            if *done < count {
                self.put(tree, message(*done)?, deadline, &open)?;
                *done += 1;
            }
        }
        Ok(())
    }

    /// With the lock, which this releases: as many as the ring has room for.
    fn put_batch<'a, T: Tree>(
        &self,
        hold: Hold<'_, T>,
        count: usize,
        message: &impl Fn(usize) -> Result<Message<'a>>,
        done: &mut usize,
    ) -> Result<()> {
        let ring = Ring::of(&self.producers)?;
        let mut tail = self.tail();
        let mut placed = 0;
        while *done + placed < count
            && let Ok(message) = message(*done + placed)
            && self.place(&ring, &mut tail, message)?
        {
            placed += 1;
        }
        if placed > 0 {
            self.publish_put(hold, &tail);
            *done += placed;
        }
        Ok(())
    }

    /// Gets at most so many messages, waiting for the first of them, and answers how many it got. `take` answers false
    /// for one that it wants to leave where it is; to the first it answers with true or an error.
    pub(crate) fn get_many<T: Tree>(
        &self,
        tree: &T,
        most: usize,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
        take: &mut impl FnMut(Option<Data>) -> Result<bool>,
    ) -> Result<usize> {
        let got = self.get_batch(tree, most, take)?;
        if got > 0 || most == 0 {
            return Ok(got);
        }
        self.get(tree, deadline, open, take, None)?;
        // What cannot be got now is got by the next call, which then has its own reason.
        Ok(1 + self.get_batch(tree, most - 1, take).unwrap_or(0))
    }

    /// As many as are in this ring, if nobody else is getting any.
    fn get_batch<T: Tree>(
        &self,
        tree: &T,
        most: usize,
        take: &mut impl FnMut(Option<Data>) -> Result<bool>,
    ) -> Result<usize> {
        let Some(hold) = self.consumers.hold_quickly(tree).map(Hold::of_pinned) else { return Ok(0) };
        if self.gate.load(Relaxed) != 0 {
            return Ok(0);
        }
        let ring = Ring::of(&self.consumers)?;
        let mut head = self.head();
        let mut got = 0;
        while got < most {
            let filled = self.filled(&ring, &head)?;
            if filled == 0 {
                break;
            }
            let (record, grains) = ring.read(head.at.at(), filled)?;
            let (data, len) = match record {
                Record::Bytes { offset, len } => (Some(ring.part(offset, len)), len),
                Record::None => (None, 0),
                _ => break,
            };
            match take(data) {
                Ok(true) => head.take(grains, len, false),
                Err(e) if got == 0 => return self.publish_get(hold, &head, Err(e)),
                _ => break,
            }
            got += 1;
        }
        if got == 0 {
            return Ok(0);
        }
        self.publish_get(hold, &head, Ok(got))
    }
}
