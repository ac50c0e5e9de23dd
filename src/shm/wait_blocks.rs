//! What processes wait for together.

use super::layout::{BlockHead, GRAIN, Words};
use crate::park::EventWord;
use std::sync::atomic::AtomicU64;

/// An event.
#[repr(C)]
pub(crate) struct EventBlock {
    pub(crate) head: BlockHead,
    pub(crate) event: EventWord,
    _room: AtomicU64,
}

// SAFETY: repr(C), atomics only, alignment 8.
unsafe impl Words for EventBlock {}

const _: () = assert!(size_of::<EventBlock>() == GRAIN);
