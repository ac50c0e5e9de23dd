//! Values and arrays of C's types in shared memory, plain shared memory, and lists in it.
#![forbid(unsafe_code)]

pub(crate) mod array;
mod guarded;
mod item;
pub(crate) mod list;
pub(crate) mod memory;
mod number;
pub(crate) mod value;

pub(crate) use guarded::Guarded;
pub(crate) use item::Item;
pub(crate) use number::Change;
