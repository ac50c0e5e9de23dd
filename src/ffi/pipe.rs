//! Pipes: two connected ends, one for each of two processes.

use super::connection::{mp_connection, new_handle};
use super::guard::{guard, initialise, joined, options, out};
use super::handle;
use super::status::mp_status;
use crate::error::{Status, fail};
use crate::wire::Connection;

/// Options of mp_pipe_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_pipe_options {
    /// sizeof(mp_pipe_options).
    pub size: usize,
    /// Both ends send and receive. Otherwise the first only receives, and the second only sends.
    pub duplex: bool,
}

// mp.h:
// /* The defaults: mp_pipe_options o = MP_PIPE_OPTIONS; */
// #define MP_PIPE_OPTIONS { sizeof(mp_pipe_options), true }

const DEFAULTS: mp_pipe_options = mp_pipe_options { size: size_of::<mp_pipe_options>(), duplex: true };

/// MP_PIPE_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_pipe_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pipe_options_init(options: *mut mp_pipe_options, size: usize) -> mp_status {
    guard("mp_pipe_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes two ends that are connected. Hand one to a child as an argument, and free it here after
/// the start: the other end gets MP_ERR_EOF only when no process has this one any more.
///
/// A pipe takes 257 KiB of shared memory, or 129 KiB if not duplex, and a descriptor for each
/// process that has an end. What is sent goes through 128 KiB each way, whatever its length.
///
/// first, second: where the handles go. options: NULL for the defaults.
///
/// MP_ERR_INVALID: first and second are the same place.
/// MP_ERR_NO_MEMORY: the shared memory is used up.
/// MP_ERR_OS: no descriptor is free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_pipe_new(
    first: *mut *mut mp_connection,
    second: *mut *mut mp_connection,
    options: *const mp_pipe_options,
) -> mp_status {
    guard("mp_pipe_new", || {
        if first == second && !first.is_null() {
            fail!(Invalid, "there is one place for two ends");
        }
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (one, other, options) =
            unsafe { (out(first, "first")?, out(second, "second")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let (a, b) = Connection::pair(options.duplex)?;
        let a = new_handle(a)?;
        let b = new_handle(b).inspect_err(|_| drop(handle::free_boxed(a)))?;
        one.write(a);
        other.write(b);
        Ok(Status::Ok)
    })
}
