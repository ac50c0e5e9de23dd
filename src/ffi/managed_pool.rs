//! The managed type Pool: a pool in the server's process, and what stands for results that are to come. It is made as
//! a program makes types of its own, of what mp.h has for pools.

use super::buffer::{self, mp_buffer, mp_bytes};
use super::handle;
use super::imap::{self, mp_imap_options};
use super::managed::{Method, answered, boxed, end, kind};
use super::object_type::mp_call;
use super::pool::{self, mp_pool, mp_pool_options, mp_task_fn};
use super::pool_async::{mp_pool_apply_async, mp_pool_map_async};
use super::pool_map::{mp_pool_apply, mp_pool_map};
use super::result::{self, mp_result};
use super::status::{mp_last_error, mp_status};
use crate::error::{Error, Result, Status, fail};
use crate::manager::{Call, Charge, Kind, Value};
use crate::pool::{Imap, Source};
use crate::process::Target;
use crate::time::{Deadline, FOREVER};
use core::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

const RESULT: &str = "AsyncResult";
const ITERATOR: &str = "Iterator";

/// A result behind a proxy.
struct Pending {
    result: *mut mp_result,
    /// Of a map: how many items it has.
    items: Option<usize>,
    /// The pool has copies of the inputs.
    _charge: Charge,
}

impl Drop for Pending {
    fn drop(&mut self) {
        // SAFETY: any number may be passed as a handle.
        unsafe { result::mp_result_free(self.result) };
    }
}

/// An iterator behind a proxy.
struct Iterator {
    imap: Imap,
    _charge: Charge,
}

fn ok(status: mp_status) -> Result<()> {
    let number = status as i32;
    match Status::from_number(number) {
        Some(status) if number < 0 => {
            // SAFETY: a string of this thread's, until its next failure.
            let text = unsafe { CStr::from_ptr(mp_last_error()) }.to_string_lossy().into_owned();
            Err(Error::new(status, text))
        }
        _ => Ok(()),
    }
}

/// The bytes of an argument; of a text without the zero behind it.
fn bytes(value: &Value) -> Result<&[u8]> {
    match value {
        Value::Text(text) => Ok(text.strip_suffix('\0').unwrap_or(text).as_bytes()),
        Value::Bytes(bytes) => Ok(bytes),
        _ => fail!(Invalid, "a task's input is a text or bytes"),
    }
}

/// The function of the name that comes first, and the inputs behind it.
fn task(call: &Call) -> Result<(mp_task_fn, &[Value])> {
    let Some((name, inputs)) = call.args().split_first() else {
        fail!(Invalid, "the name of a registered function comes first")
    };
    let address = Target::Name(bytes(name)?.to_vec()).address()?;
    // SAFETY: the program registered a function for tasks under the name that it gives for one.
    Ok((unsafe { std::mem::transmute::<usize, mp_task_fn>(address) }, inputs))
}

/// What copies of all inputs take.
fn charge(call: &Call) -> Result<Charge> {
    call.charge(call.args().iter().map(Value::weight).sum())
}

/// The same, for mp.h's functions.
fn work(call: &Call) -> Result<(mp_task_fn, Vec<mp_bytes>)> {
    let (function, inputs) = task(call)?;
    let lend = |value| bytes(value).map(|data| mp_bytes { data: data.as_ptr().cast(), len: data.len() });
    Ok((function, inputs.iter().map(lend).collect::<Result<_>>()?))
}

fn single(call: &Call) -> Result<(mp_task_fn, mp_bytes)> {
    match work(call)? {
        (function, inputs) if inputs.len() == 1 => Ok((function, inputs[0])),
        (_, inputs) => fail!(Invalid, "apply has one input, and not {}", inputs.len()),
    }
}

/// Answers what a buffer has.
fn give(call: &Call, buffer: *mut mp_buffer) -> Result<()> {
    let copied = handle::object(buffer).map(|found| Value::Bytes((&**found).into()));
    // SAFETY: the buffer is ours.
    unsafe { buffer::mp_buffer_free(buffer) };
    call.give(copied?);
    Ok(())
}

fn give_all(call: &Call, status: mp_status, buffers: Vec<*mut mp_buffer>) -> Result<()> {
    let came = ok(status);
    let mut given = Ok(());
    for buffer in buffers.into_iter().filter(|buffer| !buffer.is_null()) {
        given = given.and(give(call, buffer));
    }
    came.and(given)
}

unsafe extern "C-unwind" fn make(call: *mut mp_call) -> *mut c_void {
    answered(call, null_mut(), |call| {
        let workers = match call.args() {
            [] => 0,
            [Value::Int(workers)] if *workers > 0 => *workers as usize,
            _ => fail!(Invalid, "a Pool is made of a number of workers"),
        };
        let options = mp_pool_options { workers, ..pool::DEFAULTS };
        let mut made: *mut mp_pool = null_mut();
        // SAFETY: both are here.
        ok(unsafe { pool::mp_pool_new(&raw mut made, &raw const options) })?;
        Ok(made.cast())
    })
}

unsafe extern "C-unwind" fn free(pool: *mut c_void) {
    // SAFETY: any number may be passed as a handle.
    unsafe { pool::mp_pool_free(pool.cast()) };
}

unsafe extern "C-unwind" fn apply(call: *mut mp_call, pool: *mut c_void) {
    answered(call, (), |call| {
        let (function, input) = single(call)?;
        let mut found = null_mut();
        // SAFETY: the input lies in the call's arguments.
        let status = unsafe {
            mp_pool_apply(pool.cast(), function, null_mut(), input.data, input.len, &raw mut found, null())
        };
        give_all(call, status, vec![found])
    });
}

unsafe extern "C-unwind" fn map(call: *mut mp_call, pool: *mut c_void) {
    answered(call, (), |call| {
        let (function, inputs) = work(call)?;
        let mut found = vec![null_mut(); inputs.len()];
        // SAFETY: as above; there is a place for each result.
        let status = unsafe {
            let (pool, n) = (pool.cast(), inputs.len());
            mp_pool_map(pool, function, null_mut(), inputs.as_ptr(), n, found.as_mut_ptr(), null())
        };
        give_all(call, status, found)
    });
}

/// Answers an object of its own that stands for what is to come.
fn give_object<T>(call: &Call, type_name: &str, object: T) -> Result<()> {
    call.give_new(type_name, boxed(object).expose_provenance())
}

unsafe extern "C-unwind" fn apply_async(call: *mut mp_call, pool: *mut c_void) {
    answered(call, (), |call| {
        let (function, input) = single(call)?;
        let _charge = charge(call)?;
        let (mut result, none) = (null_mut(), null_mut());
        // SAFETY: as above; the input is copied.
        let status = unsafe {
            let pool = pool.cast();
            mp_pool_apply_async(pool, function, none, input.data, input.len, null(), null(), &raw mut result)
        };
        ok(status)?;
        give_object(call, RESULT, Pending { result, items: None, _charge })
    });
}

unsafe extern "C-unwind" fn map_async(call: *mut mp_call, pool: *mut c_void) {
    answered(call, (), |call| {
        let (function, inputs) = work(call)?;
        let _charge = charge(call)?;
        let (mut result, none, n) = (null_mut(), null_mut(), inputs.len());
        // SAFETY: as above.
        let status = unsafe {
            let (pool, inputs) = (pool.cast(), inputs.as_ptr());
            mp_pool_map_async(pool, function, none, inputs, n, null(), null(), &raw mut result)
        };
        ok(status)?;
        give_object(call, RESULT, Pending { result, items: Some(n), _charge })
    });
}

/// What an iterator's inputs come from.
struct Inputs(std::vec::IntoIter<Vec<u8>>);

impl Source for Inputs {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.next())
    }
}

/// Answers an iterator, which is asked for its results by a proxy of its own.
fn give_iterator(call: *mut mp_call, pool: *mut c_void, unordered: bool) {
    answered(call, (), |call| {
        let (function, inputs) = task(call)?;
        let _charge = charge(call)?;
        let copied = inputs.iter().map(|input| buffer::copied(bytes(input)?));
        let source = Inputs(copied.collect::<Result<Vec<_>>>()?.into_iter());
        let options = mp_imap_options { unordered, ..imap::DEFAULTS };
        let pool = handle::object(pool.cast::<mp_pool>())?;
        let imap = imap::begin(&pool, (function, null_mut()), &options, Box::new(source))?;
        give_object(call, ITERATOR, Iterator { imap, _charge })
    });
}

unsafe extern "C-unwind" fn imap(call: *mut mp_call, pool: *mut c_void) {
    give_iterator(call, pool, false);
}

unsafe extern "C-unwind" fn imap_unordered(call: *mut mp_call, pool: *mut c_void) {
    give_iterator(call, pool, true);
}

unsafe extern "C-unwind" fn close(call: *mut mp_call, pool: *mut c_void) {
    // SAFETY: any number may be passed as a handle.
    answered(call, (), |_| ok(unsafe { pool::mp_pool_close(pool.cast()) }));
}

unsafe extern "C-unwind" fn terminate(call: *mut mp_call, pool: *mut c_void) {
    // SAFETY: as above.
    answered(call, (), |_| ok(unsafe { pool::mp_pool_terminate(pool.cast()) }));
}

unsafe extern "C-unwind" fn join(call: *mut mp_call, pool: *mut c_void) {
    // SAFETY: as above.
    answered(call, (), |_| ok(unsafe { pool::mp_pool_join(pool.cast(), FOREVER) }));
}

/// # Safety
/// `object` is a [`Pending`] of [`give_object`].
unsafe fn pending<'a>(object: *mut c_void) -> &'a Pending {
    // SAFETY: the caller's promise; it is not ended while it is called.
    unsafe { &*object.cast::<Pending>() }
}

/// Nanoseconds; without limit where none are given.
fn patience(call: &Call) -> Result<i64> {
    match call.args() {
        [] => Ok(FOREVER),
        [Value::Int(timeout)] => Ok(*timeout),
        _ => fail!(Invalid, "a timeout is a number of nanoseconds"),
    }
}

unsafe extern "C-unwind" fn get(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        // SAFETY: the server calls it with such an object.
        let pending = unsafe { pending(object) };
        let timeout = patience(call)?;
        let mut found = vec![null_mut(); pending.items.unwrap_or(1)];
        // SAFETY: there is a place for each result.
        let status = unsafe {
            match pending.items {
                Some(n) => result::mp_result_get_each(pending.result, timeout, found.as_mut_ptr(), n),
                None => result::mp_result_get(pending.result, timeout, found.as_mut_ptr()),
            }
        };
        give_all(call, status, found)
    });
}

unsafe extern "C-unwind" fn wait(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        let timeout = patience(call)?;
        // SAFETY: as above.
        ok(unsafe { result::mp_result_wait(pending(object).result, timeout) })
    });
}

unsafe extern "C-unwind" fn ready(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        let mut is = false;
        // SAFETY: as above.
        ok(unsafe { result::mp_result_ready(pending(object).result, &raw mut is) })?;
        call.give(Value::Bool(is));
        Ok(())
    });
}

unsafe extern "C-unwind" fn successful(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        let mut is = false;
        // SAFETY: as above.
        ok(unsafe { result::mp_result_successful(pending(object).result, &raw mut is) })?;
        call.give(Value::Bool(is));
        Ok(())
    });
}

unsafe extern "C-unwind" fn next(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        // SAFETY: made by `give_object`; it is not ended while it is called.
        let Iterator { imap, .. } = unsafe { &*object.cast() };
        if let Some((place, result)) = imap.next(Deadline::after(patience(call)?))? {
            let result = result?;
            call.give(Value::Int(place as i64));
            call.give(Value::Bytes(result[..].into()));
        }
        Ok(())
    });
}

pub(super) fn kinds() -> Vec<Kind<usize>> {
    let pool: &[(&str, Method)] = &[
        ("apply", apply),
        ("map", map),
        ("apply_async", apply_async),
        ("map_async", map_async),
        ("imap", imap),
        ("imap_unordered", imap_unordered),
        ("close", close),
        ("terminate", terminate),
        ("join", join),
    ];
    let result: &[(&str, Method)] =
        &[("get", get), ("wait", wait), ("ready", ready), ("successful", successful)];
    // Whoever waits for a task, or for its result, shall not hold up who terminates the pool.
    let concurrent = |kind| Kind { is_concurrent: true, ..kind };
    vec![
        concurrent(kind("Pool", Some(make), free, pool)),
        concurrent(kind(RESULT, None, end::<Pending>, result)),
        // Of whose results each goes to one caller.
        kind(ITERATOR, None, end::<Iterator>, &[("next", next)]),
    ]
}
