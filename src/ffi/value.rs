//! Shared values: one number, or one struct, that many processes read and change. Every
//! operation on a number is one atomic step, also against all the others; the value's lock does
//! not exclude them, so guard a number either by the lock, always, or by nothing. A struct is
//! copied whole with the lock held.

use super::guard::{self, guard, initialise, joined, options, out};
use super::guarded;
use super::handle;
use super::lock::mp_lock;
use super::name;
use super::rlock::mp_rlock;
use super::scope;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status};
use crate::shared::{Guarded, Item, value};
use crate::shm::{Kind, ValueBlock};
use crate::sync::guarding::Guard;
use crate::time::FOREVER;
use core::ffi::{c_char, c_int, c_uint, c_void};

/// The types that values and the items of arrays can have. Wherever an mp_type is expected, a
/// character is fine as well, which names a type of C's: 'c' char, 'b' signed char, 'B' unsigned
/// char, 'u' wchar_t, 'h' short, 'H' unsigned short, 'i' int, 'I' unsigned int, 'l' long, 'L'
/// unsigned long, 'q' long long, 'Q' unsigned long long, 'f' float, 'd' double.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_type {
    /// int8_t
    MP_INT8 = 1,
    /// uint8_t
    MP_UINT8 = 2,
    /// int16_t
    MP_INT16 = 3,
    /// uint16_t
    MP_UINT16 = 4,
    /// int32_t
    MP_INT32 = 5,
    /// uint32_t
    MP_UINT32 = 6,
    /// int64_t
    MP_INT64 = 7,
    /// uint64_t
    MP_UINT64 = 8,
    /// double
    MP_DOUBLE = 9,
    /// float
    MP_FLOAT = 10,
}

/// A shared value.
pub struct mp_value {
    _private: [u8; 0],
}

/// Options of mp_value_new and its like: how the value is guarded. At most one of lock, rlock
/// and raw.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_value_options {
    /// sizeof(mp_value_options).
    pub size: usize,
    /// Guarded by this lock, which others may be guarded by, too; NULL for another choice. What has
    /// a name has a lock of its own, or is raw. A lock is not recursive: who holds it and makes a
    /// call that acquires it waits for itself.
    pub lock: *mut mp_lock,
    /// Guarded by this RLock; NULL for another choice. With neither it is an RLock of its own.
    pub rlock: *mut mp_rlock,
    /// Guarded by nothing.
    pub raw: bool,
    /// Of its own RLock: whoever acquires it is told MP_OWNER_DIED, instead of MP_OK, where the last
    /// holder died.
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
// /* The defaults: mp_value_options o = MP_VALUE_OPTIONS; */
// #define MP_VALUE_OPTIONS { sizeof(mp_value_options), NULL, NULL, false, false, NULL, 0, 0 }

const DEFAULTS: mp_value_options = mp_value_options {
    size: size_of::<mp_value_options>(),
    lock: std::ptr::null_mut(),
    rlock: std::ptr::null_mut(),
    raw: false,
    report_owner_death: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_VALUE_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_value_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_options_init(options: *mut mp_value_options, size: usize) -> mp_status {
    guard("mp_value_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes a value of a number type.
///
/// value: where the handle goes.
/// type: an mp_type, or one of its characters.
/// initial: points to one item of that type; NULL for zero. One that has its name already stays
///     as it is.
/// options: NULL for the defaults: an RLock of its own.
///
/// MP_ERR_INVALID: type is none; or the options want more than one lock.
/// MP_ERR_BAD_HANDLE: the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child uses the same value through the same handle.
/// Kill: a process that is killed in any call on a value leaves it as before the call or as
/// after it, except in mp_value_set of a struct without a lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_new(
    value: *mut *mut mp_value,
    r#type: c_int,
    initial: *const c_void,
    options: *const mp_value_options,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    guard("mp_value_new", || unsafe { make(value, || Item::from_type(r#type), initial, options) })
}

/// Makes a value of a struct's type, or any other of a known size.
///
/// value: where the handle goes.
/// struct_size: sizeof the struct. Its alignment is at most 64.
/// initial: points to the struct to begin with; NULL for zeros. One that has its name already
///     stays as it is.
/// options: NULL for the defaults: an RLock of its own.
///
/// MP_ERR_INVALID: struct_size is 0 or more than can be; or the options want more than one lock.
/// MP_ERR_BAD_HANDLE: the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much: with a lock it
///     takes twice its size.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Pointers in the struct mean something only in the process that stored them.
/// Fork, Kill: as mp_value_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_new_struct(
    value: *mut *mut mp_value,
    struct_size: usize,
    initial: *const c_void,
    options: *const mp_value_options,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    guard("mp_value_new_struct", || unsafe { make(value, || Item::of_size(struct_size), initial, options) })
}

/// # Safety
/// As mp_value_new: `value` is NULL or a place for a handle, `initial` NULL or points to an item, `options` NULL
/// or points to such options.
unsafe fn make(
    value: *mut *mut mp_value,
    item: impl FnOnce() -> Result<Item>,
    initial: *const c_void,
    options: *const mp_value_options,
) -> Result<Status> {
    // SAFETY: the caller's promise.
    let (place, options) = unsafe { (out(value, "value")?, self::options(options, DEFAULTS)?) };
    let item = item()?;
    // SAFETY: as above: one item of the type.
    let initial = if initial.is_null() { None } else { Some(unsafe { guard::bytes(initial, item.size()) }?) };
    joined()?;
    let guard = lock_of(&options)?;
    let create = |s| value::create(s, item, guard, initial);
    let name = (options.name, options.open, options.mode);
    let fits = |block: &ValueBlock| block.fits(item, guard);
    // SAFETY: as above: a name is NULL or a text that is ended by a zero.
    let object = unsafe { name::open(name, (Kind::Value, value::takes(item, guard)?), create, fits) }?;
    place.write(handle::new_shared(object)?);
    Ok(Status::Ok)
}

fn lock_of(o: &mp_value_options) -> Result<Guard> {
    guarded::choose(o.lock, o.rlock, o.raw, o.report_owner_death)
}

/// Makes a value of the same type with the same contents.
///
/// copy: where the handle goes.
/// source: the value to copy, with its lock held where it is a struct.
/// options: of the copy, which has no name; NULL for the defaults: an RLock of its own.
///
/// MP_OWNER_DIED: the copy is made; the last holder of source's lock died, see mp_value_acquire.
/// MP_ERR_INVALID: the options want more than one lock.
/// MP_ERR_BAD_HANDLE: source or the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a name, or a lock that has one.
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_STATE: source's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_copy(
    copy: *mut *mut mp_value,
    source: *const mp_value,
    options: *const mp_value_options,
) -> mp_status {
    guard("mp_value_copy", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(copy, "copy")?, self::options(options, DEFAULTS)?) };
        name::none((options.name, options.open, options.mode))?;
        let block = handle::block(source)?;
        let (object, status) = value::copy(&block, lock_of(&options)?, || handle::pin_block(source))?;
        place.write(handle::new_shared(object)?);
        Ok(status)
    })
}

/// How many bytes the value's type has.
///
/// size: where the number goes.
///
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_size(value: *const mp_value, size: *mut usize) -> mp_status {
    guard("mp_value_size", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(size, "size") }?;
        place.write(handle::block(value)?.item()?.size());
        Ok(Status::Ok)
    })
}

/// Copies the value out; a struct with the lock held, which is waited for without limit.
///
/// out: where its bytes go. size: how many those are, which must be the type's size.
///
/// MP_OWNER_DIED: the struct is copied; the lock's last holder died, see mp_value_acquire.
/// MP_ERR_INVALID: size is not the type's; or the thread holds the lock UINT32_MAX times.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get(value: *const mp_value, out: *mut c_void, size: usize) -> mp_status {
    guard("mp_value_get", || {
        let block = handle::block(value)?;
        // SAFETY: C's promise: out points to size bytes.
        block.get(|| handle::pin_block(value), unsafe { guard::bytes_out(out, size) }?)
    })
}

/// Stores a value given by its bytes; a struct with the lock held, which is waited for without
/// limit.
///
/// data: the bytes. size: how many those are, which must be the type's size.
///
/// MP_OWNER_DIED: the struct is stored; the lock's last holder died, see mp_value_acquire.
/// MP_ERR_INVALID: size is not the type's; or the thread holds the lock UINT32_MAX times.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
///
/// Kill: a struct with a lock is stored or not, and so it is for whoever acquires the lock by a
/// call on the value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set(value: *mut mp_value, data: *const c_void, size: usize) -> mp_status {
    guard("mp_value_set", || {
        let block = handle::block(value)?;
        // SAFETY: C's promise: data points to size bytes.
        block.set(|| handle::pin_block(value), unsafe { guard::bytes(data, size) }?)
    })
}

/// Where the value is, in this process, for C's own operators: members of a struct, atomics of a
/// number. Good for as long as the handle is not freed; another process has it at another address.
/// Nothing is acquired: that is the program's to do, by mp_value_acquire, and what a process
/// killed meanwhile has written through this stays as it is.
///
/// data: the address goes here; it is aligned for the type, up to 64 bytes.
/// size: how many bytes the type has goes here; may be NULL.
///
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_data(
    value: *mut mp_value,
    data: *mut *mut c_void,
    size: *mut usize,
) -> mp_status {
    guard("mp_value_data", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(data, "data") }?;
        let block = handle::block(value)?;
        let (at, bytes) = match block.item()? {
            Item::Struct { size } => (block.whole()?.address().cast(), size),
            item => (block.word.as_ptr().cast(), item.size()),
        };
        place.write(at);
        // SAFETY: as above.
        unsafe { guard::write_to(size, bytes) };
        Ok(Status::Ok)
    })
}

/// Acquires the value's lock, waiting for it for up to timeout. Whoever holds an RLock may acquire
/// it again, and is not kept waiting by the calls that acquire it themselves.
///
/// timeout: nanoseconds.
///
/// MP_OK: you hold it.
/// MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock made with
///     report_owner_death; for others see mp_value_recovered.
/// MP_ERR_TIMEOUT: somebody else held it all the time.
/// MP_ERR_STATE: the value has no lock; or its block was overwritten by a stray pointer.
/// MP_ERR_INVALID: the thread holds it UINT32_MAX times already.
///
/// A killed holder: the lock is taken from it, as by mp_lock_acquire.
/// The mp_value_set of a struct that it was killed in is completed first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_acquire(value: *mut mp_value, timeout: mp_timeout) -> mp_status {
    guard("mp_value_acquire", || handle::block(value)?.acquire(|| handle::pin_block(value), timeout))
}

/// Releases the value's lock.
///
/// MP_ERR_NOT_OWNER: it is an RLock, and this thread does not hold it.
/// MP_ERR_OVER_RELEASE: it is a lock, and nobody holds it.
/// MP_ERR_STATE: as mp_value_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_release(value: *mut mp_value) -> mp_status {
    guard("mp_value_release", || {
        handle::block(value)?.guarding()?.release()?;
        Ok(Status::Ok)
    })
}

/// Whether anybody holds the value's lock, at some moment during the call. A dead holder still
/// counts.
///
/// locked: where the answer goes.
///
/// MP_ERR_STATE: as mp_value_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_locked(value: *const mp_value, locked: *mut bool) -> mp_status {
    guard("mp_value_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(handle::block(value)?.guarding()?.is_held());
        Ok(Status::Ok)
    })
}

/// Whether the caller holds the value's lock, this thread an RLock and this process a lock, and got
/// it from a holder that died; true until it is released. A call that acquires the lock itself, as
/// mp_value_get of a struct does, takes it over from the dead and gives it back, and the next
/// holder learns nothing of that: the struct is whole, but of whatever else the lock guards the
/// news would be lost. Where that matters, use report_owner_death, with which such a call answers
/// MP_OWNER_DIED, or make no such call without holding the lock.
///
/// recovered: where the answer goes.
///
/// MP_ERR_STATE: as mp_value_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_recovered(value: *const mp_value, recovered: *mut bool) -> mp_status {
    guard("mp_value_recovered", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(recovered, "recovered") }?;
        place.write(guarded::is_recovered(&*handle::block(value)?)?);
        Ok(Status::Ok)
    })
}

/// A handle to the value's lock, where that is an RLock, as one of its own is: to be freed by
/// mp_rlock_free. The RLock lives as long as the value or any handle to it.
///
/// rlock: where the handle goes.
///
/// MP_ERR_STATE: the value's lock is an mp_lock; or as mp_value_acquire.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_rlock(value: *const mp_value, rlock: *mut *mut mp_rlock) -> mp_status {
    guard("mp_value_get_rlock", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(rlock, "rlock") }?;
        place.write(guarded::handle_to(handle::find(value)?)?);
        Ok(Status::Ok)
    })
}

/// The same where the lock is an mp_lock: to be freed by mp_lock_free.
///
/// lock: where the handle goes.
///
/// MP_ERR_STATE: the value's lock is an RLock; or as mp_value_acquire.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_lock(value: *const mp_value, lock: *mut *mut mp_lock) -> mp_status {
    guard("mp_value_get_lock", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(lock, "lock") }?;
        place.write(guarded::handle_to(handle::find(value)?)?);
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// #define MP_WITH_VALUE(value) MP_SCOPE_(mp_value, value)
// #endif

/// The begin of MP_WITH_VALUE: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_enter(value: *mut mp_value) -> *mut mp_value {
    // SAFETY: any number may be passed as a handle.
    scope::enter(value, |wanted| unsafe { mp_value_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_VALUE: releases the value's lock, and sets the pointer to NULL.
///
/// value: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_leave(value: *mut *mut mp_value) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(value, |held| mp_value_release(held)) }
}

/// Frees this handle, and what mp_value_data gave for it. NULL is fine. The value goes with the
/// last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_free(value: *mut mp_value) -> mp_status {
    guard("mp_value_free", || handle::free_shared(value))
}
