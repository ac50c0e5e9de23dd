//! In a function of a registered type: what it was called with, and what it answers.

use super::guard::{guard, guard_or, out};
use super::handle;
use super::item;
use super::manager::{mp_manager, mp_proxy};
use super::object_type::mp_call;
use super::proxy;
use super::shareable_list::mp_item;
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use core::ffi::{CStr, c_char, c_int, c_void};

/// How many arguments there are; 0 with mp_last_error() for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_count(call: *const mp_call) -> usize {
    guard_or("mp_call_count", 0, || Ok(handle::object(call)?.args().len()))
}

/// An argument. What it points to is good until the function returns; a text has a zero behind it.
/// For a proxy there is mp_call_proxy.
///
/// index: from 0.
/// item: where it goes.
///
/// MP_ERR_INVALID: there is no such argument.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_item(call: *const mp_call, index: usize, item: *mut mp_item) -> mp_status {
    guard("mp_call_item", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(item, "item") }?;
        place.write(proxy::ended_item(handle::object(call)?.args(), index)?);
        Ok(Status::Ok)
    })
}

/// An argument that is an integer, a truth value or a double, which is cut; 0 with mp_last_error()
/// for another one.
///
/// index: from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_int(call: *const mp_call, index: usize) -> i64 {
    guard_or("mp_call_int", 0, || proxy::int_at(handle::object(call)?.args(), index))
}

/// A proxy for an argument that is a managed object: a handle of its own, to be freed by
/// mp_proxy_free. The functions of registered types use the server's objects as clients do; one
/// that calls its own object waits for itself, until its patience is over.
///
/// index: from 0.
/// proxy: where the handle goes.
///
/// MP_ERR_INVALID: there is no such argument, or it is no object.
/// MP_ERR_CLOSED: the object is gone, since the caller is.
/// MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_OS: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_proxy(
    call: *const mp_call,
    index: usize,
    proxy: *mut *mut mp_proxy,
) -> mp_status {
    guard("mp_call_proxy", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(proxy, "proxy") }?;
        place.write(handle::new_boxed(handle::object(call)?.proxy(index)?)?);
        Ok(Status::Ok)
    })
}

/// A manager that is connected to the server that the function runs in, to make objects there: a
/// handle of its own, to be freed by mp_manager_free.
///
/// manager: where the handle goes.
///
/// MP_ERR_INVALID: manager is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_manager(call: *const mp_call, manager: *mut *mut mp_manager) -> mp_status {
    guard("mp_call_manager", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(manager, "manager") }?;
        place.write(handle::new_boxed(handle::object(call)?.manager())?);
        Ok(Status::Ok)
    })
}

/// Adds an item to the answer; a function that makes an object has no answer but that.
///
/// item: copied; of an object of this server its proxy.
///
/// MP_ERR_INVALID: the item is none, or is of another manager.
/// MP_ERR_BAD_HANDLE: the function has returned; or the item is a proxy that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_return(call: *mut mp_call, item: mp_item) -> mp_status {
    guard("mp_call_return", || {
        let call = handle::object(call)?;
        if item.kind == item::PROXY {
            call.give_known(&*handle::object(item.data.cast::<mp_proxy>())?)?;
        } else {
            let none = |_: &_| fail!(Invalid, "the item is no proxy");
            // SAFETY: C's promise: it points to what it says.
            call.give(unsafe { item::value(&item, none) }?.into());
        }
        Ok(Status::Ok)
    })
}

/// Adds a new object of a registered type to the answer: the caller gets its proxy.
///
/// type: the type's name.
/// object: what stands for it from now on, as if the type's create had made it. Its destroy is
///     called also where the function fails after this call, or nobody wants the answer any more.
///
/// MP_ERR_INVALID: type is NULL.
/// MP_ERR_UNSUPPORTED: the server has no such registered type; the object is the caller's still.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_return_object(
    call: *mut mp_call,
    r#type: *const c_char,
    object: *mut c_void,
) -> mp_status {
    guard("mp_call_return_object", || {
        let call = handle::object(call)?;
        if r#type.is_null() {
            fail!(Invalid, "type is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        let name = unsafe { CStr::from_ptr(r#type) }.to_string_lossy();
        call.give_new(&name, object.addr())?;
        Ok(Status::Ok)
    })
}

fn failure(number: c_int) -> Result<Status> {
    match Status::from_number(number) {
        Some(status) if number < 0 => Ok(status),
        _ => fail!(Invalid, "{number} is no status of a failure"),
    }
}

/// Has the call fail: the caller's answers this status, with this sentence in its mp_last_error().
/// The last such call counts, and what was returned is dropped. The function still has to return.
///
/// status: MP_ERR_INVALID and the others. message: ended by a zero; copied.
///
/// MP_ERR_INVALID: status is none of a failure, or message is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_call_fail(
    call: *mut mp_call,
    status: c_int,
    message: *const c_char,
) -> mp_status {
    guard("mp_call_fail", || {
        let call = handle::object(call)?;
        let status = failure(status)?;
        if message.is_null() {
            fail!(Invalid, "message is NULL");
        }
        // SAFETY: C's promise: a string that is ended by a zero.
        call.fail(status, unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned());
        Ok(Status::Ok)
    })
}
