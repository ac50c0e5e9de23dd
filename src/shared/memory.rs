//! Plain shared memory: zeroed bytes that keep their place and their size.

use crate::error::{Result, fail};
use crate::shm::{self, Data, Kind, MemoryBlock, Object};

/// Makes some.
pub(crate) fn create(size: usize) -> Result<Object> {
    if size == 0 {
        fail!(Invalid, "shared memory has at least one byte");
    }
    shm::create::<MemoryBlock>(Kind::Memory, size, |_| {})
}

impl MemoryBlock {
    pub(crate) fn data(&self) -> Result<Data> {
        match shm::data(&self.head) {
            Some(data) if data.len() > 0 => Ok(data),
            _ => fail!(State, "the memory's block is damaged"),
        }
    }
}
