//! Messages that carry handles: no model has one.

use super::layout::{BlockHead, Words};
use super::objects::{Data, Object};
use crate::error::{Result, fail};
use crate::sys::atomic::AtomicU64;

pub(crate) struct Content;

pub(crate) struct ParcelBlock {
    pub(crate) head: BlockHead,
}

// SAFETY: see there.
unsafe impl Words for ParcelBlock {}

impl ParcelBlock {
    pub(crate) fn bytes(&self) -> Option<Data> {
        None
    }

    pub(crate) fn count(&self) -> usize {
        0
    }
}

pub(crate) fn pack(_: &[u8], _: &[Content]) -> Result<Object> {
    fail!(Unsupported, "no model has handles")
}

pub(crate) fn packed(_: &AtomicU64) -> Option<&'static ParcelBlock> {
    None
}
