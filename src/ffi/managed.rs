//! The managed types that are made as a program makes types of its own, of what mp.h has.

use super::object_type::mp_call;
use super::{handle, managed_memory, managed_pool};
use crate::error::Result;
use crate::manager::{Call, Kind};
use core::ffi::c_void;

/// Has the call fail where the body does.
pub(super) fn answered<T>(call: *mut mp_call, otherwise: T, body: impl FnOnce(&Call) -> Result<T>) -> T {
    let Ok(call) = handle::object(call) else { return otherwise };
    body(&call).unwrap_or_else(|e| {
        call.fail(e.status, e.to_string());
        otherwise
    })
}

/// The functions of a type.
pub(super) type Create = unsafe extern "C-unwind" fn(*mut mp_call) -> *mut c_void;
pub(super) type Destroy = unsafe extern "C-unwind" fn(*mut c_void);
pub(super) type Method = unsafe extern "C-unwind" fn(*mut mp_call, *mut c_void);

/// An object of a type as its functions get it, to be ended by [`end`].
pub(super) fn boxed<T>(object: T) -> *mut c_void {
    Box::into_raw(Box::new(object)).cast()
}

pub(super) unsafe extern "C-unwind" fn end<T>(object: *mut c_void) {
    // SAFETY: such a type's objects are made by `boxed`, and nobody calls this one any more.
    drop(unsafe { Box::from_raw(object.cast::<T>()) });
}

pub(super) fn kind(
    name: &str,
    create: Option<Create>,
    destroy: Destroy,
    methods: &[(&str, Method)],
) -> Kind<usize> {
    let methods = methods.iter().map(|&(name, method)| (name.to_owned(), method as usize));
    Kind {
        name: name.to_owned(),
        create: create.map(|function| function as usize),
        destroy: Some(destroy as usize),
        methods: methods.collect(),
        is_concurrent: false,
    }
}

/// What every server has.
pub(super) fn kinds() -> Vec<Kind<usize>> {
    [managed_pool::kinds(), managed_memory::kinds()].concat()
}
