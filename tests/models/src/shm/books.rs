//! The books, as the library has them.

use super::redo::Transaction;
use super::segment::Segment;
use super::tree::In;
use crate::time::Deadline;

pub(crate) struct Books(&'static Segment);

pub(crate) fn open(s: &'static Segment) -> Books {
    s.header().books.acquire(&In(s), || Deadline::Never);
    s.header().redo.replay(s);
    Books(s)
}

impl Books {
    pub(super) fn begin(&mut self) -> Transaction<'_> {
        self.0.header().redo.begin(self.0)
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.0.header().books.release(&In(self.0));
    }
}
