//! Numbers in values: each operation is one atomic step, for every process.
//! What a process wrote before it changed a number is seen by whoever reads the change.

use super::guard::{self, guard, guard_quick, out};
use super::handle;
use super::status::mp_status;
use super::value::mp_value;
use crate::error::Status;
use crate::shared::Change;

/// Reads an integer of any type. A uint64_t beyond INT64_MAX comes as the negative number with
/// the same bits.
///
/// result: where it goes.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_int(value: *const mp_value, result: *mut i64) -> mp_status {
    guard("mp_value_get_int", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(value)?.number()?.get_int()?);
        Ok(Status::Ok)
    })
}

/// Stores an integer, cut to the type's width as C does it.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set_int(value: *mut mp_value, number: i64) -> mp_status {
    guard("mp_value_set_int", || {
        handle::block(value)?.number()?.set_int(number)?;
        Ok(Status::Ok)
    })
}

/// Adds to an integer, wrapping around at the type's width.
///
/// by: what is added.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_add(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    let quick = || {
        let was = handle::block_and_note(value).and_then(|(block, note)| block.fetch_add_quickly(note, by));
        // SAFETY: C's promise for its argument, as the header gives it.
        was.inspect(|&was| unsafe { guard::write_to(before, was) }).is_some()
    };
    guard_quick("mp_value_fetch_add", quick, move || {
        let was = handle::block(value)?.number()?.fetch_add(by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Subtracts from an integer, wrapping around at the type's width.
///
/// by: what is subtracted.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_sub(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_sub", || {
        let was = handle::block(value)?.number()?.fetch_add(by.wrapping_neg())?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Keeps those bits of an integer that are in a mask.
///
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_and(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_and", || {
        let was = handle::block(value)?.number()?.change(Change::And, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Sets those bits of an integer that are in a mask.
///
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_or(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_or", || {
        let was = handle::block(value)?.number()?.change(Change::Or, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Flips those bits of an integer that are in a mask.
///
/// by: the mask, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_xor(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_xor", || {
        let was = handle::block(value)?.number()?.change(Change::Xor, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer where it is less than what is there.
///
/// by: the integer, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_min(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_min", || {
        let was = handle::block(value)?.number()?.change(Change::Min, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer where it is more than what is there.
///
/// by: the integer, cut to the type's width.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_max(value: *mut mp_value, by: i64, before: *mut i64) -> mp_status {
    guard("mp_value_fetch_max", || {
        let was = handle::block(value)?.number()?.change(Change::Max, by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer, cut to the type's width, and tells what was there.
///
/// number: what is stored.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_exchange(value: *mut mp_value, number: i64, before: *mut i64) -> mp_status {
    guard("mp_value_exchange", || {
        let was = handle::block(value)?.number()?.exchange(number)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}

/// Stores an integer if the value is the expected one. MP_OK either way.
///
/// expected: what the value should be; where it is not, what it is instead goes here.
/// desired: what is stored, cut to the type's width.
/// exchanged: whether it was stored; may be NULL.
///
/// MP_ERR_INVALID: the value is no integer.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_compare_exchange(
    value: *mut mp_value,
    expected: *mut i64,
    desired: i64,
    exchanged: *mut bool,
) -> mp_status {
    guard("mp_value_compare_exchange", || {
        // SAFETY: C's promise for its argument: it is readable and writable.
        let expected = unsafe { guard::inout(expected, "expected") }?;
        let outcome = handle::block(value)?.number()?.compare_exchange(*expected, desired)?;
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
/// result: where it goes.
///
/// MP_ERR_INVALID: the value is neither a float nor a double.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_get_double(value: *const mp_value, result: *mut f64) -> mp_status {
    guard("mp_value_get_double", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(result, "result") }?;
        place.write(handle::block(value)?.number()?.get_double()?);
        Ok(Status::Ok)
    })
}

/// Stores a double, rounded where the type is float.
///
/// MP_ERR_INVALID: the value is neither a float nor a double.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_set_double(value: *mut mp_value, number: f64) -> mp_status {
    guard("mp_value_set_double", || {
        handle::block(value)?.number()?.set_double(number)?;
        Ok(Status::Ok)
    })
}

/// Adds to a float or double.
///
/// by: what is added.
/// before: the number from before goes here; may be NULL.
///
/// MP_ERR_INVALID: the value is neither a float nor a double.
/// MP_ERR_STATE: the value's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_value_fetch_add_double(
    value: *mut mp_value,
    by: f64,
    before: *mut f64,
) -> mp_status {
    guard("mp_value_fetch_add_double", || {
        let was = handle::block(value)?.number()?.fetch_add_double(by)?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { guard::write_to(before, was) };
        Ok(Status::Ok)
    })
}
