//! Numbers in a block's data: atomic steps on 1, 2, 4 or 8 bytes that lie as such a number does.

use super::objects::Data;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Runs the same at each width.
macro_rules! at_width {
    ($data:expr, $type:ident, $word:ident => $step:expr) => {
        match $data.len {
            1 => {
                type $type = u8;
                let $word = $data.number::<AtomicU8>();
                $step
            }
            2 => {
                type $type = u16;
                let $word = $data.number::<AtomicU16>();
                $step
            }
            4 => {
                type $type = u32;
                let $word = $data.number::<AtomicU32>();
                $step
            }
            _ => {
                type $type = u64;
                let $word = $data.number::<AtomicU64>();
                $step
            }
        }
    };
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "one of the widths is the result's")]
impl Data {
    /// Adds, wrapping around; answers what was there.
    pub(crate) fn add(&self, by: u64) -> u64 {
        at_width!(self, N, word => u64::from(word.fetch_add(by as N, Ordering::AcqRel)))
    }

    /// Stores; answers what was there.
    pub(crate) fn swap(&self, to: u64) -> u64 {
        at_width!(self, N, word => u64::from(word.swap(to as N, Ordering::AcqRel)))
    }

    /// Stores `to` where `from` is; false where it is not. Both are cut to the width.
    pub(crate) fn replace(&self, from: u64, to: u64) -> bool {
        at_width!(self, N, word => {
            word.compare_exchange(from as N, to as N, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Copies the whole to the begin of another.
    pub(crate) fn copy_to(&self, to: &Data) {
        assert!(self.len <= to.len);
        // SAFETY: both ranges lie in the mapping, and the second is as long; `copy` lets them overlap.
        unsafe { std::ptr::copy(self.at, to.at, self.len) };
    }
}

impl Data {
    /// The bytes, to be looked at one by one while other processes may be writing.
    fn bytes(&self) -> &'static [AtomicU8] {
        // SAFETY: in the mapping, which is never undone, and any byte is an atomic byte.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.len) }
    }

    /// Where the first such byte is.
    pub(crate) fn find(&self, byte: u8) -> Option<usize> {
        self.bytes().iter().position(|at| at.load(Ordering::Relaxed) == byte)
    }

    /// Whether these are the bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.len == bytes.len()
            && self.bytes().iter().zip(bytes).all(|(at, byte)| at.load(Ordering::Relaxed) == *byte)
    }
}
