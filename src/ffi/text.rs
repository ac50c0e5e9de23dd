//! Text that goes into room that the caller gives.

use super::guard;
use crate::error::{Error, Result, Status};
use core::ffi::c_char;

/// Writes the text and a zero behind it, and tells how many bytes that takes; where there are fewer, only that.
///
/// # Safety
/// `room` points to `size` writable bytes, or is NULL; `needed` is NULL or a place for a number.
pub(super) unsafe fn write(
    room: *mut c_char,
    size: usize,
    needed: *mut usize,
    text: impl AsRef<[u8]>,
) -> Result<()> {
    let text = text.as_ref();
    let takes = text.len() + 1;
    // SAFETY: the caller's promise.
    let (room, ()) = unsafe { (guard::bytes_out(room.cast(), size)?, guard::write_to(needed, takes)) };
    let Some(room) = room.get_mut(..takes) else { return Err(too_small(takes, size)) };
    room[..text.len()].copy_from_slice(text);
    room[text.len()] = 0;
    Ok(())
}

#[cold]
pub(super) fn too_small(takes: usize, size: usize) -> Error {
    let text = format!("the text takes {takes} bytes, and there is room for {size}");
    Error::new(Status::TooSmall, text)
}
