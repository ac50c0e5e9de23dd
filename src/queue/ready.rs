//! A queue that can be waited for among other things.

use crate::shm::{self, In, QueueBlock};
use crate::sync::watch::Watched;

impl Watched for QueueBlock {
    fn tree(&self) -> In {
        shm::tree_of(self)
    }

    fn watch(&self) -> bool {
        self.tree().watch(&self.message);
        self.message.watch();
        false
    }

    fn is_ready(&self, _: bool) -> bool {
        self.used().grains > 0
    }
}
