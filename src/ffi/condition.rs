//! Conditions between processes: who holds the condition's lock gives it up and waits, until
//! another holder notifies. A wait is a call by any thread of any process, and two threads of one
//! process are two who wait. Nobody is woken by accident, and no notification goes astray: not by
//! a time that ran out, and not by a kill.

use super::guard::{guard, initialise, joined, options, out};
use super::handle::Found;
use super::lock::mp_lock;
use super::rlock::mp_rlock;
use super::status::mp_status;
use super::time::mp_timeout;
use super::{handle, name, scope, slots, text};
use crate::error::{Result, Status, fail};
use crate::shm::{ConditionBlock, Kind};
use crate::sync::condition;
use crate::sync::guarding::{Guard, Guarding};
use crate::time::{Deadline, FOREVER};
use core::ffi::{c_char, c_int, c_uint, c_void};

/// A condition, and its lock.
pub struct mp_condition {
    _private: [u8; 0],
}

/// Whether what a caller waits for is there. Asked while the lock is held. An exception must not
/// leave it.
pub type mp_condition_fn =
    Option<unsafe extern "C-unwind" fn(condition: *mut mp_condition, user: *mut c_void) -> bool>;

/// Options of mp_condition_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_condition_options {
    /// sizeof(mp_condition_options).
    pub size: usize,
    /// The condition's lock shall be this one; NULL for another one. The condition keeps the
    /// lock: its handle may be freed.
    pub lock: *mut mp_lock,
    /// The same for an RLock. Where both are NULL, the condition has an RLock of its own.
    pub rlock: *mut mp_rlock,
    /// Of the condition's own RLock: acquire and wait answer MP_OWNER_DIED, instead of MP_OK,
    /// where the last holder died. A given lock does as it was told when it was made.
    pub report_owner_death: bool,
    /// The name by which other processes, relatives or not, open the same object: see
    /// mp_name_unlink. NULL for none: the object goes with its last handle.
    pub name: *const c_char,
    /// Where there is a name: whether to create the object or to open it, an mp_open.
    pub open: c_int,
    /// Where an object with a name is created: who may open it, as for chmod. 0600, and what is
    /// given here besides; 0 for this user alone.
    pub mode: c_uint,
}

// mp.h:
// /* The defaults: mp_condition_options o = MP_CONDITION_OPTIONS; */
// #define MP_CONDITION_OPTIONS { sizeof(mp_condition_options), NULL, NULL, false, NULL, 0, 0 }

const DEFAULTS: mp_condition_options = mp_condition_options {
    size: size_of::<mp_condition_options>(),
    lock: std::ptr::null_mut(),
    rlock: std::ptr::null_mut(),
    report_owner_death: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_CONDITION_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_condition_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_options_init(
    options: *mut mp_condition_options,
    size: usize,
) -> mp_status {
    guard("mp_condition_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes a condition, its lock not held unless a given one is. It costs 256 bytes of shared
/// memory, 64 for a lock of its own, and no descriptor; more while more than 13 wait at a time.
///
/// condition: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_INVALID: both a lock and an RLock are given.
/// MP_ERR_UNSUPPORTED: the given one has a name, or the condition shall have one: then it has a
///     lock of its own.
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same condition through the same
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_new(
    condition: *mut *mut mp_condition,
    options: *const mp_condition_options,
) -> mp_status {
    guard("mp_condition_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(condition, "condition")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let guard = guard_of(&options)?;
        let create = |s| condition::create(s, guard);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            name::open(name, (Kind::Condition, 0), create, |block: &ConditionBlock| block.fits(guard))
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

fn guard_of(options: &mp_condition_options) -> Result<Guard> {
    if !options.lock.is_null() && !options.rlock.is_null() {
        fail!(Invalid, "a lock and an RLock are given, and a condition has one of them");
    }
    let given = if options.lock.is_null() {
        if options.rlock.is_null() {
            return Ok(Guard::Own(options.report_owner_death));
        }
        handle::find(options.rlock)?;
        options.rlock.addr()
    } else {
        handle::find(options.lock)?;
        options.lock.addr()
    };
    let known = slots::known(given as u64)?;
    if known.entry.is_named() {
        fail!(Unsupported, "a lock with a name cannot be that of a condition, which has none");
    }
    Ok(Guard::Given(known.kind, known.r))
}

/// The condition's lock, which stays for as long as the handle is kept.
fn lock(condition: &Found<mp_condition>) -> Result<Guarding> {
    condition.block().lock()
}

/// Acquires the condition's lock, as mp_rlock_acquire does, or mp_lock_acquire where the
/// condition was made with a lock.
///
/// timeout: nanoseconds.
///
/// MP_OK: you hold it.
/// MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock that reports
///     it; for others see mp_condition_recovered.
/// MP_ERR_TIMEOUT: somebody else held it all the time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_acquire(
    condition: *mut mp_condition,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_condition_acquire", || lock(&handle::find(condition)?)?.acquire(timeout))
}

/// Releases the condition's lock, as mp_rlock_release does, or mp_lock_release where the
/// condition was made with a lock.
///
/// MP_ERR_NOT_OWNER: an RLock, and the calling thread does not hold it.
/// MP_ERR_OVER_RELEASE: a lock, and nobody held it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_release(condition: *mut mp_condition) -> mp_status {
    guard("mp_condition_release", || {
        lock(&handle::find(condition)?)?.release()?;
        Ok(Status::Ok)
    })
}

/// Whether anybody holds the condition's lock, at some moment during the call. A dead holder
/// still counts.
///
/// locked: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_locked(condition: *const mp_condition, locked: *mut bool) -> mp_status {
    guard("mp_condition_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(lock(&handle::find(condition)?)?.is_held());
        Ok(Status::Ok)
    })
}

/// Whether the caller holds the condition's lock and got it from a holder that died; true until
/// it is released, and a wait releases it.
///
/// recovered: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_recovered(
    condition: *const mp_condition,
    recovered: *mut bool,
) -> mp_status {
    guard("mp_condition_recovered", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(recovered, "recovered") }?;
        let found = handle::find(condition)?;
        let lock = lock(&found)?;
        place.write(lock.is_mine() && lock.is_recovered());
        Ok(Status::Ok)
    })
}

/// Gives the condition's lock up, waits for up to timeout until notified, and takes the lock
/// again, without limit. An RLock is given up wholly, and then held as often as before.
///
/// timeout: nanoseconds.
///
/// MP_OK: it was notified, and you hold the lock.
/// MP_OWNER_DIED: the same, and the lock's last holder died holding it. Only from a lock that
///     reports it; for others, and after a timeout, see mp_condition_recovered.
/// MP_ERR_TIMEOUT: it was not notified, and you hold the lock; no notification was for this call.
/// MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
///     lock.
/// MP_ERR_NO_MEMORY: the shared segment has no room for one more who waits; you hold the lock.
///
/// Threads: any number may wait, in any number of processes.
/// Kill: one who is killed before it was notified does not count. Where it was notified, and is
/// killed before it has the lock again, the notification goes to the next who waited then, within
/// 100 ms of the death. Should the process that passes it on be killed in that very moment, one
/// more may be released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_wait(condition: *mut mp_condition, timeout: mp_timeout) -> mp_status {
    guard("mp_condition_wait", || {
        let found = handle::find(condition)?;
        let block = found.block();
        block.wait(Deadline::after(timeout))
    })
}

/// Waits until a predicate holds: asks it at once, and then whenever notified.
///
/// predicate: asked while the lock is held; it must leave it so.
/// user: handed to predicate.
/// timeout: nanoseconds, for all waits together.
///
/// MP_OK: the predicate held, and you hold the lock.
/// MP_OWNER_DIED: the same, and meanwhile a holder of the lock died. Only from a lock that
///     reports it.
/// MP_ERR_TIMEOUT: the predicate did not hold, not even when the time was over; you hold the lock.
/// MP_ERR_INVALID: predicate is NULL.
/// MP_ERR_NOT_OWNER: the caller does not hold the lock.
/// MP_ERR_NO_MEMORY: as mp_condition_wait.
///
/// Kill: as mp_condition_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_wait_for(
    condition: *mut mp_condition,
    predicate: mp_condition_fn,
    user: *mut c_void,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_condition_wait_for", || {
        let Some(predicate) = predicate else { fail!(Invalid, "predicate is NULL") };
        let found = handle::find(condition)?;
        let block = found.block();
        // SAFETY: called with what its type promises.
        block.wait_for(Deadline::after(timeout), || unsafe { predicate(condition, user) })
    })
}

/// Releases up to n of those who wait, those who have waited longest; exactly n where so many
/// live. Each goes on when it has the lock. Without anybody who waits nothing happens, and
/// nothing is remembered.
///
/// n: how many.
///
/// MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
///     lock.
///
/// Kill: whom a killed one has notified is notified.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_notify(condition: *mut mp_condition, n: usize) -> mp_status {
    guard("mp_condition_notify", || {
        notify(condition, n as u64)?;
        Ok(Status::Ok)
    })
}

/// Releases all who wait.
///
/// MP_ERR_NOT_OWNER: the caller does not hold the lock: this thread an RLock, this process a
///     lock.
///
/// Kill: as mp_condition_notify.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_notify_all(condition: *mut mp_condition) -> mp_status {
    guard("mp_condition_notify_all", || {
        notify(condition, u64::MAX)?;
        Ok(Status::Ok)
    })
}

fn notify(condition: *mut mp_condition, most: u64) -> Result<()> {
    let found = handle::find(condition)?;
    let block: &ConditionBlock = found.block();
    block.notify(most)
}

/// Tells about the condition as Python does, for people to read:
/// `<Condition(<RLock(MainProcess, 1)>, 0)>`: its lock, and how many wait.
///
/// text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
/// needed: the bytes that it takes, the zero counted, go here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_describe(
    condition: *const mp_condition,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_condition_describe", || {
        let about = handle::with(condition, ConditionBlock::describe)??;
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &about) }?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// /* Holds the condition's lock. */
// #define MP_WITH_CONDITION(condition) MP_SCOPE_(mp_condition, condition)
// #endif

/// The begin of MP_WITH_CONDITION: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_enter(condition: *mut mp_condition) -> *mut mp_condition {
    // SAFETY: any number may be passed as a handle.
    scope::enter(condition, |wanted| unsafe { mp_condition_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_CONDITION: gives the lock back, and sets the pointer to NULL.
///
/// condition: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_leave(condition: *mut *mut mp_condition) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(condition, |held| mp_condition_release(held)) }
}

/// Frees this handle. NULL is fine. The condition goes with the last handle to it in any process;
/// its lock is not released by this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_condition_free(condition: *mut mp_condition) -> mp_status {
    guard("mp_condition_free", || handle::free_shared(condition))
}
