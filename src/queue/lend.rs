//! Lending: the bytes of a message are written, or read, where they lie, and no lock is held meanwhile.
//!
//! | step                                            | a process killed right after it                   |
//! |-------------------------------------------------|---------------------------------------------------|
//! | reserve: a block is made, in its ledger         | the sweep of its slot frees the block             |
//! | commit: the block goes to a carrier, one transaction | the carrier has a spare block                |
//! | commit: the position is stored                  | the message is in                                 |
//! | peek, of one in the ring: it is copied into a block | the sweep frees it, the message is there      |
//! | peek: the block is lent, the head advanced, one transaction | its sweep makes the message an orphan |
//! | peek or get of an orphan                        | the same, or it is an orphan still                |
//! | release: the block is freed                     | the loan has no block                             |
//! | release: the loan is over                       | the message is gone                               |
//!
//! Orphans, oldest first, are handed out before what is in the queue. One that a consumer gets rather than peeks is
//! freed after its bytes were copied out: killed in between, it is handed out once more, as with peek.

use super::get::{Head, Oldest};
use super::parcels::carries;
use super::put::Message;
use super::ring::{Record, damaged};
use crate::error::{Result, fail};
use crate::park::{Owner, Tree};
use crate::shm::{self, Data, GATE_ORPHANS, ORPHAN, Object, QueueBlock, RELEASING, Terms};
use crate::time::Deadline;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

impl QueueBlock {
    /// Room for a message that is to be written in place.
    pub(crate) fn reserve(&self, len: usize) -> Result<Data> {
        let most = self.maxbytes.load(Relaxed);
        if len as u64 > most {
            fail!(Invalid, "{len} bytes are reserved, and the queue is for {most} at a time");
        }
        self.check_open_for_puts()?;
        let object = shm::reserve_bytes(self, len)?;
        match shm::own_data(object) {
            Some(data) => Ok(data),
            None => damaged(),
        }
    }

    /// What was reserved there, if anything.
    fn reserved(&self, address: usize) -> Result<(Object, usize)> {
        match shm::own_bytes(self, address) {
            Some((object, data)) => Ok((object, data.len())),
            None => fail!(Invalid, "nothing is reserved at {address:#x} by this process for this queue"),
        }
    }

    /// Puts the first `len` bytes of what was reserved there. What fails leaves it reserved.
    pub(crate) fn commit<T: Tree>(
        &self,
        tree: &T,
        address: usize,
        len: usize,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let (object, most) = self.reserved(address)?;
        if len > most {
            fail!(Invalid, "{len} bytes are committed, and {most} were reserved");
        }
        self.put(tree, Message::Reserved(object, len), deadline, open)
    }

    /// Gives up what was reserved there.
    pub(crate) fn cancel(&self, address: usize) -> Result<()> {
        let (object, _) = self.reserved(address)?;
        shm::release(object.entry);
        Ok(())
    }

    /// Takes the oldest message, waiting for one, to be read in place; None for the message "none", which is then gone.
    pub(crate) fn peek<T: Tree>(
        &self,
        tree: &T,
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<Option<Data>> {
        self.wait_and_take(tree, deadline, open, |hold| {
            if self.has_orphans()
                && let Some(data) = self.adopt(tree.me())
            {
                return Ok(Some(Some(data)));
            }
            let waking = self.announce_room(&hold);
            match self.lend_oldest(tree.me()) {
                Ok(Some((head, data))) => {
                    self.wake_after_get(hold, &head, waking);
                    Ok(Some(data))
                }
                Ok(None) => Ok(None),
                Err(e) => {
                    self.wake_in_place_of_this(hold);
                    Err(e)
                }
            }
        })
    }

    /// With the consumers' lock: lends the oldest message.
    fn lend_oldest(&self, me: Owner) -> Result<Option<(Head, Option<Data>)>> {
        loop {
            let Some(Oldest { ring, mut head, record, grains }) = self.oldest()? else { return Ok(None) };
            if record == Record::Link {
                self.pass_link()?;
                continue;
            }
            if record == Record::None {
                head.take(grains, 0, false);
                self.consumers.publish(head.at, head.tally);
                return Ok(Some((head, None)));
            }
            let Some(at) = self.loans.iter().position(|loan| loan.word.load(Relaxed) == 0) else {
                fail!(NoMemory, "{} messages are lent out, which is the most", self.loans.len());
            };
            let number = head.tally.messages;
            let terms =
                |head: &Head, len| Terms { owner: me, number, len, position: head.at.turned().bits() };
            match record {
                Record::Bytes { offset, len } => {
                    let copy = shm::reserve_bytes(self, len)?;
                    match shm::own_data(copy) {
                        Some(data) => ring.part(offset, len).copy_to(&data),
                        None => return damaged(),
                    }
                    head.take(grains, len, false);
                    self.consumers.prepare(head.at.turned(), head.tally);
                    shm::lend_own(self, at, copy, terms(&head, len));
                }
                Record::Large { carrier } => {
                    let Some(block) = shm::ring_of(&self.consumers) else { return damaged() };
                    if let Some(parcel) = shm::packed(&block.carriers[carrier]) {
                        return Err(carries(parcel));
                    }
                    let len = block.lengths[carrier].load(Relaxed) as usize;
                    head.take(grains, len, true);
                    self.consumers.prepare(head.at.turned(), head.tally);
                    if !shm::lend(self, at, &block.carriers[carrier], terms(&head, len)) {
                        return damaged();
                    }
                }
                Record::None | Record::Link => return damaged(),
            }
            return match self.lent_data(at) {
                Some(data) => Ok(Some((head, Some(data)))),
                None => damaged(),
            };
        }
    }

    /// The bytes of a message that is lent.
    fn lent_data(&self, at: usize) -> Option<Data> {
        let len = self.loans[at].len.load(Relaxed) as usize;
        let data = shm::data(&shm::carried(&self.lent()[at])?.head)?;
        (len <= data.len()).then(|| data.part(0, len))
    }

    /// Gives back the message that was peeked there.
    pub(crate) fn release(&self, me: Owner, address: usize) -> Result<()> {
        let is_it = |&at: &usize| {
            self.loans[at].word.load(Acquire) == u64::from(me.bits())
                && self.lent_data(at).is_some_and(|data| data.address().addr() == address)
        };
        let begin = |&at: &usize| {
            let word = &self.loans[at].word;
            let owner = u64::from(me.bits());
            // Of two that release the same one, one goes on.
            word.compare_exchange(owner, owner | RELEASING, AcqRel, Relaxed).is_ok()
        };
        match (0..self.loans.len()).find(is_it).filter(begin) {
            Some(at) => self.end_loan(at),
            None => fail!(Invalid, "no message was peeked at {address:#x} by this process from this queue"),
        }
        Ok(())
    }

    /// With the consumers' lock, of an orphan, or of one that is being released.
    fn end_loan(&self, at: usize) {
        shm::drop_carried(&self.lent()[at]);
        // Release: the block is gone before the room is another's.
        self.loans[at].word.store(0, Release);
    }

    /// Whether anything is peeked, which comes back when who has it dies.
    pub(super) fn is_lending(&self) -> bool {
        self.loans.iter().any(|loan| loan.word.load(Relaxed) != 0)
    }

    pub(super) fn has_orphans(&self) -> bool {
        self.gate.load(Acquire) & GATE_ORPHANS != 0
    }

    /// With the consumers' lock: the oldest orphan.
    fn oldest_orphan(&self) -> Option<(usize, Data)> {
        loop {
            let orphans = (0..self.loans.len()).filter(|&at| self.loans[at].word.load(Acquire) == ORPHAN);
            let Some(at) = orphans.min_by_key(|&at| self.loans[at].number.load(Relaxed)) else {
                shm::forget_orphans(self);
                return None;
            };
            if let Some(data) = self.lent_data(at) {
                return Some((at, data));
            }
            // Its last taker was killed when it had freed the block.
            self.end_loan(at);
        }
    }

    /// With the consumers' lock: none is handed out any more.
    pub(super) fn drop_orphans(&self) {
        while let Some((at, _)) = self.oldest_orphan() {
            self.end_loan(at);
        }
    }

    /// With the consumers' lock: the oldest orphan becomes this process's.
    fn adopt(&self, me: Owner) -> Option<Data> {
        let (at, data) = self.oldest_orphan()?;
        self.loans[at].word.store(me.bits().into(), Release);
        Some(data)
    }

    /// With the consumers' lock: gets the oldest orphan.
    pub(super) fn get_orphan<R>(
        &self,
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some((at, data)) = self.oldest_orphan() else { return Ok(None) };
        let taken = take(Some(data))?;
        self.end_loan(at);
        Ok(Some(taken))
    }

    /// Looks after those to whom something is lent: what the dead had is handed out again.
    pub(super) fn bury_borrowers<T: Tree>(&self, tree: &T) {
        for loan in &self.loans {
            let borrower = Owner::from_bits(loan.word.load(Relaxed) as u32);
            if let Some(borrower) = borrower.filter(|&owner| owner != tree.me() && tree.is_dead(owner)) {
                tree.bury(borrower);
                shm::take_from_dead(self, borrower);
            }
        }
    }
}
