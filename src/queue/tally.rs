//! How many messages and bytes passed a side. The position's word has no room for these numbers; so each side has
//! two pairs of them, and the position says whose turn it is: the other pair is written before the position that
//! turns to it is stored. So the numbers are exact at any moment, also where somebody was killed in between.
//!
//! | step                                | the numbers               |
//! |-------------------------------------|---------------------------|
//! | the pair that has no turn is written | as before                |
//! | the position is stored              | the new ones              |

use super::position::Position;
use crate::shm::Side;
use std::sync::atomic::Ordering;

/// What passed a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Side {
    /// At the position that this side, whose lock the caller holds, is at.
    #[inline(always)]
    pub(super) fn own_tally(&self, at: Position) -> Tally {
        Tally {
            messages: self.messages[at.turn()].load(Ordering::Relaxed),
            bytes: self.bytes[at.turn()].load(Ordering::Relaxed),
        }
    }

    /// For the lock's holder: what will hold once a position of the other turn is stored.
    #[inline(always)]
    pub(super) fn prepare(&self, to: Position, tally: Tally) {
        // Release: whoever sees one of these and then reads the position sees the one that gave this pair free,
        // at least, and so that it changed.
        self.messages[to.turn()].store(tally.messages, Ordering::Release);
        self.bytes[to.turn()].store(tally.bytes, Ordering::Release);
    }

    /// The position, and what had passed there.
    #[inline(always)]
    pub(super) fn position_and_tally(&self) -> (Position, Tally) {
        let mut position = self.position();
        loop {
            // Acquire: see `prepare`.
            let tally = Tally {
                messages: self.messages[position.turn()].load(Ordering::Acquire),
                bytes: self.bytes[position.turn()].load(Ordering::Acquire),
            };
            let now = self.position();
            if now == position {
                return (position, tally);
            }
            position = now;
        }
    }
}
