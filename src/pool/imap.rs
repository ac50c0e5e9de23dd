//! imap: items are taken from a source, and results given back, one at a time. So many items at most are on their
//! way, or wait to be taken.

use super::Pool;
use super::call::{Call, Plan, Work};
use super::client::Client;
use super::dispatch::Caller;
use crate::error::{Error, Result, Status, fail};
use crate::shm::Data;
use crate::time::Deadline;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, TryLockError};

/// Items a worker, where the caller leaves the window to the pool.
const WINDOW: usize = 16;

/// Where items come from.
pub(crate) trait Source: Send {
    /// The next one; None: there are no more. After an error it is not asked again.
    fn next(&mut self) -> Result<Option<Vec<u8>>>;
}

/// One result: the item's place, and what it came to.
pub(crate) type Taken = (usize, Result<Vec<u8>>);

/// Items on their way, and results that nobody has taken.
#[derive(Default)]
struct Store {
    items: BTreeMap<usize, Vec<u8>>,
    ready: BTreeMap<usize, Result<Vec<u8>>>,
    /// In the order in which they came.
    order: VecDeque<usize>,
}

impl Store {
    fn arrive(&mut self, index: usize, result: Result<Vec<u8>>) {
        self.items.remove(&index);
        self.ready.insert(index, result);
        self.order.push_back(index);
    }
}

impl Work for Store {
    fn sizes(&self) -> Option<(usize, usize)> {
        None
    }

    fn items(&self, first: usize, _: usize) -> &[u8] {
        self.items.get(&first).map_or(&[], |item| item)
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
    ordered: bool,
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
            store: Store::default(),
            source: Some(source),
            pulled: 0,
            taken: 0,
            window,
            ordered,
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
            flow.pull();
            let heard = client.heard();
            let until = flow.drive(client)?;
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
    /// Takes items from the source, so many as make a task, as often as there is room for them.
    fn pull(&mut self) {
        let chunk = self.call.plan.chunk.min(self.window);
        while self.source.is_some() && self.window - (self.pulled - self.taken) >= chunk {
            let first = self.pulled;
            let failed = self.pull_some(chunk);
            self.call.add(first..self.pulled);
            if let Some(error) = failed {
                self.store.arrive(self.pulled, Err(error));
                self.pulled += 1;
            }
        }
    }

    /// Takes so many, or fewer where the source has no more; its error, if it fails.
    fn pull_some(&mut self, count: usize) -> Option<Error> {
        for _ in 0..count {
            match self.source.as_mut()?.next() {
                Ok(Some(item)) => {
                    self.store.items.insert(self.pulled, item);
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
    fn drive(&mut self, client: &Client) -> Result<std::time::Instant> {
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
        let index = match self.ordered {
            true => self.taken,
            false => *self.store.order.front()?,
        };
        let result = self.store.ready.remove(&index)?;
        match self.ordered {
            true => self.store.order.clear(),
            false => drop(self.store.order.pop_front()),
        }
        self.taken += 1;
        Some((index, result))
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
