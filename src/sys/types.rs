//! C's types whose width and sign the platform chooses.

use core::ffi::c_char;

/// Whether `char` is signed.
pub(crate) const CHAR_IS_SIGNED: bool = c_char::MIN != 0;
/// The bytes of `wchar_t`.
pub(crate) const WCHAR_BYTES: u32 = size_of::<libc::wchar_t>() as u32;
/// Whether it is signed.
pub(crate) const WCHAR_IS_SIGNED: bool = libc::wchar_t::MIN != 0;
