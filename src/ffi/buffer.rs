//! Bytes that the library hands out and the caller frees, and bytes that the caller lends.

use super::cargo::DESCRIPTOR;
use super::connection::mp_connection;
use super::guard::{self, guard, guard_or, out};
use super::handle;
use super::kind::Kind;
use super::listener::mp_listener;
use super::status::mp_status;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, Entry, ParcelBlock};
use crate::wire::Load;
use core::ffi::{c_int, c_void};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes that belong to their holder until mp_buffer_free. A handle of the process that has it.
pub struct mp_buffer {
    _private: [u8; 0],
}

/// Bytes that belong to the caller: only read, and only during the call that they are passed
/// to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_bytes {
    /// May be NULL where len is 0.
    pub data: *const c_void,
    /// Bytes.
    pub len: usize,
}

/// What a buffer has: bytes, and, where these are a message that came with handles, what holds them.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    parcel: Option<Entry>,
    /// Of a message that came through a pipe.
    load: Option<Load>,
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::holding(bytes, None)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Buffer {
    /// A message that came with handles, which this gives up when it is freed.
    pub(super) fn holding(bytes: Vec<u8>, parcel: Option<Entry>) -> Self {
        Buffer { bytes: bytes.into_boxed_slice(), parcel, load: None }
    }

    /// The same through a pipe.
    pub(super) fn laden(bytes: Vec<u8>, load: Option<Load>) -> Self {
        let parcel = load.as_ref().map(|load| load.parcel);
        Buffer { bytes: bytes.into_boxed_slice(), parcel, load }
    }

    /// A new handle for the connection or the listener that came at this place; None where none did.
    pub(super) fn carried(&self, index: usize) -> Result<Option<*mut c_void>> {
        let (Some(parcel), Some(load)) = (self.parcel(), &self.load) else { return Ok(None) };
        let whats = parcel.whats();
        let kind = match whats.get(index).map(kind_of) {
            Some(kind @ (Some(Kind::Connection) | Some(Kind::Listener))) => kind,
            _ => return Ok(None),
        };
        let held = parcel.take(index).transpose()?.map(|(object, ..)| object);
        let carried = load.carried(before(whats, index), held)?;
        let unpacked = match kind {
            Some(Kind::Listener) => carried
                .into_listener()
                .map(|listener| handle::new_boxed::<mp_listener>(listener).map(|made| made.cast())),
            _ => carried
                .into_connection()
                .map(|connection| handle::new_boxed::<mp_connection>(connection).map(|made| made.cast())),
        };
        unpacked.map_err(|failed| failed.1)?.map(Some)
    }

    /// How many handles came with it.
    pub(super) fn handles(&self) -> usize {
        self.parcel().map_or(0, |parcel| parcel.whats().iter().filter(|what| !is_descriptor(what)).count())
    }

    /// How many descriptors did, which are behind the handles.
    pub(super) fn descriptors(&self) -> usize {
        self.parcel().map_or(0, |parcel| parcel.whats().iter().filter(|what| is_descriptor(what)).count())
    }

    /// A copy of one of them.
    pub(super) fn descriptor(&self, index: usize) -> Result<c_int> {
        let found = self.parcel().zip(self.load.as_ref()).and_then(|(parcel, load)| {
            let whats = parcel.whats();
            let at = whats.iter().enumerate().filter(|(_, what)| is_descriptor(what)).nth(index)?.0;
            Some(load.carried(before(whats, at), None))
        });
        match found {
            Some(carried) => carried?.into_descriptor().map_err(|failed| failed.1),
            None => fail!(Invalid, "descriptor {index} is out of range: there are {}", self.descriptors()),
        }
    }

    pub(super) fn parcel(&self) -> Option<&ParcelBlock> {
        self.parcel.and_then(shm::parcel)
    }
}

fn kind_of(what: &AtomicU64) -> Option<Kind> {
    Kind::from_bits(what.load(Relaxed))
}

fn is_descriptor(what: &AtomicU64) -> bool {
    what.load(Relaxed) == DESCRIPTOR
}

/// How many of those before this place came by descriptors.
fn before(whats: &[AtomicU64], at: usize) -> usize {
    let came = |what: &&AtomicU64| {
        is_descriptor(what) || matches!(kind_of(what), Some(Kind::Connection | Kind::Listener))
    };
    whats[..at].iter().filter(came).count()
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(entry) = self.parcel.take() {
            shm::release(entry);
        }
    }
}

/// A buffer with a copy of bytes.
pub(super) fn copy(bytes: &[u8]) -> Result<*mut mp_buffer> {
    handle::new_boxed(copied(bytes)?.into())
}

/// A copy of bytes, with memory of its own.
pub(super) fn copied(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = reserve(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Empty, with room for `len` bytes.
pub(super) fn reserve(len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| Error::new(Status::NoMemory, "no memory for the bytes of a buffer"))?;
    Ok(bytes)
}

/// Copies bytes into a new buffer.
///
/// buffer: where the handle goes.
/// data: may be NULL where len is 0. len: bytes.
///
/// MP_ERR_NO_MEMORY: there is no memory for the copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_new(
    buffer: *mut *mut mp_buffer,
    data: *const c_void,
    len: usize,
) -> mp_status {
    guard("mp_buffer_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, bytes) = unsafe { (out(buffer, "buffer")?, guard::bytes(data, len)?) };
        guard::joined()?;
        place.write(copy(bytes)?);
        Ok(Status::Ok)
    })
}

/// The buffer's bytes, aligned for any type; NULL with mp_last_error() for a bad handle. An
/// empty buffer's address is not NULL and must not be followed.
///
/// len: the number of bytes goes here; may be NULL.
///
/// Threads: reading from many is fine. The address is good until mp_buffer_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_data(buffer: *const mp_buffer, len: *mut usize) -> *const c_void {
    guard_or("mp_buffer_data", std::ptr::null(), || {
        let bytes = handle::object(buffer)?;
        if !len.is_null() {
            // SAFETY: C's promise.
            unsafe { len.write(bytes.len()) };
        }
        Ok(bytes.as_ptr().cast())
    })
}

/// Frees a buffer, and gives up the handles and descriptors that came with it and nobody took. NULL
/// is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_buffer_free(buffer: *mut mp_buffer) -> mp_status {
    guard("mp_buffer_free", || handle::free_boxed(buffer))
}
