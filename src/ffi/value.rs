//! Shared values: one number that many processes read and change. Every operation is one atomic
//! step, also against all the others; no lock excludes them, so guard a value either by a lock,
//! always, or by nothing.

use super::guard::{self, guard, guard_quick, joined, out};
use super::handle;
use super::status::mp_status;
use crate::error::Status;
use crate::shared::{Item, value};
use core::ffi::{c_int, c_void};

/// The types that values and the items of arrays can have.
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
}

/// A shared value.
pub struct mp_value {
    _private: [u8; 0],
}

/// Makes a value.
///
/// value: where the handle goes.
/// type: an mp_type.
/// initial: points to one item of that type; NULL for zero.
///
/// MP_ERR_INVALID: type is none of mp_type.
/// MP_ERR_NO_MEMORY: the shared segment is full.
///
/// Fork: a child uses the same value through the same handle.
/// Kill: a process that is killed in any call on a value leaves it as before the call or as
/// after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_new(
    value: *mut *mut mp_value,
    r#type: c_int,
    initial: *const c_void,
) -> mp_status {
    guard("mp_value_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(value, "value") }?;
        let size = Item::from_number(r#type)?.size();
        // SAFETY: as above: one item of the type.
        let initial = if initial.is_null() { None } else { Some(unsafe { guard::bytes(initial, size) }?) };
        joined()?;
        place.write(handle::new_shared(value::create(r#type, initial)?)?);
        Ok(Status::Ok)
    })
}

/// Copies the value out.
///
/// out: where its bytes go. size: how many those are, which must be the type's size.
///
/// MP_ERR_INVALID: size is not the type's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get(value: *const mp_value, out: *mut c_void, size: usize) -> mp_status {
    guard("mp_value_get", || {
        let block = handle::block(value)?;
        // SAFETY: C's promise: out points to size bytes.
        block.get(unsafe { guard::bytes_out(out, size) }?)?;
        Ok(Status::Ok)
    })
}

/// Stores a value given by its bytes.
///
/// data: the bytes. size: how many those are, which must be the type's size.
///
/// MP_ERR_INVALID: size is not the type's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set(value: *mut mp_value, data: *const c_void, size: usize) -> mp_status {
    guard("mp_value_set", || {
        let block = handle::block(value)?;
        // SAFETY: C's promise: data points to size bytes.
        block.set(unsafe { guard::bytes(data, size) }?)?;
        Ok(Status::Ok)
    })
}

/// Reads an integer of any type. A uint64_t beyond INT64_MAX comes as the negative number with
/// the same bits.
///
/// result: where it goes.
///
/// MP_ERR_INVALID: the value is a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_int(value: *const mp_value, result: *mut i64) -> mp_status {
    guard("mp_value_get_int", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(value)?.get_int()?);
        Ok(Status::Ok)
    })
}

/// Stores an integer, cut to the type's width as C does it.
///
/// MP_ERR_INVALID: the value is a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set_int(value: *mut mp_value, number: i64) -> mp_status {
    guard("mp_value_set_int", || {
        handle::block(value)?.set_int(number)?;
        Ok(Status::Ok)
    })
}

/// Adds to an integer, wrapping around at the type's width.
///
/// by: what is added, negative to subtract.
/// before: the value from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_add(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    let quick = || {
        let was = handle::block_and_note(value).and_then(|(block, note)| block.fetch_add_quickly(note, by));
        // SAFETY: C's promise for its argument, as the header gives it.
        was.inspect(|&was| unsafe { guard::write_to(before, was) }).is_some()
    };
    guard_quick("mp_value_fetch_add", quick, move || {
        let was = handle::block(value)?.fetch_add(by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer.
///
/// before: the value from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_exchange(value: *mut mp_value, number: i64, before: *mut i64) -> mp_status {
    guard("mp_value_exchange", || {
        let was = handle::block(value)?.exchange(number)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer if the value is the expected one. MP_OK either way.
///
/// expected: what the value should be; where it is not, what it is instead goes here.
/// desired: what is stored.
/// exchanged: whether it was stored; may be NULL.
///
/// MP_ERR_INVALID: the value is a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_compare_exchange(
    value: *mut mp_value,
    expected: *mut i64,
    desired: i64,
    exchanged: *mut bool,
) -> mp_status {
    guard("mp_value_compare_exchange", || {
        // SAFETY: C's promise for its argument: it is readable and writable.
        let wanted = unsafe { guard::inout(expected, "expected") }?;
        let result = handle::block(value)?.compare_exchange(*wanted, desired)?;
        if let Err(is) = result {
            *wanted = is;
        }
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(exchanged, result.is_ok()) };
        Ok(Status::Ok)
    })
}

/// Reads a double.
///
/// result: where it goes.
///
/// MP_ERR_INVALID: the value is an integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_double(value: *const mp_value, result: *mut f64) -> mp_status {
    guard("mp_value_get_double", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(value)?.get_double()?);
        Ok(Status::Ok)
    })
}

/// Stores a double.
///
/// MP_ERR_INVALID: the value is an integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set_double(value: *mut mp_value, number: f64) -> mp_status {
    guard("mp_value_set_double", || {
        handle::block(value)?.set_double(number)?;
        Ok(Status::Ok)
    })
}

/// Frees this handle. NULL is fine. The value goes with the last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_free(value: *mut mp_value) -> mp_status {
    guard("mp_value_free", || handle::free_shared(value))
}
