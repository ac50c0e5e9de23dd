//! Locks between processes. A lock belongs to the process that acquired it, and any process may
//! release it. When its holder dies it goes on: the next to acquire gets it, within 100 ms of
//! the death. For signalling from one process to another a lock is the wrong tool: what one
//! process takes for another to release is taken over when the taker exits.

use super::guard::{guard, guard_quick, initialise, joined, options, out};
use super::handle;
use super::name;
use super::scope;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::Status;
use crate::park::Tree;
use crate::shm::{Kind, LockBlock, ThisTree};
use crate::sync;
use crate::time::FOREVER;
use core::ffi::{c_char, c_int, c_uint};

/// A lock, not recursive: who holds it and acquires it again waits for itself.
pub struct mp_lock {
    _private: [u8; 0],
}

/// Options of mp_lock_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_lock_options {
    /// sizeof(mp_lock_options).
    pub size: usize,
    /// mp_lock_acquire answers MP_OWNER_DIED, instead of MP_OK, where the last holder died.
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
// /* The defaults: mp_lock_options o = MP_LOCK_OPTIONS; */
// #define MP_LOCK_OPTIONS { sizeof(mp_lock_options), false, NULL, 0, 0 }

const DEFAULTS: mp_lock_options = mp_lock_options {
    size: size_of::<mp_lock_options>(),
    report_owner_death: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_LOCK_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_lock_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_options_init(options: *mut mp_lock_options, size: usize) -> mp_status {
    guard("mp_lock_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes a lock, not held. It costs 64 bytes of shared memory and no descriptor.
///
/// lock: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same lock through the same handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_new(lock: *mut *mut mp_lock, options: *const mp_lock_options) -> mp_status {
    guard("mp_lock_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(lock, "lock")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let create = |s| sync::lock::create(s, options.report_owner_death);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            name::open(name, (Kind::Lock, 0), create, |block: &LockBlock| {
                block.fits(options.report_owner_death)
            })
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Acquires the lock, waiting for it for up to timeout.
///
/// timeout: nanoseconds.
///
/// MP_OK: you hold it.
/// MP_OWNER_DIED: you hold it, and its last holder died holding it, so that what it guards may
///     be half done. Only from a lock made with report_owner_death; for others see
///     mp_lock_recovered.
/// MP_ERR_TIMEOUT: somebody held it all the time.
///
/// A killed holder: the lock is taken from it. One that is stopped, or whose descriptors were
/// all closed, still lives; one that is a zombie, or has run exec, does not.
/// Threads: threads of one process exclude each other as well. Order among waiters is not
/// promised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_acquire(lock: *mut mp_lock, timeout: mp_timeout) -> mp_status {
    let quick = || {
        handle::block_quickly(lock).is_some_and(|block| block.lock.try_quickly(ThisTree.me()))
            && handle::took(lock)
    };
    guard_quick("mp_lock_acquire", quick, move || {
        // It may sleep: the handle must outlast it.
        let found = handle::find(lock)?;
        let acquired = found.block().acquire(&found.tree(), timeout);
        handle::took(lock);
        acquired
    })
}

/// Releases the lock, whichever process or thread holds it; somebody who waits gets it.
///
/// MP_ERR_OVER_RELEASE: nobody held it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_release(lock: *mut mp_lock) -> mp_status {
    let quick = || handle::block_quickly(lock).is_some_and(|block| block.lock.release_quickly(ThisTree.me()));
    guard_quick("mp_lock_release", quick, move || {
        let found = handle::find(lock)?;
        found.block().release(&found.tree())?;
        Ok(Status::Ok)
    })
}

/// Whether anybody holds the lock, at some moment during the call. A dead holder still counts.
///
/// locked: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_locked(lock: *const mp_lock, locked: *mut bool) -> mp_status {
    guard("mp_lock_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(handle::find(lock)?.block().lock.is_held());
        Ok(Status::Ok)
    })
}

/// Whether this process holds the lock and got it from a holder that died; true until it is
/// released.
///
/// recovered: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_recovered(lock: *const mp_lock, recovered: *mut bool) -> mp_status {
    guard("mp_lock_recovered", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(recovered, "recovered") }?;
        let found = handle::find(lock)?;
        place.write(found.block().lock.is_recovered(found.tree().me()));
        Ok(Status::Ok)
    })
}

/// Writes a text about the lock: "<Lock(owner=None)>", or with the name of the process that asks
/// where that one holds it, as in "<Lock(owner=MainProcess)>"; any other holder is
/// SomeOtherProcess.
///
/// text: where it goes, with a zero at its end. size: bytes of that.
/// needed: how many bytes it takes, with the zero, goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
/// MP_ERR_INVALID: text is NULL, and size is not 0.
///
/// A killed holder: described as a holder until somebody acquires the lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_describe(
    lock: *const mp_lock,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_lock_describe", || {
        let found = handle::find(lock)?;
        let about = found.block().describe(&found.tree());
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &about) }?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #if defined(__GNUC__) || defined(__clang__)
// #define MP_PASTE_(a, b) a##b
// #define MP_JOIN_(a, b) MP_PASTE_(a, b)
// #define MP_SCOPE_(noun, object)                                                                  \
//     for (noun *MP_JOIN_(mp_held_, __LINE__) __attribute__((cleanup(noun##_leave))) =          \
//                  noun##_enter(object),                                                        \
//              *MP_JOIN_(mp_once_, __LINE__) = MP_JOIN_(mp_held_, __LINE__);                    \
//          MP_JOIN_(mp_once_, __LINE__) != NULL; MP_JOIN_(mp_once_, __LINE__) = NULL)
// /* MP_WITH_LOCK(lock) { ... } holds the lock, for which it waits without limit, and releases it
//  * on every way out of the braces: their end, return, goto, break and continue, which both lead
//  * behind the braces. Where the lock cannot be acquired, which is so for a bad handle only, the
//  * braces are passed over, and mp_last_error() says why. There is one for each thing that can be
//  * acquired: MP_WITH_RLOCK and so on. For compilers that have the cleanup attribute; for others
//  * there is what it is made of, mp_lock_enter and mp_lock_leave. */
// #define MP_WITH_LOCK(lock) MP_SCOPE_(mp_lock, lock)
// #endif

/// The begin of MP_WITH_LOCK: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_enter(lock: *mut mp_lock) -> *mut mp_lock {
    // SAFETY: any number may be passed as a handle.
    scope::enter(lock, |wanted| unsafe { mp_lock_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_LOCK: gives the lock back, and sets the pointer to NULL.
///
/// lock: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_leave(lock: *mut *mut mp_lock) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(lock, |held| mp_lock_release(held)) }
}

/// Frees this handle. NULL is fine. The lock goes with the last handle to it in any process; it
/// is not released by this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_free(lock: *mut mp_lock) -> mp_status {
    guard("mp_lock_free", || handle::free_shared(lock))
}
