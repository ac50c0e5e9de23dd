//! How a process becomes part of the program's tree.

use super::ledger::{self, Entry};
use super::segment::{self, Segment, TREE};
use super::sweep::sweep_in;
use super::{own, table};
use crate::error::Result;
use crate::park::{Bells, Owner, Spot, Tree};
use crate::sys::page::{self, Turnstile, page};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// What waiting needs to know of the others, answered from the tree's segment.
pub(crate) struct ThisTree;

/// The same of those who use a given segment.
#[derive(Clone, Copy)]
pub(crate) struct In(pub(crate) &'static Segment);

impl In {
    /// This process's bell, and all of them.
    pub(crate) fn bell(self) -> (usize, &'static Bells) {
        (self.me().slot() as usize, &self.0.header().bells)
    }

    /// Asks for a ring when something happens to what is at this address. What lies there is to be told so, too.
    pub(crate) fn watch<T>(self, shared: &T) {
        let (bell, bells) = self.bell();
        bells.watch(bell, self.0.offset_of(shared));
    }
}

/// The same of those who use the segment that something shared lies in.
pub(crate) fn tree_of<T>(shared: &T) -> In {
    In(segment::of((&raw const *shared).addr()).unwrap_or(&TREE))
}

impl Tree for In {
    type Seat = Option<Entry>;

    fn me(&self) -> Owner {
        Owner::joined(self.0.me())
    }

    fn is_dead(&self, owner: Owner) -> bool {
        table::is_dead(self.0, owner)
    }

    fn bury(&self, owner: Owner) {
        sweep_in(self.0, owner);
    }

    fn sit(&self, spot: &Spot) -> Self::Seat {
        ledger::sit(self.0, spot)
    }

    fn rise(&self, spot: &Spot, seat: Self::Seat) {
        ledger::rise(spot, seat);
    }

    fn begin_wake(&self) {
        self.0.header().waking.fetch_add(1, Ordering::Relaxed);
    }

    fn end_wake(&self, woken: u32) {
        let header = self.0.header();
        header.woken.fetch_add(woken, Ordering::Relaxed);
        // The release itself is done; those whom it woke are on their way.
        header.waking.fetch_add(woken.wrapping_sub(1), Ordering::Relaxed);
    }

    fn is_awake(&self) {
        self.0.header().waking.fetch_sub(1, Ordering::Relaxed);
    }

    fn wakes(&self) -> (u32, u32) {
        let header = self.0.header();
        (header.waking.load(Ordering::Relaxed), header.woken.load(Ordering::Relaxed))
    }

    fn ring(place: usize) {
        if let Some(s) = segment::of(place) {
            s.header().bells.ring(s.offset_of_address(place));
        }
    }

    fn note_rescue(&self) {
        self.0.header().rescued.fetch_add(1, Ordering::Relaxed);
    }

    fn note_owner_death(&self) {
        self.0.header().owner_deaths.fetch_add(1, Ordering::Relaxed);
    }
}

impl Tree for ThisTree {
    type Seat = Option<Entry>;

    #[inline(always)]
    fn me(&self) -> Owner {
        Owner::joined(page().me.load(Ordering::Relaxed))
    }

    fn is_dead(&self, owner: Owner) -> bool {
        In(&TREE).is_dead(owner)
    }

    fn bury(&self, owner: Owner) {
        In(&TREE).bury(owner);
    }

    fn sit(&self, spot: &Spot) -> Self::Seat {
        In(&TREE).sit(spot)
    }

    fn rise(&self, spot: &Spot, seat: Self::Seat) {
        In(&TREE).rise(spot, seat);
    }

    fn begin_wake(&self) {
        In(&TREE).begin_wake();
    }

    fn end_wake(&self, woken: u32) {
        In(&TREE).end_wake(woken);
    }

    fn is_awake(&self) {
        In(&TREE).is_awake();
    }

    fn wakes(&self) -> (u32, u32) {
        In(&TREE).wakes()
    }

    fn ring(place: usize) {
        In::ring(place);
    }

    fn note_rescue(&self) {
        In(&TREE).note_rescue();
    }

    fn note_owner_death(&self) {
        In(&TREE).note_owner_death();
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
        own::create()?;
        let me = table::claim_own(&TREE)?;
        enter(me).inspect_err(|_| table::withdraw(&TREE, me))?;
        table::bury_after(&TREE, me);
        Ok(())
    })
}

/// In a fresh image: finds the segment by what its parent has it told, and takes the slot that was claimed
/// for it.
pub(crate) fn enter_image(fd: RawFd, agreed: u64, me: Owner) -> Result<()> {
    TURNSTILE.pass(|| {
        page::install()?;
        own::attach(fd, agreed)?;
        enter(me)
    })
}

/// In a child that libmp forked: takes the slot that the parent claimed for it.
pub(crate) fn enter_child(me: Owner) -> Result<()> {
    TURNSTILE.pass(|| enter(me))
}

fn enter(me: Owner) -> Result<()> {
    table::go_live(&TREE, me)?;
    ledger::private(&TREE).private.begin(&TREE, me.slot());
    TREE.set_me(me.bits());
    let page = page();
    let epoch = (EPOCHS.load(Ordering::Relaxed) % EPOCH_MASK) + 1;
    EPOCHS.store(epoch, Ordering::Relaxed);
    // Release: a thread that sees the epoch sees the rest.
    page.epoch.store(epoch, Ordering::Release);
    Ok(())
}
