//! The lock beside a value or an array: choosing it, and handles to it.

use super::handle::{self, Found, Shared};
use super::lock::mp_lock;
use super::rlock::mp_rlock;
use super::slots;
use crate::error::{Result, fail};
use crate::shared::Guarded;
use crate::shm::Object;
use crate::sync::guarding::Guard;

/// What the options say of it.
pub(super) fn choose(lock: *mut mp_lock, rlock: *mut mp_rlock, raw: bool, report: bool) -> Result<Guard> {
    match (lock.is_null(), rlock.is_null(), raw) {
        (true, true, false) => Ok(Guard::Own(report)),
        (true, true, true) => Ok(Guard::None),
        (false, true, false) => given(lock),
        (true, false, false) => given(rlock),
        _ => fail!(Invalid, "the options want more than one of lock, rlock and raw"),
    }
}

fn given<T: Shared>(lock: *mut T) -> Result<Guard> {
    handle::find(lock)?;
    let known = slots::known(lock.addr() as u64)?;
    if known.entry.is_named() {
        fail!(Unsupported, "a lock with a name cannot guard what has none");
    }
    Ok(Guard::Given(known.kind, known.r))
}

/// A handle of its own to the lock, if it is one of this kind.
pub(super) fn handle_to<T: Shared, G: Shared<Block: Guarded>>(guarded: Found<G>) -> Result<*mut T> {
    let guarding = guarded.block().guarding()?;
    if T::KIND.block() != Some(guarding.kind()) {
        fail!(State, "its lock is no {:?}, but a {:?}", T::KIND, guarding.kind());
    }
    let r = guarding.reference();
    // Both are in the same segment.
    handle::new_shared(Object { r, entry: handle::hold_beside(guarded.entry(), r, guarding.kind())? })
}

/// Whether the caller holds the lock and got it from a holder that died.
pub(super) fn is_recovered(block: &impl Guarded) -> Result<bool> {
    let guarding = block.guarding()?;
    Ok(guarding.is_mine() && guarding.is_recovered())
}
