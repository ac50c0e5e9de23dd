//! Recursive locks between processes. An RLock belongs to the thread that acquired it, which may
//! acquire it again and releases it as often. When its process dies it goes on: the next to
//! acquire gets it, within 100 ms of the death, however often the dead thread had it.

use super::guard::{guard, guard_quick, initialise, joined, options, out};
use super::handle;
use super::name;
use super::scope;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::Status;
use crate::shm::{Kind, LockBlock, ThisTree};
use crate::sync;
use crate::time::FOREVER;
use core::ffi::{c_char, c_int, c_uint};

/// A lock that its holder may acquire again.
pub struct mp_rlock {
    _private: [u8; 0],
}

/// Options of mp_rlock_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_rlock_options {
    /// sizeof(mp_rlock_options).
    pub size: usize,
    /// mp_rlock_acquire answers MP_OWNER_DIED, instead of MP_OK, where the last holder died.
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
// /* The defaults: mp_rlock_options o = MP_RLOCK_OPTIONS; */
// #define MP_RLOCK_OPTIONS { sizeof(mp_rlock_options), false, NULL, 0, 0 }

const DEFAULTS: mp_rlock_options = mp_rlock_options {
    size: size_of::<mp_rlock_options>(),
    report_owner_death: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_RLOCK_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_rlock_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_options_init(options: *mut mp_rlock_options, size: usize) -> mp_status {
    guard("mp_rlock_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes an RLock, not held. It costs 64 bytes of shared memory and no descriptor.
///
/// rlock: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same RLock through the same handle.
/// What the parent's thread holds the child does not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_new(
    rlock: *mut *mut mp_rlock,
    options: *const mp_rlock_options,
) -> mp_status {
    guard("mp_rlock_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(rlock, "rlock")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let create = |s| sync::rlock::create(s, options.report_owner_death);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            name::open(name, (Kind::RLock, 0), create, |block: &LockBlock| {
                block.fits(options.report_owner_death)
            })
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Acquires the RLock, waiting for it for up to timeout. The thread that holds it gets it once
/// more at once.
///
/// timeout: nanoseconds.
///
/// MP_OK: you hold it.
/// MP_OWNER_DIED: you hold it, and its last holder died holding it, so that what it guards may
///     be half done. Only from an RLock made with report_owner_death; for others see
///     mp_rlock_recovered.
/// MP_ERR_TIMEOUT: somebody else held it all the time.
/// MP_ERR_INVALID: this thread has it UINT32_MAX times already.
///
/// A killed holder: the RLock is taken from it. One that is stopped, or whose descriptors were
/// all closed, still lives; one that is a zombie, or has run exec, does not. A thread that ends
/// while its process goes on keeps it for ever: release it first.
/// Threads: two threads of one process exclude each other. Order among waiters is not promised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_acquire(rlock: *mut mp_rlock, timeout: mp_timeout) -> mp_status {
    let quick = || {
        handle::block_quickly(rlock).is_some_and(|block| block.acquire_again_quickly(&ThisTree))
            && handle::took(rlock)
    };
    guard_quick("mp_rlock_acquire", quick, move || {
        // It may sleep: the handle must outlast it.
        let found = handle::find(rlock)?;
        let acquired = found.block().acquire_again(&found.tree(), timeout);
        handle::took(rlock);
        acquired
    })
}

/// Releases the RLock once. With the last release somebody who waits gets it.
///
/// MP_ERR_NOT_OWNER: the calling thread does not hold it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_release(rlock: *mut mp_rlock) -> mp_status {
    let quick = || handle::block_quickly(rlock).is_some_and(|block| block.release_once_quickly(&ThisTree));
    guard_quick("mp_rlock_release", quick, move || {
        let found = handle::find(rlock)?;
        found.block().release_once(&found.tree())?;
        Ok(Status::Ok)
    })
}

/// Whether anybody holds the RLock, at some moment during the call. A dead holder still counts.
///
/// locked: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_locked(rlock: *const mp_rlock, locked: *mut bool) -> mp_status {
    guard("mp_rlock_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(handle::find(rlock)?.block().lock.is_held());
        Ok(Status::Ok)
    })
}

/// Whether this thread holds the RLock and got it from a holder that died; true until its last
/// release.
///
/// recovered: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_recovered(rlock: *const mp_rlock, recovered: *mut bool) -> mp_status {
    guard("mp_rlock_recovered", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(recovered, "recovered") }?;
        let found = handle::find(rlock)?;
        place.write(found.block().is_this_threads_recovered(&found.tree()));
        Ok(Status::Ok)
    })
}

/// Writes a text about the RLock: "<RLock(None, 0)>"; where the thread that asks holds it the
/// name of its process and how often it does, as in "<RLock(MainProcess, 2)>"; else
/// SomeOtherThread, of the process that asks, or SomeOtherProcess, and nonzero.
///
/// text: where it goes, with a zero at its end. size: bytes of that.
/// needed: how many bytes it takes, with the zero, goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
/// MP_ERR_INVALID: text is NULL, and size is not 0.
///
/// A killed holder: described as a holder until somebody acquires the RLock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_describe(
    rlock: *const mp_rlock,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_rlock_describe", || {
        let found = handle::find(rlock)?;
        let about = found.block().describe_recursive(&found.tree());
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &about) }?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// #define MP_WITH_RLOCK(rlock) MP_SCOPE_(mp_rlock, rlock)
// #endif

/// The begin of MP_WITH_RLOCK: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_enter(rlock: *mut mp_rlock) -> *mut mp_rlock {
    // SAFETY: any number may be passed as a handle.
    scope::enter(rlock, |wanted| unsafe { mp_rlock_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_RLOCK: gives the RLock back, and sets the pointer to NULL.
///
/// rlock: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_leave(rlock: *mut *mut mp_rlock) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(rlock, |held| mp_rlock_release(held)) }
}

/// Frees this handle. NULL is fine. The RLock goes with the last handle to it in any process; it
/// is not released by this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rlock_free(rlock: *mut mp_rlock) -> mp_status {
    guard("mp_rlock_free", || handle::free_shared(rlock))
}
