//! Values for managers' objects. What they point to is the caller's, and is copied by the call
//! that they are passed to.

use super::manager::mp_proxy;
use super::shareable_list::mp_item;
use super::{guard, handle};
use crate::error::{Error, Result, Status, fail};
use crate::manager::{Lent, Proxy, Value, text};
use core::ffi::{CStr, c_char, c_int, c_void};

/// The kind of a managed object.
pub(super) const PROXY: c_int = 6;

pub(super) const NONE: mp_item =
    mp_item { kind: 0, boolean: false, integer: 0, number: 0.0, data: std::ptr::null(), data_size: 0 };

/// Nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_none() -> mp_item {
    NONE
}

/// An integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_int(integer: i64) -> mp_item {
    mp_item { kind: 1, integer, ..NONE }
}

/// A double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_double(number: f64) -> mp_item {
    mp_item { kind: 2, number, ..NONE }
}

/// True or false.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_bool(boolean: bool) -> mp_item {
    mp_item { kind: 3, boolean, ..NONE }
}

/// A text in UTF-8, ended by a zero. NULL: the empty one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_text(text: *const c_char) -> mp_item {
    // SAFETY: C's promise: NULL or a string that is ended by a zero.
    let data_size = if text.is_null() { 0 } else { unsafe { CStr::from_ptr(text) }.count_bytes() };
    mp_item { kind: 4, data: text.cast(), data_size, ..NONE }
}

/// Bytes. data: may be NULL where len is 0. len: how many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_bytes(data: *const c_void, len: usize) -> mp_item {
    mp_item { kind: 5, data, data_size: len, ..NONE }
}

/// A managed object, which the object that it is stored in keeps from then on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_item_proxy(proxy: *const mp_proxy) -> mp_item {
    mp_item { kind: PROXY, data: proxy.cast(), ..NONE }
}

/// Items as they are sent.
///
/// # Safety
/// `items` is NULL or points to `count` items, and those to what they say, for `'a`.
pub(super) unsafe fn values<'a>(
    items: *const mp_item,
    count: usize,
    of_proxy: impl Fn(&Proxy) -> Result<Lent<'a>>,
) -> Result<Vec<Lent<'a>>> {
    if count > 0 && items.is_null() {
        fail!(Invalid, "items is NULL, and count is {count}");
    }
    let mut values = Vec::new();
    values
        .try_reserve_exact(count)
        .map_err(|_| Error::new(Status::NoMemory, format!("no memory for {count} items")))?;
    for index in 0..count {
        // SAFETY: the caller's promise.
        values.push(unsafe { value(&*items.add(index), &of_proxy) }?);
    }
    Ok(values)
}

/// One of them.
///
/// # Safety
/// It points to what it says, for `'a`.
pub(super) unsafe fn value<'a>(
    item: &mp_item,
    of_proxy: impl Fn(&Proxy) -> Result<Lent<'a>>,
) -> Result<Lent<'a>> {
    // SAFETY: the caller's promise.
    let bytes = || unsafe { guard::bytes(item.data, item.data_size) };
    Ok(match item.kind {
        0 => Value::None,
        1 => Value::Int(item.integer),
        2 => Value::Double(item.number),
        3 => Value::Bool(item.boolean),
        4 => Value::Text(text(bytes()?)?),
        5 => Value::Bytes(bytes()?),
        PROXY => of_proxy(&*handle::object(item.data.cast::<mp_proxy>())?)?,
        other => fail!(Invalid, "{other} is no type of an item: MP_ITEM_NONE to MP_ITEM_PROXY are"),
    })
}

/// A value as an item, which points into the value; of an object nothing but what it is.
pub(super) fn of(value: &Value) -> mp_item {
    let with =
        |kind, bytes: &[u8]| mp_item { kind, data: bytes.as_ptr().cast(), data_size: bytes.len(), ..NONE };
    match value {
        Value::None => NONE,
        Value::Int(i) => mp_item { kind: 1, integer: *i, ..NONE },
        Value::Double(d) => mp_item { kind: 2, number: *d, ..NONE },
        Value::Bool(b) => mp_item { kind: 3, boolean: *b, ..NONE },
        Value::Text(text) => with(4, text.as_bytes()),
        Value::Bytes(bytes) => with(5, bytes),
        Value::Object(_) => mp_item { kind: PROXY, ..NONE },
    }
}
