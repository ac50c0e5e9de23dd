//! Shared memory without a type: bytes that many processes have. What goes on in it is the
//! program's to guard. Its size stays as it was made: no call changes it. Where it has a name,
//! processes that are no relatives share it.

use super::guard::{self, guard, initialise, joined, options, out};
use super::handle;
use super::name;
use super::status::mp_status;
use crate::error::{Status, fail};
use crate::shared::memory;
use crate::shm::{Kind, MemoryBlock};
use core::ffi::{c_char, c_int, c_uint, c_void};

/// Shared memory.
pub struct mp_shared_memory {
    _private: [u8; 0],
}

/// Options of mp_shared_memory_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_shared_memory_options {
    /// sizeof(mp_shared_memory_options).
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
// /* The defaults: mp_shared_memory_options o = MP_SHARED_MEMORY_OPTIONS; */
// #define MP_SHARED_MEMORY_OPTIONS { sizeof(mp_shared_memory_options), NULL, 0, 0 }

const DEFAULTS: mp_shared_memory_options = mp_shared_memory_options {
    size: size_of::<mp_shared_memory_options>(),
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_SHARED_MEMORY_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_shared_memory_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shared_memory_options_init(
    options: *mut mp_shared_memory_options,
    size: usize,
) -> mp_status {
    guard("mp_shared_memory_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes shared memory, filled with zeros, or opens some that has a name. Without a name other
/// processes get it as an argument.
///
/// memory: where the handle goes.
/// size: how many bytes, at least 1. With MP_OPEN_ATTACH 0 stands for as many as there are.
/// options: NULL for the defaults.
///
/// MP_ERR_INVALID: size is 0, or not the size of what has the name, which stays as it is.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child uses the same memory through the same handle.
/// Kill: what a killed process has written stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shared_memory_new(
    memory: *mut *mut mp_shared_memory,
    size: usize,
    options: *const mp_shared_memory_options,
) -> mp_status {
    guard("mp_shared_memory_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(memory, "memory")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let name = (options.name, options.open, options.mode);
        let wanted = if size == 0 && name::attaches(name) { None } else { Some(size) };
        if wanted == Some(0) {
            fail!(Invalid, "shared memory has at least one byte");
        }
        let create = |s| memory::create(s, size);
        let fits = |block: &MemoryBlock| block.fits(wanted);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe { name::open(name, (Kind::Memory, size), create, fits) }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Where the memory is, in this process. Good for as long as the handle is not freed; another
/// process has it at another address.
///
/// data: the address goes here; it is aligned to 64 bytes.
/// size: how many bytes there are goes here; may be NULL.
///
/// MP_ERR_STATE: the memory's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shared_memory_data(
    memory: *mut mp_shared_memory,
    data: *mut *mut c_void,
    size: *mut usize,
) -> mp_status {
    guard("mp_shared_memory_data", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let place = unsafe { out(data, "data") }?;
        let bytes = handle::block(memory)?.data()?;
        place.write(bytes.address().cast());
        // SAFETY: as above.
        unsafe { guard::write_to(size, bytes.len()) };
        Ok(Status::Ok)
    })
}

/// How many bytes there are.
///
/// size: where the number goes.
///
/// MP_ERR_STATE: the memory's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shared_memory_size(
    memory: *const mp_shared_memory,
    size: *mut usize,
) -> mp_status {
    guard("mp_shared_memory_size", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(size, "size") }?;
        place.write(handle::block(memory)?.data()?.len());
        Ok(Status::Ok)
    })
}

/// Frees this handle, and what mp_shared_memory_data gave for it. NULL is fine. The memory goes
/// with the last handle to it in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shared_memory_free(memory: *mut mp_shared_memory) -> mp_status {
    guard("mp_shared_memory_free", || handle::free_shared(memory))
}
