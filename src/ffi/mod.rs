//! The C API: handles, statuses, and a file for each public noun. No logic lives here.
#![allow(non_camel_case_types, reason = "the names are the C API's")]
#![allow(clippy::missing_safety_doc, reason = "the comments are the header's; its preamble has the rules")]

mod cargo; // not in the header
#[cfg(fuzzing)]
pub mod fuzz;
mod guard; // not in the header
mod guarded; // not in the header
mod handle; // not in the header
mod kind; // not in the header
mod managed; // not in the header
mod managed_pool; // not in the header
mod scope; // not in the header
mod slots; // not in the header
mod strings; // not in the header
mod text; // not in the header

pub mod status;
pub mod library;
pub mod time;
pub mod start;
pub mod context;
pub mod buffer;
pub mod name;
pub mod lock;
pub mod rlock;
pub mod semaphore;
pub mod condition;
pub mod event;
pub mod barrier;
pub mod value;
pub mod value_number;
pub mod array;
pub mod array_number;
pub mod shared_memory;
pub mod shareable_list;
pub mod queue;
pub mod queue_handles;
pub mod queue_lend;
pub mod queue_many;
pub mod queue_state;
pub mod priority_queue;
pub mod priority_lease;
pub mod wait;
pub mod connection;
pub mod connection_handles;
pub mod connection_lend;
pub mod connection_auth;
pub mod pipe;
pub mod listener;
pub mod manager;
pub mod item;
pub mod proxy;
pub mod proxy_items;
pub mod managed_memory;
pub mod object_type;
pub mod object_call;
pub mod process;
pub mod control;
pub mod family;
pub mod child;
pub mod pool;
pub mod pool_map;
pub mod imap;
pub mod result;
pub mod pool_async;
pub mod pool_stats;
pub mod task;
pub mod log;
pub mod log_queue;
pub mod stats;
