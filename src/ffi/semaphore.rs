//! Semaphores between processes: a number of slots, of which each acquire takes one and any
//! process may give some back. For signalling, too: a release that nobody waits for is kept.

use super::guard::{guard, guard_quick, initialise, joined, options, out};
use super::handle;
use super::name;
use super::scope;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::Status;
use crate::shm::{Kind, SemaphoreBlock};
use crate::sync;
use crate::time::FOREVER;
use core::ffi::{c_char, c_int, c_uint};

/// A semaphore.
pub struct mp_semaphore {
    _private: [u8; 0],
}

/// Options of mp_semaphore_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_semaphore_options {
    /// sizeof(mp_semaphore_options).
    pub size: usize,
    /// Never more slots than it begins with: a release that makes more is MP_ERR_OVER_RELEASE.
    pub bounded: bool,
    /// What a process has when it dies is given back, within 100 ms. Then who takes slots gives
    /// them back itself, and never more than it has. At most 2046 processes have some at a time.
    pub give_back: bool,
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
// /* The defaults: mp_semaphore_options o = MP_SEMAPHORE_OPTIONS; */
// #define MP_SEMAPHORE_OPTIONS { sizeof(mp_semaphore_options), false, false, NULL, 0, 0 }

const DEFAULTS: mp_semaphore_options = mp_semaphore_options {
    size: size_of::<mp_semaphore_options>(),
    bounded: false,
    give_back: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_SEMAPHORE_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_semaphore_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_options_init(
    options: *mut mp_semaphore_options,
    size: usize,
) -> mp_status {
    guard("mp_semaphore_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes a semaphore. It costs 64 bytes of shared memory and no descriptor; with give_back 8
/// bytes more for each slot, at most 16 KiB.
///
/// semaphore: where the handle goes.
/// value: how many slots are free, 0 to 2147483647.
/// options: NULL for the defaults.
///
/// MP_ERR_INVALID: value is no such number.
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same semaphore through the same
/// handle. What its parent has it does not have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_new(
    semaphore: *mut *mut mp_semaphore,
    value: i64,
    options: *const mp_semaphore_options,
) -> mp_status {
    guard("mp_semaphore_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(semaphore, "semaphore")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let create = |s| sync::semaphore::create(s, value, options.bounded, options.give_back);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            let fits = |block: &SemaphoreBlock| block.fits(value, options.bounded, options.give_back);
            name::open(name, (Kind::Semaphore, 0), create, fits)
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Takes a slot, waiting for one for up to timeout.
///
/// timeout: nanoseconds. With give_back it takes up to 20 ms more where another process was
///     stopped just as it took or gave back a slot.
///
/// MP_ERR_TIMEOUT: no slot was free all the time, or such a process was not done.
/// MP_ERR_NO_MEMORY: of a semaphore with give_back 2046 other processes have slots.
/// MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
///
/// Threads: any; the slots of a process are its threads' together. Who of several waiters gets
/// a slot is not promised.
/// Kill: a process killed in here has taken a slot or has not. The slots that it had stay
/// taken, unless the semaphore was made with give_back; no sleeper is forgotten.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_acquire(
    semaphore: *mut mp_semaphore,
    timeout: mp_timeout,
) -> mp_status {
    let quick = || {
        handle::block_quickly(semaphore).is_some_and(SemaphoreBlock::acquire_quickly)
            && handle::took(semaphore)
    };
    guard_quick("mp_semaphore_acquire", quick, move || {
        // It may sleep: the handle must outlast it.
        let found = handle::find(semaphore)?;
        let acquired = found.block().acquire(&found.tree(), timeout);
        handle::took(semaphore);
        acquired?;
        Ok(Status::Ok)
    })
}

/// Gives slots back, all in one step; as many as wait, up to that number, get them.
///
/// count: how many, at least 1.
///
/// MP_ERR_INVALID: count is 0.
/// MP_ERR_OVER_RELEASE: there would be more than 2147483647, or of a bounded semaphore more than
///     it began with. Nothing changes.
/// MP_ERR_NOT_OWNER: the semaphore was made with give_back, and this process has not so many.
///     Nothing changes.
/// MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
///
/// Kill: one who is killed in here has given all of them back or none; where it has, those who
/// wait get them, if up to 75 ms later, and up to 750 ms where they have waited for ten seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_release(semaphore: *mut mp_semaphore, count: usize) -> mp_status {
    let quick = || handle::block_quickly(semaphore).is_some_and(|block| block.release_quickly(count as u64));
    guard_quick("mp_semaphore_release", quick, move || {
        let found = handle::find(semaphore)?;
        found.block().release(&found.tree(), count as u64)?;
        Ok(Status::Ok)
    })
}

/// How many slots are free, at some moment during the call. What a dead process has still
/// counts as taken.
///
/// value: where the number goes.
///
/// MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_value(semaphore: *const mp_semaphore, value: *mut usize) -> mp_status {
    guard("mp_semaphore_value", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(value, "value") }?;
        place.write(handle::find(semaphore)?.block().free()? as usize);
        Ok(Status::Ok)
    })
}

/// Whether no slot is free, as mp_semaphore_value.
///
/// locked: where the answer goes.
///
/// MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_locked(semaphore: *const mp_semaphore, locked: *mut bool) -> mp_status {
    guard("mp_semaphore_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(handle::find(semaphore)?.block().free()? == 0);
        Ok(Status::Ok)
    })
}

/// Writes a text about the semaphore: "<Semaphore(value=3)>", or
/// "<BoundedSemaphore(value=3, maxvalue=5)>".
///
/// text: where it goes, with a zero at its end. size: bytes of that.
/// needed: how many bytes it takes, with the zero, goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
/// MP_ERR_INVALID: text is NULL, and size is not 0.
/// MP_ERR_STATE: the block of a semaphore with give_back was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_describe(
    semaphore: *const mp_semaphore,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_semaphore_describe", || {
        let about = handle::find(semaphore)?.block().describe()?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &about) }?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// #define MP_WITH_SEMAPHORE(semaphore) MP_SCOPE_(mp_semaphore, semaphore)
// #endif

/// The begin of MP_WITH_SEMAPHORE: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_enter(semaphore: *mut mp_semaphore) -> *mut mp_semaphore {
    // SAFETY: any number may be passed as a handle.
    scope::enter(semaphore, |wanted| unsafe { mp_semaphore_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_SEMAPHORE: gives the slot back, and sets the pointer to NULL.
///
/// semaphore: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_leave(semaphore: *mut *mut mp_semaphore) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(semaphore, |held| mp_semaphore_release(held, 1)) }
}

/// Frees this handle. NULL is fine. The semaphore goes with the last handle to it in any
/// process; no slot is given back by this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_semaphore_free(semaphore: *mut mp_semaphore) -> mp_status {
    guard("mp_semaphore_free", || handle::free_shared(semaphore))
}
