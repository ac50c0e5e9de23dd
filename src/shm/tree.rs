//! How a process becomes part of the program's tree.

use super::ledger::{self, Entry};
use super::{segment, table};
use crate::error::Result;
use crate::park::{Owner, Spot, Tree};
use crate::sys::page::{self, Turnstile, page};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// What waiting needs to know of the others, answered from the segment.
pub(crate) struct ThisTree;

impl Tree for ThisTree {
    type Seat = Option<Entry>;

    #[inline(always)]
    fn me(&self) -> Owner {
        Owner::joined(page().me.load(Ordering::Relaxed))
    }

    fn is_dead(&self, owner: Owner) -> bool {
        table::is_dead(owner)
    }

    fn sit(&self, spot: &Spot) -> Self::Seat {
        ledger::sit(spot)
    }

    fn rise(&self, spot: &Spot, seat: Self::Seat) {
        ledger::rise(spot, seat);
    }

    fn begin_wake(&self) {
        segment::header().waking.fetch_add(1, Ordering::Relaxed);
    }

    fn end_wake(&self, woken: u32) {
        let header = segment::header();
        header.woken.fetch_add(woken, Ordering::Relaxed);
        header.waking.fetch_sub(1, Ordering::Relaxed);
    }

    fn wakes(&self) -> (u32, u32) {
        let header = segment::header();
        (header.waking.load(Ordering::Relaxed), header.woken.load(Ordering::Relaxed))
    }

    fn note_rescue(&self) {
        segment::header().rescued.fetch_add(1, Ordering::Relaxed);
    }

    fn note_owner_death(&self) {
        segment::header().owner_deaths.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the processes that this memory image has been: what distinguishes a child's handles from its
/// parent's. Not wiped on fork.
static EPOCHS: AtomicU64 = AtomicU64::new(0);
static TURNSTILE: Turnstile = Turnstile::new();

/// The epochs that a handle's tag has room for; 0 is for processes that have not joined.
const EPOCH_MASK: u64 = 0xFFFF;

/// Makes this process part of a tree, if it is not: of a new one, or, in a child that the host forked itself,
/// of its parent's.
pub(crate) fn join() -> Result<()> {
    TURNSTILE.pass(|| {
        if page().epoch.load(Ordering::Acquire) != 0 {
            return Ok(());
        }
        page::install()?;
        segment::create()?;
        let me = table::claim_own()?;
        enter(me).inspect_err(|_| table::withdraw(me))?;
        table::bury_after(me);
        Ok(())
    })
}

/// In a fresh image: finds the segment by what its parent has it told, and takes the slot that was claimed
/// for it.
pub(crate) fn enter_image(fd: RawFd, agreed: u64, me: Owner) -> Result<()> {
    TURNSTILE.pass(|| {
        page::install()?;
        segment::attach(fd, agreed)?;
        enter(me)
    })
}

/// In a child that libmp forked: takes the slot that the parent claimed for it.
pub(crate) fn enter_child(me: Owner) -> Result<()> {
    TURNSTILE.pass(|| enter(me))
}

fn enter(me: Owner) -> Result<()> {
    table::go_live(me)?;
    ledger::private().private.begin(me.slot());
    let page = page();
    page.me.store(me.bits(), Ordering::Relaxed);
    let epoch = (EPOCHS.load(Ordering::Relaxed) % EPOCH_MASK) + 1;
    EPOCHS.store(epoch, Ordering::Relaxed);
    // Release: a thread that sees the epoch sees the rest.
    page.epoch.store(epoch, Ordering::Release);
    Ok(())
}
