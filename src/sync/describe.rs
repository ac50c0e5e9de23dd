//! What a lock says of itself, in CPython's words.

use crate::park::{Owner, Tree};
use crate::shm::LockBlock;
use crate::sys::local::Local;

/// What this process is called; empty: as nobody has said.
static NAME: Local<String> = Local::new();

/// From now on this process is called so.
pub(crate) fn name_this_process(name: &str) {
    NAME.begin(name.into());
}

impl LockBlock {
    /// `<Lock(owner=None)>`.
    pub(crate) fn describe<T: Tree>(&self, tree: &T) -> String {
        format!("<Lock(owner={})>", self.lock.owner().map_or("None".into(), |owner| process(tree, owner)))
    }

    /// `<RLock(MainProcess, 2)>`. How often others have it is theirs to know.
    pub(crate) fn describe_recursive<T: Tree>(&self, tree: &T) -> String {
        // A thread's own answers stay true while it looks.
        if self.is_this_threads(tree) {
            return format!("<RLock({}, {})>", process(tree, tree.me()), self.lock.depth());
        }
        match self.lock.owner() {
            None => "<RLock(None, 0)>".into(),
            Some(owner) if owner == tree.me() => "<RLock(SomeOtherThread, nonzero)>".into(),
            Some(_) => "<RLock(SomeOtherProcess, nonzero)>".into(),
        }
    }
}

/// The caller's own process by its name.
fn process<T: Tree>(tree: &T, owner: Owner) -> String {
    if owner != tree.me() {
        return "SomeOtherProcess".into();
    }
    NAME.with(|name| if name.is_empty() { "MainProcess".into() } else { name.clone() })
}
