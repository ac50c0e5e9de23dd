//! Connections: messages between two ends, in the framing of CPython's `multiprocessing.connection`, and how the
//! two ends find each other and prove that they know the same key.
//!
//! | file | what is in it |
//! |---|---|
//! | `connection` | one end, whatever it stands on |
//! | `stream`, `input`, `output` | one end of a socket, and what of a message has come and gone so far |
//! | `pipe` | one end of a pipe: rings in shared memory |
//! | `lent` | messages that are written and read where they lie |
//! | `receive` | a message, from whatever it comes |
//! | `frame` | how long a message is, in bytes |
//! | `turn` | one thread after the other, each until its deadline |
//! | `address` | addresses as text |
//! | `auth`, `handshake` | the codes, and the conversation in which both ends send theirs |
//! | `listener`, `waiting`, `files`, `client` | who listens, who is not let in yet, what lies in the file system, who connects |
//! | `carried`, `load` | a connection or a listener on its way into a child, or with a message |
#![forbid(unsafe_code)]

mod address;
mod auth;
mod carried;
mod client;
mod connection;
mod files;
mod frame;
mod handshake;
mod input;
mod lent;
mod listener;
mod load;
mod output;
mod pipe;
mod receive;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod turn;
mod waiting;

pub(crate) use address::is_local;
pub(crate) use carried::{Carried, Unpacked, What};
pub(crate) use client::connect;
pub(crate) use connection::Connection;
pub(crate) use files::remove_all;
pub(crate) use handshake::Key;
pub(crate) use listener::{Listener, Rules};
pub(crate) use load::Load;
pub(crate) use turn::Turn;
