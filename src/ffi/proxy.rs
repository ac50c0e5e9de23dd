//! Proxies: what stands for a manager's object in a process. A call on one is a message to the
//! server and its answer back. Each call that waits has a connection of its own, so that it holds
//! up no other.

use super::buffer::{self, mp_buffer};
use super::guard::{self, guard, guard_or, out};
use super::handle;
use super::item;
use super::manager::mp_proxy;
use super::shareable_list::mp_item;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::manager::{Proxy, Reply, Value};
use core::ffi::{CStr, c_char, c_void};

/// What a call came to: any number of items. It is the caller's until mp_answer_free, and so is
/// what its items point to.
pub struct mp_answer {
    _private: [u8; 0],
}

/// One call of several that are made as one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_proxy_step {
    /// Of the same manager as the others'.
    pub proxy: *const mp_proxy,
    /// A method's name.
    pub method: *const c_char,
    /// Its arguments.
    pub items: *const mp_item,
    /// How many.
    pub count: usize,
}

/// An answer's content. A text has a zero behind it, for C.
pub(super) struct Content {
    values: Vec<Value>,
    proxies: Vec<Proxy>,
}

impl Content {
    fn new(reply: Reply) -> Self {
        Content {
            values: reply.values.into_iter().map(Value::ended).collect(),
            proxies: reply.leases.into_iter().map(Proxy::new).collect(),
        }
    }
}

/// The proxy of the only object of an answer.
pub(super) fn first(reply: Reply) -> Result<*mut mp_proxy> {
    match reply.leases.into_iter().next() {
        Some(lease) => handle::new_boxed(Proxy::new(lease)),
        None => fail!(Remote, "the server answers with something else than an object"),
    }
}

/// Writes the answer, if the caller wants one.
///
/// # Safety
/// `place` is NULL or a place for a handle.
pub(super) unsafe fn finish(place: *mut *mut mp_answer, reply: Reply) -> Result<Status> {
    let status = reply.status;
    if !place.is_null() {
        // SAFETY: the caller's promise.
        unsafe { place.write(handle::new_boxed(Content::new(reply))?) };
    }
    Ok(status)
}

/// One of several values that have a zero behind their texts.
pub(super) fn ended_item(values: &[Value], index: usize) -> Result<mp_item> {
    let Some(value) = values.get(index) else {
        fail!(Invalid, "item {index} is out of range: there are {}", values.len());
    };
    let mut found = item::of(value);
    if let Value::Text(_) = value {
        found.data_size -= 1;
    }
    Ok(found)
}

/// One of them that is a number.
pub(super) fn int_at(values: &[Value], index: usize) -> Result<i64> {
    match values.get(index) {
        Some(Value::Int(i)) => Ok(*i),
        Some(Value::Bool(b)) => Ok(i64::from(*b)),
        Some(Value::Double(d)) => Ok(*d as i64),
        _ => fail!(Invalid, "item {index} of {} is no number", values.len()),
    }
}

/// # Safety
/// `name` is NULL or a string that is ended by a zero.
unsafe fn method<'a>(name: *const c_char) -> Result<&'a str> {
    if name.is_null() {
        fail!(Invalid, "method is NULL");
    }
    // SAFETY: the caller's promise.
    match unsafe { CStr::from_ptr(name) }.to_str() {
        Ok(name) => Ok(name),
        Err(_) => fail!(Invalid, "the method's name is not UTF-8"),
    }
}

/// Calls a method of the object. docs/manager-protocol.md has the methods of each type.
///
/// method: its name.
/// items: count items, its arguments. count: how many; 0 is fine.
/// answer: where the handle of the answer goes, to be freed by mp_answer_free; NULL if it is not
///     wanted.
/// timeout: nanoseconds that the server may let the call wait for what is not there yet. For the
///     answer itself the call waits longer: see patience in mp_manager_options. A condition's
///     wait, when it was notified or its time is over, has to take the lock again, and may wait
///     for that as long as patience says. If it cannot, it answers MP_ERR_TIMEOUT without the
///     lock; to release it then is MP_ERR_NOT_OWNER.
///
/// MP_OWNER_DIED: the lock is the caller's, and its last holder died with it.
/// MP_ERR_UNSUPPORTED: the type has no such method, or not with such arguments.
/// MP_ERR_NOT_FOUND: there is no such key, name or value.
/// MP_ERR_INVALID: method is NULL; items is NULL and count is not 0; an item is none, or of
///     another manager; an index is out of range; or the object does not take such a value.
/// MP_ERR_CLOSED: the object is gone: this process lost its connections, and nobody else held it.
/// MP_ERR_TIMEOUT: what the call waits for did not come in time; or the server did not answer in
///     time, and may do yet what was asked for.
/// MP_ERR_EMPTY, MP_ERR_FULL: with MP_NO_WAIT, the queue is.
/// MP_ERR_OVER_RELEASE: the lock is not held, the semaphore has no more, or there were not so many
///     tasks.
/// MP_ERR_NOT_OWNER: the caller does not hold the RLock or the condition's lock, or this process
///     has not taken so much of a semaphore that is given back.
/// MP_ERR_BROKEN_BARRIER: the barrier was broken, or broke meanwhile: by an abort or a reset, or
///     by one who waited and whose time ran out, this one included, or who died.
/// MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
/// MP_ERR_TOO_SMALL: the message is longer than the server takes, or the answer would be, or would
///     have more than 1,048,576 items: see mp_proxy_next.
/// MP_ERR_EOF: the server is gone, also where another one is at its address.
/// MP_ERR_BAD_HANDLE: an item is a proxy that is none.
/// MP_ERR_AUTH: as mp_manager_connect, where this call has to connect again.
/// MP_ERR_REMOTE: the server answers what no server does; or an exception left a method of a
///     registered type, whose methods fail with any status.
/// MP_ERR_PANIC: the method failed in the server as no method should: a bug. The server goes on.
/// MP_ERR_OS: no descriptor is free, or the server cannot be reached; or it has no thread for the
///     method of a registered type.
///
/// Threads: any number.
/// Kill: what a killed process held is given back as soon as the server sees its connections end:
/// its proxies, and its locks, whose next holder is told. An item of a queue that it did not come to
/// read goes to the next one who gets; where a network ends in between, it may come twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_call(
    proxy: *const mp_proxy,
    method: *const c_char,
    items: *const mp_item,
    count: usize,
    answer: *mut *mut mp_answer,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_proxy_call", || {
        let proxy = handle::object(proxy)?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        let method = unsafe { self::method(method) }?;
        // SAFETY: as above.
        let values = unsafe { item::values(items, count, |other| other.value(&proxy)) }?;
        let reply = proxy.call(method, &values, timeout)?;
        // SAFETY: as above.
        unsafe { finish(answer, reply) }
    })
}

/// Makes several calls as one: nobody else's call comes between them. The first that fails is the
/// last, and those before it are done. None of them waits.
///
/// steps: count calls. count: how many; at least 1.
/// answer: where the handle of the answer goes: for each call an integer, how many items it came
///     to, and then they. NULL if it is not wanted.
///
/// MP_OWNER_DIED: of the locks that it took one had a holder that died with it.
/// MP_ERR_INVALID: steps is NULL or count is 0; the proxies are not of one manager; or as
///     mp_proxy_call.
/// Others: as mp_proxy_call, with the number of the call that failed, from 0, in mp_last_error().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_batch(
    steps: *const mp_proxy_step,
    count: usize,
    answer: *mut *mut mp_answer,
) -> mp_status {
    guard("mp_proxy_batch", || {
        if steps.is_null() || count == 0 {
            fail!(Invalid, "the batch has no steps");
        }
        // SAFETY: C's promise: count steps, and what they point to.
        let steps = unsafe { std::slice::from_raw_parts(steps, count) };
        let first = handle::object(steps[0].proxy)?;
        let mut values = Vec::new();
        for step in steps {
            values.push(handle::object(step.proxy)?.value(&first)?);
            // SAFETY: as above.
            let args = unsafe { item::values(step.items, step.count, |other| other.value(&first)) }?;
            // SAFETY: as above.
            values.push(Value::Text(unsafe { method(step.method) }?));
            values.push(Value::Int(args.len() as i64));
            values.extend(args);
        }
        let reply = first.batch(&values)?;
        // SAFETY: as above.
        unsafe { finish(answer, reply) }
    })
}

/// The object as text, as Python's str shows it: `[1, 'two', 3.0]`.
///
/// text: where the handle of the text goes, which is not ended by a zero.
///
/// MP_ERR_TOO_SMALL: it is longer than the longest message of the server.
/// MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_str(proxy: *const mp_proxy, text: *mut *mut mp_buffer) -> mp_status {
    guard("mp_proxy_str", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(text, "text") }?;
        place.write(buffer::copy(handle::object(proxy)?.text("str")?.as_bytes())?);
        Ok(Status::Ok)
    })
}

/// Tells about the proxy itself as Python does: `<Proxy[list] object at 0x108e28>`. The number is
/// the handle.
///
/// text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
/// needed: the bytes that it takes, the zero counted, go here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
/// MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_describe(
    proxy: *const mp_proxy,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_proxy_describe", || {
        let type_name = handle::object(proxy)?.text("type")?;
        let line = format!("<Proxy[{type_name}] object at {:#x}>", proxy.addr());
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &line) }?;
        Ok(Status::Ok)
    })
}

/// Bytes by which one other process, wherever it is, gets a proxy of the object: to be sent through
/// a queue or a connection. They are good once, hold the object until they were used, and for
/// a minute after this process has ended. The manager's key is not in them.
///
/// bytes: where the handle of the bytes goes.
///
/// MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
/// MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_export(proxy: *const mp_proxy, bytes: *mut *mut mp_buffer) -> mp_status {
    guard("mp_proxy_export", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(bytes, "bytes") }?;
        place.write(buffer::copy(&handle::object(proxy)?.export(false)?)?);
        Ok(Status::Ok)
    })
}

/// A proxy from the bytes of mp_proxy_export. A process that has a manager connected to the same
/// address, or a proxy from there, uses their key, another one its own (mp_set_authkey).
///
/// proxy: where the handle goes.
/// data: the bytes. len: how many.
///
/// MP_ERR_INVALID: they are none that mp_proxy_export made.
/// MP_ERR_CLOSED: they were used already, or are too old.
/// MP_ERR_EOF: the server of the object is gone.
/// MP_ERR_NOT_FOUND, MP_ERR_AUTH, MP_ERR_TIMEOUT, MP_ERR_UNSUPPORTED, MP_ERR_OS: as
///     mp_manager_connect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_import(
    proxy: *mut *mut mp_proxy,
    data: *const c_void,
    len: usize,
) -> mp_status {
    guard("mp_proxy_import", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, bytes) = unsafe { (out(proxy, "proxy")?, guard::bytes(data, len)?) };
        guard::joined()?;
        place.write(handle::new_boxed(Proxy::import(bytes)?)?);
        Ok(Status::Ok)
    })
}

/// Frees a proxy. The object goes with the last of them, unless another object holds it. A server
/// that does not answer is waited for one second. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_free(proxy: *mut mp_proxy) -> mp_status {
    guard("mp_proxy_free", || handle::free_boxed(proxy))
}

/// How many items an answer has; 0 with mp_last_error() for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_answer_count(answer: *const mp_answer) -> usize {
    guard_or("mp_answer_count", 0, || Ok(handle::object(answer)?.values.len()))
}

/// An item of an answer. What it points to is good until mp_answer_free; a text has a zero behind
/// it. For a proxy there is mp_answer_proxy.
///
/// index: from 0.
/// item: where it goes.
///
/// MP_ERR_INVALID: there is no such item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_answer_item(
    answer: *const mp_answer,
    index: usize,
    item: *mut mp_item,
) -> mp_status {
    guard("mp_answer_item", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(item, "item") }?;
        place.write(ended_item(&handle::object(answer)?.values, index)?);
        Ok(Status::Ok)
    })
}

/// An item of an answer that is an integer, a truth value or a double, which is cut; 0 with
/// mp_last_error() for another one.
///
/// index: from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_answer_int(answer: *const mp_answer, index: usize) -> i64 {
    guard_or("mp_answer_int", 0, || int_at(&handle::object(answer)?.values, index))
}

/// A proxy for an item of an answer that is an object: a handle of its own, to be freed by
/// mp_proxy_free.
///
/// index: from 0.
/// proxy: where the handle goes.
///
/// MP_ERR_INVALID: there is no such item, or it is no object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_answer_proxy(
    answer: *const mp_answer,
    index: usize,
    proxy: *mut *mut mp_proxy,
) -> mp_status {
    guard("mp_answer_proxy", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(proxy, "proxy") }?;
        let content = handle::object(answer)?;
        let Some(Value::Object(_)) = content.values.get(index) else {
            fail!(Invalid, "item {index} of {} is no object", content.values.len());
        };
        let before = content.values[..index].iter().filter(|value| matches!(value, Value::Object(_)));
        let Some(found) = content.proxies.get(before.count()) else { fail!(Remote, "the answer is damaged") };
        place.write(handle::new_boxed(found.clone())?);
        Ok(Status::Ok)
    })
}

/// Frees an answer. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_answer_free(answer: *mut mp_answer) -> mp_status {
    guard("mp_answer_free", || handle::free_boxed(answer))
}
