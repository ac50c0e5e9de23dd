//! What the server keeps: objects, who holds them, and how much memory they take.
//!
//! An object is there as long as its count is not 0. It counts
//!
//! | what            | until                                                               |
//! |-----------------|---------------------------------------------------------------------|
//! | a lease         | its session gives it back, or ends                                  |
//! | a place         | the object in which it is stored gives it up, or goes               |
//! | a ticket        | somebody takes a lease by it, or its session has been over for [`GRACE`] |

use super::codec::{Room, Value};
use super::registry::House;
use super::types::Object;
use crate::error::{Error, Result, Status};
use crate::sys::random;
use crate::time::Instant;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a ticket is good after the end of the session that made it.
const GRACE: Duration = Duration::from_secs(60);
/// About what an object or a ticket takes beside what is in it.
const BARE: usize = 256;

pub(super) type Ticket = [u8; 16];
/// A type's name: the program's own are not known before it runs.
pub(super) type TypeName = Cow<'static, str>;

pub(super) struct Entry {
    count: u64,
    type_name: TypeName,
    /// None while it is called.
    object: Option<Box<dyn Object>>,
}

/// One client: a process, on as many connections as it likes.
#[derive(Default)]
pub(super) struct Session {
    pub(super) connections: usize,
    leases: HashMap<u64, u64>,
    /// Objects that want to know of its end.
    claims: HashSet<u64>,
    tickets: HashSet<Ticket>,
}

pub(super) struct Store {
    /// For functions of the program.
    pub(super) house: Arc<House>,
    entries: HashMap<u64, Entry>,
    pub(super) sessions: HashMap<Ticket, Session>,
    /// The object, and the session that made the ticket.
    tickets: HashMap<Ticket, (u64, Ticket)>,
    /// Of sessions that are over, the oldest first.
    orphans: VecDeque<(Instant, Ticket)>,
    last: u64,
    /// For what is answered to the request that is being served.
    pub(super) room: Room,
    /// Their count was 0 once.
    doomed: Vec<u64>,
    /// Objects whose waiters may go on, or that are gone.
    pub(super) changed: VecDeque<u64>,
}

impl Store {
    pub(super) fn new(house: Arc<House>) -> Self {
        Store {
            house,
            entries: HashMap::new(),
            sessions: HashMap::new(),
            tickets: HashMap::new(),
            orphans: VecDeque::new(),
            last: 0,
            room: Room::of(0),
            doomed: Vec::new(),
            changed: VecDeque::new(),
        }
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
        self.house.account.charge(bytes)
    }

    pub(super) fn recharge(&mut self, bytes: usize) {
        self.house.account.recharge(bytes);
    }

    pub(super) fn discharge(&mut self, bytes: usize) {
        self.house.account.discharge(bytes);
    }

    /// One that nobody holds yet.
    pub(super) fn add(&mut self, type_name: TypeName, mut object: Box<dyn Object>) -> Result<u64> {
        if let Err(e) = self.charge(BARE) {
            object.empty(&mut |value| self.give_up(&value));
            return Err(e);
        }
        self.last += 1;
        self.entries.insert(self.last, Entry { count: 0, type_name, object: Some(object) });
        self.doomed.push(self.last);
        Ok(self.last)
    }

    pub(super) fn type_of(&self, id: u64) -> &str {
        self.entries.get(&id).map_or("object", |entry| &entry.type_name)
    }

    pub(super) fn check(&self, id: u64) -> Result<()> {
        if self.entries.contains_key(&id) { Ok(()) } else { Err(gone(id)) }
    }

    /// Takes an object out for a call; it is put back by [`Self::put_back`].
    pub(super) fn take(&mut self, id: u64) -> Result<Box<dyn Object>> {
        let entry = self.entries.get_mut(&id).ok_or_else(|| gone(id))?;
        let busy = || Error::new(Status::Invalid, "an object cannot be an argument of its own method");
        entry.object.take().ok_or_else(busy)
    }

    pub(super) fn put_back(&mut self, id: u64, object: Box<dyn Object>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.object = Some(object);
        }
    }

    /// Looks at another object than the one that is called.
    pub(super) fn peek(&self, id: u64) -> Result<&dyn Object> {
        let entry = self.entries.get(&id).ok_or_else(|| gone(id))?;
        let busy = || Error::new(Status::Invalid, "an object cannot be an argument of its own method");
        entry.object.as_deref().ok_or_else(busy)
    }

    pub(super) fn retain(&mut self, id: u64) -> Result<()> {
        let entry = self.entries.get_mut(&id).ok_or_else(|| gone(id))?;
        entry.count += 1;
        Ok(())
    }

    pub(super) fn release(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.count = entry.count.saturating_sub(1);
            if entry.count == 0 {
                self.doomed.push(id);
            }
        }
    }

    /// Drops what nobody holds; what it held may follow.
    pub(super) fn sweep(&mut self) {
        while let Some(id) = self.doomed.pop() {
            if self.entries.get(&id).is_some_and(|entry| entry.count == 0 && entry.object.is_some())
                && let Some(Entry { object: Some(mut object), .. }) = self.entries.remove(&id)
            {
                self.discharge(BARE);
                object.empty(&mut |value| self.give_up(&value));
                self.changed.push_back(id);
            }
        }
    }

    /// A value is stored from now on.
    pub(super) fn keep(&mut self, value: &Value) -> Result<()> {
        self.charge(value.weight())?;
        if let Value::Object(id) = value
            && let Err(e) = self.retain(*id)
        {
            self.discharge(value.weight());
            return Err(e);
        }
        Ok(())
    }

    /// What was stored a moment ago is stored again, also where there would be no room for anything else.
    pub(super) fn keep_again(&mut self, value: &Value) -> Result<()> {
        if let Value::Object(id) = value {
            self.retain(*id)?;
        }
        self.recharge(value.weight());
        Ok(())
    }

    /// No longer.
    pub(super) fn give_up(&mut self, value: &Value) {
        self.discharge(value.weight());
        if let Value::Object(id) = value {
            self.release(*id);
        }
    }

    pub(super) fn lease(&mut self, session: Ticket, id: u64) -> Result<()> {
        self.retain(id)?;
        if let Some(session) = self.sessions.get_mut(&session) {
            *session.leases.entry(id).or_default() += 1;
        }
        Ok(())
    }

    /// What was never leased is none of the session's business.
    pub(super) fn end_lease(&mut self, session: Ticket, id: u64) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        let Some(count) = session.leases.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            session.leases.remove(&id);
        }
        self.release(id);
    }

    /// The object wants to know when the session ends.
    pub(super) fn claim(&mut self, session: Ticket, id: u64) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.claims.insert(id);
        }
    }

    pub(super) fn disclaim(&mut self, session: Ticket, id: u64) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.claims.remove(&id);
        }
    }

    /// A session is over. Answers who wants to know; its leases go with [`Self::forget`], after they do.
    pub(super) fn end(&mut self, session: Ticket) -> Option<(Session, HashSet<u64>)> {
        let mut session = self.sessions.remove(&session)?;
        let claims = std::mem::take(&mut session.claims);
        Some((session, claims))
    }

    pub(super) fn forget(&mut self, session: Session) {
        let over = Instant::now() + GRACE;
        self.orphans.extend(session.tickets.iter().map(|&ticket| (over, ticket)));
        for (id, count) in session.leases {
            (0..count).for_each(|_| self.release(id));
        }
    }

    /// Something that stands for the object until somebody comes with it.
    pub(super) fn issue(&mut self, session: Ticket, id: u64) -> Result<Ticket> {
        let ticket = random::bytes()?;
        self.check(id)?;
        self.charge(BARE)?;
        self.retain(id)?;
        self.tickets.insert(ticket, (id, session));
        if let Some(session) = self.sessions.get_mut(&session) {
            session.tickets.insert(ticket);
        }
        Ok(ticket)
    }

    /// The object that a ticket stands for, which is the caller's to release.
    pub(super) fn redeem(&mut self, ticket: &[u8]) -> Option<u64> {
        let ticket: Ticket = ticket.try_into().ok()?;
        let (id, session) = self.tickets.remove(&ticket)?;
        self.discharge(BARE);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.tickets.remove(&ticket);
        }
        Some(id)
    }

    /// Tickets that nobody came with. How long until the next one.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Duration> {
        while let Some(&(over, ticket)) = self.orphans.front() {
            if over > now {
                return Some(over - now);
            }
            self.orphans.pop_front();
            if let Some(id) = self.redeem(&ticket) {
                self.release(id);
                self.sweep();
            }
        }
        None
    }

    /// Objects that there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Each object's number, type and count.
    pub(super) fn list(&self) -> Vec<(u64, &str, u64)> {
        let mut all: Vec<_> = self.entries.iter().map(|(&id, e)| (id, &*e.type_name, e.count)).collect();
        all.sort_unstable();
        all
    }
}

fn gone(id: u64) -> Error {
    Error::new(Status::Closed, format!("the object {id} is gone"))
}
