//! Numbers in arrays: each operation is one atomic step on one item, for every process.
//! What a process wrote before it changed a number is seen by whoever reads the change.

use super::array::mp_array;
use super::guard::{self, guard, out};
use super::handle;
use super::status::mp_status;
use crate::error::Status;
use crate::shared::Change;

/// Reads an integer of any type. A uint64_t beyond INT64_MAX comes as the negative number with
/// the same bits.
///
/// index: from 0.
/// result: where it goes.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_int(
    array: *const mp_array,
    index: usize,
    result: *mut i64,
) -> mp_status {
    guard("mp_array_get_int", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(array)?.number(index)?.get_int()?);
        Ok(Status::Ok)
    })
}

/// Stores an integer, cut to the type's width as C does it.
///
/// index: from 0.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_set_int(array: *mut mp_array, index: usize, number: i64) -> mp_status {
    guard("mp_array_set_int", || {
        handle::block(array)?.number(index)?.set_int(number)?;
        Ok(Status::Ok)
    })
}

/// Adds to an integer, wrapping around at the type's width.
///
/// index: from 0.
/// by: what is added.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_add(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_add", || {
        let was = handle::block(array)?.number(index)?.fetch_add(by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Subtracts from an integer, wrapping around at the type's width.
///
/// index: from 0.
/// by: what is subtracted.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_sub(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_sub", || {
        let was = handle::block(array)?.number(index)?.fetch_add(by.wrapping_neg())?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Keeps those bits of an integer that are in a mask.
///
/// index: from 0.
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_and(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_and", || {
        let was = handle::block(array)?.number(index)?.change(Change::And, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Sets those bits of an integer that are in a mask.
///
/// index: from 0.
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_or(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_or", || {
        let was = handle::block(array)?.number(index)?.change(Change::Or, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Flips those bits of an integer that are in a mask.
///
/// index: from 0.
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_xor(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_xor", || {
        let was = handle::block(array)?.number(index)?.change(Change::Xor, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer where it is less than what is there.
///
/// index: from 0.
/// by: the integer, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_min(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_min", || {
        let was = handle::block(array)?.number(index)?.change(Change::Min, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer where it is more than what is there.
///
/// index: from 0.
/// by: the integer, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_max(
    array: *mut mp_array,
    index: usize,
    by: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_fetch_max", || {
        let was = handle::block(array)?.number(index)?.change(Change::Max, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer, cut to the type's width, and tells what was there.
///
/// index: from 0.
/// number: what is stored.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_exchange(
    array: *mut mp_array,
    index: usize,
    number: i64,
    before: *mut i64,
) -> mp_status {
    guard("mp_array_exchange", || {
        let was = handle::block(array)?.number(index)?.exchange(number)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer if the item is the expected one. MP_OK either way.
///
/// index: from 0.
/// expected: what the item should be; where it is not, what it is instead goes here.
/// desired: what is stored, cut to the type's width.
/// exchanged: whether it was stored; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is no integer.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_compare_exchange(
    array: *mut mp_array,
    index: usize,
    expected: *mut i64,
    desired: i64,
    exchanged: *mut bool,
) -> mp_status {
    guard("mp_array_compare_exchange", || {
        // SAFETY: C's promise for its argument: it is readable and writable.
        let expected = unsafe { guard::inout(expected, "expected") }?;
        let outcome = handle::block(array)?.number(index)?.compare_exchange(*expected, desired)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(exchanged, outcome.is_ok()) };
        if let Err(instead) = outcome {
            *expected = instead;
        }
        Ok(Status::Ok)
    })
}

/// Reads a float or double.
///
/// index: from 0.
/// result: where it goes.
///
/// MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_get_double(
    array: *const mp_array,
    index: usize,
    result: *mut f64,
) -> mp_status {
    guard("mp_array_get_double", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(array)?.number(index)?.get_double()?);
        Ok(Status::Ok)
    })
}

/// Stores a double, rounded where the type is float.
///
/// index: from 0.
///
/// MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_set_double(array: *mut mp_array, index: usize, number: f64) -> mp_status {
    guard("mp_array_set_double", || {
        handle::block(array)?.number(index)?.set_double(number)?;
        Ok(Status::Ok)
    })
}

/// Adds to a float or double.
///
/// index: from 0.
/// by: what is added.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or it is neither a float nor a double.
/// MP_ERR_STATE: the array's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_array_fetch_add_double(
    array: *mut mp_array,
    index: usize,
    by: f64,
    before: *mut f64,
) -> mp_status {
    guard("mp_array_fetch_add_double", || {
        let was = handle::block(array)?.number(index)?.fetch_add_double(by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}
