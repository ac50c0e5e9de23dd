//! A manager as the program sees it: with a server in a process of its own, in this one, or somewhere else.
//!
//! | state     | is                                                                 |
//! |-----------|--------------------------------------------------------------------|
//! | Fresh     | neither started nor connected                                      |
//! | Started   | with a server that is a child of this process, and ends with it    |
//! | Serving   | with a server in this process, in the thread that called for it    |
//! | Connected | to a server that somebody else looks after                         |
//! | Over      | shut down                                                          |

use super::codec::{Lent, Value};
use super::link::{Link, Reply, Way};
use super::message::What;
use super::proxy::text_of;
use super::registry::{self, Hooks, House, Kind};
use super::server::{Limits, Server};
use crate::error::{Error, Result, Status, fail};
use crate::process::{self, Arg, Body, Child, Method, Process, Target, decode, encode, own};
use crate::sys::setup::{Executable, Setup, Stream};
use crate::sys::{fd, signals};
use crate::time::Deadline;
use crate::wire::{Carried, Connection, Key, Listener, Rules, Unpacked};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Nanoseconds that a client may take to prove its key.
const HANDSHAKE: i64 = 10_000_000_000;
/// Who may wait to be let in.
const BACKLOG: i32 = 128;
/// The longest sentence that a server leaves that could not begin.
const SENTENCE: usize = 4096;

/// How a manager shall be.
pub(crate) struct Plan {
    /// None: one that nobody can guess.
    pub(crate) address: Option<Vec<u8>>,
    /// None: the process's.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) any_user: bool,
    pub(crate) method: Option<Method>,
    /// What the server runs, where that is not what all others do.
    pub(crate) executable: Option<&'static Executable>,
    /// Nanoseconds for the server to begin, its initializer included.
    pub(crate) start_timeout: i64,
    /// Nanoseconds for the server to end, each time it is asked more firmly.
    pub(crate) shutdown_timeout: i64,
    /// Nanoseconds that a call may take beside what it has to wait.
    pub(crate) patience: i64,
    pub(crate) limits: Limits,
    /// Called in the server when it begins.
    pub(crate) initializer: Option<usize>,
}

/// What a server's process is told.
#[derive(Serialize, Deserialize)]
struct Papers {
    message: usize,
    total: usize,
    /// The manager's.
    key: Vec<u8>,
    any_user: bool,
    kinds: Vec<Kind<Target>>,
    initializer: Option<Target>,
}

enum State {
    Fresh,
    Started(Box<Started>),
    Serving { stop: Box<Connection>, link: Arc<Link> },
    Connected(Arc<Link>),
    Over { process: Option<Arc<Process>> },
}

/// A server in a process of its own.
struct Started {
    process: Arc<Process>,
    control: Connection,
    /// For the socket's file.
    listener: Listener,
    link: Arc<Link>,
}

pub(crate) struct Manager {
    plan: Plan,
    /// Types of the program's own.
    kinds: Mutex<Vec<Kind<usize>>>,
    state: Mutex<State>,
}

impl Manager {
    pub(crate) fn new(plan: Plan) -> Self {
        Manager { plan, kinds: Mutex::default(), state: Mutex::new(State::Fresh) }
    }

    /// One that is connected.
    pub(super) fn connected(link: Arc<Link>) -> Self {
        let Way { address, key, any_user } = link.way.clone();
        let plan = Plan {
            address: Some(address.into_bytes()),
            key: Some(key),
            any_user,
            method: None,
            executable: None,
            start_timeout: 0,
            shutdown_timeout: 0,
            patience: link.patience(),
            limits: Limits { message: 0, total: 0 },
            initializer: None,
        };
        Manager { plan, kinds: Mutex::default(), state: Mutex::new(State::Connected(link)) }
    }

    fn kinds(&self) -> MutexGuard<'_, Vec<Kind<usize>>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more type, for the server that is to be.
    pub(crate) fn register(&self, kind: Kind<usize>) -> Result<()> {
        let state = self.state();
        Self::must_be_fresh(&state)?;
        registry::add(&mut self.kinds(), kind)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Neither started nor connected.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(*self.state(), State::Fresh)
    }

    fn must_be_fresh(state: &State) -> Result<()> {
        match state {
            State::Fresh => Ok(()),
            State::Started(_) | State::Serving { .. } => fail!(State, "the manager was started already"),
            State::Connected(_) => fail!(State, "the manager is connected to a server"),
            State::Over { .. } => fail!(State, "the manager was shut down"),
        }
    }

    fn key(&self) -> Result<Vec<u8>> {
        match &self.plan.key {
            Some(key) => Ok(key.clone()),
            None => own::authkey(),
        }
    }

    fn listen(&self) -> Result<(Listener, Arc<Link>)> {
        let (key, any_user) = (self.key()?, self.plan.any_user);
        let rules = Rules {
            key: Some(Key { bytes: key.as_slice().into(), allow_md5: false }),
            any_user,
            patience: HANDSHAKE,
            most: usize::MAX,
        };
        let listener = Listener::new(self.plan.address.as_deref(), BACKLOG, rules)?;
        own::expect_end();
        let way = Way { address: listener.address().to_owned(), key, any_user };
        Ok((listener, Link::find(way, self.plan.patience)))
    }

    /// Starts a server. `address` is where `body` is, for a fresh image to find.
    pub(crate) fn start(&self, body: Body, address: usize) -> Result<()> {
        let mut state = self.state();
        Self::must_be_fresh(&state)?;
        let initializer = self.plan.initializer.map(Target::of).transpose()?;
        let Limits { message, total } = self.plan.limits;
        let kinds = registry::to_targets(&self.kinds())?;
        let (key, any_user) = (self.key()?, self.plan.any_user);
        let papers = encode(&Papers { message, total, key, any_user, kinds, initializer })?;
        let deadline = Deadline::after(self.plan.start_timeout);
        let (listener, link) = self.listen()?;
        let (control, its) = Connection::socket_pair()?;
        let process = Arc::new(Process::new(process::Plan {
            body,
            address: Some(address),
            has_user: false,
            method: self.plan.method,
            type_name: "SyncManager",
            name: None,
            daemon: Some(true),
            keep_arguments: false,
            setup: Setup {
                streams: [Stream::Null, Stream::Same, Stream::Same],
                executable: self.plan.executable,
                ..Setup::default()
            },
        }));
        process.add_bytes(&papers)?;
        process.add_carried(listener.carry()?)?;
        process.add_carried(its.carry()?)?;
        process.start()?;
        drop(its);
        listener.hand_over();
        let failure = match control.receive(SENTENCE, deadline, |_| {}) {
            Ok(said) if said.is_empty() => None,
            Ok(said) => Some((Status::Remote, String::from_utf8_lossy(&said).into_owned())),
            Err(e) if e.status == Status::Timeout => {
                Some((e.status, "its initializer has not returned in time".to_owned()))
            }
            Err(e) => Some((Status::Remote, e.to_string())),
        };
        if let Some((status, why)) = failure {
            let _ = process.signal(signals::SIGKILL);
            let _ = process.join(Deadline::Never);
            return Err(Error::new(status, format!("the manager's server could not begin: {why}")));
        }
        *state = State::Started(Box::new(Started { process, control, listener, link }));
        Ok(())
    }

    /// Serves in the calling thread until the manager is shut down by another.
    pub(crate) fn serve_here(&self, hooks: Hooks) -> Result<()> {
        let (mut server, control) = {
            let mut state = self.state();
            Self::must_be_fresh(&state)?;
            let (listener, link) = self.listen()?;
            let house = House::new(self.kinds().clone(), hooks, link.way.clone(), self.plan.limits)?;
            let server = Server::new(listener, self.plan.limits, house)?;
            let (stop, control) = Connection::socket_pair()?;
            *state = State::Serving { stop: Box::new(stop), link };
            (server, control)
        };
        let served = control.with_fd(|fd| server.run(fd)).and_then(|served| served);
        server.end(Deadline::after(self.plan.shutdown_timeout));
        *self.state() = State::Over { process: None };
        served
    }

    /// Connects to a server that is there.
    pub(crate) fn connect(&self, deadline: Deadline) -> Result<()> {
        let mut state = self.state();
        Self::must_be_fresh(&state)?;
        let Some(address) = &self.plan.address else {
            fail!(Invalid, "the manager has no address to connect to")
        };
        let address = String::from_utf8_lossy(address).into_owned();
        let way = Way { address, key: self.key()?, any_user: self.plan.any_user };
        let link = Link::find(way, self.plan.patience);
        link.connect(deadline)?;
        *state = State::Connected(link);
        Ok(())
    }

    /// The way to the server.
    pub(crate) fn link(&self) -> Result<Arc<Link>> {
        match &*self.state() {
            State::Started(started) => Ok(Arc::clone(&started.link)),
            State::Serving { link, .. } | State::Connected(link) => Ok(Arc::clone(link)),
            State::Fresh => fail!(State, "the manager's server was not started"),
            State::Over { .. } => fail!(State, "the manager was shut down"),
        }
    }

    pub(crate) fn address(&self) -> Result<String> {
        Ok(self.link()?.way.address.clone())
    }

    /// Makes an object of this type.
    pub(crate) fn create(&self, type_name: &str, args: &[Lent<'_>]) -> Result<Reply> {
        let link = self.link()?;
        // The objects among the arguments are of the server that is there now.
        let has_objects = args.iter().any(|arg| matches!(arg, Value::Object(_)));
        let at = has_objects.then(|| link.connect(Deadline::after(link.patience()))).transpose()?;
        link.ask(at, What::Create, 0, type_name, args, 0)
    }

    pub(crate) fn number_of_objects(&self) -> Result<u64> {
        match self.link()?.ask(None, What::Info, 0, "number_of_objects", &[], 0)?.values[..] {
            [Value::Int(count)] => Ok(count as u64),
            _ => fail!(Remote, "the server answers with something else than a number"),
        }
    }

    pub(crate) fn debug_info(&self) -> Result<String> {
        text_of(self.link()?.ask(None, What::Info, 0, "debug_info", &[], 0)?)
    }

    /// Ends the server. Again is fine.
    pub(crate) fn shutdown(&self) -> Result<()> {
        let mut state = self.state();
        match &*state {
            State::Over { .. } => Ok(()),
            State::Fresh => fail!(State, "the manager's server was not started"),
            State::Connected(_) => {
                fail!(State, "this manager did not start the server to which it is connected")
            }
            State::Serving { stop, link } => {
                // The thread that serves looks after the rest.
                let _ = stop.send(&[], Deadline::NoWait);
                link.disconnect();
                Ok(())
            }
            State::Started(started) => {
                let Started { process, control, listener, link } = &**started;
                // A message and not only the end: a fork of the program's may have a copy of the descriptor.
                let _ = control.send(&[], Deadline::NoWait);
                control.close();
                for signal in [signals::SIGTERM, signals::SIGKILL] {
                    match process.join(Deadline::after(self.plan.shutdown_timeout)) {
                        Err(e) if e.status == Status::Timeout => process.signal(signal)?,
                        _ => break,
                    }
                }
                process.join(Deadline::Never)?;
                listener.close();
                link.disconnect();
                *state = State::Over { process: Some(Arc::clone(process)) };
                Ok(())
            }
        }
    }

    /// Waits for the end of the server's process.
    pub(crate) fn join(&self, deadline: Deadline) -> Result<()> {
        let process = match self.process() {
            Some(process) => process,
            None if matches!(*self.state(), State::Over { .. }) => return Ok(()),
            None => fail!(State, "this manager has no server process"),
        };
        process.join(deadline)
    }

    /// The server's process, if it is one of its own.
    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        match &*self.state() {
            State::Started(started) => Some(Arc::clone(&started.process)),
            State::Over { process } => process.clone(),
            _ => None,
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // One that never had a server has none to end.
        let _ = self.shutdown();
    }
}

/// A server's process. `call` runs an initializer.
pub(crate) fn serve(child: &Child, call: fn(usize), hooks: Hooks) -> i32 {
    match begin(child, call, hooks) {
        Ok((mut server, control)) => {
            let served = control.with_fd(|fd| server.run(fd)).and_then(|served| served);
            // Whoever ends the manager becomes more firm in time.
            server.end(Deadline::Never);
            i32::from(served.is_err())
        }
        Err(_) => 1,
    }
}

fn begin(child: &Child, call: fn(usize), hooks: Hooks) -> Result<(Server, Connection)> {
    let [Arg::Bytes(papers), Arg::Carried(listener), Arg::Carried(control)] = &child.args[..] else {
        fail!(Invalid, "the server's arguments are not a server's");
    };
    let control = unpack(control, Carried::into_connection)?;
    let made = (|| {
        signals::ignore_interrupt()?;
        // Each client takes one or two.
        fd::allow_all();
        let papers: Papers = decode(papers)?;
        if let Some(initializer) = &papers.initializer {
            call(initializer.address()?);
        }
        let listener = unpack(listener, Carried::into_listener)?;
        let Papers { message, total, key, any_user, kinds, .. } = papers;
        let way = Way { address: listener.address().to_owned(), key, any_user };
        let limits = Limits { message, total };
        let house = House::new(registry::from_targets(&kinds)?, hooks, way, limits)?;
        Server::new(listener, limits, house)
    })();
    match made {
        Ok(server) => {
            control.send(&[], Deadline::Never)?;
            Ok((server, control))
        }
        Err(e) => {
            let text: String = e.to_string().chars().take(SENTENCE / 4).collect();
            let _ = control.send(text.as_bytes(), Deadline::Never);
            Err(e)
        }
    }
}

fn unpack<T>(place: &Mutex<Option<Carried>>, how: fn(Carried) -> Unpacked<T>) -> Result<T> {
    match place.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(carried) => how(carried).map_err(|failed| failed.1),
        None => fail!(Invalid, "an argument of the server's is not there"),
    }
}
