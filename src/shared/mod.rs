//! Values and arrays of C's number types in shared memory.
#![forbid(unsafe_code)]

pub(crate) mod array;
mod item;
pub(crate) mod value;

pub(crate) use item::Item;
