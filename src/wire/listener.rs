//! Listening at an address.

use super::address;
use super::carried::{Carried, What};
use super::connection::Connection;
use super::files::{self, File};
use super::handshake::Key;
use super::turn::{SLICE, Turn};
use super::waiting::Waiting;
use crate::error::{Error, Result, Status, fail};
use crate::sys::kept::{self, Kept, Mark};
use crate::sys::sockets::{self, Address, Came, For, Many};
use crate::time::Deadline;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many clients are accepted before those who were accepted have another turn.
const AT_ONCE: usize = 16;
/// ENFILE and EMFILE, the same on every Linux.
const NO_DESCRIPTOR: [i32; 2] = [23, 24];

/// Who is let in.
#[derive(Clone)]
pub(crate) struct Rules {
    /// None: everybody.
    pub(crate) key: Option<Key>,
    /// Where a socket has no file with rights of its own: other users, too.
    pub(crate) any_user: bool,
    /// Nanoseconds that a client may take to prove its key.
    pub(crate) patience: i64,
    /// The longest message of a connection, once the key is proved.
    pub(crate) most: usize,
}

/// The sockets, while a call uses them.
struct Sockets {
    listening: Kept,
    /// With a key: stands for the listening one and for all clients who wait.
    many: Option<Kept>,
    closed: AtomicBool,
}

impl Sockets {
    fn check(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) { Err(closed()) } else { Ok(()) }
    }

    fn pollable(&self) -> &Kept {
        self.many.as_ref().unwrap_or(&self.listening)
    }
}

fn closed() -> Error {
    Error::new(Status::Closed, "the listener was closed")
}

/// What accepting finds.
enum Next {
    One(Kept, Address),
    Nobody,
    /// Somebody is there.
    NoDescriptor(Error),
}

pub(crate) struct Listener {
    /// None: it was closed.
    sockets: Mutex<Option<Arc<Sockets>>>,
    mark: Mark,
    address: String,
    rules: Rules,
    /// The file that this process has made.
    file: Option<File>,
    waiting: Turn<Waiting>,
    /// Where the last client came from.
    last: Mutex<Option<String>>,
}

impl Listener {
    /// At an address; at none in particular for None.
    pub(crate) fn new(text: Option<&[u8]>, backlog: i32, rules: Rules) -> Result<Self> {
        let places = match text {
            Some(text) => address::parse(text)?,
            None => vec![address::random()?],
        };
        let mut bound = Err(Error::new(Status::NotFound, "the host has no address"));
        for at in &places {
            bound = files::listen(at, backlog);
            if bound.is_ok() {
                break;
            }
        }
        let (listening, file) = bound?;
        let address = sockets::own(listening.fd()).as_ref().map(address::text).unwrap_or_default();
        let many = Self::many(&listening, &rules).inspect_err(|_| {
            file.as_ref().map(files::remove);
        })?;
        Ok(Self::over(listening, many, address, rules, file))
    }

    /// With a key: what stands for the listening socket and for all clients who wait.
    pub(super) fn many(listening: &Kept, rules: &Rules) -> Result<Option<Kept>> {
        if rules.key.is_none() {
            return Ok(None);
        }
        let mut list = kept::list();
        let many = list.keep(Many::new()?.into_fd());
        if let Err(e) = Many::add(many.fd(), listening.fd()) {
            list.close(many);
            return Err(e);
        }
        Ok(Some(many))
    }

    fn over(listening: Kept, many: Option<Kept>, address: String, rules: Rules, file: Option<File>) -> Self {
        let mark = listening.mark();
        let sockets = Arc::new(Sockets { listening, many, closed: AtomicBool::new(false) });
        Listener {
            sockets: Mutex::new(Some(sockets)),
            mark,
            address,
            rules,
            file,
            waiting: Turn::new(Waiting::default()),
            last: Mutex::new(None),
        }
    }

    /// In another process: what it was handed. The file stays who made it's.
    pub(super) fn received(listening: Kept, many: Option<Kept>, address: String, rules: Rules) -> Self {
        Self::over(listening, many, address, rules, None)
    }

    /// In a fork of the program's own: its copy of this one, with clients of its own who wait.
    pub(crate) fn in_fork(&self) -> Result<Self> {
        let listening = self.mark.inherit()?;
        match Self::many(&listening, &self.rules) {
            Ok(many) => Ok(Self::received(listening, many, self.address.clone(), self.rules.clone())),
            Err(e) => {
                // It stays open, for another try.
                let _ = listening.into_fd().into_raw_fd();
                Err(e)
            }
        }
    }

    fn sockets(&self) -> Result<Arc<Sockets>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sockets().is_err()
    }

    /// Waits for a client, and until it has proved its key.
    pub(crate) fn accept(&self, deadline: Deadline) -> Result<Connection> {
        let sockets = self.sockets()?;
        let Some(mut waiting) = self.waiting.take(deadline, || sockets.check())? else {
            fail!(Timeout, "another thread was accepting all the time");
        };
        let (connection, from) = 'came: loop {
            let mut more = false;
            for _ in 0..AT_ONCE {
                let is_crowded = match Self::next(&sockets)? {
                    Next::One(fd, from) => {
                        let connection = Connection::over(fd);
                        self.check_user(&connection, &from)?;
                        let (Some(key), Some(many)) = (&self.rules.key, &sockets.many) else {
                            return Ok(self.accepted(connection, address::text(&from)));
                        };
                        waiting.add(many, connection, &from, key, self.rules.patience)?;
                        waiting.is_crowded()
                    }
                    Next::Nobody => {
                        more = false;
                        break;
                    }
                    Next::NoDescriptor(e) if waiting.is_empty() => return Err(e),
                    Next::NoDescriptor(_) => true,
                };
                more = true;
                // Whoever has been trying to prove its key for longest has to go.
                if is_crowded
                    && let Some(many) = &sockets.many
                    && let Some(came) = waiting.make_room(many)
                {
                    break 'came came?;
                }
            }
            if let Some(many) = &sockets.many
                && let Some(came) = waiting.advance(many)
            {
                break came?;
            }
            if more {
                continue;
            }
            let left = deadline.remaining();
            if left.is_zero() {
                let text = match waiting.is_empty() {
                    true => "no client came",
                    false => "clients came, and none of them has proved its key yet",
                };
                return Err(Error::new(Status::Timeout, text));
            }
            sockets::wait(sockets.pollable().fd(), For::Reading, left.min(waiting.patience()).min(SLICE));
            sockets.check()?;
        };
        Ok(self.accepted(connection, from))
    }

    fn accepted(&self, connection: Connection, from: String) -> Connection {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        connection.limited(self.rules.most)
    }

    fn next(sockets: &Sockets) -> Result<Next> {
        let mut list = kept::list();
        let listening = sockets.listening.fd();
        match sockets::accept(listening) {
            Ok(Came::One(fd, from)) => Ok(Next::One(list.keep(fd), from)),
            Ok(Came::Nobody) => Ok(Next::Nobody),
            // The kernel looks for a descriptor before it looks who is there.
            Err(e) if NO_DESCRIPTOR.contains(&e.errno) => {
                match sockets::wait(listening, For::Reading, Duration::ZERO) {
                    true => Ok(Next::NoDescriptor(e)),
                    false => Ok(Next::Nobody),
                }
            }
            Err(e) => Err(e),
        }
    }

    /// A socket with a file has the file's rights. One without is open to every user of the machine.
    fn check_user(&self, connection: &Connection, from: &Address) -> Result<()> {
        if self.rules.any_user || !from.is_local() || !self.address.starts_with('@') {
            return Ok(());
        }
        match connection.peer() {
            Some((_, user)) if user == sockets::user() || user == 0 => Ok(()),
            _ => fail!(Auth, "a client was not let in: it is another user's, and any_user is not set"),
        }
    }

    /// The address that a client uses.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the last client came from, which is "" for a socket without a name.
    pub(crate) fn last_accepted(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A descriptor that is readable when accepting should be tried.
    pub(crate) fn descriptor(&self) -> Result<RawFd> {
        Ok(self.sockets()?.pollable().fd().as_raw_fd())
    }

    /// Does something with that descriptor.
    pub(crate) fn with_fd<R>(&self, what: impl FnOnce(BorrowedFd<'_>) -> R) -> Result<R> {
        Ok(what(self.sockets()?.pollable().fd()))
    }

    /// Whether somebody has come who has not proved the key yet.
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.peek(|waiting| !waiting.is_empty()).unwrap_or(true)
    }

    pub(crate) fn close(&self) {
        self.file.as_ref().map(files::remove);
        self.hand_over();
    }

    /// Closes the sockets, which another process has by now; the file stays.
    pub(crate) fn hand_over(&self) {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sockets) = sockets {
            sockets.closed.store(true, Ordering::Relaxed);
            self.waiting.disturb();
        }
    }

    /// The same listener once more, for a child. It has its own clients who wait.
    pub(crate) fn carry(&self) -> Result<Carried> {
        let sockets = self.sockets()?;
        let fd = {
            let mut list = kept::list();
            list.keep(sockets::again(sockets.listening.fd())?)
        };
        let what = What::Listener {
            address: self.address.clone(),
            key: self.rules.key.as_ref().map(|key| key.bytes.to_vec()),
            allow_md5: self.rules.key.as_ref().is_some_and(|key| key.allow_md5),
            any_user: self.rules.any_user,
            patience: self.rules.patience,
            most: self.rules.most,
        };
        Ok(Carried::new(fd, what))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}
