//! A proof of a key over a connection that is there already, for who is let in by rules of the program's own. Listeners
//! and clients with a key do it by themselves.

use super::connection::mp_connection;
use super::guard::guard;
use super::handle;
use super::listener;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::time::Deadline;
use crate::wire::{Connection, Key};
use core::ffi::c_void;

/// Has the other end prove that it knows the key, which does so by mp_connection_answer_challenge.
/// A listener and a client with a key do this by themselves, both ways.
///
/// key: from 1 to 65,536 bytes. key_size: how many.
/// allow_md5: HMAC-MD5 will do, which is what CPython up to 3.11 knows.
/// timeout: nanoseconds.
///
/// MP_ERR_AUTH: the other end does not know the key, or sends something else.
/// MP_ERR_TIMEOUT: it did not answer in time. The conversation cannot be taken up again.
/// MP_ERR_INVALID: the key has no such length, or the challenge is longer than max_message.
/// MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_deliver_challenge(
    connection: *mut mp_connection,
    key: *const c_void,
    key_size: usize,
    allow_md5: bool,
    timeout: mp_timeout,
) -> mp_status {
    // SAFETY: C's promise for its arguments, as the header gives it.
    let key = || unsafe { self::key(key, key_size, allow_md5) };
    converse("mp_connection_deliver_challenge", connection, key, timeout, Connection::deliver_challenge)
}

/// Proves to the other end that this one knows the key: the other side of
/// mp_connection_deliver_challenge.
///
/// key: from 1 to 65,536 bytes. key_size: how many.
/// allow_md5: HMAC-MD5 will do, which is what CPython up to 3.11 asks for.
/// timeout: nanoseconds.
///
/// MP_ERR_AUTH: the other end does not accept the key, or sends something else.
/// MP_ERR_TIMEOUT: it did not ask, or judge, in time. The conversation cannot be taken up again.
/// MP_ERR_INVALID: the key has no such length.
/// MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_answer_challenge(
    connection: *mut mp_connection,
    key: *const c_void,
    key_size: usize,
    allow_md5: bool,
    timeout: mp_timeout,
) -> mp_status {
    // SAFETY: as above.
    let key = || unsafe { self::key(key, key_size, allow_md5) };
    converse("mp_connection_answer_challenge", connection, key, timeout, Connection::answer_challenge)
}

fn converse(
    name: &'static str,
    connection: *mut mp_connection,
    key: impl FnOnce() -> Result<Key>,
    timeout: mp_timeout,
    part: fn(&Connection, Key, Deadline) -> Result<()>,
) -> mp_status {
    guard(name, || {
        let deadline = Deadline::after(timeout);
        let connection = handle::object(connection)?;
        part(&connection, key()?, deadline)?;
        Ok(Status::Ok)
    })
}

/// # Safety
/// `bytes` is NULL or points to `size` bytes.
unsafe fn key(bytes: *const c_void, size: usize, allow_md5: bool) -> Result<Key> {
    // SAFETY: the caller's promise.
    match unsafe { listener::key(bytes, size, allow_md5) }? {
        Some(key) => Ok(key),
        None => fail!(Invalid, "the key is NULL"),
    }
}
