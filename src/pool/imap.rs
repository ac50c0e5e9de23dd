//! imap: items are taken from a source, and results given back, one at a time. So many items at most are on their
//! way, or wait to be taken.

use super::Pool;
use super::call::{Call, Plan, Work};
use super::client::Client;
use super::dispatch::Caller;
use super::shelf::Shelf;
use crate::error::{Error, Result, Status, fail};
use crate::shm::Data;
use crate::time::Deadline;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Instant;

/// Items a worker, where the caller leaves the window to the pool.
const WINDOW: usize = 16;

/// Where items come from.
pub(crate) trait Source: Send {
    /// The next one; None: there are no more. After an error it is not asked again.
    fn next(&mut self) -> Result<Option<Vec<u8>>>;
}

/// One result: the item's place, and what it came to.
pub(crate) type Taken = (usize, Result<Vec<u8>>);

/// An item on its way, or its result, which nobody has taken.
enum Place {
    Item(Vec<u8>),
    Ready(Result<Vec<u8>>),
}

struct Store {
    places: Shelf<Place>,
    /// Where results are taken in the order in which they came: those that are ready.
    order: Option<VecDeque<usize>>,
}

impl Store {
    fn arrive(&mut self, index: usize, result: Result<Vec<u8>>) {
        if let Some(place) = self.places.get_mut(index) {
            *place = Place::Ready(result);
        }
        if let Some(order) = &mut self.order {
            order.push_back(index);
        }
    }

    /// The one that is to be taken next, if it is ready; in the items' order that is `next`.
    fn take(&mut self, next: usize) -> Option<Taken> {
        let index = match &self.order {
            None => next,
            Some(order) => *order.front()?,
        };
        if !matches!(self.places.get(index), Some(Place::Ready(_))) {
            return None;
        }
        if let Some(order) = &mut self.order {
            order.pop_front();
        }
        match self.places.take(index)? {
            Place::Ready(result) => Some((index, result)),
            Place::Item(_) => None,
        }
    }
}

impl Work for Store {
    fn sizes(&self) -> Option<(usize, usize)> {
        None
    }

    fn items(&self, first: usize, _: usize) -> &[u8] {
        match self.places.get(first) {
            Some(Place::Item(item)) => item,
            _ => &[],
        }
    }

    fn put_all(&mut self, _: usize, _: usize, _: Data) {}

    fn put(&mut self, index: usize, result: Data) -> Result<()> {
        let mut bytes = Vec::new();
        let room = bytes.try_reserve_exact(result.len());
        self.arrive(
            index,
            match room {
                Ok(()) => {
                    bytes.resize(result.len(), 0);
                    result.read(0, &mut bytes);
                    Ok(bytes)
                }
                Err(_) => {
                    Err(Error::new(Status::NoMemory, format!("item {index}: no memory for its result")))
                }
            },
        );
        Ok(())
    }

    fn fail(&mut self, index: usize, why: &Error) {
        self.arrive(index, Err(why.clone()));
    }
}

struct Inner {
    /// None once all was taken.
    client: Option<Client>,
    flow: Flow,
}

/// What is on its way.
struct Flow {
    call: Call,
    store: Store,
    /// None once it has no more.
    source: Option<Box<dyn Source>>,
    /// Items that came from the source, and results that were taken.
    pulled: usize,
    taken: usize,
    window: usize,
    /// What the workers had said, and when to look at them again, whatever they say.
    heard: u64,
    look: Instant,
}

/// An iterator over results.
pub(crate) struct Imap {
    inner: Mutex<Inner>,
    pool: Arc<Pool>,
}

impl Imap {
    /// `window` 0: chosen.
    pub(crate) fn new(
        pool: &Arc<Pool>,
        plan: Plan,
        window: usize,
        ordered: bool,
        source: Box<dyn Source>,
    ) -> Result<Self> {
        let client = Client::open(pool)?;
        let word = client.dispatcher()?.describe(plan.function, plan.user)?;
        let plan = Plan { chunk: plan.chunk.max(1), run_all: true, ..plan };
        let window = match window {
            0 => (WINDOW * pool.workers()).saturating_mul(plan.chunk),
            window => window,
        };
        let call = Call::new(Caller { client: client.number, call: 0 }, plan, word);
        pool.imaps.fetch_add(1, Ordering::AcqRel);
        let flow = Flow {
            call,
            store: Store {
                places: Shelf::new(window.saturating_mul(4)),
                order: (!ordered).then(VecDeque::new),
            },
            source: Some(source),
            pulled: 0,
            taken: 0,
            window,
            heard: 0,
            look: Instant::now(),
        };
        let inner = Inner { client: Some(client), flow };
        Ok(Imap { inner: Mutex::new(inner), pool: Arc::clone(pool) })
    }

    /// The next result; None: there are no more. An error is that of the iteration, not of an item.
    pub(crate) fn next(&self, deadline: Deadline) -> Result<Option<Taken>> {
        let mut guard = match self.inner.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => fail!(State, "another thread takes from the iterator"),
        };
        let Inner { client: place, flow } = &mut *guard;
        loop {
            let Some(client) = place else { return Ok(None) };
            let pulled = flow.pull();
            let heard = client.heard();
            // While there is no news the workers have what they need.
            if !pulled
                && heard == flow.heard
                && Instant::now() < flow.look
                && !self.pool.has_ended()
                && let Some(taken) = flow.take()
            {
                return Ok(Some(taken));
            }
            flow.heard = heard;
            let until = flow.drive(client)?;
            flow.look = until;
            if let Some(taken) = flow.take() {
                return Ok(Some(taken));
            }
            if flow.source.is_none() && flow.call.is_over() {
                *place = None;
                self.pool.imaps.fetch_sub(1, Ordering::AcqRel);
                return Ok(None);
            }
            if deadline.is_over() {
                fail!(Timeout, "no result came in time");
            }
            let until = match deadline {
                Deadline::At(at) => at.min(until),
                _ => until,
            };
            client.sleep(heard, until, || false);
        }
    }
}

impl Flow {
    /// Takes items from the source, so many as make a task, as often as there is room for them. Says whether it
    /// took any.
    fn pull(&mut self) -> bool {
        let before = self.pulled;
        let chunk = self.call.plan.chunk.min(self.window);
        while self.source.is_some() && self.window - (self.pulled - self.taken) >= chunk {
            let first = self.pulled;
            let failed = self.pull_some(chunk);
            self.call.add(first..self.pulled);
            if let Some(error) = failed {
                self.store.places.push(self.pulled, Place::Ready(Err(error)));
                if let Some(order) = &mut self.store.order {
                    order.push_back(self.pulled);
                }
                self.pulled += 1;
            }
        }
        self.pulled != before
    }

    /// Takes so many, or fewer where the source has no more; its error, if it fails.
    fn pull_some(&mut self, count: usize) -> Option<Error> {
        for _ in 0..count {
            match self.source.as_mut()?.next() {
                Ok(Some(item)) => {
                    self.store.places.push(self.pulled, Place::Item(item));
                    self.pulled += 1;
                }
                Ok(None) => self.source = None,
                Err(error) => {
                    self.source = None;
                    return Some(error);
                }
            }
        }
        None
    }

    /// Takes what came back, and sends what there is to send. Gives the time for the next look.
    fn drive(&mut self, client: &Client) -> Result<Instant> {
        let area = &client.pool.area;
        let mut dispatcher = client.dispatcher()?;
        dispatcher.collect();
        let mut settled = Ok(());
        for arrival in dispatcher.mail(client.number) {
            let number = arrival.number;
            settled = settled.and(self.call.receive(area, arrival, &mut self.store));
            dispatcher.retire(number);
        }
        settled?;
        self.call.send(area, &mut dispatcher, &self.store, false)?;
        dispatcher.ring_workers(self.call.is_out());
        if !self.call.is_over()
            && let Some(error) = dispatcher.hopeless()
        {
            return Err(error);
        }
        let until = dispatcher.next_look();
        client.leave(dispatcher);
        Ok(until)
    }

    fn take(&mut self) -> Option<Taken> {
        let taken = self.store.take(self.taken)?;
        self.taken += 1;
        Some(taken)
    }
}

impl Drop for Imap {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if inner.client.take().is_some() {
            self.pool.imaps.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
