//! Messages through a connection without a copy: written where they will lie, and read where they
//! are. Others send and receive meanwhile. Through a pipe they go in shared memory; over a socket,
//! where the same calls work, each is copied once on its way out, and once on its way in. For
//! messages of some dozens of KiB and more; smaller ones are faster copied.

use super::connection::mp_connection;
use super::guard::{guard, out};
use super::handle;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::Status;
use crate::time::Deadline;
use core::ffi::c_void;

/// Makes room for a message of at most len bytes, which the caller then writes there, and sends by
/// mp_connection_commit or gives up by mp_connection_cancel. It is in no order with others before
/// the commit.
///
/// len: bytes. data: where the room's address goes, at a multiple of 64. The bytes are undefined.
///
/// MP_ERR_INVALID: data is NULL, or len is more than max_message, as of mp_connection_send.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_STATE: this end only receives, or belongs to another process.
/// MP_ERR_NO_MEMORY: there is no memory for so much.
///
/// Threads: any thread of this process may commit or cancel it, one of them.
/// Fork: a child has no part in what its parent reserved.
/// Kill: what a killed process had reserved is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_reserve(
    connection: *mut mp_connection,
    len: usize,
    data: *mut *mut c_void,
) -> mp_status {
    guard("mp_connection_reserve", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(data, "data") }?;
        place.write(handle::object(connection)?.reserve(len)?.cast());
        Ok(Status::Ok)
    })
}

/// Sends what was written to the room at data, waiting for up to timeout until the connection
/// takes it. The room is the caller's no more; after a failure it still is.
///
/// Through a pipe it goes whole, or not at all. Each way of a pipe has room for 16 messages that
/// were lent or carry handles, of together at most a MiB; a longer one goes when there is no other.
///
/// data: from mp_connection_reserve of the same connection. len: how many of its bytes are the
///     message, at most as many as were reserved.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: nothing is reserved there, or less than len.
/// MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE, MP_ERR_NO_MEMORY, MP_ERR_OS: as
///     mp_connection_send.
///
/// Kill: a process killed in here has sent the whole message through a pipe, or nothing; over a
/// socket, as mp_connection_send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_commit(
    connection: *mut mp_connection,
    data: *mut c_void,
    len: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_commit", || {
        let deadline = Deadline::after(timeout);
        handle::object(connection)?.commit(data.addr(), len, deadline)?;
        Ok(Status::Ok)
    })
}

/// Gives up the room at data, also of an end that was closed.
///
/// data: from mp_connection_reserve of the same connection.
///
/// MP_ERR_INVALID: nothing is reserved there.
/// MP_ERR_STATE: this end belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_cancel(
    connection: *mut mp_connection,
    data: *mut c_void,
) -> mp_status {
    guard("mp_connection_cancel", || {
        handle::object(connection)?.cancel(data.addr())?;
        Ok(Status::Ok)
    })
}

/// Receives the next message to be read where it is, waiting for one for up to timeout. One that
/// was not sent by mp_connection_commit, or came over a socket, is copied, once.
///
/// data: where the message's address goes, aligned for any type: until mp_connection_release, or
///     mp_connection_free, it stays there. An empty message's address is not to be followed.
/// len: how many bytes it has goes here.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: data or len is NULL.
/// MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_UNSUPPORTED, MP_ERR_STATE, MP_ERR_OS: as
///     mp_connection_recv.
/// MP_ERR_NO_MEMORY: there is no memory to write down that this process has the message, or for
///     its copy. What has come of it is kept.
///
/// Threads: any thread of this process may release it, one of them.
/// Fork: a child has no part in what its parent peeked.
/// Kill: as with mp_connection_recv a message is received once: what a killed process had peeked
/// goes with it. A queue hands such out again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_peek(
    connection: *mut mp_connection,
    data: *mut *const c_void,
    len: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_peek", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, len) = unsafe { (out(data, "data")?, out(len, "len")?) };
        let (at, bytes) = handle::object(connection)?.peek(deadline)?;
        place.write(at.cast());
        len.write(bytes);
        Ok(Status::Ok)
    })
}

/// Ends the reading of a peeked message, also of an end that was closed. The message is then gone.
///
/// data: from mp_connection_peek of the same connection.
///
/// MP_ERR_INVALID: nothing was peeked there.
/// MP_ERR_STATE: this end belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_release(
    connection: *mut mp_connection,
    data: *const c_void,
) -> mp_status {
    guard("mp_connection_release", || {
        handle::object(connection)?.release(data.addr())?;
        Ok(Status::Ok)
    })
}
