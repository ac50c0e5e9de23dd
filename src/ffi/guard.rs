//! What every export passes through: a panic stops here, an error becomes a status and the thread's sentence.

use super::status::{self, mp_status};
use crate::error::{Error, Result, Status, fail};
use crate::shm;
use crate::sys::page::page;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the body of the export `call`.
#[inline(always)]
pub(super) fn guard(call: &'static str, body: impl FnOnce() -> Result<Status>) -> mp_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status.into(),
        Ok(Err(error)) => failed(call, &error),
        Err(_) => panicked(call),
    }
}

/// The same for an export that mostly is over after some loads and one atomic operation: `quick` does that, or
/// changes nothing and answers false. It calls nothing that could panic, so that no frame is made and no register
/// saved for what rarely follows. `body` moves what it needs, so that it lies in registers.
#[inline(always)]
pub(super) fn guard_quick(
    call: &'static str,
    quick: impl FnOnce() -> bool,
    body: impl FnOnce() -> Result<Status>,
) -> mp_status {
    if quick() { Status::Ok.into() } else { guard_slowly(call, body) }
}

#[cold]
#[inline(never)]
fn guard_slowly(call: &'static str, body: impl FnOnce() -> Result<Status>) -> mp_status {
    guard(call, body)
}

/// The same for an export that answers with something else, and with `otherwise` on failure.
#[inline(always)]
pub(super) fn guard_or<T>(call: &'static str, otherwise: T, body: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            failed(call, &error);
            otherwise
        }
        Err(_) => {
            panicked(call);
            otherwise
        }
    }
}

#[cold]
#[inline(never)]
fn failed(call: &'static str, error: &Error) -> mp_status {
    status::remember(call, error);
    error.status.into()
}

#[cold]
#[inline(never)]
fn panicked(call: &'static str) -> mp_status {
    failed(call, &Error::new(Status::Panic, status::take_panic()))
}

/// Before an export makes something: this process is part of a tree.
#[inline]
pub(super) fn joined() -> Result<()> {
    if page().epoch.load(Ordering::Acquire) != 0 { Ok(()) } else { join() }
}

#[cold]
fn join() -> Result<()> {
    quieten_panics();
    shm::join()
}

/// A panic that `guard` catches is told by its status, not on the host's stderr. In libmp.so the standard
/// library is our own and so is every panic; in a Rust program the hook of before still gets all others.
fn quieten_panics() {
    // No Once: one that another thread was in when this process was forked would never end.
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let ours = file!().strip_suffix("ffi/guard.rs").unwrap_or("src/");
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.location().is_some_and(|l| l.file().starts_with(ours)) {
                status::note_panic(&info.to_string());
            } else {
                before(info);
            }
        }));
    }
}

/// Bytes that a caller passes: `len == 0` never touches the pointer.
///
/// # Safety
/// `data` points to `len` readable bytes for as long as the slice is used, or is NULL.
pub(super) unsafe fn bytes<'a>(data: *const core::ffi::c_void, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Error::new(Status::Invalid, format!("the data is NULL, and its length is {len}")));
    }
    if len > isize::MAX as usize {
        return Err(Error::new(Status::Invalid, format!("{len} is no length that memory can have")));
    }
    // SAFETY: the caller's promise; the length was checked.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// The numbers of CPUs that the caller lists.
///
/// # Safety
/// `cpus` is NULL, or so many numbers are there.
pub(super) unsafe fn cpus<'a>(cpus: *const usize, count: usize) -> Result<&'a [usize]> {
    const MOST: usize = 65_536;
    if cpus.is_null() && count > 0 {
        fail!(Invalid, "cpus is NULL, and cpu_count is {count}");
    }
    if count > MOST {
        fail!(Invalid, "{count} are more CPUs than there can be");
    }
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: the caller's promise.
    let cpus = unsafe { std::slice::from_raw_parts(cpus, count) };
    match cpus.iter().find(|&&cpu| cpu >= MOST) {
        Some(cpu) => fail!(Invalid, "{cpu} is no CPU's number"),
        None => Ok(cpus),
    }
}

/// A place for a result.
///
/// # Safety
/// `out` is NULL or points to memory that a `T` may be written to.
pub(super) unsafe fn out<'a, T>(out: *mut T, name: &str) -> Result<&'a mut std::mem::MaybeUninit<T>> {
    if out.is_null() {
        return Err(Error::new(Status::Invalid, format!("{name} is NULL")));
    }
    // SAFETY: the caller's promise; nothing is assumed of what is there.
    Ok(unsafe { &mut *out.cast() })
}

/// Fills a struct whose first member is its size in as far as the caller's version of it goes, and with zeros beyond
/// ours.
///
/// # Safety
/// `to` is NULL or points to `size` bytes.
pub(super) unsafe fn initialise<T: Copy>(to: *mut T, size: usize, defaults: T) -> Result<Status> {
    if to.is_null() {
        return Err(Error::new(Status::Invalid, "the struct to be initialised is NULL"));
    }
    must_be_a_size(size)?;
    // SAFETY: the caller's promise: so many bytes. Both types are plain C structs that begin with a size_t.
    unsafe {
        to.cast::<u8>().write_bytes(0, size);
        to.cast::<u8>().copy_from_nonoverlapping((&raw const defaults).cast(), size.min(size_of::<T>()));
        to.cast::<usize>().write_unaligned(size);
    }
    Ok(Status::Ok)
}

fn must_be_a_size(size: usize) -> Result<()> {
    if size < size_of::<usize>() || size > 4096 {
        return Err(Error::new(
            Status::Invalid,
            format!("the struct's size is {size}: start it with its initialiser"),
        ));
    }
    Ok(())
}

/// A struct of options: the caller's if it passes one, as far as the caller's version of it goes, and the
/// defaults for the rest.
///
/// # Safety
/// `options` is NULL or points to `*options` bytes, the first member of every options struct being its size.
pub(super) unsafe fn options<T: Copy>(options: *const T, mut defaults: T) -> Result<T> {
    if options.is_null() {
        return Ok(defaults);
    }
    // SAFETY: the caller's promise: at least the size is there.
    let size = unsafe { options.cast::<usize>().read_unaligned() };
    must_be_a_size(size)?;
    let known = size.min(size_of::<T>());
    // A longer struct is a newer program's: what we do not know must be zero, or it asks for what we cannot do.
    // SAFETY: the caller's promise covers all `size` bytes.
    let rest = unsafe { std::slice::from_raw_parts(options.cast::<u8>().add(known), size - known) };
    if rest.iter().any(|&b| b != 0) {
        return Err(Error::new(
            Status::Unsupported,
            "the options use members that this version does not know",
        ));
    }
    // SAFETY: `known` bytes are readable there and writable here; the types are plain C structs, in which a
    // prefix that ends between members leaves the defaults behind it.
    unsafe { std::ptr::copy_nonoverlapping(options.cast::<u8>(), (&raw mut defaults).cast(), known) };
    Ok(defaults)
}

/// Bytes that a caller gives room for.
///
/// # Safety
/// `data` points to `len` writable bytes for as long as the slice is used, or is NULL.
pub(super) unsafe fn bytes_out<'a>(data: *mut core::ffi::c_void, len: usize) -> Result<&'a mut [u8]> {
    if len == 0 {
        return Ok(&mut []);
    }
    if data.is_null() {
        return Err(Error::new(Status::Invalid, format!("the buffer is NULL, and its size is {len}")));
    }
    if len > isize::MAX as usize {
        return Err(Error::new(Status::Invalid, format!("{len} is no size that memory can have")));
    }
    // SAFETY: the caller's promise; C has no uninitialised bytes for which writing would matter, and the
    // slice is only written to.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), len) })
}

/// A place that is read and written.
///
/// # Safety
/// `place` is NULL or points to a `T`.
pub(super) unsafe fn inout<'a, T>(place: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { place.as_mut() }.ok_or_else(|| Error::new(Status::Invalid, format!("{name} is NULL")))
}

/// A result that the caller may not want.
///
/// # Safety
/// `place` is NULL or points to memory that a `T` may be written to.
pub(super) unsafe fn write_to<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller's promise.
        unsafe { place.write(value) };
    }
}

/// Fills a struct whose first member is its size, as far as the caller's version of it goes.
///
/// # Safety
/// `place` is NULL, or its first member is there and says how much else is.
pub(super) unsafe fn fill<T: Copy>(
    place: *mut T,
    name: &str,
    make: impl FnOnce(usize) -> Result<T>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let size = *unsafe { inout(place.cast::<usize>(), name) }?;
    if size < size_of::<usize>() || size > 4096 {
        let text = format!("the size in {name} is {size}: begin it with its initialiser");
        return Err(Error::new(Status::Invalid, text));
    }
    let full = make(size)?;
    // SAFETY: as above; what the caller's version does not have is not written.
    unsafe {
        std::ptr::copy_nonoverlapping(
            (&raw const full).cast::<u8>(),
            place.cast::<u8>(),
            size.min(size_of::<T>()),
        );
    }
    Ok(())
}
