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

    fn is_ready(&self, thoroughly: bool) -> bool {
        if thoroughly {
            // What the dead had peeked can be got again.
            self.bury_borrowers(&self.tree());
        }
        self.used().messages > 0 || self.has_orphans() || self.is_shut()
    }

    fn is_owned(&self) -> bool {
        self.is_lending()
    }
}
