//! The way to a server. One connection answers one call at a time, so that a call that waits holds up no other: a
//! call takes a connection that is idle, or opens one. A process is one session there; the session's first connection
//! is kept for nothing but that, so that a call which gives up, and its connection with it, does not end the session.
//!
//! A fork has sessions of its own: it begins with none, whatever its parent was doing.

use super::channel::{Channel, HEAD};
use super::codec::{Lent, Value};
use super::message::{self, Request, VERSION, What};
use super::outgoing::Outgoing;
use super::proxy::Lease;
use crate::error::{Error, Result, Status, fail};
use crate::sys::local::Local;
use crate::sys::{random, thread};
use crate::time::Deadline;
use crate::wire::{self, Connection, Key, Turn};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// No longer an answer is taken.
const LONGEST: usize = u32::MAX as usize;

const NOTHING: &[Lent<'static>] = &[];

/// Who a server is, or a session.
pub(super) type Name = [u8; 16];

/// Where a server is, and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) address: String,
    pub(crate) key: Vec<u8>,
    pub(crate) any_user: bool,
}

/// A way in that needs no key; None: not for this process.
pub(super) type Door = Box<dyn Fn() -> Option<Result<Connection>> + Send + Sync>;

pub(crate) struct Link {
    number: u64,
    pub(super) way: Way,
    /// In the server's own process.
    door: Option<Door>,
    /// Nanoseconds that a call may take beside what it has to wait in the server.
    patience: i64,
}

/// A connection.
struct Line {
    channel: Channel,
    /// Who is at its other end.
    server: Name,
}

/// Leases, and of which server: another one that listens at the same address later has other objects under the same
/// numbers.
#[derive(Default)]
struct Held {
    server: Option<Name>,
    leases: HashMap<u64, u64>,
}

/// This process at a server.
struct Session {
    name: Name,
    /// Whoever has it opens the anchor.
    opening: Turn<()>,
    anchor: Mutex<Option<Line>>,
    idle: Mutex<Vec<Line>>,
    held: Mutex<Held>,
    /// The longest message that the server takes.
    most: AtomicU64,
}

static SESSIONS: Local<HashMap<u64, Arc<Session>>> = Local::new();
static LINKS: Local<Vec<Weak<Link>>> = Local::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that could panic half way runs under any of them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a call came to.
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) values: Vec<Value>,
    /// Of the objects among the values, in their order.
    pub(crate) leases: Vec<Arc<Lease>>,
}

impl Link {
    /// The link that goes this way. Those who find it share its connections.
    pub(crate) fn find(way: Way, patience: i64) -> Arc<Self> {
        LINKS.with(|links| {
            links.retain(|link| link.strong_count() > 0);
            let same = |link: &Arc<Link>| link.way == way && link.patience == patience;
            links.iter().filter_map(Weak::upgrade).find(same).unwrap_or_else(|| {
                let link = Self::new(way, patience, None);
                links.push(Arc::downgrade(&link));
                link
            })
        })
    }

    /// The link of the server's own process.
    pub(super) fn inside(way: Way, patience: i64, door: Door) -> Arc<Self> {
        let link = Self::new(way, patience, Some(door));
        // Before all others that lead there.
        LINKS.with(|links| links.insert(0, Arc::downgrade(&link)));
        link
    }

    fn new(way: Way, patience: i64, door: Option<Door>) -> Arc<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Arc::new(Link { number: LAST.fetch_add(1, Ordering::Relaxed), way, door, patience })
    }

    /// Some link to this address, if there is one.
    pub(super) fn to(address: &str) -> Option<Arc<Self>> {
        LINKS.with(|links| links.iter().filter_map(Weak::upgrade).find(|link| link.way.address == address))
    }

    pub(super) fn patience(&self) -> i64 {
        self.patience
    }

    fn session(&self) -> Result<Arc<Session>> {
        SESSIONS.with(|all| {
            if let Some(session) = all.get(&self.number) {
                return Ok(Arc::clone(session));
            }
            let session = Arc::new(Session {
                name: random::bytes()?,
                opening: Turn::new(()),
                anchor: Mutex::default(),
                idle: Mutex::default(),
                held: Mutex::default(),
                most: AtomicU64::new(u64::MAX),
            });
            all.insert(self.number, Arc::clone(&session));
            Ok(session)
        })
    }

    /// Connects, if this process has not done so; the server's name.
    pub(crate) fn connect(&self, deadline: Deadline) -> Result<Name> {
        let session = self.session()?;
        if let Some(server) = session.anchored() {
            return Ok(server);
        }
        let Some(_turn) = session.opening.take(deadline, || Ok(()))? else {
            fail!(Timeout, "another thread was connecting to the manager's server all the time");
        };
        if let Some(server) = session.anchored() {
            return Ok(server);
        }
        let line = self.open(&session, deadline)?;
        let server = line.server;
        *lock(&session.anchor) = Some(line);
        Ok(server)
    }

    fn open(&self, session: &Session, deadline: Deadline) -> Result<Line> {
        let key = Key { bytes: self.way.key.as_slice().into(), allow_md5: false };
        let way = &self.way;
        let connection = match self.door.as_ref().and_then(|door| door()) {
            Some(connection) => connection?,
            None => wire::connect(way.address.as_bytes(), Some(key), way.any_user, usize::MAX, deadline)?,
        };
        let mut channel = Channel::new(connection.into_socket()?);
        let who: [Lent<'_>; 2] = [Value::Int(VERSION), Value::Bytes(&session.name)];
        let hello = Request { what: What::Hello, thread: 0, timeout: 0, object: 0, name: "" };
        let (_, said) = answer(&mut channel, &mut hello.encode(&who)?, deadline)??;
        let [Value::Int(_), Value::Bytes(server), Value::Bool(is_new), Value::Int(most)] = &said[..] else {
            fail!(Remote, "the manager's server does not say who it is");
        };
        let Ok(server) = Name::try_from(&**server) else { fail!(Remote, "the manager's server has no name") };
        session.most.store(*most as u64, Ordering::Relaxed);
        let is_another = {
            let mut held = lock(&session.held);
            let is_another = held.server != Some(server);
            if is_another {
                *held = Held { server: Some(server), leases: HashMap::new() };
            }
            is_another
        };
        if *is_new && !is_another {
            self.hold_again(session, &mut channel, deadline)?;
        }
        Ok(Line { channel, server })
    }

    /// The server knows nothing of this session any more: its connections were cut. What others hold is still there.
    fn hold_again(&self, session: &Session, channel: &mut Channel, deadline: Deadline) -> Result<()> {
        let held = lock(&session.held).leases.clone();
        for (object, count) in held {
            let hold = Request { what: What::Hold, thread: 0, timeout: 0, object, name: "" };
            for _ in 0..count {
                if answer(channel, &mut hold.encode(NOTHING)?, deadline)?.is_err() {
                    lock(&session.held).leases.remove(&object);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Asks the server for something that takes up to `timeout` there. `at`: that server and no other.
    pub(super) fn ask(
        self: &Arc<Self>,
        at: Option<Name>,
        what: What,
        object: u64,
        name: &str,
        values: &[Lent<'_>],
        timeout: i64,
    ) -> Result<Reply> {
        let deadline = Deadline::after(timeout.max(0).saturating_add(self.patience));
        let request = Request { what, thread: thread::number(), timeout, object, name };
        let (server, answer) = self.exchange(at, request.encode(values)?, deadline)?;
        let (status, values) = answer?;
        let objects =
            values.iter().filter_map(|value| if let Value::Object(id) = value { Some(*id) } else { None });
        let session = self.session()?;
        let lease = |id| {
            let mut held = lock(&session.held);
            if held.server == Some(server) {
                *held.leases.entry(id).or_default() += 1;
            }
            Arc::new(Lease::new(Arc::clone(self), server, id))
        };
        let leases = objects.map(lease).collect();
        Ok(Reply { status, values, leases })
    }

    /// A connection that is idle, or one more.
    fn line(&self, session: &Session, deadline: Deadline) -> Result<Line> {
        while let Some(line) = session.idle() {
            if session.is_at(line.server) {
                return Ok(line);
            }
        }
        self.connect(deadline)?;
        let line = self.open(session, deadline)?;
        // It may have found another server than the anchor did.
        self.connect(deadline)?;
        Ok(line)
    }

    /// Who answered, and what.
    fn exchange(
        &self,
        at: Option<Name>,
        mut message: Outgoing<&[u8]>,
        deadline: Deadline,
    ) -> Result<(Name, message::Answer)> {
        let session = self.session()?;
        let mut line = self.line(&session, deadline).map_err(|e| {
            let is_gone = matches!(e.status, Status::NotFound | Status::Eof);
            if is_gone { e.with_status(Status::Eof) } else { e }
        })?;
        let server = line.server;
        if at.is_some_and(|at| at != server) {
            lock(&session.idle).push(line);
            return Err(gone());
        }
        let most = session.most.load(Ordering::Relaxed);
        let len = message.left() - HEAD;
        if len as u64 > most {
            lock(&session.idle).push(line);
            fail!(TooSmall, "the message has {len} bytes, and the server takes at most {most}");
        }
        match answer(&mut line.channel, &mut message, deadline) {
            Ok(answer) => {
                lock(&session.idle).push(line);
                Ok((server, answer))
            }
            Err(e) => {
                drop(line);
                if e.status == Status::Eof {
                    // So have the others ended; and if not, they are opened again.
                    let (idle, anchor) =
                        (std::mem::take(&mut *lock(&session.idle)), lock(&session.anchor).take());
                    drop((idle, anchor));
                    return Err(gone());
                }
                Err(e)
            }
        }
    }

    /// Gives a lease back. Whoever cannot be reached has it back already, or soon.
    pub(super) fn release(&self, server: Name, id: u64) {
        const LONGEST_WAIT: i64 = 1_000_000_000;
        let Ok(session) = self.session() else { return };
        {
            let mut held = lock(&session.held);
            if held.server != Some(server) {
                return;
            }
            let Some(count) = held.leases.get_mut(&id) else { return };
            *count -= 1;
            if *count == 0 {
                held.leases.remove(&id);
            }
        }
        let request = Request { what: What::Release, thread: 0, timeout: 0, object: 0, name: "" };
        if let Ok(message) = request.encode(&[Lent::Object(id)]) {
            let _ = self.exchange(Some(server), message, Deadline::after(LONGEST_WAIT.min(self.patience)));
        }
    }

    /// This process's connections are closed; its leases go with them.
    pub(super) fn disconnect(&self) {
        // Out of the list's mutex before they are closed.
        let session = SESSIONS.with(|all| all.remove(&self.number));
        drop(session);
    }
}

/// Asks, and waits for the answer.
fn answer(
    channel: &mut Channel,
    request: &mut Outgoing<&[u8]>,
    deadline: Deadline,
) -> Result<message::Answer> {
    let came = channel.exchange(request, LONGEST, deadline)?;
    let answer = message::decode_answer(&came);
    channel.give_back(came);
    answer
}

impl Session {
    fn is_at(&self, server: Name) -> bool {
        lock(&self.held).server == Some(server)
    }

    /// The server, if the anchor leads there.
    fn anchored(&self) -> Option<Name> {
        let server = lock(&self.anchor).as_ref().map(|line| line.server);
        server.filter(|&server| self.is_at(server))
    }

    fn idle(&self) -> Option<Line> {
        lock(&self.idle).pop()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.disconnect();
    }
}

pub(super) fn gone() -> Error {
    Error::new(Status::Eof, "the manager's server is gone")
}
