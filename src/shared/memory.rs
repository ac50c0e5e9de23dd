//! Plain shared memory: zeroed bytes that keep their place and their size.

use crate::error::{Result, fail};
use crate::shm::{self, Data, Kind, MemoryBlock, Object, Segment};

/// Makes some.
pub(crate) fn create(s: &'static Segment, size: usize) -> Result<Object> {
    shm::create_in::<MemoryBlock>(s, Kind::Memory, size, |_| {})
}

impl MemoryBlock {
    /// Whether what was found by its name is as it was asked for; None: of any size.
    pub(crate) fn fits(&self, size: Option<usize>) -> Result<()> {
        let has = self.data()?.len();
        match size {
            Some(size) if size != has => fail!(
                Invalid,
                "the shared memory that has the name has {has} bytes, and {size} are asked for: its size stays as it is"
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn data(&self) -> Result<Data> {
        match shm::data(&self.head) {
            Some(data) if data.len() > 0 => Ok(data),
            _ => fail!(State, "the memory's block is damaged"),
        }
    }
}
