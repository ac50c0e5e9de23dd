//! Managers: dicts, lists, queues, locks and other objects that a server keeps, for processes that
//! need not be relatives, nor on one machine. A process uses them through proxies.
//!
//! A manager is made by mp_manager_new, and then either started (a server in a process of its own,
//! which ends with the manager), or connected (to a server that is there), or it serves in the
//! caller's thread.

use super::buffer::{self, mp_buffer};
use super::child::Context;
use super::context::{self, mp_context};
use super::guard::{guard, initialise, joined, options, out};
use super::handle;
use super::item;
use super::listener;
use super::process::{self, mp_child};
use super::proxy;
use super::scope;
use super::shareable_list::mp_item;
use super::start::mp_function;
use super::status::mp_status;
use super::text;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::manager::{self, Limits, Manager, Plan};
use crate::process::Body;
use crate::time::Deadline;
use core::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

/// A manager.
pub struct mp_manager {
    _private: [u8; 0],
}

/// A managed object, as a process uses it. A handle of the process that has it; in a child by fork
/// it works, too, and holds the object from its first use there.
pub struct mp_proxy {
    _private: [u8; 0],
}

/// Options of mp_manager_new. What it points to is copied by mp_manager_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_manager_options {
    /// sizeof(mp_manager_options).
    pub size: usize,
    /// Where the server listens: "host:port", "/path" or "@name", as mp_listener_new has it. NULL:
    /// where nobody can guess.
    pub address: *const c_char,
    /// What clients have to know. NULL: the process's key, see mp_get_authkey.
    pub key: *const c_void,
    /// Bytes of key, from 1 to 65,536 where there is one.
    pub key_size: usize,
    /// At an address that begins with @, also clients of other users are let in that know the
    /// key; a client takes another user's server.
    pub any_user: bool,
    /// Of the server's process, an mp_start_method; 0 for the default one.
    pub start_method: c_int,
    /// Instead of start_method; NULL for none.
    pub context: *const mp_context,
    /// How long mp_manager_start waits until the server is ready, its initializer included, in
    /// nanoseconds; 0 for 30 seconds.
    pub start_timeout: mp_timeout,
    /// How long mp_manager_shutdown waits for the server's end before it sends SIGTERM, and then
    /// before it sends SIGKILL, in nanoseconds; 0 for one second. mp_manager_serve_forever waits so
    /// long for methods of registered types that still run.
    pub shutdown_timeout: mp_timeout,
    /// How long a call waits for the server's answer, in nanoseconds, beside the timeout that it
    /// has itself; 0 for 30 seconds.
    pub patience: mp_timeout,
    /// Called in the server's process when it begins; NULL for none.
    pub initializer: mp_function,
    /// The longest message that the server takes or sends, in bytes; 0 for 64 MiB.
    pub max_message: usize,
    /// What the server stores at most, in bytes, about, the memory of a SharedMemory and of a
    /// ShareableList included; 0 for 1 GiB. As much again may be on its way to and from clients.
    /// Where that is not enough it cuts off whoever holds up most of it, by not reading what it
    /// asked for or by sending half a message.
    pub max_stored: usize,
}

// mp.h:
// /* The defaults: mp_manager_options o = MP_MANAGER_OPTIONS; */
// #define MP_MANAGER_OPTIONS { sizeof(mp_manager_options), NULL, NULL, 0, false, MP_START_DEFAULT,  \
//     NULL, 0, 0, 0, NULL, 0, 0 }

const DEFAULTS: mp_manager_options = mp_manager_options {
    size: size_of::<mp_manager_options>(),
    address: std::ptr::null(),
    key: std::ptr::null(),
    key_size: 0,
    any_user: false,
    start_method: 0,
    context: std::ptr::null(),
    start_timeout: 0,
    shutdown_timeout: 0,
    patience: 0,
    initializer: None,
    max_message: 0,
    max_stored: 0,
};

/// MP_MANAGER_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_manager_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_options_init(options: *mut mp_manager_options, size: usize) -> mp_status {
    guard("mp_manager_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

fn time_or(given: mp_timeout, default: mp_timeout, name: &str) -> Result<mp_timeout> {
    match given {
        0 => Ok(default),
        1.. => Ok(given),
        _ => fail!(Invalid, "{name} is {given}"),
    }
}

fn start(manager: &Manager) -> Result<()> {
    let address = serve as *const () as usize;
    let body: Body = Arc::new(move |child| process::run_target(Some(address), 0, child));
    manager.start(body, address)
}

/// A server's body, under every start method.
unsafe extern "C-unwind" fn serve(child: *mut mp_child, _user: *mut c_void) -> c_int {
    let run =
        |context: &Context| manager::serve(context.child(), super::start::hook, super::object_type::HOOKS);
    handle::object(child).map_or(1, |context| run(&context))
}

/// Makes a manager that is neither started nor connected.
///
/// manager: where the handle goes.
/// options: NULL for the defaults.
///
/// MP_ERR_INVALID: a member of options is out of its range, or there are a context and a start
///     method.
/// MP_ERR_BAD_HANDLE: the context is none.
///
/// Fork: it belongs to the process that made it. Its objects' proxies can be used in children.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_new(
    manager: *mut *mut mp_manager,
    options: *const mp_manager_options,
) -> mp_status {
    guard("mp_manager_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(manager, "manager")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let or = |given: usize, default: usize| if given == 0 { default } else { given };
        // SAFETY: as above.
        let key = unsafe { listener::key(options.key, options.key_size, false) }?;
        // SAFETY: as above: NULL or a string.
        let address = unsafe { super::strings::optional(options.address) };
        let choice = context::chosen(options.context, options.start_method)?;
        let plan = Plan {
            address: address.map(|address| address.into_bytes()),
            key: key.map(|key| key.bytes.to_vec()),
            any_user: options.any_user,
            method: choice.method,
            executable: choice.executable,
            start_timeout: time_or(options.start_timeout, 30_000_000_000, "start_timeout")?,
            shutdown_timeout: time_or(options.shutdown_timeout, 1_000_000_000, "shutdown_timeout")?,
            patience: time_or(options.patience, 30_000_000_000, "patience")?,
            limits: Limits {
                message: or(options.max_message, 64 << 20).min(u32::MAX as usize),
                total: or(options.max_stored, 1 << 30),
            },
            initializer: options.initializer.map(|function| function as usize),
        };
        place.write(handle::new_boxed(Manager::new(plan))?);
        Ok(Status::Ok)
    })
}

/// Starts a server in a process of its own, which listens when the call returns. It ends with
/// mp_manager_shutdown, with mp_manager_free, and with this process, however that ends.
///
/// MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
/// MP_ERR_EXISTS: somebody has the address.
/// MP_ERR_INVALID: the address is none.
/// MP_ERR_NOT_FOUND: there is no such host.
/// MP_ERR_UNSUPPORTED: the system does not have this kind of socket.
/// MP_ERR_REMOTE: the server ended before it was ready, in its initializer for example.
/// MP_ERR_TIMEOUT: it was not ready within start_timeout. It is gone, and may be started again.
/// MP_ERR_OS, MP_ERR_NO_MEMORY, MP_ERR_NOT_INITIALIZED, MP_ERR_UNKNOWN_TARGET: as
///     mp_process_start.
///
/// Threads: the server takes no part in the terminal's Ctrl-C.
/// Kill: a server that is killed takes its objects along. Calls that are on their way fail with
/// MP_ERR_EOF, and so do later ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_start(manager: *mut mp_manager) -> mp_status {
    guard("mp_manager_start", || {
        start(&*handle::object(manager)?)?;
        Ok(Status::Ok)
    })
}

/// Connects to the server at the address of the options, by their key.
///
/// timeout: nanoseconds for all of it.
///
/// MP_ERR_NOT_FOUND: nobody listens there, or there is no such host.
/// MP_ERR_AUTH: the server does not know the key or does not accept it, is another user's, or is
///     no manager's.
/// MP_ERR_TIMEOUT: the server does not take the connection, or does not say anything.
/// MP_ERR_EOF: the server closed the connection before the key was proved.
/// MP_ERR_INVALID: the options had no address, or it is none.
/// MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
/// MP_ERR_UNSUPPORTED: the server speaks another version of the protocol, or the system does not
///     have this kind of socket.
/// MP_ERR_OS: the address cannot be reached, or no descriptor is free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_connect(manager: *mut mp_manager, timeout: mp_timeout) -> mp_status {
    guard("mp_manager_connect", || {
        handle::object(manager)?.connect(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Serves in the calling thread, until another thread calls mp_manager_shutdown.
///
/// MP_ERR_STATE, MP_ERR_EXISTS, MP_ERR_INVALID, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_OS:
///     as mp_manager_start.
///
/// Threads: other threads may use the manager meanwhile, as soon as mp_manager_address says where
/// it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_serve_forever(manager: *mut mp_manager) -> mp_status {
    guard("mp_manager_serve_forever", || {
        handle::object(manager)?.serve_here(super::object_type::HOOKS)?;
        Ok(Status::Ok)
    })
}

/// Where the server is, with the port that the system has chosen.
///
/// address: room for text and the zero that ends it. size: bytes of room.
/// needed: how many bytes it takes goes here; may be NULL.
///
/// MP_ERR_STATE: it was not started or connected, was shut down, or belongs to another process.
/// MP_ERR_TOO_SMALL: it takes more than size.
/// MP_ERR_INVALID: address is NULL, and size is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_address(
    manager: *const mp_manager,
    address: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_manager_address", || {
        let found = handle::object(manager)?.address()?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(address, size, needed, &found) }?;
        Ok(Status::Ok)
    })
}

/// The number of the server's process.
///
/// pid: where it goes.
///
/// MP_ERR_STATE: it was not started, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_pid(manager: *const mp_manager, pid: *mut c_int) -> mp_status {
    guard("mp_manager_pid", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(pid, "pid") }?;
        let process = handle::object(manager)?.process();
        let Some(number) = process.and_then(|process| process.pid()) else {
            fail!(State, "this manager has no server process");
        };
        place.write(number as c_int);
        Ok(Status::Ok)
    })
}

/// Makes an object, which lives as long as some process has a proxy of it, or another object holds
/// it. The types are "dict", "list", "set", "Namespace", "Value", "Array", "Queue",
/// "JoinableQueue", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Barrier",
/// "Event", "Pool", "SharedMemory" and "ShareableList" (see mp_proxy_shared_memory);
/// docs/manager-protocol.md has what each is made of, and its methods. There are also those that
/// mp_manager_register has named.
///
/// proxy: where the handle goes.
/// type: its name.
/// items: count items. count: how many; 0 is fine.
///
/// MP_ERR_UNSUPPORTED: the server has no such type.
/// MP_ERR_INVALID: type is NULL or longer than 255 bytes; items is NULL and count is not 0; an
///     item is none; or the type is not made of such items.
/// MP_ERR_NO_MEMORY: the server, or this process, has no room for it.
/// MP_ERR_STATE: the manager was not started or connected, was shut down, or belongs to another
///     process.
/// MP_ERR_CLOSED, MP_ERR_BAD_HANDLE: an item is a proxy of an object that is gone, or no proxy.
/// MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_TOO_SMALL, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
/// MP_ERR_UNKNOWN_TARGET: the server's program has registered no function under the name of the
///     barrier's action.
/// Others: what a registered type's create failed with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_create(
    manager: *mut mp_manager,
    proxy: *mut *mut mp_proxy,
    r#type: *const c_char,
    items: *const mp_item,
    count: usize,
) -> mp_status {
    guard("mp_manager_create", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(proxy, "proxy") }?;
        let manager = handle::object(manager)?;
        if r#type.is_null() {
            fail!(Invalid, "type is NULL");
        }
        // SAFETY: as above: a string.
        let name = unsafe { CStr::from_ptr(r#type) }.to_string_lossy();
        let link = manager.link()?;
        // SAFETY: as above: count items, and what they point to.
        let values = unsafe { item::values(items, count, |proxy| proxy.value_for(&link)) }?;
        place.write(proxy::first(manager.create(&name, &values)?)?);
        Ok(Status::Ok)
    })
}

/// How many objects the server has.
///
/// number: where it goes.
///
/// MP_ERR_STATE: the manager was not started or connected, was shut down, or belongs to another
///     process.
/// MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_number_of_objects(
    manager: *const mp_manager,
    number: *mut u64,
) -> mp_status {
    guard("mp_manager_number_of_objects", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(number, "number") }?;
        place.write(handle::object(manager)?.number_of_objects()?);
        Ok(Status::Ok)
    })
}

/// What the server has, for people to read: a line of sums, and one for each object.
///
/// text: where the handle of the text goes, which is not ended by a zero.
///
/// MP_ERR_STATE, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as
///     mp_manager_number_of_objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_debug_info(
    manager: *const mp_manager,
    text: *mut *mut mp_buffer,
) -> mp_status {
    guard("mp_manager_debug_info", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(text, "text") }?;
        place.write(buffer::copy(handle::object(manager)?.debug_info()?.as_bytes())?);
        Ok(Status::Ok)
    })
}

/// Ends the server that mp_manager_start has started, or mp_manager_serve_forever in another
/// thread; its objects go with it. Again is fine.
///
/// MP_ERR_STATE: it has no server of its own, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_shutdown(manager: *mut mp_manager) -> mp_status {
    guard("mp_manager_shutdown", || {
        handle::object(manager)?.shutdown()?;
        Ok(Status::Ok)
    })
}

/// Waits for the end of the server's process.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: it still runs.
/// MP_ERR_STATE: the manager has no server process, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_join(manager: *mut mp_manager, timeout: mp_timeout) -> mp_status {
    guard("mp_manager_join", || {
        handle::object(manager)?.join(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

// mp.h:
// #ifdef MP_SCOPE_
// /* MP_WITH_MANAGER(manager) { ... } starts the manager, where it was not started yet, and shuts it
//  * down and frees it on every way out of the braces, see MP_WITH_LOCK. Its objects go with it. One
//  * that cannot be started is passed over, and is still there. */
// #define MP_WITH_MANAGER(manager) MP_SCOPE_(mp_manager, manager)
// #endif

/// The begin of MP_WITH_MANAGER. Answers the handle, or NULL with mp_last_error() where
/// mp_manager_start fails, or the manager was shut down.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_enter(manager: *mut mp_manager) -> *mut mp_manager {
    scope::enter(manager, |wanted| {
        guard("mp_manager_enter", || {
            let manager = handle::object(wanted)?;
            if manager.is_fresh() {
                start(&manager)?;
            }
            manager.link()?;
            Ok(Status::Ok)
        })
    })
}

/// The end of MP_WITH_MANAGER: shuts down and frees the manager, and sets the pointer to NULL.
///
/// manager: points to the handle; nothing happens where either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_leave(manager: *mut *mut mp_manager) {
    // SAFETY: C's promise for its argument, as the header gives it; any number may be passed as a handle.
    unsafe { scope::leave(manager, |held| mp_manager_free(held)) }
}

/// Shuts a server of its own down, and frees the handle. Proxies stay, and can be used as long as
/// there is a server. NULL is fine.
///
/// MP_ERR_STATE: it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_free(manager: *mut mp_manager) -> mp_status {
    guard("mp_manager_free", || handle::free_boxed(manager))
}
