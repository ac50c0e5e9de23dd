//! The books: who refers to what, and which extents are free. One lock with a redo record guards them, so a
//! process killed in the middle of an entry leaves it undone or leaves it for the next holder to complete.

use super::redo::Transaction;
use super::segment::Segment;
use super::tree::In;
use crate::time::Deadline;

/// The books, open and held by the caller.
pub(crate) struct Books(&'static Segment);

/// Opens them, whatever state their last holder died in.
pub(crate) fn open(s: &'static Segment) -> Books {
    let header = s.header();
    header.books.acquire(&In(s), || Deadline::Never);
    header.redo.replay(s);
    Books(s)
}

impl Books {
    /// Whose books these are.
    pub(super) fn segment(&self) -> &'static Segment {
        self.0
    }

    /// Begins a change of several words.
    pub(crate) fn begin(&mut self) -> Transaction<'_> {
        self.0.header().redo.begin(self.0)
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.0.header().books.release(&In(self.0));
    }
}
