//! The event: a flag that processes wait for. Nobody owns it, so nobody's death matters to it.

use crate::error::{Error, Result, Status};
use crate::park::EventWord;
use crate::shm::{self, EventBlock, Kind, Object, Segment};
use crate::time::Deadline;

/// Makes one, not set.
pub(crate) fn create(s: &'static Segment) -> Result<Object> {
    // A fresh block is zeroed, and that is what an event begins as.
    shm::create_in::<EventBlock>(s, Kind::Event, 0, |_| {})
}

impl EventBlock {
    /// Sets it.
    pub(crate) fn set(&self) {
        self.event.set(&shm::tree_of(self));
    }

    /// Waits until it is set.
    pub(crate) fn wait(&self, timeout: i64) -> Result<()> {
        if self.is_set() || self.event.wait(&shm::tree_of(self), Deadline::after(timeout)) {
            return Ok(());
        }
        Err(Error::new(Status::Timeout, "the event was not set in time"))
    }
}

impl std::ops::Deref for EventBlock {
    type Target = EventWord;

    fn deref(&self) -> &EventWord {
        &self.event
    }
}
