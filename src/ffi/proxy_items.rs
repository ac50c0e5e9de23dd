//! What is done with managed dicts, lists and others most often, each a call of mp_proxy_call in
//! fewer words. Where a function has a key, that is a dict's key, the index of a list or an Array
//! (from 0; from the end where it is negative), or the name in a Namespace; a Value has none, and
//! MP_ITEM_NONE stands there.

use super::guard::{guard, inout, out, write_to};
use super::handle;
use super::item;
use super::manager::mp_proxy;
use super::proxy::{finish, mp_answer};
use super::shareable_list::mp_item;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::manager::{Reply, Value};
use crate::time::Deadline;
use core::ffi::c_void;

/// Calls a method with these items.
///
/// # Safety
/// The items point to what they say.
pub(super) unsafe fn call(
    proxy: *const mp_proxy,
    method: &str,
    items: &[mp_item],
    timeout: mp_timeout,
) -> Result<Reply> {
    let proxy = handle::object(proxy)?;
    // SAFETY: the caller's promise.
    let values = unsafe { item::values(items.as_ptr(), items.len(), |other| other.value(&proxy)) }?;
    proxy.call(method, &values, timeout)
}

fn number(integer: i64) -> mp_item {
    mp_item { kind: 1, integer, ..item::NONE }
}

/// The position or version that comes before the items.
fn leading_number(reply: &mut Reply) -> Result<i64> {
    match reply.values.first() {
        Some(&Value::Int(number)) => {
            reply.values.remove(0);
            Ok(number)
        }
        _ => fail!(Remote, "the server answers without a position"),
    }
}

/// The same for one that answers with a truth value or a number.
///
/// # Safety
/// As above.
unsafe fn answered(proxy: *const mp_proxy, method: &str, items: &[mp_item]) -> Result<i64> {
    // SAFETY: the caller's promise.
    match unsafe { call(proxy, method, items, 0) }?.values.first() {
        Some(Value::Int(i)) => Ok(*i),
        Some(Value::Bool(b)) => Ok(i64::from(*b)),
        _ => fail!(Remote, "the server answers with something else than a number"),
    }
}

/// Reads an item.
///
/// key: see above.
/// answer: where the handle of the answer goes, which has the item.
///
/// MP_ERR_NOT_FOUND: there is no such key or name.
/// MP_ERR_INVALID: the index is out of range.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_get(
    proxy: *const mp_proxy,
    key: mp_item,
    answer: *mut *mut mp_answer,
) -> mp_status {
    guard("mp_proxy_get", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe {
            out(answer, "answer")?;
            finish(answer, call(proxy, "get", &[key], 0)?)
        }
    })
}

/// Reads an item that is an integer or a truth value.
///
/// key: see above.
/// integer: where it goes.
///
/// MP_ERR_NOT_FOUND: there is no such key or name.
/// MP_ERR_INVALID: the index is out of range.
/// MP_ERR_REMOTE: it is something else.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_get_int(
    proxy: *const mp_proxy,
    key: mp_item,
    integer: *mut i64,
) -> mp_status {
    guard("mp_proxy_get_int", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { out(integer, "integer")?.write(answered(proxy, "get", &[key])?) };
        Ok(Status::Ok)
    })
}

/// Writes an item, in the place of the one that is there; in a dict and a Namespace also where
/// none is.
///
/// key: see above. item: copied; of an object its proxy.
///
/// MP_ERR_INVALID: the index is out of range, the name begins with _, a proxy cannot be a key, or
///     an Array has no such numbers.
/// MP_ERR_NO_MEMORY: the server has no room for it.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_set(proxy: *const mp_proxy, key: mp_item, item: mp_item) -> mp_status {
    guard("mp_proxy_set", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { call(proxy, "set", &[key, item], 0) }?;
        Ok(Status::Ok)
    })
}

/// Removes an item.
///
/// key: see above.
///
/// MP_ERR_NOT_FOUND: there is no such key or name.
/// MP_ERR_INVALID: the index is out of range.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_del(proxy: *const mp_proxy, key: mp_item) -> mp_status {
    guard("mp_proxy_del", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { call(proxy, "del", &[key], 0) }?;
        Ok(Status::Ok)
    })
}

/// Whether a dict or a Namespace has a key, or a list or a set an item.
///
/// item: the key or the item. found: where the answer goes.
///
/// Statuses: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_contains(
    proxy: *const mp_proxy,
    item: mp_item,
    found: *mut bool,
) -> mp_status {
    guard("mp_proxy_contains", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { out(found, "found")?.write(answered(proxy, "contains", &[item])? != 0) };
        Ok(Status::Ok)
    })
}

/// How many items there are.
///
/// length: where the number goes.
///
/// Statuses: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_len(proxy: *const mp_proxy, length: *mut usize) -> mp_status {
    guard("mp_proxy_len", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { out(length, "length")?.write(answered(proxy, "len", &[])? as usize) };
        Ok(Status::Ok)
    })
}

/// Puts an item behind the others of a list.
///
/// item: copied; of an object its proxy.
///
/// MP_ERR_NO_MEMORY: the server has no room for it.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_append(proxy: *const mp_proxy, item: mp_item) -> mp_status {
    guard("mp_proxy_append", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { call(proxy, "append", &[item], 0) }?;
        Ok(Status::Ok)
    })
}

/// Adds to an integer that is there, nobody coming in between; in a dict one that is not there is
/// 0 before.
///
/// key: see above. more: what is added.
/// sum: where the sum goes; may be NULL.
///
/// MP_ERR_INVALID: it is no number, the sum does not fit into it, or the index is out of range.
/// MP_ERR_NOT_FOUND: there is no such name.
/// MP_ERR_REMOTE: it is a double: with mp_proxy_call there is "add" for those, too. It was added.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_fetch_add(
    proxy: *const mp_proxy,
    key: mp_item,
    more: i64,
    sum: *mut i64,
) -> mp_status {
    guard("mp_proxy_fetch_add", || {
        let more = mp_item { kind: 1, integer: more, ..item::NONE };
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { write_to(sum, answered(proxy, "add", &[key, more])?) };
        Ok(Status::Ok)
    })
}

/// Writes an item if another one is there, nobody coming in between.
///
/// key: see above. expected: what shall be there. item: what is written then.
/// done: whether it was; may be NULL.
///
/// MP_ERR_NOT_FOUND: there is no such key or name.
/// MP_ERR_INVALID: the index is out of range.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_compare_and_set(
    proxy: *const mp_proxy,
    key: mp_item,
    expected: mp_item,
    item: mp_item,
    done: *mut bool,
) -> mp_status {
    guard("mp_proxy_compare_and_set", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { write_to(done, answered(proxy, "compare_and_set", &[key, expected, item])? != 0) };
        Ok(Status::Ok)
    })
}

/// Some of the items of a dict, a list or a set, in their order, so that the whole need not come
/// at once. Items that are added or removed meanwhile come along or do not; those that stay come
/// once, in a list as long as nothing before them is added or removed.
///
/// position: 0 at first; the call leaves there what the next call needs.
/// most: so many at most; fewer come where so many do not fit into one answer.
/// answer: where the handle of the answer goes: of a dict, keys and values in turn. At the end it
///     has no items.
///
/// MP_ERR_UNSUPPORTED: the object has no such order.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_next(
    proxy: *const mp_proxy,
    position: *mut i64,
    most: usize,
    answer: *mut *mut mp_answer,
) -> mp_status {
    guard("mp_proxy_next", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let position = unsafe { inout(position, "position") }?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        // SAFETY: as above.
        unsafe {
            out(answer, "answer")?;
            let mut reply = call(proxy, "next", &[number(*position), number(most)], 0)?;
            let next = leading_number(&mut reply)?;
            let status = finish(answer, reply)?;
            *position = next;
            Ok(status)
        }
    })
}

/// Waits until a dict's key has changed: until it was written, also with the same item, or removed.
///
/// key: of the dict.
/// version: of the key, as the last call has left it here; 0 at first, then it returns at once. The
///     new one goes here. No change is missed between two calls, but several count as one. For
///     a key that is not there, the version also changes when another key is removed: the call then
///     returns without a change of this one.
/// answer: where the handle of the answer goes: the key's item, or none where it is not there.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: it has not changed in time; or as mp_proxy_call.
/// MP_ERR_INVALID: a proxy cannot be a key; or as mp_proxy_call.
/// MP_ERR_UNSUPPORTED: the object is no dict.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_watch(
    proxy: *const mp_proxy,
    key: mp_item,
    version: *mut i64,
    answer: *mut *mut mp_answer,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_proxy_watch", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let version = unsafe { inout(version, "version") }?;
        // SAFETY: as above.
        unsafe {
            out(answer, "answer")?;
            let mut reply = call(proxy, "watch", &[key, number(*version)], timeout)?;
            let next = leading_number(&mut reply)?;
            let status = finish(answer, reply)?;
            *version = next;
            Ok(status)
        }
    })
}

/// Whether what a caller of mp_proxy_wait_for waits for is there. Asked while the condition's lock
/// is held. An exception must not leave it.
pub type mp_proxy_fn =
    Option<unsafe extern "C-unwind" fn(condition: *const mp_proxy, user: *mut c_void) -> bool>;

/// Waits at a managed condition until a predicate holds: asks it at once, and then whenever
/// notified.
///
/// predicate: called in this process with the condition; it may use other proxies, and must leave
///     the condition's lock held. user: handed to predicate.
/// timeout: nanoseconds, for all waits together.
///
/// MP_OK: the predicate held, and the caller has the lock.
/// MP_OWNER_DIED: the same, and meanwhile a holder of the lock died with it.
/// MP_ERR_TIMEOUT: the predicate did not hold, not even when the time was over; the caller has the
///     lock.
/// MP_ERR_INVALID: predicate is NULL.
/// MP_ERR_NOT_OWNER: the predicate did not hold, and the caller does not hold the lock.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_wait_for(
    proxy: *const mp_proxy,
    predicate: mp_proxy_fn,
    user: *mut c_void,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_proxy_wait_for", || {
        let Some(predicate) = predicate else { fail!(Invalid, "predicate is NULL") };
        let found = handle::object(proxy)?;
        // SAFETY: called with what its type promises.
        found.wait_for(Deadline::after(timeout), || unsafe { predicate(proxy, user) })
    })
}

/// Takes a managed lock, which belongs to this process then; or an RLock, which belongs to this
/// thread; or one of a semaphore.
///
/// timeout: nanoseconds.
///
/// MP_OWNER_DIED: it is the caller's, and its last holder died with it.
/// MP_ERR_TIMEOUT: somebody else had it all the time.
/// Others: as mp_proxy_call.
///
/// Kill: a lock of a process that was killed goes to the next one, which is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_acquire(proxy: *const mp_proxy, timeout: mp_timeout) -> mp_status {
    guard("mp_proxy_acquire", || {
        // SAFETY: there are no items.
        Ok(unsafe { call(proxy, "acquire", &[], timeout) }?.status)
    })
}

/// Releases a managed lock, whoever holds it; or an RLock of this thread; or one of a semaphore.
///
/// MP_ERR_OVER_RELEASE: the lock is not held, or the semaphore has no more.
/// MP_ERR_NOT_OWNER: this thread does not hold the RLock, or this process has nothing of a
///     semaphore that is given back.
/// Others: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_release(proxy: *const mp_proxy) -> mp_status {
    guard("mp_proxy_release", || {
        // SAFETY: there are no items.
        unsafe { call(proxy, "release", &[], 0) }?;
        Ok(Status::Ok)
    })
}
