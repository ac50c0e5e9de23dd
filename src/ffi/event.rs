//! Events between processes: a flag that any number of processes and threads wait for. Whoever is
//! killed, before, in or after any of these calls, no other misses a set by it.

use super::guard::{guard, initialise, joined, options, out};
use super::status::mp_status;
use super::time::mp_timeout;
use super::{handle, name, text};
use crate::error::Status;
use crate::shm::{EventBlock, Kind};
use crate::sync;
use core::ffi::{c_char, c_int, c_uint};

/// An event: a flag, set or not.
pub struct mp_event {
    _private: [u8; 0],
}

/// Options of mp_event_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_event_options {
    /// sizeof(mp_event_options).
    pub size: usize,
    /// The name by which other processes, relatives or not, open the same object: see
    /// mp_name_unlink. NULL for none: the object goes with its last handle.
    pub name: *const c_char,
    /// Where there is a name: whether to create the object or to open it, an mp_open.
    pub open: c_int,
    /// Where an object with a name is created: who may open it, as for chmod. 0600, and what is
    /// given here besides; 0 for this user alone.
    pub mode: c_uint,
}

// mp.h:
// /* The defaults: mp_event_options o = MP_EVENT_OPTIONS; */
// #define MP_EVENT_OPTIONS { sizeof(mp_event_options), NULL, 0, 0 }

const DEFAULTS: mp_event_options =
    mp_event_options { size: size_of::<mp_event_options>(), name: std::ptr::null(), open: 0, mode: 0 };

/// MP_EVENT_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_event_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_options_init(options: *mut mp_event_options, size: usize) -> mp_status {
    guard("mp_event_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes an event, not set. It costs 64 bytes of shared memory and no descriptor.
///
/// event: where the handle goes. options: NULL for the defaults.
///
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child, also one that libmp did not make, uses the same event through the same handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_new(
    event: *mut *mut mp_event,
    options: *const mp_event_options,
) -> mp_status {
    guard("mp_event_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(event, "event")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let create = sync::event::create;
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            name::open(name, (Kind::Event, 0), create, |_: &EventBlock| Ok(()))
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Sets the flag, and releases all who wait, also where it is cleared at once. Nothing changes
/// where it is set. What the caller stored before is there for whoever finds it set.
///
/// Kill: one who is killed in this call has set the flag or not; where it has, all who wait are
/// released, if up to 75 ms later, and up to 750 ms where they have waited for ten seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_set(event: *mut mp_event) -> mp_status {
    guard("mp_event_set", || {
        handle::with(event, EventBlock::set)?;
        Ok(Status::Ok)
    })
}

/// Clears the flag, whether it was set or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_clear(event: *mut mp_event) -> mp_status {
    guard("mp_event_clear", || {
        handle::with(event, |block| block.clear())?;
        handle::took(event);
        Ok(Status::Ok)
    })
}

/// Whether the flag is set, at some moment during the call.
///
/// set: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_is_set(event: *const mp_event, set: *mut bool) -> mp_status {
    guard("mp_event_is_set", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(set, "set") }?;
        place.write(handle::with(event, |block| block.is_set())?);
        Ok(Status::Ok)
    })
}

/// Waits for up to timeout until the flag is set; it stays set.
///
/// timeout: nanoseconds.
///
/// MP_OK: the flag is set, or was set during the call and cleared since.
/// MP_ERR_TIMEOUT: it was not set all the time.
///
/// Threads: any number may wait, in any number of processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_wait(event: *mut mp_event, timeout: mp_timeout) -> mp_status {
    guard("mp_event_wait", || {
        if handle::block_quickly(event).is_some_and(|block| block.is_set()) {
            return Ok(Status::Ok);
        }
        // It may sleep: the handle must outlast it.
        handle::find(event)?.block().wait(timeout)?;
        Ok(Status::Ok)
    })
}

/// Tells about the event as Python does, for people to read: `<Event at 0x108e28 unset>`. The
/// number is the handle.
///
/// text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
/// needed: the bytes that it takes, the zero counted, go here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_describe(
    event: *const mp_event,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_event_describe", || {
        let state = if handle::with(event, |block| block.is_set())? { "set" } else { "unset" };
        let line = format!("<Event at {:#x} {state}>", event.addr());
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &line) }?;
        Ok(Status::Ok)
    })
}

/// Frees this handle. NULL is fine. The event goes with the last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_event_free(event: *mut mp_event) -> mp_status {
    guard("mp_event_free", || handle::free_shared(event))
}
