//! Connections: messages between two ends, each a sequence of bytes, also none at all, received
//! whole and in the order in which they were sent. Over a socket goes what Python's
//! multiprocessing.connection sends by send_bytes, so that the other end may be a Python
//! program's. A pipe's messages go through shared memory.
//!
//! An end is closed for the other one when nobody has it any more. A child that libmp starts has
//! the ends that it was handed and no others. Any number of processes may have the same end of a
//! pipe: each message goes to one of them, whole, whoever else sends or is killed meanwhile. A
//! socket's end is one process's at a time: two that send through it mix their messages up.
//!
//! A child that the program forks itself has a copy of every end that is open, as of a descriptor,
//! under the same handle, and frees the copies that it has no use for, or execs. What its parent
//! was sending or receiving through a socket stays its parent's: that way says MP_ERR_STATE in the
//! child. So does a handle whose end was closed before the fork, or belongs to the parent of a
//! child that libmp started; and a pipe that all others had freed when the child first used it.

use super::buffer::{Buffer, mp_buffer};
use super::guard::{self, bytes_out, guard, initialise, joined, options, out, write_to};
use super::handle;
use super::scope;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::time::Deadline;
use crate::wire::Connection;
use core::ffi::{c_int, c_void};
use std::os::fd::IntoRawFd;

/// One end of a connection.
pub struct mp_connection {
    _private: [u8; 0],
}

/// Options of mp_connection_from_fd.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_connection_options {
    /// sizeof(mp_connection_options).
    pub size: usize,
    /// It can receive.
    pub readable: bool,
    /// It can send.
    pub writable: bool,
    /// The most bytes of a message, either way: what announces a longer one is not received, and
    /// no memory is taken for it. 0 for any number.
    pub max_message: usize,
}

// mp.h:
// /* The defaults: mp_connection_options o = MP_CONNECTION_OPTIONS; */
// #define MP_CONNECTION_OPTIONS { sizeof(mp_connection_options), true, true, 0 }

const DEFAULTS: mp_connection_options = mp_connection_options {
    size: size_of::<mp_connection_options>(),
    readable: true,
    writable: true,
    max_message: 0,
};

/// MP_CONNECTION_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_connection_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_options_init(
    options: *mut mp_connection_options,
    size: usize,
) -> mp_status {
    guard("mp_connection_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// A new handle for a connection.
pub(super) fn new_handle(connection: Connection) -> Result<*mut mp_connection> {
    handle::new_boxed(connection)
}

/// Makes an end of a socket that the program has: a connected one that carries a stream. On
/// success the descriptor belongs to the connection, which makes it close-on-exec and closes it.
///
/// connection: where the handle goes. fd: the descriptor. options: NULL for the defaults.
///
/// MP_ERR_INVALID: fd is closed, or the end can neither receive nor send.
/// MP_ERR_UNSUPPORTED: fd is something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_from_fd(
    connection: *mut *mut mp_connection,
    fd: c_int,
    options: *const mp_connection_options,
) -> mp_status {
    guard("mp_connection_from_fd", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(connection, "connection")?, self::options(options, DEFAULTS)?) };
        if !options.readable && !options.writable {
            fail!(Invalid, "an end that can neither receive nor send is none");
        }
        joined()?;
        let most = if options.max_message == 0 { usize::MAX } else { options.max_message };
        place.write(new_handle(Connection::from_fd(fd, options.readable, options.writable, most)?)?);
        Ok(Status::Ok)
    })
}

/// Sends a message.
///
/// data: may be NULL where len is 0. len: bytes, of any number, or up to max_message of the
///     options of what the connection is from: a listener, a client or a descriptor.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: the other end did not take it in time. Nothing of it was sent, or a part,
///     which cannot be taken back: sending the same bytes again then goes on with it, and
///     another message goes behind it.
/// MP_ERR_EOF: the other end is closed. No SIGPIPE is raised. Of a pipe whose other end was
///     killed, and that nobody has joined yet, what still fits is sent to nobody.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_STATE: this end only receives, or belongs to another process.
/// MP_ERR_INVALID: the message is longer than max_message, and nothing was sent; or data is NULL,
///     and len is not 0.
/// MP_ERR_NO_MEMORY: the time ran out in the middle, and there was no memory to keep the rest;
///     nothing more can be sent.
/// MP_ERR_OS: the network failed; or the kernel had no memory to tell who polls a pipe, and it is
///     as after MP_ERR_TIMEOUT.
///
/// Threads: messages of several threads do not mix; each waits for its turn within its timeout.
/// Kill: of a process killed in here the other end receives the whole message, or what it had
/// sent before and then MP_ERR_EOF; where others have the same end of a pipe, what they send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_send(
    connection: *mut mp_connection,
    data: *const c_void,
    len: usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_send", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        handle::object(connection)?.send(unsafe { guard::bytes(data, len) }?, deadline)?;
        Ok(Status::Ok)
    })
}

/// Receives the next message into the caller's buffer.
///
/// buffer: where its bytes go, and may be written to also on failure; may be NULL where size is
///     0.
/// size: bytes of the buffer.
/// len: how many bytes the message has goes here; may be NULL.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: no whole message came. What has come of it is kept for the next call.
/// MP_ERR_TOO_SMALL: the message does not fit into the buffer. It stays the next one, and its
///     length is in len.
/// MP_ERR_EOF: the other end is closed and all it sent was received; or it was closed, or killed,
///     in the middle of a message, as the sentence then says.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_UNSUPPORTED: the message carries handles or descriptors, and stays the next one:
///     mp_connection_recv_buffer receives it.
/// MP_ERR_STATE: this end only sends, or belongs to another process; or what comes next is a
///     descriptor, which mp_connection_recv_fd receives.
/// MP_ERR_NO_MEMORY: the time ran out in the middle, and there was no memory to keep what had
///     come; nothing more can be received. Or the kernel had none, and what has come is kept for
///     the next call.
/// MP_ERR_OS: the network failed; or EBADMSG: what came is no message, or is longer than
///     max_message, and nothing more can be received.
///
/// Threads: each message goes to one thread.
/// Kill: a message that a killed process was receiving goes to another one that has the same end
/// of the pipe, unless it is a long one that had begun to come: that is lost. So is a long one
/// whose sender was killed in the middle: another's comes in its place. Of a killed sender the
/// end comes at once, or within 75 ms to who has waited for less than that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_recv(
    connection: *mut mp_connection,
    buffer: *mut c_void,
    size: usize,
    len: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_recv", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let room = unsafe { bytes_out(buffer, size) }?;
        // SAFETY: as above.
        let tell = |bytes| unsafe { write_to(len, bytes) };
        handle::object(connection)?.receive_into(room, deadline, tell)?;
        Ok(Status::Ok)
    })
}

/// Receives the next message into a new buffer, and with it its handles and descriptors, see
/// mp_buffer_handle and mp_buffer_fd. The buffer's memory grows with what comes: a length alone,
/// however large, takes none.
///
/// buffer: where the buffer goes, which is the caller's to free.
/// most: the most bytes that the message may have; SIZE_MAX for any number.
/// len: how many bytes the message has goes here; may be NULL.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: no whole message came. What has come of it is kept for the next call.
/// MP_ERR_TOO_SMALL: the message has more bytes than most. It stays the next one, and its length
///     is in len.
/// MP_ERR_NO_MEMORY: there is no memory for the message, no handle for the buffer, or no room to
///     write down that this process has the message's handles. What has come of it is kept; one
///     with handles stays the next one.
/// MP_ERR_EOF, MP_ERR_CLOSED, MP_ERR_STATE: as mp_connection_recv.
/// MP_ERR_OS: as mp_connection_recv; or connections, listeners or descriptors come with the
///     message, and this process has no room for them: it stays the next one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_recv_buffer(
    connection: *mut mp_connection,
    buffer: *mut *mut mp_buffer,
    most: usize,
    len: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_recv_buffer", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(buffer, "buffer") }?;
        // SAFETY: as above.
        let tell = |bytes| unsafe { write_to(len, bytes) };
        let connection = handle::object(connection)?;
        // Without a handle no message is taken.
        let room = handle::room()?;
        let (message, load) = connection.receive_laden(most, deadline, tell)?;
        place.write(room.put(Buffer::laden(message, load)));
        Ok(Status::Ok)
    })
}

/// Waits until there is something to receive: a message or its beginning, a descriptor, or the
/// end.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: nothing came.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_STATE: this end only sends, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_poll(
    connection: *mut mp_connection,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_poll", || {
        handle::object(connection)?.poll(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Sends a descriptor, which the other process then has, too: of the same file, under a number of
/// its own. On the wire it is what Python's multiprocessing.reduction.send_handle sends. It goes
/// between two messages, and the other end has to expect it there.
///
/// fd: stays the caller's.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: the other end did not take it in time. It was not sent.
/// MP_ERR_UNSUPPORTED: the connection does not stay on this machine.
/// MP_ERR_EOF: the other end is closed.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_STATE: this end only receives, or belongs to another process.
/// MP_ERR_OS: there is no such descriptor, or it cannot be sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_send_fd(
    connection: *mut mp_connection,
    fd: c_int,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_send_fd", || {
        handle::object(connection)?.send_fd(fd, Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Receives a descriptor, which is the caller's to close. It is close-on-exec.
///
/// fd: where its number goes.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: nothing came.
/// MP_ERR_UNSUPPORTED: the connection does not stay on this machine.
/// MP_ERR_STATE: what comes next is a message, which stays the next one; or this end only sends,
///     or belongs to another process.
/// MP_ERR_EOF: the other end is closed.
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_OS: this process has no room for one more: through a pipe the descriptor then stays what
///     comes next, and over a socket it is lost; or as mp_connection_recv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_recv_fd(
    connection: *mut mp_connection,
    fd: *mut c_int,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_connection_recv_fd", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(fd, "fd") }?;
        place.write(handle::object(connection)?.receive_fd(Deadline::after(timeout))?.into_raw_fd());
        Ok(Status::Ok)
    })
}

/// A descriptor for poll and epoll: it is readable when there is something to receive. It stays
/// the connection's; do not read, write or close it. Where a call has given up in the middle of a
/// message, what has come of that is the library's already. A socket's is the socket. A pipe's is
/// for polling only, and whoever asks for it has each message cost some system calls more. Where
/// several processes poll the same end it is readable for all of them until one has received what
/// is there, and MP_NO_WAIT may find nothing.
///
/// fd: where its number goes.
///
/// MP_ERR_CLOSED: this end was closed.
/// MP_ERR_STATE: this end belongs to another process.
/// MP_ERR_OS: no descriptor is free.
///
/// Kill: it is readable while there is something to receive, whoever was killed while it sent or
/// received. Only what was being sent when it was asked for the first time, by one that was killed
/// in there, may be noticed with the next message, or with the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_fileno(connection: *const mp_connection, fd: *mut c_int) -> mp_status {
    guard("mp_connection_fileno", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(fd, "fd") }?;
        place.write(handle::object(connection)?.descriptor()?);
        Ok(Status::Ok)
    })
}

/// Whether this end can receive, be it closed or not.
///
/// readable: where the answer goes.
///
/// MP_ERR_STATE: this end belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_readable(
    connection: *const mp_connection,
    readable: *mut bool,
) -> mp_status {
    guard("mp_connection_readable", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(readable, "readable") }?;
        place.write(handle::object(connection)?.can_receive());
        Ok(Status::Ok)
    })
}

/// Whether this end can send, be it closed or not.
///
/// writable: where the answer goes.
///
/// MP_ERR_STATE: this end belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_writable(
    connection: *const mp_connection,
    writable: *mut bool,
) -> mp_status {
    guard("mp_connection_writable", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(writable, "writable") }?;
        place.write(handle::object(connection)?.can_send());
        Ok(Status::Ok)
    })
}

/// Whether this end was closed by mp_connection_close.
///
/// closed: where the answer goes.
///
/// MP_ERR_STATE: this end belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_closed(
    connection: *const mp_connection,
    closed: *mut bool,
) -> mp_status {
    guard("mp_connection_closed", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(closed, "closed") }?;
        place.write(handle::object(connection)?.is_closed());
        Ok(Status::Ok)
    })
}

/// Closes this end. What it sent can still be received. Again is fine.
///
/// MP_ERR_STATE: this end belongs to another process.
///
/// Threads: one that waits in another call on it leaves that with MP_ERR_CLOSED, within half a
/// second; the other end learns of it after that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_close(connection: *mut mp_connection) -> mp_status {
    guard("mp_connection_close", || {
        handle::object(connection)?.close();
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// /* MP_WITH_CONNECTION(connection) { ... } closes and frees the connection on every way out of the
//  * braces, see MP_WITH_LOCK. One that was closed before is passed over, and is still there. */
// #define MP_WITH_CONNECTION(connection) MP_SCOPE_(mp_connection, connection)
// #endif

/// The begin of MP_WITH_CONNECTION. Answers the handle, or NULL with mp_last_error() where the
/// connection was closed, or is another process's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_enter(connection: *mut mp_connection) -> *mut mp_connection {
    scope::enter(connection, |wanted| {
        guard("mp_connection_enter", || {
            if handle::object(wanted)?.is_closed() {
                fail!(Closed, "the connection was closed");
            }
            Ok(Status::Ok)
        })
    })
}

/// The end of MP_WITH_CONNECTION: closes and frees it, and sets the pointer to NULL.
///
/// connection: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_leave(connection: *mut *mut mp_connection) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(connection, |held| mp_connection_free(held)) }
}

/// Closes this end, and frees the handle. NULL is fine.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connection_free(connection: *mut mp_connection) -> mp_status {
    guard("mp_connection_free", || {
        if !connection.is_null() {
            handle::object(connection)?.close();
        }
        handle::free_boxed(connection)
    })
}
