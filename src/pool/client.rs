//! One of the owner's threads that waits for tasks.

use super::Pool;
use super::dispatch::Dispatcher;
use crate::error::{Result, fail};
use crate::log;
use crate::park::Wait;
use crate::shm::{PoolArea, ThisTree};
use crate::time::Deadline;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// From its first task to the last one that it wants.
pub(super) struct Client {
    pub(super) pool: Arc<Pool>,
    pub(super) number: u64,
    mail: Arc<AtomicBool>,
}

impl Client {
    pub(super) fn open(pool: &Arc<Pool>) -> Result<Self> {
        let mut dispatcher = pool.dispatcher();
        pool.must_run()?;
        let (number, mail) = dispatcher.open_client()?;
        drop(dispatcher);
        Ok(Client { pool: Arc::clone(pool), number, mail })
    }

    /// The dispatcher, while the pool is there.
    pub(super) fn dispatcher(&self) -> Result<MutexGuard<'_, Dispatcher>> {
        let dispatcher = self.pool.dispatcher();
        if self.pool.has_ended() {
            fail!(Cancelled, "the pool was ended meanwhile");
        }
        Ok(dispatcher)
    }

    /// Lets the dispatcher go, and wakes those for whom something was found.
    pub(super) fn leave(&self, dispatcher: MutexGuard<'_, Dispatcher>) {
        let others = dispatcher.others_have_mail(self.number);
        drop(dispatcher);
        log::catch_up();
        if others {
            self.pool.area.shared().bell.notify::<ThisTree>(i32::MAX);
        }
    }

    /// What the workers have said so far: what they say later is news. To be asked before their outboxes are
    /// looked at.
    pub(super) fn heard(&self) -> u64 {
        news(&self.pool.area)
    }

    /// Until a worker rings, another thread has found something for this one, something `else` is there, or it is
    /// time.
    pub(super) fn sleep(&self, heard: u64, until: Instant, elsewhere: impl Fn() -> bool) {
        let look = || {
            let something = news(&self.pool.area) != heard
                || self.mail.load(Ordering::Acquire)
                || self.pool.has_ended()
                || elsewhere();
            something.then_some(())
        };
        let bell = &self.pool.area.shared().bell;
        let waited: std::result::Result<_, std::convert::Infallible> =
            bell.wait(&ThisTree, Deadline::At(until), true, look, || Ok(()));
        let Ok(Wait::Found(()) | Wait::TimedOut) = waited;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut dispatcher = self.pool.dispatcher();
        dispatcher.close_client(self.number);
        self.pool.stop_if_done(&dispatcher);
        self.leave(dispatcher);
    }
}

/// The sum of the workers' rings: it differs as soon as one has rung.
fn news(area: &PoolArea) -> u64 {
    (0..area.worker_count()).map(|w| u64::from(area.worker(w).news.load(Ordering::Acquire))).sum()
}
