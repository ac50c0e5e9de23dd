//! Shared arrays: numbers side by side in memory that many processes have. The calls read and
//! write single items whole; longer stretches, and what goes through mp_array_data, are for the
//! program to guard, with a lock for example.

use super::guard::{self, guard, joined, out};
use super::handle;
use super::status::mp_status;
use crate::error::{Result, Status};
use crate::shared::{Item, array};
use core::ffi::{c_int, c_void};

/// A shared array.
pub struct mp_array {
    _private: [u8; 0],
}

/// Makes an array.
///
/// array: where the handle goes.
/// type: an mp_type, the type of each item.
/// length: how many items; 0 is fine.
/// initial: points to length items; NULL for zeros.
///
/// MP_ERR_INVALID: type is none of mp_type.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
///
/// Fork: a child uses the same array through the same handle.
/// Kill: a process that is killed while it writes leaves single items whole, and longer
/// stretches half written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_new(
    array: *mut *mut mp_array,
    r#type: c_int,
    length: usize,
    initial: *const c_void,
) -> mp_status {
    guard("mp_array_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(array, "array") }?;
        let item = Item::from_number(r#type)?;
        joined()?;
        let object = array::create(r#type, length, |data| {
            if !initial.is_null() {
                // SAFETY: C's promise: length items of the type; the array has just as many bytes.
                let initial = unsafe { std::slice::from_raw_parts(initial.cast(), length * item.size()) };
                data.write(0, initial);
            }
        })?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
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

/// Where the items are, in this process. Good for as long as the handle is not freed; another
/// process has them at another address.
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

/// Copies items out.
///
/// first: index of the first. count: how many.
/// out: where they go. out_size: its bytes, which must be count items.
///
/// MP_ERR_INVALID: the array does not have these items, or out_size is not their size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_read(
    array: *const mp_array,
    first: usize,
    count: usize,
    out: *mut c_void,
    out_size: usize,
) -> mp_status {
    guard("mp_array_read", || {
        let items = handle::block(array)?.slice(first, count, out_size)?;
        // SAFETY: C's promise: out points to out_size bytes.
        items.read(0, unsafe { guard::bytes_out(out, out_size) }?);
        Ok(Status::Ok)
    })
}

/// Copies items in.
///
/// first: index of the first. count: how many.
/// data: the items. size: their bytes, which must be count items.
///
/// MP_ERR_INVALID: the array does not have these items, or size is not their size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_write(
    array: *mut mp_array,
    first: usize,
    count: usize,
    data: *const c_void,
    size: usize,
) -> mp_status {
    guard("mp_array_write", || {
        let items = handle::block(array)?.slice(first, count, size)?;
        // SAFETY: C's promise: data points to size bytes.
        items.write(0, unsafe { guard::bytes(data, size) }?);
        Ok(Status::Ok)
    })
}

/// Reads an integer item of any type. A uint64_t beyond INT64_MAX comes as the negative number
/// with the same bits.
///
/// result: where it goes.
///
/// MP_ERR_INVALID: there is no such item, or the items are doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_int(
    array: *const mp_array,
    index: usize,
    result: *mut i64,
) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_array_get_int", || unsafe { put(result, || handle::block(array)?.get_int(index)) })
}

/// Stores an integer item, cut to the type's width as C does it.
///
/// MP_ERR_INVALID: there is no such item, or the items are doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_set_int(array: *mut mp_array, index: usize, number: i64) -> mp_status {
    guard("mp_array_set_int", || {
        handle::block(array)?.set_int(index, number)?;
        Ok(Status::Ok)
    })
}

/// Reads a double item.
///
/// result: where it goes.
///
/// MP_ERR_INVALID: there is no such item, or the items are integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_double(
    array: *const mp_array,
    index: usize,
    result: *mut f64,
) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_array_get_double", || unsafe { put(result, || handle::block(array)?.get_double(index)) })
}

/// Stores a double item.
///
/// MP_ERR_INVALID: there is no such item, or the items are integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_set_double(array: *mut mp_array, index: usize, number: f64) -> mp_status {
    guard("mp_array_set_double", || {
        handle::block(array)?.set_double(index, number)?;
        Ok(Status::Ok)
    })
}

/// Writes an answer to where the caller wants it.
///
/// # Safety `result` is NULL or points to memory that a `T` may be written to.
unsafe fn put<T>(result: *mut T, answer: impl FnOnce() -> Result<T>) -> Result<Status> {
    // SAFETY: the caller's promise.
    let place = unsafe { out(result, "result") }?;
    place.write(answer()?);
    Ok(Status::Ok)
}

/// Frees this handle, and what mp_array_data gave for it. NULL is fine. The array goes with the
/// last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_free(array: *mut mp_array) -> mp_status {
    guard("mp_array_free", || handle::free_shared(array))
}
