//! Messages that are written, and read, where they lie. Over a pipe that is a block of shared memory, which this process
//! holds; over a socket it is memory of this process's own, so that a program is the same for both. No lock is held
//! meanwhile.

use super::connection::{Connection, Transport};
use crate::error::{Result, fail};
use crate::shm::{self, Data, Entry};
use crate::time::Deadline;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an address where a message is written is a multiple of.
const ALIGNED: usize = 64;

/// Where a message lies.
pub(super) enum Lent {
    Shared(Entry, Data),
    /// From this byte on.
    Own(Vec<u8>, usize),
}

impl Lent {
    /// Room in memory of this process's own.
    fn own(len: usize) -> Result<Self> {
        let mut bytes = Vec::new();
        let size = len.saturating_add(ALIGNED);
        if bytes.try_reserve_exact(size).is_err() {
            fail!(NoMemory, "no memory for a message of {len} bytes");
        }
        bytes.resize(size, 0);
        let from = bytes.as_ptr().align_offset(ALIGNED);
        Ok(Lent::Own(bytes, from))
    }

    fn at(&mut self) -> *mut u8 {
        match self {
            Lent::Shared(_, data) => data.address(),
            Lent::Own(bytes, from) => bytes[*from..].as_mut_ptr(),
        }
    }

    fn into_loan(mut self, len: usize) -> Loan {
        Loan { address: self.at().addr(), len, what: self }
    }
}

struct Loan {
    address: usize,
    len: usize,
    what: Lent,
}

/// What is lent out. None is the place of one that is about to be, or that a call is at work with.
#[derive(Default)]
pub(super) struct Loans(Mutex<Vec<Option<Loan>>>);

impl Loans {
    fn all(&self) -> MutexGuard<'_, Vec<Option<Loan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more.
    fn open(&self) -> Result<()> {
        let mut all = self.all();
        if all.try_reserve(1).is_err() {
            fail!(NoMemory, "no memory to write down what is lent");
        }
        all.push(None);
        Ok(())
    }

    fn fill(&self, loan: Loan) {
        if let Some(place) = self.all().iter_mut().find(|place| place.is_none()) {
            *place = Some(loan);
        }
    }

    /// A place less.
    fn shut(&self) {
        let mut all = self.all();
        if let Some(at) = all.iter().position(Option::is_none) {
            all.swap_remove(at);
        }
    }

    /// Makes one, with its place.
    fn lend(&self, make: impl FnOnce() -> Result<(Lent, usize)>) -> Result<(*mut u8, usize)> {
        self.open()?;
        match make() {
            Ok((mut what, len)) => {
                let at = what.at();
                self.fill(what.into_loan(len));
                Ok((at, len))
            }
            Err(e) => {
                self.shut();
                Err(e)
            }
        }
    }

    /// What is lent there; its place stays.
    fn take(&self, address: usize) -> Option<Loan> {
        let is_it = |place: &&mut Option<Loan>| place.as_ref().is_some_and(|loan| loan.address == address);
        self.all().iter_mut().find(is_it)?.take()
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        for loan in self.all().drain(..).flatten() {
            if let Lent::Shared(entry, _) = loan.what {
                shm::release(entry);
            }
        }
    }
}

impl Connection {
    /// Room for a message of at most `len` bytes.
    pub(crate) fn reserve(&self, len: usize) -> Result<*mut u8> {
        let make = || match &self.transport {
            Transport::Pipe(pipe) => pipe.reserve(len),
            Transport::Stream(stream) => {
                stream.check_length(len)?;
                Lent::own(len)
            }
        };
        Ok(self.reserved.lend(|| Ok((make()?, len)))?.0)
    }

    fn reserved(&self, address: usize) -> Result<Loan> {
        match self.reserved.take(address) {
            Some(loan) => Ok(loan),
            None => fail!(Invalid, "nothing is reserved at {address:#x} for this connection"),
        }
    }

    /// Sends the first `len` bytes of what was reserved there. What fails leaves it reserved.
    pub(crate) fn commit(&self, address: usize, len: usize, deadline: Deadline) -> Result<()> {
        let loan = self.reserved(address)?;
        match self.send_room(&loan, len, deadline) {
            Ok(()) => self.reserved.shut(),
            Err(e) => {
                self.reserved.fill(loan);
                return Err(e);
            }
        }
        Ok(())
    }

    fn send_room(&self, loan: &Loan, len: usize, deadline: Deadline) -> Result<()> {
        if len > loan.len {
            fail!(Invalid, "{len} bytes are committed, and {} were reserved", loan.len);
        }
        match (&self.transport, &loan.what) {
            (Transport::Pipe(pipe), Lent::Shared(room, _)) => pipe.commit(*room, len, deadline),
            (_, Lent::Own(bytes, from)) => self.send(&bytes[*from..*from + len], deadline),
            (Transport::Stream(_), Lent::Shared(..)) => fail!(Panic, "a socket has no shared memory"),
        }
    }

    /// Gives up what was reserved there.
    pub(crate) fn cancel(&self, address: usize) -> Result<()> {
        let loan = self.reserved(address)?;
        self.reserved.shut();
        if let (Transport::Pipe(pipe), Lent::Shared(room, _)) = (&self.transport, loan.what) {
            pipe.cancel(room);
        }
        Ok(())
    }

    /// Takes the next message, waiting for one, to be read in place.
    pub(crate) fn peek(&self, deadline: Deadline) -> Result<(*const u8, usize)> {
        let (at, len) = self.peeked.lend(|| {
            let message = match &self.transport {
                Transport::Pipe(pipe) => pipe.peek(deadline)?,
                Transport::Stream(stream) => Lent::Own(stream.receive_vec(usize::MAX, deadline, |_| {})?, 0),
            };
            let len = match &message {
                Lent::Shared(_, data) => data.len(),
                Lent::Own(bytes, _) => bytes.len(),
            };
            Ok((message, len))
        })?;
        Ok((at.cast_const(), len))
    }

    /// Gives up the message that was peeked there.
    pub(crate) fn release(&self, address: usize) -> Result<()> {
        let Some(loan) = self.peeked.take(address) else {
            fail!(Invalid, "no message was peeked at {address:#x} from this connection");
        };
        self.peeked.shut();
        if let (Transport::Pipe(pipe), Lent::Shared(message, _)) = (&self.transport, loan.what) {
            pipe.release(message);
        }
        Ok(())
    }
}
