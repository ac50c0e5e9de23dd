//! Semaphores: how many slots, who may give back, and what happens to those of the dead.

use crate::error::{Error, Result, Status, fail};
use crate::park::{Accounts, MOST_SLOTS, NoSlot, NotTaken, Tree};
use crate::shm::{self, In, Kind, Object, Segment, SemaphoreBlock};
use crate::time::Deadline;
use std::sync::atomic::Ordering::Relaxed;

const ACCOUNTS: u64 = 1 << 32;
const BOUNDED: u64 = 1 << 33;
const MOST: u64 = u32::MAX as u64;

/// How many processes at a time may have slots of a semaphore that keeps accounts.
const MOST_HOLDERS: usize = 2046;
/// Words of the lock that the data begins with.
const LOCK_WORDS: usize = 2;

/// Makes one with so many free slots. `bounded`: there are never more. `give_back`: it knows who has them, and takes
/// back what the dead had.
pub(crate) fn create(s: &'static Segment, value: i64, bounded: bool, give_back: bool) -> Result<Object> {
    let slots = slots(value)?;
    let data = if give_back { account_bytes(slots) } else { 0 };
    let options = options(slots, bounded, give_back);
    shm::create_in::<SemaphoreBlock>(s, Kind::Semaphore, data, |block| {
        block.semaphore.reset(slots);
        block.options.store(options, Relaxed);
    })
}

fn slots(value: i64) -> Result<u64> {
    match u64::try_from(value) {
        Ok(slots) if slots <= MOST_SLOTS => Ok(slots),
        _ => fail!(Invalid, "{value} is no number of slots: 0 to {MOST_SLOTS} are"),
    }
}

fn options(slots: u64, bounded: bool, give_back: bool) -> u64 {
    let most = if bounded || give_back { slots } else { MOST_SLOTS };
    most | if give_back { ACCOUNTS } else { 0 } | if bounded { BOUNDED } else { 0 }
}

/// The same in words.
fn named(options: u64) -> String {
    let most = options & MOST;
    let of = match options & (ACCOUNTS | BOUNDED) {
        0 => return "a semaphore without a bound".into(),
        ACCOUNTS => "with give_back",
        BOUNDED => "bounded",
        _ => "bounded, with give_back",
    };
    format!("a semaphore of at most {most} slots, {of}")
}

/// How long the data of a semaphore is that accounts for so many slots.
fn account_bytes(slots: u64) -> usize {
    (LOCK_WORDS + (slots as usize).min(MOST_HOLDERS)) * 8
}

impl SemaphoreBlock {
    fn most(&self) -> u64 {
        self.options.load(Relaxed) & MOST
    }

    #[inline(always)]
    pub(super) fn keeps_accounts(&self) -> bool {
        self.options.load(Relaxed) & ACCOUNTS != 0
    }

    fn accounts(&self) -> Result<Accounts<'_>> {
        match shm::data(&self.head) {
            // What a stray pointer has moved or stretched would be another's words.
            Some(data) if data.len() == account_bytes(self.most()) && data.is_words() => Ok(Accounts {
                lock: data.lock(),
                spot: self.semaphore.spot(),
                words: &data.words()[LOCK_WORDS..],
                limit: self.most(),
            }),
            _ => fail!(State, "the semaphore's block in shared memory is damaged"),
        }
    }

    /// Whether one that was found by its name is as it was asked for. How many slots are free now is no matter.
    pub(crate) fn fits(&self, value: i64, bounded: bool, give_back: bool) -> Result<()> {
        let slots = slots(value)?;
        let (has, asked) = (self.options.load(Relaxed), options(slots, bounded, give_back));
        if has != asked {
            fail!(Invalid, "the name is that of {}, and {} is asked for", named(has), named(asked));
        }
        Ok(())
    }

    /// Takes a slot if that takes one look.
    #[inline(always)]
    pub(crate) fn acquire_quickly(&self) -> bool {
        !self.keeps_accounts() && self.semaphore.try_acquire()
    }

    /// Takes a slot, waiting for one.
    pub(crate) fn acquire<T: Tree>(&self, tree: &T, timeout: i64) -> Result<()> {
        let deadline = Deadline::after(timeout);
        if !self.keeps_accounts() {
            return if self.semaphore.acquire(tree, deadline) { Ok(()) } else { Err(timed_out()) };
        }
        match self.accounts()?.acquire(tree, deadline) {
            Ok(()) => Ok(()),
            Err(NoSlot::TimedOut) => Err(timed_out()),
            Err(NoSlot::TooManyHolders) => {
                fail!(NoMemory, "{MOST_HOLDERS} processes have slots, which is all that can be accounted for")
            }
        }
    }

    /// The same where nobody keeps accounts and nothing is wrong; false leaves everything as it was.
    #[inline(always)]
    pub(crate) fn release_quickly(&self, count: u64) -> bool {
        count != 0 && !self.keeps_accounts() && self.semaphore.release::<In>(count, self.most())
    }

    /// Gives slots back, in one step.
    pub(crate) fn release<T: Tree>(&self, tree: &T, count: u64) -> Result<()> {
        if count == 0 {
            fail!(Invalid, "0 slots cannot be released");
        }
        if self.keeps_accounts() {
            return self.release_accounted(tree, count);
        }
        match self.semaphore.release::<In>(count, self.most()) {
            true => Ok(()),
            false => Err(self.over_release(count)),
        }
    }

    #[cold]
    fn release_accounted<T: Tree>(&self, tree: &T, count: u64) -> Result<()> {
        match self.accounts()?.release(tree, count) {
            Ok(()) => Ok(()),
            Err(NotTaken(has)) => fail!(NotOwner, "{count} slots are released, and this process has {has}"),
        }
    }

    #[cold]
    fn over_release(&self, count: u64) -> Error {
        let (free, most) = (self.semaphore.free(), self.most());
        let text = format!("{count} slots are released, {free} are free, and {most} is the most");
        Error::new(Status::OverRelease, text)
    }

    /// How many slots are free, at some moment.
    pub(crate) fn free(&self) -> Result<u64> {
        if !self.keeps_accounts() {
            return Ok(self.semaphore.free());
        }
        let accounts = self.accounts()?;
        Ok(accounts.limit.saturating_sub(accounts.taken()))
    }

    /// Slots of the dead are free again.
    pub(super) fn look_for_dead(&self) {
        if self.keeps_accounts()
            && let Ok(accounts) = self.accounts()
        {
            accounts.give_back_of_dead(&shm::tree_of(self), Deadline::NoWait);
        }
    }

    /// CPython's text.
    pub(crate) fn describe(&self) -> Result<String> {
        let (free, most) = (self.free()?, self.most());
        Ok(match self.options.load(Relaxed) & BOUNDED != 0 {
            true => format!("<BoundedSemaphore(value={free}, maxvalue={most})>"),
            false => format!("<Semaphore(value={free})>"),
        })
    }
}

#[cold]
fn timed_out() -> Error {
    Error::new(Status::Timeout, "no slot was free in time")
}
