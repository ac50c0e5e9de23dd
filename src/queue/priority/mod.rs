//! The priority queue: the lowest priority first, the oldest among equals; and leases, which hand a message out
//! until it is acknowledged.
//!
//! One lock guards a heap of four children a node, whose entries hold a short message, or carry the block of a
//! long one, and a table of leases. A move through the heap goes by a hole, which one word names together with
//! the number of messages and what is under way (`state.rs`); what is to be put into the hole waits in `element`.
//! Moving the hole by one copies an entry into it and then stores the word; done again after a kill, it does the
//! same. So however deep the heap is, what must be known to complete a move is that word and the element.
//!
//! | step                                              | a process killed right after it                   |
//! |---------------------------------------------------|---------------------------------------------------|
//! | put: the message's block made, in its ledger      | the sweep of its slot frees the block             |
//! | put: LOADING; the block goes to the element       | who comes next drops it                           |
//! | put: UP, and one message more: it is in           | who comes next moves the hole on                  |
//! | put: counted as put                               | the same; the element says its number             |
//! | hole moved, up or down                            | who comes next moves it on                        |
//! | element in the hole, IDLE                         | the state after                                   |
//! | get: bytes copied out                             | the message is there for the next one             |
//! | get: DOWN, and one message less: it is out        | who comes next moves the hole on                  |
//! | get: a long message's block to `garbage`, with that | who comes next drops it                         |
//! | lease: bytes copied out, and copied to a free lease | the message is there for the next one           |
//! | lease: redo record: the lease names its taker, DOWN | it is leased, and handed out again              |
//! | acknowledge: redo record: lease free, block to `garbage` | the message is done                        |
//! | return: redo record: lease free, UP               | the message is in its old place                   |
//! | task_done, shutdown: one word                     | done; who comes next drops what shutdown drops    |
//! | part made, in its ledger; carried; counted        | freed by the sweep; dropped by who comes next; in use |
//!
//! An entry beyond the heap's end, a free lease and an idle element may name a block that another entry carries,
//! or one that is gone. Nobody looks there but who frees the whole queue, and a second reference to a block finds
//! it gone.

mod calls;
mod heap;
mod hold;
mod leases;
mod queries;
mod ready;
mod state;
mod wake;

pub(crate) use calls::Taken;

use crate::error::Result;
use crate::shm::{self, Kind, Object, PriorityBlock};
use std::sync::atomic::Ordering::Relaxed;

/// Makes one for at most `maxsize` messages; 0: no limit.
pub(crate) fn create(maxsize: usize) -> Result<Object> {
    shm::create::<PriorityBlock>(Kind::Priority, 0, |block| block.maxsize.store(maxsize as u64, Relaxed))
}

#[cfg(test)]
mod tests;
