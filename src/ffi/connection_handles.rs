//! Handles through a pipe: as in a queue's messages, who receives one has handles of its own to
//! the same objects; and connections and listeners besides, whose descriptors go along.

use super::buffer::mp_buffer;
use super::cargo::{Cargo, Way};
use super::connection::mp_connection;
use super::guard::{self, guard, guard_or, out};
use super::handle;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status};
use crate::time::Deadline;
use core::ffi::{c_int, c_void};

/// Sends a message through a pipe which carries handles besides. mp_connection_send_fds has it carry
/// descriptors of the program's, too. The pipe holds what they stand for until the message was
/// received, or nobody has either end any more; the caller may free its own at once. Only
/// mp_connection_recv_buffer receives such a message, and mp_buffer_handle takes the handles out.
///
/// It lies outside the rings, whatever its length: it goes whole, or not at all. Each way of a pipe
/// has room for 16 messages that carry handles or were lent (mp_connection_commit), of together at
/// most a MiB; a longer one goes when there is no other.
///
/// data: may be NULL where len is 0. len: bytes.
/// handles: as of mp_queue_put_handles, and connections and listeners, of which a copy goes, as
///     into a child: the caller's own stay open until they are freed. May be NULL where count is
///     0, and the message is then as mp_connection_send sends it.
/// count: how many, at most 65,536, of which at most 253 may be connections and listeners.
/// timeout: nanoseconds.
///
/// MP_ERR_UNSUPPORTED: the connection is no pipe: over a socket, the other end may be another
///     program's; or a handle is of an object with a name, or for one process only.
/// MP_ERR_BAD_HANDLE: one of them is NULL, or was freed.
/// MP_ERR_INVALID: handles is NULL, count is more than 65,536, or more than 253 of them are
///     connections and listeners; or one is an end of the pipe itself.
/// MP_ERR_TIMEOUT: the other end did not take enough of what was sent before.
/// MP_ERR_EOF: as mp_connection_send.
/// MP_ERR_CLOSED: this end was closed, or one of the handles.
/// MP_ERR_STATE: this end only receives, or belongs to another process; or a connection among the
///     handles is in the middle of a message.
/// MP_ERR_NO_MEMORY: the shared memory is used up.
/// MP_ERR_OS: no descriptor is free, or the kernel takes no more that are on their way.
///
/// Threads: as mp_connection_send.
/// Kill: of a process killed in here the message and its handles are in the pipe, or nothing is.
/// What a message holds is freed once, whoever dies with it: a connection that nobody receives is
/// closed with the last process that has the pipe. Two pipes that are in messages of each other
/// stay for as long as the tree of processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_send_handles(
    connection: *mut mp_connection,
    data: *const c_void,
    len: usize,
    handles: *const *const c_void,
    count: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_send_handles", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (bytes, cargo) = unsafe { (guard::bytes(data, len)?, Cargo::of(handles, count, Way::Pipe)?) };
        send(connection, bytes, &cargo, deadline)
    })
}

fn send(connection: *mut mp_connection, bytes: &[u8], cargo: &Cargo, deadline: Deadline) -> Result<Status> {
    let connection = handle::object(connection)?;
    match cargo.contents() {
        [] => connection.send(bytes, deadline)?,
        contents => connection.send_handles(bytes, contents, cargo.carried(), deadline)?,
    }
    Ok(Status::Ok)
}

/// Sends a message as mp_connection_send_handles does, which carries descriptors of the program's,
/// of any files, besides. mp_buffer_fd takes them out of what mp_connection_recv_buffer receives.
///
/// data: may be NULL where len is 0. len: bytes.
/// handles: as of mp_connection_send_handles. count: how many.
/// fds: the descriptors, of which copies go: the caller's own stay open. May be NULL where fd_count
///     is 0. fd_count: how many; together with the connections and listeners among the handles at
///     most 253.
/// timeout: nanoseconds.
///
/// MP_ERR_INVALID: fds is NULL, or there are more than 253; or as mp_connection_send_handles.
/// MP_ERR_OS: one of fds is closed, no descriptor is free, or the kernel takes no more that are on
///     their way.
/// MP_ERR_UNSUPPORTED, MP_ERR_BAD_HANDLE, MP_ERR_TIMEOUT, MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE,
///     MP_ERR_NO_MEMORY: as mp_connection_send_handles.
///
/// Threads: as mp_connection_send.
/// Kill: as mp_connection_send_handles. A descriptor that nobody receives is closed with the last
/// process that has the pipe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_send_fds(
    connection: *mut mp_connection,
    data: *const c_void,
    len: usize,
    handles: *const *const c_void,
    count: usize,
    fds: *const c_int,
    fd_count: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_send_fds", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (bytes, cargo) =
            unsafe { (guard::bytes(data, len)?, Cargo::of(handles, count, Way::Pipe)?.with(fds, fd_count)?) };
        send(connection, bytes, &cargo, deadline)
    })
}

/// How many descriptors came with a message; 0 with mp_last_error() for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_fds(buffer: *const mp_buffer) -> usize {
    guard_or("mp_buffer_fds", 0, || Ok(handle::object(buffer)?.descriptors()))
}

/// A descriptor that came with a message: another one at each call, of the same file, for the
/// caller to close. It is close-on-exec. A buffer that is freed closes its own.
///
/// index: from 0, in the order in which they were sent. fd: where it goes.
///
/// MP_ERR_INVALID: there is none of this index, or fd is NULL.
/// MP_ERR_OS: no descriptor is free.
/// MP_ERR_STATE: the message was overwritten by a stray pointer.
///
/// Threads: any number at a time, but mp_buffer_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_fd(buffer: *mut mp_buffer, index: usize, fd: *mut c_int) -> mp_status {
    guard("mp_buffer_fd", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(fd, "fd")? };
        place.write(handle::object(buffer)?.descriptor(index)?);
        Ok(Status::Ok)
    })
}
