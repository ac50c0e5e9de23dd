//! The conversation in which both ends prove that they know the key. The listener asks first and the client
//! answers; then the other way round. Each step goes on where it was when the time ran out.
//!
//! Nobody answers a challenge of its own: who sends us one that this process has sent, and waits for the answer to,
//! has got it from us and would have the answer from us, too. Unless it is us.

use super::auth::{self, NONCE};
use super::connection::Connection;
use crate::error::{Error, Result, Status, fail};
use crate::sys::local::Local;
use crate::sys::random;
use crate::sys::sockets::Address;
use crate::time::Deadline;
use std::collections::VecDeque;
use std::sync::Arc;

/// What both ends know.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) bytes: Arc<[u8]>,
    /// CPython up to 3.11 is let in.
    pub(crate) allow_md5: bool,
}

enum Step {
    SendChallenge,
    AwaitAnswer,
    SendWelcome,
    AwaitChallenge,
    SendAnswer(Vec<u8>),
    AwaitWelcome,
}

pub(super) struct Handshake {
    key: Key,
    steps: VecDeque<Step>,
    challenge: Option<Challenge>,
}

impl Handshake {
    /// The one that was called.
    pub(super) fn of_listener(key: Key) -> Self {
        Self::new(key, [Step::SendChallenge, Step::AwaitChallenge])
    }

    /// The one that calls.
    pub(super) fn of_client(key: Key) -> Self {
        Self::new(key, [Step::AwaitChallenge, Step::SendChallenge])
    }

    /// One direction: to ask.
    pub(super) fn delivering(key: Key) -> Self {
        Self::new(key, [Step::SendChallenge])
    }

    /// One direction: to be asked.
    pub(super) fn answering(key: Key) -> Self {
        Self::new(key, [Step::AwaitChallenge])
    }

    fn new<const N: usize>(key: Key, steps: [Step; N]) -> Self {
        Handshake { key, steps: steps.into(), challenge: None }
    }

    /// Goes on until all is said, or with TIMEOUT until the deadline; it may be called again then.
    pub(super) fn advance(&mut self, connection: &Connection, deadline: Deadline) -> Result<()> {
        while let Some(step) = self.steps.front() {
            let next = match step {
                Step::SendChallenge => {
                    if self.challenge.is_none() {
                        self.challenge = Some(Challenge::new(connection)?);
                    }
                    let part = self.challenge.as_ref().map(Challenge::part).unwrap_or_default();
                    connection.send(&[auth::CHALLENGE, &part].concat(), deadline)?;
                    Some(Step::AwaitAnswer)
                }
                Step::AwaitAnswer => {
                    let answer = receive(connection, deadline)?;
                    let part = self.challenge.take().map(|c| c.part()).unwrap_or_default();
                    if let Err(e) = auth::check(&self.key.bytes, &part, &answer, self.key.allow_md5) {
                        // It may not even listen.
                        let _ = connection.send(auth::FAILURE, Deadline::NoWait);
                        return Err(e);
                    }
                    Some(Step::SendWelcome)
                }
                Step::SendWelcome => {
                    connection.send(auth::WELCOME, deadline)?;
                    None
                }
                Step::AwaitChallenge => {
                    let challenge = receive(connection, deadline)?;
                    let part = auth::part_of(&challenge)?;
                    if is_reflected(part, connection)? {
                        fail!(Auth, "the other side sent a challenge of this process's own");
                    }
                    Some(Step::SendAnswer(auth::answer(&self.key.bytes, part, self.key.allow_md5)?))
                }
                Step::SendAnswer(answer) => {
                    connection.send(answer, deadline)?;
                    Some(Step::AwaitWelcome)
                }
                Step::AwaitWelcome => {
                    if receive(connection, deadline)? != auth::WELCOME {
                        fail!(Auth, "the other side does not accept the key");
                    }
                    None
                }
            };
            self.steps.pop_front();
            if let Some(next) = next {
                self.steps.push_front(next);
            }
        }
        Ok(())
    }
}

fn receive(connection: &Connection, deadline: Deadline) -> Result<Vec<u8>> {
    connection.receive(auth::MOST, deadline, |_| {}).map_err(|e| match e.status {
        Status::TooSmall => {
            Error::new(Status::Auth, "the other side sends too much before it has proved its key")
        }
        // A length that is none, or a descriptor.
        Status::State => {
            Error::new(Status::Auth, "the other side does not send what a handshake consists of")
        }
        Status::Os if e.errno != 0 => Error::new(Status::Auth, format!("the handshake failed: {e}")),
        _ => e,
    })
}

/// A challenge whose answer is waited for, and between whom.
#[derive(Clone, PartialEq, Eq)]
struct Sent {
    nonce: [u8; NONCE],
    from: Option<Address>,
    to: Option<Address>,
    /// This process is at the other end, as the kernel says.
    to_itself: bool,
}

/// All of this process.
static SENT: Local<Vec<Sent>> = Local::new();

struct Challenge(Sent);

impl Challenge {
    fn new(connection: &Connection) -> Result<Self> {
        let (from, to) = connection.ends()?;
        let sent = Sent { nonce: random::bytes()?, from, to, to_itself: is_to_itself(connection) };
        SENT.with(|all| all.push(sent.clone()));
        Ok(Challenge(sent))
    }

    fn part(&self) -> Vec<u8> {
        auth::asked(&self.0.nonce)
    }
}

impl Drop for Challenge {
    fn drop(&mut self) {
        SENT.with(|all| all.retain(|sent| sent.nonce != self.0.nonce));
    }
}

fn is_to_itself(connection: &Connection) -> bool {
    connection.peer().is_some_and(|(pid, _)| pid == std::process::id())
}

/// Whether a challenge is one of this process's own that somebody else has sent back. At a local socket's client the
/// kernel knows who listens, not who accepts: another process has made the listener that this one was handed. Then it
/// is between the same addresses, and where it was sent this process had connected.
fn is_reflected(part: &[u8], connection: &Connection) -> Result<bool> {
    let found = SENT
        .with(|all| all.iter().find(|sent| part.windows(NONCE).any(|bytes| bytes == sent.nonce)).cloned());
    let Some(sent) = found else { return Ok(false) };
    let (mine, other) = connection.ends()?;
    let is_local = mine.as_ref().is_some_and(Address::is_local);
    let is_between_them = mine.is_some() && mine == sent.to && other == sent.from;
    let is_own = match is_local {
        true => {
            is_to_itself(connection) || is_between_them && sent.to_itself && other != Some(Address::Unnamed)
        }
        false => is_between_them,
    };
    Ok(!is_own)
}
