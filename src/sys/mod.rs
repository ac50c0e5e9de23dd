//! The only room that calls the kernel and the C library.

pub(crate) mod atomic;
pub(crate) mod cache;
pub(crate) mod caller;
pub(crate) mod catch;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod code;
pub(crate) mod cpu;
pub(crate) mod exit;
pub(crate) mod fd;
pub(crate) mod flag;
pub(crate) mod futex;
pub(crate) mod journal;
pub(crate) mod kept;
pub(crate) mod lifeline;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod modules;
pub(crate) mod named;
pub(crate) mod outermost;
pub(crate) mod packets;
pub(crate) mod page;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod proc;
pub(crate) mod published;
pub(crate) mod random;
pub(crate) mod setup;
pub(crate) mod signals;
pub(crate) mod sockets;
pub(crate) mod spawn;
pub(crate) mod stdio;
pub(crate) mod thread;
pub(crate) mod types;
pub(crate) mod watch;

use crate::error::Error;

/// An error for the system call that just failed.
fn last_error(what: &'static str) -> Error {
    Error::os(std::io::Error::last_os_error().raw_os_error().unwrap_or(0), what)
}

/// An error for a failed call of nix.
fn os(what: &'static str) -> impl FnOnce(nix::errno::Errno) -> Error {
    move |e| Error::os(e as i32, what)
}
