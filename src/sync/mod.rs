//! Synchronisation objects over words in shared memory.
#![forbid(unsafe_code)]

pub(crate) mod lock;
