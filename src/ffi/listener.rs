//! Listeners and clients: connections between processes that need not be related, also on
//! different machines. What is said is what Python's multiprocessing.connection says, so that a
//! Client of Python's can connect to a listener of libmp's, and the other way round.
//!
//! An address is text. "/tmp/x" and "./x" are sockets in the file system, which only their user
//! can connect to; "@name" is one without a file, which goes with its listener whatever becomes
//! of that; "127.0.0.1:80", "[::1]:80" and "host:80" are TCP; "vsock:2:80" is a port of the
//! virtual machines' sockets, with the number of a machine, or any, before it. "unix:",
//! "abstract:" or "tcp:" before an address says what it is, where that could be mistaken. Port 0
//! is one that the system chooses.
//!
//! With a key both sides prove that they know it before anything else is sent: each sends random
//! bytes, and the other answers with their HMAC-SHA-256. The key itself is not sent. What follows
//! is neither encrypted nor signed.

use super::connection::{mp_connection, new_handle};
use super::guard::{self, guard, initialise, joined, options, out};
use super::handle;
use super::scope;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::time::Deadline;
use crate::wire::{self, Key, Listener, Rules};
use core::ffi::{CStr, c_char, c_int, c_void};

/// Who waits for clients at an address.
pub struct mp_listener {
    _private: [u8; 0],
}

/// Options of mp_listener_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_listener_options {
    /// sizeof(mp_listener_options).
    pub size: usize,
    /// So many clients may wait to be accepted; the system has a limit of its own.
    pub backlog: c_int,
    /// What a client has to know; copied. NULL: everybody is let in.
    pub key: *const c_void,
    /// Bytes of key, from 1 to 65,536 where there is one.
    pub key_size: usize,
    /// Also clients that know only HMAC-MD5 are let in: those of CPython up to 3.11.
    pub allow_md5: bool,
    /// At an address that begins with @, also clients of other users are let in. root always is.
    pub any_user: bool,
    /// How long a client may take to prove the key, in nanoseconds; 0 for 10 seconds. Others do
    /// not wait for it.
    pub handshake_timeout: mp_timeout,
    /// The most bytes of a message, either way, once the key is proved: what announces a longer
    /// one is not received, whatever it is, and no memory is taken for it. 0 for 1 GiB, SIZE_MAX
    /// for any number.
    pub max_message: usize,
}

/// Options of mp_client_connect.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_client_options {
    /// sizeof(mp_client_options).
    pub size: usize,
    /// What both sides know; copied. NULL: nothing is proved.
    pub key: *const c_void,
    /// Bytes of key, from 1 to 65,536 where there is one.
    pub key_size: usize,
    /// Also a listener that knows only HMAC-MD5 will do: one of CPython up to 3.11.
    pub allow_md5: bool,
    /// At an address that begins with @, also another user's listener will do. root's always
    /// does.
    pub any_user: bool,
    /// As a listener's.
    pub max_message: usize,
}

// mp.h:
// /* The defaults: mp_listener_options o = MP_LISTENER_OPTIONS; */
// #define MP_LISTENER_OPTIONS { sizeof(mp_listener_options), 128, NULL, 0, false, false, 0, 0 }
// /* The defaults: mp_client_options o = MP_CLIENT_OPTIONS; */
// #define MP_CLIENT_OPTIONS { sizeof(mp_client_options), NULL, 0, false, false, 0 }

/// Nanoseconds for a handshake where none are given.
const PATIENCE: mp_timeout = 10_000_000_000;
/// Bytes of a message where no limit is given.
const MOST: usize = 1 << 30;

const LISTENER_DEFAULTS: mp_listener_options = mp_listener_options {
    size: size_of::<mp_listener_options>(),
    backlog: 128,
    key: std::ptr::null(),
    key_size: 0,
    allow_md5: false,
    any_user: false,
    handshake_timeout: 0,
    max_message: 0,
};

const CLIENT_DEFAULTS: mp_client_options = mp_client_options {
    size: size_of::<mp_client_options>(),
    key: std::ptr::null(),
    key_size: 0,
    allow_md5: false,
    any_user: false,
    max_message: 0,
};

/// MP_LISTENER_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_listener_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_options_init(
    options: *mut mp_listener_options,
    size: usize,
) -> mp_status {
    guard("mp_listener_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, LISTENER_DEFAULTS) }
    })
}

/// MP_CLIENT_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_client_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_client_options_init(options: *mut mp_client_options, size: usize) -> mp_status {
    guard("mp_client_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, CLIENT_DEFAULTS) }
    })
}

/// The most bytes of a message.
fn most(given: usize) -> usize {
    if given == 0 { MOST } else { given }
}

/// What is known to both sides; None for NULL.
///
/// # Safety
/// `bytes` is NULL or points to `size` bytes.
pub(super) unsafe fn key(bytes: *const c_void, size: usize, allow_md5: bool) -> Result<Option<Key>> {
    if bytes.is_null() && size == 0 {
        return Ok(None);
    }
    if size == 0 || size > 65_536 {
        fail!(Invalid, "a key has 1 to 65,536 bytes, and this one has {size}");
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { guard::bytes(bytes, size) }?;
    Ok(Some(Key { bytes: bytes.into(), allow_md5 }))
}

/// Makes a listener. Clients can connect from now on, and wait until they are accepted.
///
/// listener: where the handle goes.
/// address: text, ended by a zero; NULL for one that begins with @ and that nobody can guess.
/// options: NULL for the defaults.
///
/// MP_ERR_EXISTS: somebody has the address. A file that is in the way and that a listener of the
///     same user left behind, which was killed, is removed.
/// MP_ERR_INVALID: address is no address, or longer than a socket's may be (107 bytes); the key
///     has no such length; backlog is less than 1; or handshake_timeout is negative.
/// MP_ERR_NOT_FOUND: there is no such host.
/// MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
/// MP_ERR_OS: the address cannot be had, or no descriptor is free.
///
/// Threads: to find out the address of a host by its name takes as long as the system's resolver
/// takes.
/// Fork: a child of libmp's gets a listener as an argument. One that the program forks itself has a
/// copy under the same handle, so that several processes accept; its parent's clients who wait
/// stay its parent's.
/// Kill: a socket's file stays behind, for the next listener to remove; nothing else does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_new(
    listener: *mut *mut mp_listener,
    address: *const c_char,
    options: *const mp_listener_options,
) -> mp_status {
    guard("mp_listener_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) =
            unsafe { (out(listener, "listener")?, self::options(options, LISTENER_DEFAULTS)?) };
        if options.backlog < 1 {
            fail!(Invalid, "the backlog is {}", options.backlog);
        }
        if options.handshake_timeout < 0 {
            fail!(Invalid, "the handshake's timeout is {}", options.handshake_timeout);
        }
        let rules = Rules {
            // SAFETY: as above.
            key: unsafe { key(options.key, options.key_size, options.allow_md5) }?,
            any_user: options.any_user,
            patience: match options.handshake_timeout {
                0 => PATIENCE,
                given => given,
            },
            most: most(options.max_message),
        };
        // SAFETY: as above: NULL or a string.
        let address = (!address.is_null()).then(|| unsafe { CStr::from_ptr(address) }.to_bytes());
        joined()?;
        crate::process::own::expect_end();
        place.write(handle::new_boxed(Listener::new(address, options.backlog, rules)?)?);
        Ok(Status::Ok)
    })
}

/// Waits for a client and, with a key, until it has proved that it knows it. While one takes its
/// time others are let in.
///
/// connection: where the handle goes.
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: no client came, or those who came are not through.
/// MP_ERR_AUTH: a client was not let in: it does not know the key, does not speak the protocol,
///     went away or took too long to prove the key, or is another user's. The listener goes on.
/// MP_ERR_CLOSED: the listener was closed.
/// MP_ERR_STATE: it belongs to another process.
/// MP_ERR_OS: no descriptor is free. The client still waits, and the listener goes on.
/// MP_ERR_NO_MEMORY: there is no handle for the connection. So it is then.
///
/// Threads: any number may accept; each client goes to one.
/// Kill: clients who wait are accepted by other processes that have the listener, if any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_accept(
    listener: *mut mp_listener,
    connection: *mut *mut mp_connection,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_listener_accept", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(connection, "connection") }?;
        let listener = handle::object(listener)?;
        let room = handle::room()?;
        place.write(room.put(listener.accept(deadline)?));
        Ok(Status::Ok)
    })
}

/// The address, with the port that the system has chosen. A client may use it as it is, unless it
/// means any address of the machine.
///
/// address: room for text and the zero that ends it. size: bytes of room.
/// needed: how many bytes it takes goes here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size.
/// MP_ERR_INVALID: address is NULL, and size is not 0.
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_address(
    listener: *const mp_listener,
    address: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_listener_address", || {
        let listener = handle::object(listener)?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(address, size, needed, listener.address()) }?;
        Ok(Status::Ok)
    })
}

/// Where the client came from that was accepted last: "" for a socket of this machine, which
/// mostly has no address.
///
/// address: room for text and the zero that ends it. size: bytes of room.
/// needed: how many bytes it takes goes here; may be NULL.
///
/// MP_ERR_STATE: none was accepted yet, or the listener belongs to another process.
/// MP_ERR_TOO_SMALL: it takes more than size.
/// MP_ERR_INVALID: address is NULL, and size is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_last_accepted(
    listener: *const mp_listener,
    address: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_listener_last_accepted", || {
        let Some(from) = handle::object(listener)?.last_accepted() else {
            fail!(State, "no client was accepted yet")
        };
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(address, size, needed, &from) }?;
        Ok(Status::Ok)
    })
}

/// A descriptor for poll and epoll: when it is readable, mp_listener_accept with MP_NO_WAIT is
/// due, which may still say MP_ERR_TIMEOUT. It stays the listener's.
///
/// fd: where its number goes.
///
/// MP_ERR_CLOSED: the listener was closed.
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_fileno(listener: *const mp_listener, fd: *mut c_int) -> mp_status {
    guard("mp_listener_fileno", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(fd, "fd") }?;
        place.write(handle::object(listener)?.descriptor()?);
        Ok(Status::Ok)
    })
}

/// Closes the listener. Its socket's file goes, if this process has made it; whoever was not
/// accepted yet sees the end; connections that were stay. Again is fine. A process does this at
/// its normal end.
///
/// MP_ERR_STATE: it belongs to another process.
///
/// Threads: one that waits in another call on it leaves that with MP_ERR_CLOSED, within half a
/// second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_close(listener: *mut mp_listener) -> mp_status {
    guard("mp_listener_close", || {
        handle::object(listener)?.close();
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// /* MP_WITH_LISTENER(listener) { ... } closes and frees the listener on every way out of the
//  * braces, see MP_WITH_LOCK. One that was closed before is passed over, and is still there. */
// #define MP_WITH_LISTENER(listener) MP_SCOPE_(mp_listener, listener)
// #endif

/// The begin of MP_WITH_LISTENER. Answers the handle, or NULL with mp_last_error() where the
/// listener was closed, or is another process's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_enter(listener: *mut mp_listener) -> *mut mp_listener {
    scope::enter(listener, |wanted| {
        guard("mp_listener_enter", || {
            if handle::object(wanted)?.is_closed() {
                fail!(Closed, "the listener was closed");
            }
            Ok(Status::Ok)
        })
    })
}

/// The end of MP_WITH_LISTENER: closes and frees it, and sets the pointer to NULL.
///
/// listener: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_leave(listener: *mut *mut mp_listener) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(listener, |held| mp_listener_free(held)) }
}

/// Closes the listener, and frees the handle. NULL is fine.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_listener_free(listener: *mut mp_listener) -> mp_status {
    guard("mp_listener_free", || {
        if !listener.is_null() {
            handle::object(listener)?.close();
        }
        handle::free_boxed(listener)
    })
}

/// Connects to a listener, and proves the key if there is one.
///
/// connection: where the handle goes.
/// address: text, ended by a zero.
/// options: NULL for the defaults.
/// timeout: nanoseconds for all of it.
///
/// MP_ERR_NOT_FOUND: nobody listens there, or there is no such host.
/// MP_ERR_TIMEOUT: the listener has too many clients waiting, or does not say anything.
/// MP_ERR_AUTH: the listener does not know the key, does not accept it, or speaks something else;
///     or it is another user's.
/// MP_ERR_EOF: the listener closed the connection before the key was proved.
/// MP_ERR_INVALID: address is NULL or no address, or the key has no such length.
/// MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
/// MP_ERR_OS: the address cannot be reached, or no descriptor is free.
///
/// Threads: to find out the address of a host by its name takes as long as the system's resolver
/// takes, whatever the timeout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_client_connect(
    connection: *mut *mut mp_connection,
    address: *const c_char,
    options: *const mp_client_options,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_client_connect", || {
        let deadline = Deadline::after(timeout);
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) =
            unsafe { (out(connection, "connection")?, self::options(options, CLIENT_DEFAULTS)?) };
        if address.is_null() {
            fail!(Invalid, "address is NULL");
        }
        // SAFETY: as above: a string.
        let address = unsafe { CStr::from_ptr(address) }.to_bytes();
        // SAFETY: as above.
        let key = unsafe { key(options.key, options.key_size, options.allow_md5) }?;
        joined()?;
        let most = most(options.max_message);
        place.write(new_handle(wire::connect(address, key, options.any_user, most, deadline)?)?);
        Ok(Status::Ok)
    })
}
