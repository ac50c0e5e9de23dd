//! Clients that were accepted and have not proved their key yet. However many of them are silent or slow, the
//! others get in: each has its own conversation, which goes on whenever it can, and its own deadline.

use super::address;
use super::connection::Connection;
use super::handshake::{Handshake, Key};
use crate::error::{Error, Result, Status};
use crate::sys::kept::Kept;
use crate::sys::sockets::{Address, Many};
use crate::time::Deadline;
use std::collections::VecDeque;
use std::time::Duration;

/// So many at a time; with one more, the oldest has to go.
const MOST: usize = 128;

struct Client {
    connection: Connection,
    handshake: Handshake,
    deadline: Deadline,
    from: String,
}

/// One that is through and where it came from, or why it was not let in.
pub(super) type Came = Result<(Connection, String)>;

/// They, oldest first.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<Client>);

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are more than there should be.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.len() > MOST
    }

    /// One more.
    pub(super) fn add(
        &mut self,
        many: &Kept,
        connection: Connection,
        from: &Address,
        key: &Key,
        patience: i64,
    ) -> Result<()> {
        connection.with_fd(|fd| Many::add(many.fd(), fd))??;
        self.0.push_back(Client {
            connection,
            handshake: Handshake::of_listener(key.clone()),
            deadline: Deadline::after(patience),
            from: address::text(from),
        });
        Ok(())
    }

    /// Makes room: the oldest is through, for it may believe so already, or is found not to know the key, or is
    /// dropped, of which its client sees the end. With its last descriptor a socket also leaves the set that is
    /// waited for.
    pub(super) fn make_room(&mut self, many: &Kept) -> Option<Came> {
        let came = self.advance_one(0, many);
        if came.is_none() {
            self.0.pop_front();
        }
        came
    }

    /// Goes on with all of them; the first that is through, or that is found not to know the key.
    pub(super) fn advance(&mut self, many: &Kept) -> Option<Came> {
        (0..self.0.len()).find_map(|at| self.advance_one(at, many))
    }

    fn advance_one(&mut self, at: usize, many: &Kept) -> Option<Came> {
        let client = self.0.get_mut(at)?;
        let failed = match client.handshake.advance(&client.connection, Deadline::NoWait) {
            Ok(()) => None,
            Err(e) if e.status == Status::Timeout && client.deadline.is_over() => {
                Some("it took too long to prove its key".to_owned())
            }
            Err(e) if e.status == Status::Timeout => return None,
            Err(e) => Some(e.to_string()),
        };
        let client = self.0.remove(at)?;
        Some(match failed {
            None => {
                let _ = client.connection.with_fd(|fd| Many::remove(many.fd(), fd));
                Ok((client.connection, client.from))
            }
            Some(why) => {
                let who = if client.from.is_empty() { "a client" } else { &client.from };
                Err(Error::new(Status::Auth, format!("{who} was not let in: {why}")))
            }
        })
    }

    /// How long until the next one has taken too long.
    pub(super) fn patience(&self) -> Duration {
        self.0.iter().map(|client| client.deadline.remaining()).min().unwrap_or(Duration::MAX)
    }
}
