//! What a lock says of itself, in CPython's words.

use crate::park::{Owner, Tree};
use crate::shm::{LockBlock, ThisTree};

/// The tree's first process, the only one that has a name so far.
const FIRST: (u32, u16) = (1, 1);

impl LockBlock {
    /// `<Lock(owner=None)>`.
    pub(crate) fn describe<T: Tree>(&self, tree: &T) -> String {
        format!("<Lock(owner={})>", self.lock.owner().map_or("None", |owner| process(tree, owner)))
    }

    /// `<RLock(MainProcess, 2)>`. How often others have it is theirs to know.
    pub(crate) fn describe_recursive<T: Tree>(&self, tree: &T) -> String {
        // A thread's own answers stay true while it looks.
        if self.is_this_threads(tree) {
            return match process(tree, tree.me()) {
                name @ "MainProcess" => format!("<RLock({name}, {})>", self.lock.depth()),
                name => format!("<RLock({name}, nonzero)>"),
            };
        }
        match self.lock.owner() {
            None => "<RLock(None, 0)>".into(),
            Some(owner) if owner == tree.me() => "<RLock(SomeOtherThread, nonzero)>".into(),
            Some(_) => "<RLock(SomeOtherProcess, nonzero)>".into(),
        }
    }
}

/// The caller's own process by its name, if it has one.
fn process<T: Tree>(tree: &T, owner: Owner) -> &'static str {
    let here = ThisTree.me();
    if owner == tree.me() && (here.slot(), here.generation()) == FIRST {
        "MainProcess"
    } else {
        "SomeOtherProcess"
    }
}
