//! How many bytes a server stores, about: in its loop, and in threads where its objects' functions run.

use crate::error::{Result, fail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Its numbers guard nothing, so that every ordering here is Relaxed.
pub(super) struct Account {
    used: AtomicUsize,
    most: usize,
}

impl Account {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Account { used: AtomicUsize::new(0), most })
    }

    /// Makes room for so many bytes more, or says that there is none.
    pub(super) fn charge(&self, bytes: usize) -> Result<()> {
        let more = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.most);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(used) => fail!(NoMemory, "the manager has {} bytes, of which {used} are in use", self.most),
        }
    }

    /// What was discharged a moment ago is there again.
    pub(super) fn recharge(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn discharge(&self, bytes: usize) {
        let less = |used: usize| Some(used.saturating_sub(bytes));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// So many bytes, until it is dropped.
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(account: &Arc<Account>, bytes: usize) -> Result<Self> {
        account.charge(bytes)?;
        Ok(Charge { account: Arc::clone(account), bytes })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.discharge(self.bytes);
    }
}
