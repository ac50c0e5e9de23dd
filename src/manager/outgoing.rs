//! What is to go: messages, each behind its length in 4 bytes, big end first.

use super::channel::{HEAD, LARGE, no_memory};
use crate::error::{Result, fail};
use std::collections::VecDeque;

/// Bytes of its own, and between them large ones that lie elsewhere and are not copied.
pub(super) struct Outgoing<B> {
    own: Vec<u8>,
    /// Each stands before the own byte of this number.
    others: VecDeque<(usize, B)>,
    /// How many of the own ones went, and of the first of the others.
    gone: usize,
    other_gone: usize,
    /// How many are still to go.
    left: usize,
}

impl<B> Default for Outgoing<B> {
    fn default() -> Self {
        Outgoing { own: Vec::new(), others: VecDeque::new(), gone: 0, other_gone: 0, left: 0 }
    }
}

impl<B: AsRef<[u8]>> Outgoing<B> {
    /// A message with about so many bytes of its own.
    pub(super) fn put(&mut self, weight: usize, write: impl FnOnce(&mut Self)) -> Result<()> {
        let (own, others, left) = (self.own.len(), self.others.len(), self.left);
        self.own.try_reserve(HEAD + weight).map_err(|_| no_memory())?;
        self.write(&[0; HEAD]);
        write(self);
        let len = self.left - left - HEAD;
        let Ok(head) = u32::try_from(len) else {
            self.own.truncate(own);
            self.others.truncate(others);
            self.left = left;
            fail!(Invalid, "a message has less than 4 GiB, and this one has {len} bytes");
        };
        self.own[own..own + HEAD].copy_from_slice(&head.to_be_bytes());
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
        self.left += bytes.len();
    }

    /// Bytes that are not copied where they are many.
    pub(super) fn lend(&mut self, bytes: &B)
    where
        B: Clone,
    {
        let len = bytes.as_ref().len();
        if len < LARGE {
            return self.write(bytes.as_ref());
        }
        self.others.push_back((self.own.len(), bytes.clone()));
        self.left += len;
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// How much memory it takes, what lies elsewhere included.
    pub(super) fn size(&self) -> usize {
        self.own.capacity() + self.left.saturating_sub(self.own.len() - self.gone)
    }

    /// What goes next, and what goes behind that; empty only where nothing is left.
    pub(super) fn next(&self) -> (&[u8], &[u8]) {
        let until = |number| self.others.get(number).map_or(self.own.len(), |(at, _)| *at);
        match self.others.front() {
            Some((at, first)) if *at == self.gone => {
                (&first.as_ref()[self.other_gone..], &self.own[self.gone..until(1)])
            }
            Some((at, first)) => (&self.own[self.gone..*at], first.as_ref()),
            None => (&self.own[self.gone..], &[]),
        }
    }

    /// So many of these have gone.
    pub(super) fn advance(&mut self, mut count: usize) {
        self.left -= count;
        while count > 0 {
            let (until, is_other) = match self.others.front() {
                Some((at, first)) if *at == self.gone => (first.as_ref().len(), true),
                Some((at, _)) => (*at, false),
                None => (self.own.len(), false),
            };
            let gone = if is_other { &mut self.other_gone } else { &mut self.gone };
            let step = count.min(until - *gone);
            *gone += step;
            count -= step;
            if is_other && *gone == until {
                self.other_gone = 0;
                self.others.pop_front();
            }
        }
    }

    /// For the next ones, with room for `kept` bytes at most.
    pub(super) fn start_anew(&mut self, kept: usize) {
        let mut own = std::mem::take(&mut self.own);
        own.clear();
        *self = Outgoing { own: if own.capacity() > kept { Vec::new() } else { own }, ..Self::default() };
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while self.left > 0 {
            let (first, second) = self.next();
            let count = first.len() + second.len();
            all.extend_from_slice(first);
            all.extend_from_slice(second);
            self.advance(count);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_goes_in_its_order_in_whatever_steps() {
        let large: Vec<u8> = (0..LARGE * 2).map(|i| (i % 251) as u8).collect();
        let message = |parts: &[&[u8]]| {
            let len: usize = parts.iter().map(|part| part.len()).sum();
            [&(len as u32).to_be_bytes()[..], &parts.concat()].concat()
        };
        let parts: [&[u8]; 6] = [&large, &large[1..], b"between", &large[..LARGE - 1], &large[2..], b""];
        let wanted = [message(&parts), message(&[b"next"]), message(&[&large, b"end"])].concat();
        for step in [1, 3, 1000, LARGE, LARGE + 1, usize::MAX] {
            let mut outgoing = Outgoing::<&[u8]>::default();
            outgoing.put(100, |to| parts.iter().for_each(|part| to.lend(part))).unwrap();
            outgoing.put(4, |to| to.write(b"next")).unwrap();
            outgoing
                .put(3, |to| {
                    to.lend(&&large[..]);
                    to.write(b"end");
                })
                .unwrap();
            let mut came = Vec::new();
            while outgoing.left() > 0 {
                assert_eq!(outgoing.left(), wanted.len() - came.len());
                let (first, second) = outgoing.next();
                let some: Vec<u8> = first.iter().chain(second).copied().take(step).collect();
                outgoing.advance(some.len());
                came.extend(some);
            }
            assert!(came == wanted, "in steps of {step}");
            assert_eq!(outgoing.size(), outgoing.own.capacity());
        }
    }
}
