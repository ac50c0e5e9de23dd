//! map: a call that its caller's thread drives to its end.

use super::Pool;
use super::call::{Call, Plan, Work};
use super::client::Client;
use super::dispatch::Caller;
use crate::error::{Error, Result, Status, fail};
use crate::time::Deadline;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Progress is not reported more often than this.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(10);

/// How to map.
pub(crate) struct MapOptions<'a> {
    pub(crate) plan: Plan,
    pub(crate) deadline: Deadline,
    /// Told how many items are done; false: the caller wants to stop.
    pub(crate) progress: &'a dyn Fn(usize) -> bool,
}

/// The caller of a map wants no more of it.
pub(super) fn no_more((done, all): (usize, usize)) -> Error {
    let text = format!("the progress function asked to stop after {done} of {all} items");
    Error::new(Status::Cancelled, text)
}

impl Pool {
    /// Runs the function on every of `len` items.
    pub(crate) fn map(
        self: &Arc<Self>,
        len: usize,
        work: &mut dyn Work,
        options: &MapOptions<'_>,
    ) -> Result<()> {
        if len == 0 {
            return self.must_run();
        }
        let client = Client::open(self)?;
        let word = self.dispatcher().describe(options.plan.function, options.plan.user)?;
        let mut call = Call::new(Caller { client: client.number, call: 0 }, options.plan, word);
        call.add(0..len);
        let mut told = Instant::now();
        loop {
            let heard = client.heard();
            let mut dispatcher = client.dispatcher()?;
            dispatcher.collect();
            let mut settled = Ok(());
            for arrival in dispatcher.mail(client.number) {
                let number = arrival.number;
                if settled.is_ok() {
                    settled = call.receive(&self.area, arrival, work);
                }
                dispatcher.retire(number);
            }
            settled?;
            call.send(&self.area, &mut dispatcher, work, false)?;
            dispatcher.ring_workers(call.is_out());
            if call.is_over() {
                break;
            }
            if let Some(error) = dispatcher.hopeless() {
                return Err(error);
            }
            let until = dispatcher.next_look();
            client.leave(dispatcher);
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                if !(options.progress)(call.done) {
                    return Err(no_more((call.done, len)));
                }
            }
            if options.deadline.is_over() {
                fail!(Timeout, "{} of {len} items were not done in time", len - call.done);
            }
            let until = match options.deadline {
                Deadline::At(at) => at.min(until),
                _ => until,
            };
            client.sleep(heard, until, || false);
        }
        (options.progress)(call.done);
        call.error.take().map_or(Ok(()), Err)
    }

    /// Items a task, where the caller leaves it to the pool. `apart`: what happens to an item must not touch the
    /// others.
    pub(crate) fn chunk(&self, asked: usize, len: usize, apart: bool) -> usize {
        match asked {
            0 if apart => 1,
            0 => len.div_ceil(4 * self.workers()).max(1),
            chunk => chunk,
        }
    }
}
