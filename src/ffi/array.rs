//! Shared arrays: numbers or structs side by side in memory that many processes have. A single
//! number is read, written and changed in one atomic step, which the array's lock does not
//! exclude. Whatever is longer is copied with the lock held; what goes through mp_array_data is
//! the program's to guard.

use super::guard::{self, guard, initialise, joined, options, out};
use super::guarded;
use super::handle;
use super::lock::mp_lock;
use super::name;
use super::rlock::mp_rlock;
use super::scope;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::shared::{Guarded, Item, array};
use crate::shm::{ArrayBlock, Kind};
use crate::sync::guarding::Guard;
use crate::time::FOREVER;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

/// A shared array.
pub struct mp_array {
    _private: [u8; 0],
}

/// Options of mp_array_new and its like: how the array is guarded. At most one of lock, rlock
/// and raw.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_array_options {
    /// sizeof(mp_array_options).
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
// /* The defaults: mp_array_options o = MP_ARRAY_OPTIONS; */
// #define MP_ARRAY_OPTIONS { sizeof(mp_array_options), NULL, NULL, false, false, NULL, 0, 0 }

const DEFAULTS: mp_array_options = mp_array_options {
    size: size_of::<mp_array_options>(),
    lock: std::ptr::null_mut(),
    rlock: std::ptr::null_mut(),
    raw: false,
    report_owner_death: false,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_ARRAY_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_array_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_options_init(options: *mut mp_array_options, size: usize) -> mp_status {
    guard("mp_array_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes an array of a number type.
///
/// array: where the handle goes.
/// type: an mp_type, or one of its characters: the type of each item.
/// length: how many items; 0 is fine. With MP_OPEN_ATTACH 0 stands for as many as there are.
/// initial: points to length items; NULL for zeros. One that has its name already stays as it is.
/// options: NULL for the defaults: an RLock of its own.
///
/// MP_ERR_INVALID: type is none; or the options want more than one lock.
/// MP_ERR_BAD_HANDLE: the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child uses the same array through the same handle.
/// Kill: a process that is killed while it writes leaves single numbers whole, and longer
/// stretches half written; whoever acquires the lock next can know, see mp_array_recovered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_new(
    array: *mut *mut mp_array,
    r#type: c_int,
    length: usize,
    initial: *const c_void,
    options: *const mp_array_options,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    guard("mp_array_new", || unsafe { make(array, || Item::from_type(r#type), length, initial, options) })
}

/// Makes an array of structs, or of any other type of a known size.
///
/// array: where the handle goes.
/// struct_size: sizeof the struct. Its alignment is at most 64.
/// length: how many structs; 0 is fine. With MP_OPEN_ATTACH 0 stands for as many as there are.
/// initial: points to length structs; NULL for zeros. One that has its name already stays as it
///     is.
/// options: NULL for the defaults: an RLock of its own.
///
/// MP_ERR_INVALID: struct_size is 0 or more than can be; or the options want more than one lock.
/// MP_ERR_BAD_HANDLE: the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a lock, and that or what shall be made has a name.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Pointers in the structs mean something only in the process that stored them.
/// Fork, Kill: as mp_array_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_new_struct(
    array: *mut *mut mp_array,
    struct_size: usize,
    length: usize,
    initial: *const c_void,
    options: *const mp_array_options,
) -> mp_status {
    guard("mp_array_new_struct", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { make(array, || Item::of_size(struct_size), length, initial, options) }
    })
}

/// # Safety
/// As mp_array_new: `array` is NULL or a place for a handle, `initial` NULL or points to `length` items, `options`
/// NULL or points to such options.
unsafe fn make(
    array: *mut *mut mp_array,
    item: impl FnOnce() -> Result<Item>,
    length: usize,
    initial: *const c_void,
    options: *const mp_array_options,
) -> Result<Status> {
    // SAFETY: the caller's promise.
    let (place, options) = unsafe { (out(array, "array")?, self::options(options, DEFAULTS)?) };
    let item = item()?;
    joined()?;
    let guard = lock_of(&options)?;
    let create = |s| {
        array::create(s, item, length, guard, |data| {
            if !initial.is_null() {
                // SAFETY: the caller's promise: length items of the type; the array has just as many bytes.
                data.write(0, unsafe { guard::bytes(initial, data.len()) }?);
            }
            Ok(())
        })
    };
    let name = (options.name, options.open, options.mode);
    let wanted = if length == 0 && name::attaches(name) { None } else { Some(length) };
    let fits = |block: &ArrayBlock| block.fits(item, wanted, guard);
    // SAFETY: as above: a name is NULL or a text that is ended by a zero.
    let object = unsafe { name::open(name, (Kind::Array, array::takes(item, length)?), create, fits) }?;
    place.write(handle::new_shared(object)?);
    Ok(Status::Ok)
}

fn lock_of(o: &mp_array_options) -> Result<Guard> {
    guarded::choose(o.lock, o.rlock, o.raw, o.report_owner_death)
}

/// Makes an array of the same type and length with the same items.
///
/// copy: where the handle goes.
/// source: the array to copy, with its lock held.
/// options: of the copy, which has no name; NULL for the defaults: an RLock of its own.
///
/// MP_OWNER_DIED: the copy is made; the last holder of source's lock died, see mp_array_acquire.
/// MP_ERR_INVALID: the options want more than one lock.
/// MP_ERR_BAD_HANDLE: source or the options' lock is none.
/// MP_ERR_UNSUPPORTED: the options give a name, or a lock that has one.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_STATE: source's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_copy(
    copy: *mut *mut mp_array,
    source: *const mp_array,
    options: *const mp_array_options,
) -> mp_status {
    guard("mp_array_copy", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(copy, "copy")?, self::options(options, DEFAULTS)?) };
        name::none((options.name, options.open, options.mode))?;
        let block = handle::block(source)?;
        let (object, status) = array::copy(&block, lock_of(&options)?, || handle::pin_block(source))?;
        place.write(handle::new_shared(object)?);
        Ok(status)
    })
}

/// How many items the array has.
///
/// length: where the number goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_length(array: *const mp_array, length: *mut usize) -> mp_status {
    guard("mp_array_length", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(length, "length") }?;
        place.write(handle::block(array)?.length());
        Ok(Status::Ok)
    })
}

/// How many bytes each item has.
///
/// size: where the number goes.
///
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_item_size(array: *const mp_array, size: *mut usize) -> mp_status {
    guard("mp_array_item_size", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(size, "size") }?;
        place.write(handle::block(array)?.item()?.size());
        Ok(Status::Ok)
    })
}

/// Where the items are, in this process. Good for as long as the handle is not freed; another
/// process has them at another address. Nothing is acquired: that is the program's to do, by
/// mp_array_acquire, where others may be at the items as well.
///
/// data: the address goes here; it is aligned to 64 bytes.
/// bytes: how many bytes the items have goes here; may be NULL.
///
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_data(
    array: *mut mp_array,
    data: *mut *mut c_void,
    bytes: *mut usize,
) -> mp_status {
    guard("mp_array_data", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(data, "data") }?;
        let items = handle::block(array)?.data()?;
        place.write(items.address().cast());
        // SAFETY: as above.
        unsafe { guard::write_to(bytes, items.len()) };
        Ok(Status::Ok)
    })
}

/// Copies items out, with the array's lock held, which is waited for without limit.
///
/// first: index of the first. count: how many.
/// out: where they go. out_size: its bytes, which must be count items.
///
/// MP_OWNER_DIED: they are copied; the lock's last holder died, see mp_array_acquire.
/// MP_ERR_INVALID: the array does not have these items, or out_size is not their size; or the
///     thread holds the lock UINT32_MAX times.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_read(
    array: *const mp_array,
    first: usize,
    count: usize,
    out: *mut c_void,
    out_size: usize,
) -> mp_status {
    guard("mp_array_read", || {
        let block = handle::block(array)?;
        // SAFETY: C's promise: out points to out_size bytes.
        block.read(|| handle::pin_block(array), (first, count), unsafe { guard::bytes_out(out, out_size) }?)
    })
}

/// Copies items in, with the array's lock held, which is waited for without limit.
///
/// first: index of the first. count: how many.
/// data: the items. size: their bytes, which must be count items.
///
/// MP_OWNER_DIED: they are stored; the lock's last holder died, see mp_array_acquire.
/// MP_ERR_INVALID: the array does not have these items, or size is not their size; or the
///     thread holds the lock UINT32_MAX times.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_write(
    array: *mut mp_array,
    first: usize,
    count: usize,
    data: *const c_void,
    size: usize,
) -> mp_status {
    guard("mp_array_write", || {
        let block = handle::block(array)?;
        // SAFETY: C's promise: data points to size bytes.
        block.write(|| handle::pin_block(array), (first, count), unsafe { guard::bytes(data, size) }?)
    })
}

/// Copies the string out that an array of char holds: what is before the first NUL, or all of it
/// where there is none. With the array's lock held, which is waited for without limit.
///
/// text: where it goes, with a zero at its end. size: bytes of that.
/// needed: how many bytes it takes, with the zero, goes here; may be NULL.
///
/// MP_OWNER_DIED: it is copied; the lock's last holder died, see mp_array_acquire.
/// MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
/// MP_ERR_INVALID: the items are not of one byte each; or text is NULL, and size is not 0.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_string(
    array: *const mp_array,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_array_get_string", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let room = unsafe { guard::bytes_out(text.cast(), size) }?;
        handle::block(array)?.get_string(
            || handle::pin_block(array),
            |string| {
                let takes = string.len() + 1;
                // SAFETY: C's promise for its argument.
                unsafe { guard::write_to(needed, takes) };
                let Some(room) = room.get_mut(..takes) else { return Err(text::too_small(takes, size)) };
                string.read(0, &mut room[..takes - 1]);
                room[takes - 1] = 0;
                Ok(())
            },
        )
    })
}

/// Stores a string in an array of char, with a zero behind it where there is room for one; what
/// follows stays as it is. With the array's lock held, which is waited for without limit.
///
/// text: the string, with a zero at its end, which need not fit.
///
/// MP_OWNER_DIED: it is stored; the lock's last holder died, see mp_array_acquire.
/// MP_ERR_INVALID: it is longer than the array, of which nothing is changed; or text is NULL; or
///     the items are not of one byte each.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_set_string(array: *mut mp_array, text: *const c_char) -> mp_status {
    guard("mp_array_set_string", || {
        let block = handle::block(array)?;
        if text.is_null() {
            fail!(Invalid, "text is NULL");
        }
        // SAFETY: C's promise: a string with a zero at its end.
        block.set_string(|| handle::pin_block(array), unsafe { CStr::from_ptr(text) })
    })
}

/// Acquires the array's lock, waiting for it for up to timeout. Whoever holds an RLock may acquire
/// it again, and is not kept waiting by the calls that acquire it themselves.
///
/// timeout: nanoseconds.
///
/// MP_OK: you hold it.
/// MP_OWNER_DIED: you hold it, and its last holder died holding it. Only from a lock made with
///     report_owner_death; for others see mp_array_recovered.
/// MP_ERR_TIMEOUT: somebody else held it all the time.
/// MP_ERR_STATE: the array has no lock; or its block was overwritten by a stray pointer.
/// MP_ERR_INVALID: the thread holds it UINT32_MAX times already.
///
/// A killed holder: the lock is taken from it, as by mp_lock_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_acquire(array: *mut mp_array, timeout: mp_timeout) -> mp_status {
    guard("mp_array_acquire", || handle::block(array)?.acquire(|| handle::pin_block(array), timeout))
}

/// Releases the array's lock.
///
/// MP_ERR_NOT_OWNER: it is an RLock, and this thread does not hold it.
/// MP_ERR_OVER_RELEASE: it is a lock, and nobody holds it.
/// MP_ERR_STATE: as mp_array_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_release(array: *mut mp_array) -> mp_status {
    guard("mp_array_release", || {
        handle::block(array)?.guarding()?.release()?;
        Ok(Status::Ok)
    })
}

/// Whether anybody holds the array's lock, at some moment during the call. A dead holder still
/// counts.
///
/// locked: where the answer goes.
///
/// MP_ERR_STATE: as mp_array_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_locked(array: *const mp_array, locked: *mut bool) -> mp_status {
    guard("mp_array_locked", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(locked, "locked") }?;
        place.write(handle::block(array)?.guarding()?.is_held());
        Ok(Status::Ok)
    })
}

/// Whether the caller holds the array's lock, this thread an RLock and this process a lock, and got
/// it from a holder that died; true until it is released. A call that acquires the lock itself, as
/// mp_array_read does, takes it over from the dead and gives it back, and the next holder learns
/// nothing of that. Where a dead writer's half of a stretch matters, use report_owner_death, with
/// which such a call answers MP_OWNER_DIED, or make no such call without holding the lock.
///
/// recovered: where the answer goes.
///
/// MP_ERR_STATE: as mp_array_acquire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_recovered(array: *const mp_array, recovered: *mut bool) -> mp_status {
    guard("mp_array_recovered", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(recovered, "recovered") }?;
        place.write(guarded::is_recovered(&*handle::block(array)?)?);
        Ok(Status::Ok)
    })
}

/// A handle to the array's lock, where that is an RLock, as one of its own is: to be freed by
/// mp_rlock_free. The RLock lives as long as the array or any handle to it.
///
/// rlock: where the handle goes.
///
/// MP_ERR_STATE: the array's lock is an mp_lock; or as mp_array_acquire.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_rlock(array: *const mp_array, rlock: *mut *mut mp_rlock) -> mp_status {
    guard("mp_array_get_rlock", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(rlock, "rlock") }?;
        place.write(guarded::handle_to(handle::find(array)?)?);
        Ok(Status::Ok)
    })
}

/// The same where the lock is an mp_lock: to be freed by mp_lock_free.
///
/// lock: where the handle goes.
///
/// MP_ERR_STATE: the array's lock is an RLock; or as mp_array_acquire.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_lock(array: *const mp_array, lock: *mut *mut mp_lock) -> mp_status {
    guard("mp_array_get_lock", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(lock, "lock") }?;
        place.write(guarded::handle_to(handle::find(array)?)?);
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// #define MP_WITH_ARRAY(array) MP_SCOPE_(mp_array, array)
// #endif

/// The begin of MP_WITH_ARRAY: acquires without limit. Answers the handle, or NULL with
/// mp_last_error() where it could not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_enter(array: *mut mp_array) -> *mut mp_array {
    // SAFETY: any number may be passed as a handle.
    scope::enter(array, |wanted| unsafe { mp_array_acquire(wanted, FOREVER) })
}

/// The end of MP_WITH_ARRAY: releases the array's lock, and sets the pointer to NULL.
///
/// array: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_leave(array: *mut *mut mp_array) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(array, |held| mp_array_release(held)) }
}

/// Frees this handle, and what mp_array_data gave for it. NULL is fine. The array goes with the
/// last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_free(array: *mut mp_array) -> mp_status {
    guard("mp_array_free", || handle::free_shared(array))
}
