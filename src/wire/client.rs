//! Connecting to a listener.

use super::address;
use super::connection::Connection;
use super::handshake::{Handshake, Key};
use crate::error::{Error, Result, Status, fail};
use crate::sys::kept;
use crate::sys::sockets::{self, Address};
use crate::time::Deadline;

/// A connection to whoever listens at the address, and knows the key. Of several addresses the first that answers.
/// Once the key is proved, messages have at most `most` bytes.
pub(crate) fn connect(
    text: &[u8],
    key: Option<Key>,
    any_user: bool,
    most: usize,
    deadline: Deadline,
) -> Result<Connection> {
    let mut failure = Error::new(Status::NotFound, "the host has no address");
    for at in address::parse(text)? {
        match connect_to(&at, deadline) {
            Ok(connection) => {
                check_user(&connection, &at, any_user)?;
                if let Some(key) = key {
                    Handshake::of_client(key).advance(&connection, deadline)?;
                }
                return Ok(connection.limited(most));
            }
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

fn connect_to(at: &Address, deadline: Deadline) -> Result<Connection> {
    let fd = {
        let mut list = kept::list();
        list.keep(sockets::unconnected(at)?)
    };
    sockets::connect(fd.fd(), at, deadline)?;
    Ok(Connection::over(fd))
}

/// Anybody may have a name without a file first.
fn check_user(connection: &Connection, at: &Address, any_user: bool) -> Result<()> {
    if any_user || !matches!(at, Address::Abstract(_)) {
        return Ok(());
    }
    match connection.peer() {
        Some((_, user)) if user == sockets::user() || user == 0 => Ok(()),
        _ => fail!(Auth, "another user listens there, and any_user is not set"),
    }
}
