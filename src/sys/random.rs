//! Bytes that nobody can guess.

use super::last_error;
use crate::error::Result;
use nix::errno::Errno;

/// From the kernel.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    loop {
        // SAFETY: N bytes are there to be written. Up to 256 come whole or not at all.
        let r = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
        if r == N as isize {
            return Ok(bytes);
        }
        if r < 0 && Errno::last() != Errno::EINTR {
            return Err(last_error("cannot get random bytes (getrandom)"));
        }
    }
}
