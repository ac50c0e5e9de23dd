//! The thread that drives asynchronous calls. It comes into being with the first of them, and ends with the pool.
//!
//! | who                  | has                                                                          |
//! |----------------------|------------------------------------------------------------------------------|
//! | the [`Inbox`]        | what other threads want: new calls, and calls that shall be cancelled         |
//! | the thread           | the calls that are on their way, and which of them is to send next            |
//! | an [`Answer`]        | what a call came to; it alone is left of a call that is over                  |
//!
//! Locks are taken in this order: inbox, dispatcher; an answer's with nothing else held.

use super::Pool;
use super::answer::{Answer, Settled, Value};
use super::batch::Batch;
use super::call::{Call, Plan};
use super::client::Client;
use super::dispatch::{Caller, Dispatcher};
use super::map::{PROGRESS_EVERY, no_more};
use crate::error::{Error, Result, Status};
use crate::log;
use crate::sys::thread;
use crate::time::Deadline;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a pool that has nothing to do is looked after, where that is wanted.
const WATCH: Duration = Duration::from_millis(250);

/// Told, by the helper, that a call is over.
pub(crate) type Callback = Box<dyn FnOnce(&Arc<Answer>, &Settled) + Send>;

/// Told, by the helper, how many items are done; false: nobody wants the rest.
pub(crate) type Progress = Box<dyn Fn(usize) -> bool + Send>;

/// A call to be.
pub(crate) struct Request {
    pub(crate) plan: Plan,
    pub(crate) batch: Batch,
    /// Higher goes first.
    pub(crate) priority: i32,
    pub(crate) deadline: Deadline,
    pub(crate) progress: Option<Progress>,
    pub(crate) callback: Option<Callback>,
}

/// A call on its way.
struct Job {
    answer: Arc<Answer>,
    call: Call,
    batch: Batch,
    priority: i32,
    deadline: Deadline,
    progress: Option<Progress>,
    callback: Option<Callback>,
    /// It ends with this, once nothing of it is out.
    error: Option<Error>,
}

#[derive(Default)]
struct Inbox {
    /// Open while there are calls.
    client: Option<Arc<Client>>,
    fresh: Vec<Job>,
    cancels: Vec<(u64, Duration)>,
    /// Calls of which nothing was begun shall never be.
    drop_pending: bool,
    last: u64,
    thread: Option<JoinHandle<()>>,
    /// The thread has ended, and nobody looks here any more.
    over: bool,
}

/// The helper, as all threads see it.
#[derive(Default)]
pub(super) struct Helper {
    inbox: Mutex<Inbox>,
    /// Something is in the inbox.
    flag: AtomicBool,
    /// The helper's thread number; 0 before it runs.
    number: AtomicU32,
}

impl Helper {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_this_thread(&self) -> bool {
        self.number.load(Ordering::Relaxed) == thread::number()
    }

    /// Waits for the thread's end. From a callback there is nothing to wait for.
    pub(super) fn join(&self) {
        let thread = self.inbox().thread.take_if(|_| !self.is_this_thread());
        if let Some(thread) = thread {
            // Its panic was its own.
            let _ = thread.join();
        }
    }
}

impl Pool {
    /// Begins a call that nobody waits for.
    pub(crate) fn submit(self: &Arc<Self>, request: Request) -> Result<Arc<Answer>> {
        let Request { plan, batch, priority, deadline, progress, callback } = request;
        self.must_run()?;
        let word = self.dispatcher().describe(plan.function, plan.user)?;
        let mut inbox = self.helper.inbox();
        self.start_helper(&mut inbox)?;
        let client = match &inbox.client {
            Some(client) => {
                self.must_run()?;
                Arc::clone(client)
            }
            None => Arc::clone(inbox.client.insert(Arc::new(Client::open(self)?))),
        };
        inbox.last += 1;
        let key = inbox.last;
        let answer = Arc::new(Answer::new(self, key, batch.len()));
        let mut call = Call::new(Caller { client: client.number, call: key }, plan, word);
        call.add(0..batch.len());
        let answer_too = Arc::clone(&answer);
        inbox.fresh.push(Job { answer, call, batch, priority, deadline, progress, callback, error: None });
        drop(inbox);
        self.wake_helper();
        Ok(answer_too)
    }

    /// Has somebody look after the pool also while it has nothing to do.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<()> {
        let mut inbox = self.helper.inbox();
        self.start_helper(&mut inbox)
    }

    fn start_helper(self: &Arc<Self>, inbox: &mut Inbox) -> Result<()> {
        if inbox.thread.is_none() && !inbox.over {
            let pool = Arc::clone(self);
            inbox.thread = Some(thread::start_helper("pool", move || run(&pool))?);
        }
        Ok(())
    }

    /// Cancels every asynchronous call of which nothing was begun.
    pub(super) fn cancel_pending(&self) {
        self.helper.inbox().drop_pending = true;
        self.wake_helper();
    }

    fn wake_helper(&self) {
        self.helper.flag.store(true, Ordering::Release);
        self.area.shared().bell.notify::<crate::shm::ThisTree>(i32::MAX);
    }

    /// Asks the helper to cancel a call; false where this is the helper.
    pub(super) fn cancel_call(&self, key: u64, grace: Duration) -> bool {
        let mut inbox = self.helper.inbox();
        if !inbox.over {
            inbox.cancels.push((key, grace));
        }
        drop(inbox);
        self.wake_helper();
        !self.helper.is_this_thread()
    }
}

/// The helper's own.
#[derive(Default)]
struct Desk {
    jobs: BTreeMap<u64, Job>,
    /// Those that have something to send, in the order in which they may.
    queue: BTreeSet<(Reverse<i32>, u64)>,
    /// When calls are to be over.
    deadlines: BTreeSet<(Instant, u64)>,
    /// When those that have a progress function were last told, and which of them said that it is enough.
    told: BTreeMap<u64, Instant>,
    enough: Vec<u64>,
    /// Calls with nothing left to do.
    over: Vec<u64>,
}

/// The thread's whole life.
fn run(pool: &Arc<Pool>) {
    let helper = &pool.helper;
    helper.number.store(thread::number(), Ordering::Relaxed);
    let mut desk = Desk::default();
    loop {
        // Before the inbox is looked at: what comes later is seen again.
        helper.flag.store(false, Ordering::SeqCst);
        let mut inbox = helper.inbox();
        let (fresh, cancels) = (std::mem::take(&mut inbox.fresh), std::mem::take(&mut inbox.cancels));
        let drop_pending = std::mem::take(&mut inbox.drop_pending);
        if fresh.is_empty() && desk.jobs.is_empty() {
            let client = inbox.client.take();
            inbox.over = pool.has_ended();
            let over = inbox.over;
            drop(inbox);
            drop(client);
            if over {
                return;
            }
            judge(&desk, &cancels);
            idle(pool);
            continue;
        }
        let client = inbox.client.clone();
        drop(inbox);
        for job in fresh {
            desk.take_in(job);
        }
        let Some(client) = client else { continue };
        let heard = client.heard();
        let until = match client.dispatcher() {
            Ok(mut dispatcher) => {
                if drop_pending {
                    desk.drop_pending(&mut dispatcher);
                }
                desk.work(pool, &client, &mut dispatcher, &cancels);
                let until = dispatcher.next_look();
                client.leave(dispatcher);
                until
            }
            Err(error) => {
                desk.end_all(&error);
                Instant::now()
            }
        };
        judge(&desk, &cancels);
        desk.report();
        if desk.finish() || !desk.enough.is_empty() {
            // A callback may have asked for more, and took time.
            continue;
        }
        let until = desk.deadlines.first().map_or(until, |&(at, _)| at.min(until));
        client.sleep(heard, until, || helper.flag.load(Ordering::Acquire));
    }
}

/// Until there is something to do again.
fn idle(pool: &Arc<Pool>) {
    let look = || (pool.helper.flag.load(Ordering::Acquire) || pool.has_ended()).then_some(());
    let until = match pool.is_watched {
        true => Deadline::At(Instant::now() + WATCH),
        false => Deadline::Never,
    };
    let bell = &pool.area.shared().bell;
    let _ = bell.wait(&crate::shm::ThisTree, until, false, look, || Ok::<(), ()>(()));
    if pool.is_watched && !pool.is_closed() {
        pool.dispatcher().look_after();
        log::catch_up();
    }
}

/// Tells those who cancel what became of it.
fn judge(desk: &Desk, cancels: &[(u64, Duration)]) {
    for (key, _) in cancels {
        // One that is not here any more is over.
        if let Some(job) = desk.jobs.get(key) {
            job.answer.judge(job.error.is_some());
        }
    }
}

impl Desk {
    fn take_in(&mut self, job: Job) {
        let key = job.answer.key;
        if let Deadline::At(at) = job.deadline {
            self.deadlines.insert((at, key));
        }
        if job.progress.is_some() {
            self.told.insert(key, Instant::now());
        }
        if job.call.is_over() {
            self.over.push(key);
        } else {
            self.queue.insert((Reverse(job.priority), key));
        }
        self.jobs.insert(key, job);
    }

    /// Everything that needs the dispatcher.
    fn work(
        &mut self,
        pool: &Pool,
        client: &Client,
        dispatcher: &mut Dispatcher,
        cancels: &[(u64, Duration)],
    ) {
        dispatcher.collect();
        self.receive(pool, client, dispatcher);
        for &(key, grace) in cancels {
            let why = Error::new(Status::Cancelled, "the call was cancelled");
            self.stop(dispatcher, key, grace, why);
        }
        for key in std::mem::take(&mut self.enough) {
            let Some(job) = self.jobs.get(&key) else { continue };
            let (grace, why) = (job.call.plan.limit.grace, no_more(job.answer.progress()));
            self.stop(dispatcher, key, grace, why);
        }
        let now = Instant::now();
        while let Some(&(at, key)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.deadlines.remove(&(at, key));
            let Some(job) = self.jobs.get(&key) else { continue };
            let (done, all) = job.answer.progress();
            let text = format!("{} of {all} items were not done in time", all - done);
            let grace = job.call.plan.limit.grace;
            self.stop(dispatcher, key, grace, Error::new(Status::Timeout, text));
        }
        self.send(pool, dispatcher);
        if let Some(error) = dispatcher.hopeless() {
            self.end_all(&error);
        }
    }

    fn receive(&mut self, pool: &Pool, client: &Client, dispatcher: &mut Dispatcher) {
        for arrival in dispatcher.mail(client.number) {
            let (key, number) = (arrival.call, arrival.number);
            if let Some(job) = self.jobs.get_mut(&key) {
                if let Err(error) = job.call.receive(&pool.area, arrival, &mut job.batch) {
                    // What runs of it is left to run.
                    job.call.give_up();
                    job.call.open = 0;
                    dispatcher.abandon(job.call.caller);
                    job.error.get_or_insert(error);
                }
                if job.error.is_some() {
                    job.call.give_up();
                }
                job.answer.note_done(job.call.done);
                if job.call.is_over() {
                    self.over.push(key);
                } else if !job.call.is_out() {
                    self.queue.insert((Reverse(job.priority), key));
                }
            }
            dispatcher.retire(number);
        }
    }

    /// Tells those who want to know how far their calls are. No lock is held.
    fn report(&mut self) {
        for (&key, told) in &mut self.told {
            let Some(job) = self.jobs.get(&key).filter(|_| told.elapsed() >= PROGRESS_EVERY) else {
                continue;
            };
            *told = Instant::now();
            if let Some(progress) = job.progress.as_ref().filter(|_| !job.call.is_over())
                && !progress(job.call.done)
            {
                self.enough.push(key);
            }
        }
    }

    /// Takes back what was not begun of a call, and asks the rest to stop.
    fn stop(&mut self, dispatcher: &mut Dispatcher, key: u64, grace: Duration, why: Error) {
        let Some(job) = self.jobs.get_mut(&key) else { return };
        if job.call.is_over() {
            return;
        }
        job.error.get_or_insert(why);
        job.call.give_up();
        job.call.open -= dispatcher.cancel(job.call.caller, grace);
        self.queue.remove(&(Reverse(job.priority), key));
        if job.call.is_over() {
            self.over.push(key);
        }
    }

    /// Calls of which no worker has begun anything are over.
    fn drop_pending(&mut self, dispatcher: &mut Dispatcher) {
        for (&key, job) in &mut self.jobs {
            let begun = job.call.done > 0 || job.call.is_over() || !dispatcher.take_all_back(job.call.caller);
            if !begun {
                job.error.get_or_insert_with(|| Error::new(Status::Cancelled, "the pool was shut down"));
                job.call.give_up();
                job.call.open = 0;
                self.queue.remove(&(Reverse(job.priority), key));
                self.over.push(key);
            }
        }
    }

    /// Hands out as much as the workers shall have ahead of them, what has the highest priority first.
    fn send(&mut self, pool: &Pool, dispatcher: &mut Dispatcher) {
        let mut are_out = BTreeSet::new();
        for &(priority, key) in &self.queue {
            let Some(job) = self.jobs.get_mut(&key) else {
                are_out.insert((priority, key));
                continue;
            };
            let patient = dispatcher.is_busy();
            if let Err(error) = job.call.send(&pool.area, dispatcher, &job.batch, patient) {
                job.error.get_or_insert(error);
                job.call.give_up();
                if job.call.is_over() {
                    self.over.push(key);
                }
            }
            if !job.call.is_out() {
                break;
            }
            are_out.insert((priority, key));
        }
        for at in &are_out {
            self.queue.remove(at);
        }
        dispatcher.ring_workers(self.queue.is_empty());
    }

    /// Nothing comes back any more.
    fn end_all(&mut self, error: &Error) {
        for (&key, job) in &mut self.jobs {
            job.error.get_or_insert_with(|| error.clone());
            job.call.give_up();
            job.call.open = 0;
            self.over.push(key);
        }
        self.queue.clear();
    }

    /// Tells the owners of calls that are over. No lock is held: whoever is told may ask for more.
    fn finish(&mut self) -> bool {
        let over = std::mem::take(&mut self.over);
        for key in &over {
            let Some(job) = self.jobs.remove(key) else { continue };
            self.queue.remove(&(Reverse(job.priority), *key));
            if let Deadline::At(at) = job.deadline {
                self.deadlines.remove(&(at, *key));
            }
            self.told.remove(key);
            drop(job);
        }
        !over.is_empty()
    }
}

/// However a job goes, somebody may wait for it.
impl Drop for Job {
    fn drop(&mut self) {
        let value = std::mem::replace(&mut self.batch.value, Value::Each(Vec::new()));
        let statuses = std::mem::take(&mut self.batch.statuses);
        if let Some(progress) = self.progress.as_ref().filter(|_| self.error.is_none()) {
            // What it wants then comes too late.
            progress(self.call.done);
        }
        let error = match (self.error.take().or(self.call.error.take()), self.call.is_over()) {
            (None, false) => Some(Error::new(Status::Panic, "the pool's helper has gone")),
            (error, _) => error,
        };
        self.answer.settle(Settled { error, value, statuses, run_all: self.call.plan.run_all });
        if let (Some(callback), Some(settled)) = (self.callback.take(), self.answer.settled()) {
            callback(&self.answer, &settled);
        }
        self.answer.publish();
    }
}
