//! Managers: objects behind a server, for processes that need not be relatives or on one machine.
//!
//! | file | what is in it |
//! |---|---|
//! | `server`, `hall`, `waiting` | the server: its loop, what clients ask for, those who wait |
//! | `store`, `account`, `types` | objects and who holds them; their memory; what they can do, and how a type is added |
//! | `registry`, `call`, `crew` | types of the program's own; a call of one of their functions, and the threads for that |
//! | `codec`, `bytes`, `message`, `text` | values, requests and answers as bytes; values as text |
//! | `channel`, `outgoing` | messages on a socket; those that are to go |
//! | `link`, `proxy` | the client: its connections, and what stands for an object |
//! | `fuzz` | requests that no client of ours would make, for tests |
//! | `start` | a server in a process of its own, or in this one |
#![forbid(unsafe_code)]

mod account;
mod bytes;
mod call;
mod channel;
mod codec;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod crew;
mod hall;
mod link;
mod message;
mod outgoing;
mod proxy;
mod registry;
mod server;
mod start;
mod store;
mod text;
mod types;
mod waiting;

pub(crate) use account::Charge;
pub(crate) use call::Call;
pub(crate) use codec::{Lent, Value, text};
pub(crate) use link::Reply;
pub(crate) use proxy::Proxy;
pub(crate) use registry::{Hooks, Kind};
pub(crate) use server::Limits;
pub(crate) use start::{Manager, Plan, serve};
