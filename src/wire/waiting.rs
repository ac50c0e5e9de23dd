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

/// So many at a time; the oldest has to go for one more.
const MOST: usize = 128;

struct Client {
    connection: Connection,
    handshake: Handshake,
    deadline: Deadline,
    from: String,
}

/// They, oldest first.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<Client>);

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more. What has to go for it is dropped, and its client sees the end.
    pub(super) fn add(
        &mut self,
        many: &Kept,
        connection: Connection,
        from: &Address,
        key: &Key,
        patience: i64,
    ) -> Result<()> {
        if self.0.len() >= MOST {
            self.drop_oldest();
        }
        connection.with_fd(|fd| Many::add(many.fd(), fd))??;
        self.0.push_back(Client {
            connection,
            handshake: Handshake::of_listener(key.clone()),
            deadline: Deadline::after(patience),
            from: address::text(from),
        });
        Ok(())
    }

    /// Makes room. With its last descriptor a socket also leaves the set that is waited for.
    pub(super) fn drop_oldest(&mut self) -> bool {
        self.0.pop_front().is_some()
    }

    /// Goes on with all of them; the first that is through, or that is found not to know the key.
    pub(super) fn advance(&mut self, many: &Kept) -> Option<Result<(Connection, String)>> {
        for at in 0..self.0.len() {
            let client = &mut self.0[at];
            let failed = match client.handshake.advance(&client.connection, Deadline::NoWait) {
                Ok(()) => None,
                Err(e) if e.status == Status::Timeout && client.deadline.is_over() => {
                    Some("it took too long to prove its key".to_owned())
                }
                Err(e) if e.status == Status::Timeout => continue,
                Err(e) => Some(e.to_string()),
            };
            let client = self.0.remove(at)?;
            return Some(match failed {
                None => {
                    let _ = client.connection.with_fd(|fd| Many::remove(many.fd(), fd));
                    Ok((client.connection, client.from))
                }
                Some(why) => {
                    let who = if client.from.is_empty() { "a client" } else { &client.from };
                    Err(Error::new(Status::Auth, format!("{who} was not let in: {why}")))
                }
            });
        }
        None
    }

    /// How long until the next one has taken too long.
    pub(super) fn patience(&self) -> Duration {
        self.0.iter().map(|client| client.deadline.remaining()).min().unwrap_or(Duration::MAX)
    }
}
