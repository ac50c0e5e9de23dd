//! The atomics that shared words are made of. Rooms whose algorithms are also run under a model checker take them
//! from here, where the checker puts its own.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
