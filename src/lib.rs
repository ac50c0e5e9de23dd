//! libmp: Python's `multiprocessing` for C and C++, behind an `extern "C"` API; `include/mp.h` is the product.
//!
//! The rooms, bottom up; nothing points up, and `tests/rooms.rs` fails where something does:
//!
//! | room | what is in it |
//! |---|---|
//! | `error`, `time` | leaves that anyone may use |
//! | `sys` | the only room that calls the kernel and the C library |
//! | `log` | records of what happens, for whoever asks for them |
//! | `park` | sleeping, and the lock word that a dead owner cannot keep |
//! | `shm` | segments, the tree's and those with names: process table, blocks, ledgers, books |
//! | `sync` | the lock |
//! | `wire` | connections, listeners, clients, in CPython's framing and with its handshake |
//! | `process`, `queue`, `shared` | processes and their arguments; the queue; values and arrays |
//! | `pool`, `manager` | workers, tasks, map; objects behind a server |
//! | `ffi` | handles, statuses, and one file for each public noun; no logic |
//!
//! `unsafe` lives in `sys`, `shm` and `ffi`; the other rooms forbid it.

mod error;
mod log;
mod manager;
mod park;
mod pool;
mod process;
mod queue;
mod shared;
mod shm;
mod sync;
mod sys;
mod time;
mod wire;

pub mod ffi;
