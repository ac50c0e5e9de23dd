//! A priority queue that can be waited for among other things.

use super::hold::OPEN;
use crate::shm::{self, In, PriorityBlock};
use crate::sync::watch::Watched;
use std::sync::atomic::Ordering::Relaxed;

impl Watched for PriorityBlock {
    fn tree(&self) -> In {
        shm::tree_of(self)
    }

    fn watch(&self) -> bool {
        self.tree().watch(&self.message);
        self.message.watch();
        false
    }

    fn is_ready(&self, thoroughly: bool) -> bool {
        if thoroughly {
            // What is wrong there is said by whoever takes.
            let _ = self.count();
        }
        self.state().count > 0 || self.closed.load(Relaxed) != OPEN && self.leased() == 0
    }

    fn is_owned(&self) -> bool {
        self.given.load(Relaxed) != 0
    }
}
