//! Queues that grow: a ring that is full gets a link record at its end, and the next one hangs on it, twice as
//! long up to a limit. Consumers that come to the link go over to the next ring and hand theirs back. See
//! `shm/rings.rs` for what happens to who is killed on the way.
//!
//! A queue begins with a short ring, because most never have much in them; the second one has the usual length.

use super::position::GRAIN;
use super::ring::Ring;
use crate::error::Result;
use crate::shm::{self, QueueBlock};

/// The ring that a queue that grows begins with.
pub(super) const FIRST: usize = 2048;
/// The next one, and the shortest that is kept when it is drained.
pub(super) const USUAL: usize = 64 << 10;
/// The longest.
const LONGEST: usize = 1 << 20;

impl QueueBlock {
    /// Whether messages that are long for this ring are better off in the next one.
    pub(super) fn wants_longer_ring(&self, ring: &Ring) -> bool {
        self.grows() && ring.grains() as usize * GRAIN < USUAL
    }

    /// With the producers' lock: hangs the next ring behind theirs, and they are in it.
    #[cold]
    pub(super) fn link(&self, ring: &Ring) -> Result<()> {
        let from = self.producers.own_position();
        ring.write_link(from.at());
        let bytes = (ring.grains() as usize * GRAIN * 2).clamp(USUAL, LONGEST);
        let seen = self.producers.seen();
        shm::link(self, bytes, |len| {
            let begin = from.at_next_ring((len / GRAIN) as u32);
            // Nothing was got in there yet.
            [begin.bits(), begin.with_messages_of(seen).bits()]
        })
    }

    /// With the consumers' lock, which have got everything up to the link: they go over to the next ring.
    #[cold]
    pub(super) fn pass_link(&self) -> Result<()> {
        let from = self.consumers.own_position();
        shm::pass(self, USUAL, LONGEST, |len| from.at_next_ring((len / GRAIN) as u32).bits())
    }
}
