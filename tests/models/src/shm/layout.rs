//! What blocks begin with, and how they are referred to.

use crate::sys::atomic::AtomicU64;

/// # Safety
///
/// None here: the library's files say it of what they have.
pub(crate) unsafe trait Words: 'static {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Queue,
    Ring,
    Bytes,
    Parcel,
}

#[derive(Default)]
pub(crate) struct BlockHead {
    pub(crate) data: AtomicU64,
    pub(crate) size: AtomicU64,
}

#[derive(Default)]
pub(crate) struct BytesBlock {
    pub(crate) head: BlockHead,
    pub(crate) queue: AtomicU64,
}

// SAFETY: see there.
unsafe impl Words for BytesBlock {}

/// A block's number, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ref(u64);

impl Ref {
    pub(crate) fn from_bits(bits: u64) -> Self {
        Ref(bits & ((1 << 62) - 1))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}
