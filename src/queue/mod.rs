//! Queues: a ring of bytes, or a chain of them, with a lock for producers, another for consumers, and one word a
//! side that says how far it is.
//!
//! | step of a put or get                  | a process killed right after it                          |
//! |---------------------------------------|----------------------------------------------------------|
//! | lock taken                            | the lock is taken over; the words are as they were       |
//! | bytes written behind the end (put)    | nobody reads there; the next producer writes over them   |
//! | bytes read at the begin (get)         | the next consumer reads the same message again           |
//! | position stored: the message is in, or gone | the state after; only the lock is left to take over |
//!
//! So there is no state in between, and nothing to repair.
#![forbid(unsafe_code)]

mod chain;
mod end;
mod get;
mod large;
mod lend;
mod many;
mod parcels;
mod position;
pub(crate) mod priority;
mod put;
mod ready;
mod ring;
mod side;
mod state;
mod tasks;
mod tally;
mod wake;

pub(crate) use put::Message;
pub(crate) use state::{Limits, create};

#[cfg(test)]
mod tests;
