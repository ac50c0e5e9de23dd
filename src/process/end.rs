//! The end of a process: hooks, then daemons, then the children that are waited for, then the other hooks.

use super::{Process, own};
use crate::log;
use crate::sys::{children, signals, stdio};
use crate::time::Deadline;
use crate::wire;
use std::sync::Arc;

/// How long a daemon may take to leave after SIGTERM.
const GRACE: i64 = 1_000_000_000;

/// What the C library calls when the program leaves main or calls exit, in whichever process. One that has no
/// children of its own, and no hooks, has nothing to do: a fork's handler does not touch its parent's.
pub(super) extern "C" fn at_exit() {
    let _ = std::panic::catch_unwind(run);
}

/// Once in a process's life.
pub(super) fn run() {
    if !own::begin_ending() {
        return;
    }
    log::note(log::INFO, || "process shutting down".into());
    while let Some(hook) = own::take_exit_hook(0) {
        (hook.call)();
    }
    let (daemons, others): (Vec<_>, Vec<_>) = own::children().into_iter().partition(|c| c.is_daemon());
    dismiss(&daemons);
    for child in others {
        log::note(log::INFO, || format!("calling join() for process {}", child.name().to_string_lossy()));
        let _ = child.join(Deadline::after(crate::time::FOREVER));
    }
    super::start::forkserver::leave();
    while let Some(hook) = own::take_exit_hook(i32::MIN) {
        (hook.call)();
    }
    wire::remove_all();
}

/// All are asked first, so that they share the time.
fn dismiss(daemons: &[Arc<Process>]) {
    for daemon in daemons {
        log::note(log::INFO, || {
            format!("calling terminate() for daemon {}", daemon.name().to_string_lossy())
        });
        let _ = daemon.signal(signals::SIGTERM);
    }
    let deadline = Deadline::after(GRACE);
    for daemon in daemons {
        if daemon.join(deadline).is_err() {
            let _ = daemon.signal(signals::SIGKILL);
            let _ = daemon.join(Deadline::after(crate::time::FOREVER));
        }
    }
}

/// The end of a child that libmp started, from any depth and any thread: no handler of the parent's runs here.
pub(crate) fn leave(code: i32) -> ! {
    let code = code & 0xFF;
    let _ = std::panic::catch_unwind(|| {
        stdio::flush_all();
        run();
        log::note(log::INFO, || format!("process exiting with exitcode {code}"));
        stdio::flush_all();
    });
    crate::shm::leave_exit_status(code);
    children::exit_now(code)
}

/// Leaves with this code: a child as it does when its function returns, another process by the C library's exit.
pub(crate) fn exit(code: i32) -> ! {
    if own::parent().is_some() { leave(code) } else { crate::sys::exit::exit(code) }
}
