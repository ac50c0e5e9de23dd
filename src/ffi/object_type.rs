//! Types of the program's own for managers: what their objects are, and which methods they have, are
//! functions of the program that run in the server's process.
//!
//! ```text
//!   class Maths:                       static void *make(mp_call *call) { return NULL; }
//!       def add(self, x, y):           static void add(mp_call *call, void *object)
//!           return x + y               {
//!                                          int64_t x = mp_call_int(call, 0);
//!                                          int64_t y = mp_call_int(call, 1);
//!
//!                                          mp_call_return(call, mp_item_int(x + y));
//!                                      }
//!                                      mp_object_method methods[] = {{"add", add}};
//!                                      mp_object_options o = MP_OBJECT_OPTIONS;
//!                                      o.create = make;
//!                                      o.methods = methods;
//!                                      o.method_count = 1;
//!   MyManager.register('Maths', Maths) mp_manager_register(m, "Maths", &o);
//!   manager.start()                    mp_manager_start(m);
//!   maths = manager.Maths()            mp_manager_create(m, &maths, "Maths", NULL, 0);
//!   maths.add(4, 3)                    mp_proxy_call(maths, "add", items, 2, &answer, 0);
//! ```
//!
//! The functions run on threads of their own, 4096 at most: one call at a time for each object and
//! calls of different objects at the same time, so that one that takes long holds up those who call
//! the same object and nobody else. Of a concurrent type calls of one object run at the same time,
//! too, as in Python, and have to see to what they share. The caller waits as long as its timeout
//! and the manager's patience allow together. Where it gives up, or dies, before its call has begun,
//! the call is dropped; one that has begun runs to its end for nobody.
//!
//! A C++ exception that leaves a function is the caller's MP_ERR_REMOTE and harms no other. A crash,
//! an exit or an abort ends the server, which all its clients are told by MP_ERR_EOF. A function must
//! not end its thread, nor leave by longjmp.
//!
//! All signals are blocked in these threads, and in the children that a function starts there, by
//! fork or mp_process_start: what shall reach such a child it unblocks, SIGTERM for
//! mp_process_terminate.

use super::guard::{guard, initialise, options};
use super::handle;
use super::manager::mp_manager;
use super::slots;
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::manager::{Call, Hooks, Kind};
use crate::sys::catch;
use core::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

/// A call of a function of a registered type. The function's until it returns, on any thread; then
/// it says MP_ERR_BAD_HANDLE.
pub struct mp_call {
    _private: [u8; 0],
}

/// Makes an object: answers what stands for it in the program, which may be NULL, and which the
/// methods are called with. Its arguments are those of mp_manager_create. Where there can be no
/// object it calls mp_call_fail.
pub type mp_object_create_fn = Option<unsafe extern "C-unwind" fn(call: *mut mp_call) -> *mut c_void>;

/// A method: takes its arguments from the call, and gives it what it shall answer.
///
/// object: what stands for the object.
pub type mp_object_method_fn = Option<unsafe extern "C-unwind" fn(call: *mut mp_call, object: *mut c_void)>;

/// Ends an object that nobody has any more.
///
/// object: what stands for it.
pub type mp_object_destroy_fn = Option<unsafe extern "C-unwind" fn(object: *mut c_void)>;

/// A method and its name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_object_method {
    /// What clients call it: 1 to 255 bytes of UTF-8. What a method "str" answers is what
    /// mp_proxy_str gives; `<Maths object>`, where there is none.
    pub name: *const c_char,
    /// What is called.
    pub function: mp_object_method_fn,
}

/// What a type is made of. What it points to is copied by mp_manager_register.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_object_options {
    /// sizeof(mp_object_options).
    pub size: usize,
    /// Makes an object; NULL for a type whose objects come from methods only.
    pub create: mp_object_create_fn,
    /// Ends one; NULL where there is nothing to do.
    pub destroy: mp_object_destroy_fn,
    /// method_count methods: all that a client can call.
    pub methods: *const mp_object_method,
    /// How many.
    pub method_count: usize,
    /// The calls of one object run at the same time, in threads, and not one after the other in the
    /// order in which they came. destroy is called when the last of them is over all the same.
    pub concurrent: bool,
}

// mp.h:
// /* No methods: mp_object_options o = MP_OBJECT_OPTIONS; */
// #define MP_OBJECT_OPTIONS { sizeof(mp_object_options), NULL, NULL, NULL, 0, false }

const DEFAULTS: mp_object_options = mp_object_options {
    size: size_of::<mp_object_options>(),
    create: None,
    destroy: None,
    methods: std::ptr::null(),
    method_count: 0,
    concurrent: false,
};

/// MP_OBJECT_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_object_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_object_options_init(options: *mut mp_object_options, size: usize) -> mp_status {
    guard("mp_object_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// # Safety
/// `name` is NULL or a string that is ended by a zero.
unsafe fn name(name: *const c_char, what: &str) -> Result<String> {
    if name.is_null() {
        fail!(Invalid, "{what} is NULL");
    }
    // SAFETY: the caller's promise.
    match unsafe { CStr::from_ptr(name) }.to_str() {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => fail!(Invalid, "{what} is not UTF-8"),
    }
}

/// Has the manager's server know a type, before it is started or serves. A program that connects to
/// a server needs no types: the server has them. The server finds the functions as a spawned child
/// finds its target, see mp_process_start.
///
/// name: the type's, for mp_manager_create: 1 to 255 bytes of UTF-8.
/// options: what it is made of; not NULL.
///
/// MP_ERR_INVALID: name or options is NULL; a name is not UTF-8, is empty or longer than 255 bytes;
///     methods is NULL and method_count is not 0; a method has no function; or two have one name.
/// MP_ERR_EXISTS: the manager has a type of this name.
/// MP_ERR_STATE: it was started, connected or shut down before, or belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_manager_register(
    manager: *mut mp_manager,
    name: *const c_char,
    options: *const mp_object_options,
) -> mp_status {
    guard("mp_manager_register", || {
        let manager = handle::object(manager)?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        let name = unsafe { self::name(name, "name") }?;
        if options.is_null() {
            fail!(Invalid, "options is NULL");
        }
        // SAFETY: as above.
        let options = unsafe { self::options(options, DEFAULTS) }?;
        if options.methods.is_null() && options.method_count > 0 {
            fail!(Invalid, "methods is NULL, and method_count is {}", options.method_count);
        }
        let mut methods = Vec::new();
        for place in 0..options.method_count {
            // SAFETY: as above: method_count methods.
            let method = unsafe { &*options.methods.add(place) };
            let Some(function) = method.function else { fail!(Invalid, "method {place} has no function") };
            // SAFETY: as above.
            let name = unsafe { self::name(method.name, "a method's name") }?;
            methods.push((name, function as usize));
        }
        manager.register(Kind {
            name,
            create: options.create.map(|function| function as usize),
            destroy: options.destroy.map(|function| function as usize),
            methods,
            is_concurrent: options.concurrent,
        })?;
        Ok(Status::Ok)
    })
}

/// Calls a function with a handle of the call, which is good until it returns.
fn with_call(function: usize, call: &Arc<Call>, object: usize) -> Result<usize> {
    let handle: *mut mp_call = handle::new_boxed(Arc::clone(call))?;
    // SAFETY: the program registered a function of such a type, and it was found to be executable here; one that takes
    // the call only leaves the object alone.
    let came = unsafe { catch::call(function, handle.addr(), object) };
    let _ = slots::free_any(handle.addr() as u64);
    came
}

/// For the server.
pub(super) const HOOKS: Hooks = Hooks {
    kinds: super::managed::kinds,
    create: |function, call| with_call(function, call, 0),
    method: |function, call, object| with_call(function, call, object).map(|_| ()),
    // SAFETY: as above, with what the program made the object of.
    destroy: |function, object| unsafe { catch::call(function, object, 0) }.map(|_| ()),
    // SAFETY: the function was registered under the name that the barrier was made with, and takes nothing.
    action: |function| unsafe { catch::call(function, 0, 0) }.map(|_| ()),
};
