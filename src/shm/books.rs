//! The books: who refers to what, and which extents are free. One lock with a redo record guards them, so a
//! process killed in the middle of an entry leaves it undone or leaves it for the next holder to complete.

use super::redo::Transaction;
use super::segment;
use super::tree::ThisTree;
use crate::time::Deadline;

/// The books, open and held by the caller.
pub(crate) struct Books(());

/// Opens them, whatever state their last holder died in.
pub(crate) fn open() -> Books {
    let header = segment::header();
    header.books.acquire(&ThisTree, || Deadline::Never);
    header.redo.replay();
    Books(())
}

impl Books {
    /// Begins a change of several words.
    pub(crate) fn begin(&mut self) -> Transaction<'_> {
        segment::header().redo.begin()
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        segment::header().books.release(&ThisTree);
    }
}
