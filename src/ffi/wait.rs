//! Waiting for any of many things, in one call or in the host's own event loop.

use super::connection::mp_connection;
use super::guard::{guard, joined, out, write_to};
use super::handle;
use super::kind::Kind;
use super::listener::mp_listener;
use super::process::mp_process;
use super::result::mp_result;
use super::slots::{self, Pin};
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Error, Result, Status, fail};
use crate::pool::Answer;
use crate::shm::{EventBlock, In, LockBlock, PriorityBlock, QueueBlock, SemaphoreBlock};
use crate::sync::ready;
use crate::sync::watch::{Always, FreeLock, OwnLock, Pulse, Things, Watched};
use crate::sys::poll::Row;
use crate::time::Deadline;
use core::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

/// How long a wait for connections goes on before they are looked at again.
const SLICE: Duration = Duration::from_millis(500);

/// One of the things that mp_wait waits for. What "ready" means:
///
/// queue       a message could be got; of a priority queue also: leased; or it was shut down
/// event       it is set; for mp_wait also: it was set during the call and cleared since
/// semaphore   a slot is free
/// lock        nobody holds it, or who held it is dead
/// rlock       the same; for mp_wait also: the calling thread holds it
/// process     it has ended
/// connection  something came: a message or its beginning, a descriptor, or the end
/// listener    a client may be there: try mp_listener_accept
/// result      mp_result_get does not wait for it
/// descriptor  it can be read from without waiting, is at its end, or broken
#[repr(C)]
pub struct mp_wait_item {
    /// A queue, priority queue, event, semaphore, lock, rlock, process, connection, listener or
    /// result; NULL: a descriptor is waited for.
    pub handle: *const c_void,
    /// Where handle is NULL: any descriptor of the caller's.
    pub descriptor: c_int,
    /// Written by mp_wait: whether it was ready.
    pub ready: bool,
}

/// What an item stands for.
enum Thing {
    FreeLock(FreeLock<'static>),
    OwnLock(OwnLock<'static>),
    Semaphore(&'static SemaphoreBlock),
    Event(Pulse<'static>),
    Queue(&'static QueueBlock),
    Priority(&'static PriorityBlock),
    Result(Arc<Answer>),
}

impl Thing {
    fn inner(&self) -> &dyn Watched {
        match self {
            Thing::FreeLock(lock) => lock,
            Thing::OwnLock(lock) => lock,
            Thing::Semaphore(semaphore) => *semaphore,
            Thing::Event(event) => event,
            Thing::Queue(queue) => *queue,
            Thing::Priority(queue) => *queue,
            Thing::Result(answer) => answer,
        }
    }
}

/// What a pinned handle stands for, unless it is waited for by a descriptor of its own.
///
/// # Safety `pin` is that of this handle of this kind, and outlives what is done with the answer.
unsafe fn thing(handle: *const c_void, pin: &Pin, kind: Kind) -> Result<Thing> {
    let at = pin.data();
    // SAFETY: a good handle of a kind holds the address of such a block, in a mapping of which something stays for as
    // long as the pin; blocks are made of atomics.
    unsafe {
        Ok(match kind {
            Kind::Lock => Thing::FreeLock(FreeLock(&*(at as *const LockBlock))),
            Kind::RLock => Thing::OwnLock(OwnLock(&*(at as *const LockBlock))),
            Kind::Semaphore => Thing::Semaphore(&*(at as *const SemaphoreBlock)),
            Kind::Event => Thing::Event(Pulse::new(&*(at as *const EventBlock))),
            Kind::Queue => Thing::Queue(&*(at as *const QueueBlock)),
            Kind::PriorityQueue => Thing::Priority(&*(at as *const PriorityBlock)),
            Kind::Result => Thing::Result(Arc::clone(&*handle::object(handle.cast::<mp_result>())?)),
            _ => return cannot_wait(kind),
        })
    }
}

/// Where an item's readiness is to be found.
enum Place {
    Thing(usize),
    Descriptor(usize),
    /// It is asked itself, since its descriptor may be mistaken.
    Connection(*const mp_connection),
    /// It is ready already.
    Now,
}

/// All that a call waits for.
#[derive(Default)]
struct Plan {
    places: Vec<Place>,
    things: Vec<Thing>,
    pins: Vec<Pin>,
    row: Row,
}

impl Plan {
    fn add(&mut self, handle: *const c_void, descriptor: c_int) -> Result<()> {
        if handle.is_null() {
            self.places.push(Place::Descriptor(self.row.push(descriptor)));
            return Ok(());
        }
        let (pin, kind) = slots::pin_any(handle.addr() as u64)?;
        if kind == Kind::Connection {
            let fd = handle::object(handle.cast::<mp_connection>())?.descriptor_once()?;
            self.row.push(fd);
            self.places.push(Place::Connection(handle.cast()));
        } else if let Some(own) = own_descriptor(handle, kind)? {
            self.places.push(match own {
                Own::Descriptor(fd) => Place::Descriptor(self.row.push(fd)),
                Own::Ended => Place::Now,
            });
        } else {
            // SAFETY: the pin is kept beside it.
            let thing = unsafe { thing(handle, &pin, kind) }?;
            self.places.push(Place::Thing(self.things.len()));
            self.things.push(thing);
        }
        self.pins.push(pin);
        Ok(())
    }

    /// The connections, whose descriptors say only what comes from now on.
    fn connections(&self) -> impl Iterator<Item = *const mp_connection> {
        self.places.iter().filter_map(|place| match place {
            Place::Connection(connection) => Some(*connection),
            _ => None,
        })
    }

    /// Whether something is ready without a wait.
    fn is_ready_now(&self) -> Result<bool> {
        let mut now = self.places.iter().any(|place| matches!(place, Place::Now));
        for connection in self.connections() {
            handle::object(connection)?.descriptor_once()?;
            now |= has_come(connection)?;
        }
        Ok(now)
    }
}

/// What stands on a descriptor anyway.
enum Own {
    Descriptor(c_int),
    /// A process that has ended, and whose sentinel nobody had asked for before.
    Ended,
}

fn own_descriptor(handle: *const c_void, kind: Kind) -> Result<Option<Own>> {
    Ok(match kind {
        Kind::Process => {
            let process = handle::object(handle.cast::<mp_process>())?;
            match process.sentinel() {
                Err(e) if e.status == Status::State && process.has_ended() => Some(Own::Ended),
                fd => Some(Own::Descriptor(fd?)),
            }
        }
        Kind::Connection => {
            Some(Own::Descriptor(handle::object(handle.cast::<mp_connection>())?.descriptor()?))
        }
        Kind::Listener => Some(Own::Descriptor(handle::object(handle.cast::<mp_listener>())?.descriptor()?)),
        _ => None,
    })
}

/// Whether there is something to receive, be it where nobody who polls the socket sees it.
fn has_come(connection: *const mp_connection) -> Result<bool> {
    match handle::object(connection)?.poll(Deadline::NoWait) {
        Err(e) if e.status == Status::Timeout => Ok(false),
        come => come.map(|()| true),
    }
}

#[cold]
fn cannot_wait<T>(kind: Kind) -> Result<T> {
    fail!(Unsupported, "{} is nothing that can be waited for", kind.name())
}

#[cold]
fn none_was_ready<T>(count: usize) -> Result<T> {
    fail!(Timeout, "none of {count} things was ready in time")
}

#[cold]
fn no_memory(count: usize) -> Error {
    Error::new(Status::NoMemory, format!("no memory to wait for {count} things"))
}

/// Waits until at least one of several things is ready, for up to timeout. Nothing is taken: what
/// was ready may be somebody else's a moment later, so take it with MP_NO_WAIT.
///
/// items: what is waited for; ready is written in each of them when the call returns MP_OK or
///     MP_ERR_TIMEOUT. count: how many, at least 1. The same thing may be there twice.
/// ready: how many are ready goes here; may be NULL.
/// timeout: nanoseconds.
///
/// MP_OK: at least one is ready.
/// MP_ERR_TIMEOUT: none was ready all the time.
/// MP_ERR_INVALID: count is 0, items is NULL, or a descriptor is not open.
/// MP_ERR_BAD_HANDLE: an item's handle is none.
/// MP_ERR_UNSUPPORTED: a handle of such a type is nothing that can be waited for.
/// MP_ERR_STATE: a process was not started, or a handle is a parent's; and whatever
///     mp_process_sentinel says.
/// MP_ERR_CLOSED: a connection or listener was closed.
/// MP_ERR_NO_MEMORY, MP_ERR_OS: there is no memory, descriptor or thread to be had for so many.
///
/// Threads: any number may wait for the same things. One that frees a handle which another waits
///     for does not end that wait. Where descriptors and things in shared memory are waited for
///     together, a thread of libmp's helps while the call lasts: see mp_descriptor.
/// Kill: a process that is killed after it made something ready, and before it told so, delays
///     the call by up to 75 ms, or up to 750 ms where it has waited for longer than a second. A
///     holder's death is found within 75 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_wait(
    items: *mut mp_wait_item,
    count: usize,
    ready: *mut usize,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_wait", || {
        if items.is_null() || count == 0 {
            fail!(Invalid, "there is nothing to wait for");
        }
        joined()?;
        let deadline = Deadline::after(timeout);
        let mut plan = Plan::default();
        if plan.places.try_reserve_exact(count).is_err()
            || plan.things.try_reserve(count).is_err()
            || plan.pins.try_reserve(count).is_err()
        {
            return Err(no_memory(count));
        }
        for i in 0..count {
            // SAFETY: C's promise: so many items are there. What the call writes is not read.
            let (handle, descriptor) = unsafe {
                let item = items.add(i);
                ((&raw const (*item).handle).read(), (&raw const (*item).descriptor).read())
            };
            plan.add(handle, descriptor)?;
        }
        let mut watched = Vec::new();
        watched.try_reserve_exact(plan.things.len()).map_err(|_| no_memory(count))?;
        watched.extend(plan.things.iter().map(Thing::inner));
        let mut marks = Vec::new();
        marks.try_reserve_exact(watched.len()).map_err(|_| no_memory(count))?;
        marks.resize(watched.len(), false);
        let has_connections = plan.connections().next().is_some();
        loop {
            let limit = match plan.is_ready_now()? {
                true => Deadline::NoWait,
                // A killed process may have sent something and not told of it.
                false if has_connections => deadline.or_before(SLICE),
                false => deadline,
            };
            let mut row = plan.row.clone();
            let mut all = Things { all: &watched, ready: &mut marks };
            ready::wait_for_both(&mut all, &mut row, limit)?;
            let mut total = 0;
            for (i, place) in plan.places.iter().enumerate() {
                let is_ready = match *place {
                    Place::Thing(at) => marks[at],
                    Place::Descriptor(at) => row.is_ready(at),
                    Place::Connection(connection) => has_come(connection)?,
                    Place::Now => true,
                };
                total += usize::from(is_ready);
                // SAFETY: as above.
                unsafe { (&raw mut (*items.add(i)).ready).write(is_ready) };
            }
            if total > 0 || deadline.is_over() {
                // SAFETY: C's promise for its argument, as the header gives it.
                unsafe { write_to(ready, total) };
                return if total > 0 { Ok(Status::Ok) } else { none_was_ready(count) };
            }
        }
    })
}

/// A descriptor for the caller's own event loop (poll, epoll, libuv, GLib): it is readable while
/// what the handle stands for is ready, as mp_wait_item says. Only poll it: do not read from it,
/// write to it or close it. It is the handle's, the same with each call, and is closed when the
/// handle is freed; of a process it is mp_process_sentinel's, of a connection
/// mp_connection_fileno's.
///
/// Other processes may take what made it readable: so take it with MP_NO_WAIT. A call in this
/// process that takes, or finds that there is nothing to take, has the descriptor right before it
/// returns.
///
/// Edge-triggered loops (EPOLLET) hear of changes alone. What comes while a call finds nothing
/// leaves the descriptor readable as it was: poll it once more after such a call.
///
/// handle: a queue, priority queue, event, semaphore, lock, rlock, process, connection, listener
///     or result.
/// descriptor: where it goes.
///
/// MP_ERR_BAD_HANDLE: handle is none.
/// MP_ERR_UNSUPPORTED: a handle of such a type is nothing that can be waited for.
/// MP_ERR_STATE: see mp_process_sentinel.
/// MP_ERR_CLOSED: the connection or listener was closed.
/// MP_ERR_OS: no descriptor or thread is to be had.
///
/// Threads: from the first such handle on, to a second after the last, one thread of libmp's
///     sleeps in this process, with all signals blocked. Where none was asked for there is none,
///     and nothing costs more.
/// Fork: a child asks anew; its parent's descriptor tells it nothing.
/// Kill: as mp_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_descriptor(handle: *const c_void, descriptor: *mut c_int) -> mp_status {
    guard("mp_descriptor", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(descriptor, "descriptor") }?;
        joined()?;
        let number = handle.addr() as u64;
        let (pin, kind) = slots::pin_any(number)?;
        if let Some(own) = own_descriptor(handle, kind)? {
            place.write(match own {
                Own::Descriptor(fd) => fd,
                Own::Ended => ready::descriptor(number, || Box::new(Always))?,
            });
            return Ok(Status::Ok);
        }
        // SAFETY: what the handle stands for stays until the handle is freed, which forgets the descriptor first.
        let found = unsafe { thing(handle, &pin, kind) }?;
        place.write(ready::descriptor(number, move || -> Box<dyn Watched> {
            match found {
                Thing::FreeLock(FreeLock(lock)) | Thing::OwnLock(OwnLock(lock)) => Box::new(FreeLock(lock)),
                Thing::Semaphore(semaphore) => Box::new(Whole(semaphore)),
                Thing::Event(event) => Box::new(Whole(event.event())),
                Thing::Queue(queue) => Box::new(Whole(queue)),
                Thing::Priority(queue) => Box::new(Whole(queue)),
                Thing::Result(answer) => Box::new(answer),
            }
        })?);
        Ok(Status::Ok)
    })
}

/// A block that says itself whether it is ready.
struct Whole<T: 'static>(&'static T);

impl<T: Watched> Watched for Whole<T> {
    fn tree(&self) -> In {
        self.0.tree()
    }

    fn watch(&self) -> bool {
        self.0.watch()
    }

    fn is_ready(&self, thoroughly: bool) -> bool {
        self.0.is_ready(thoroughly)
    }

    fn is_owned(&self) -> bool {
        self.0.is_owned()
    }
}
