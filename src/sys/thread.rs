//! A number for each thread, how many there are, and threads of the library's own.

use super::signals;
use crate::error::{Error, Result};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

static LAST: AtomicU32 = AtomicU32::new(0);

/// What the names of the library's own threads begin with.
const OWN: &str = "libmp-";

/// How many threads this process has besides the one that asks and the library's own.
pub(crate) fn others() -> usize {
    // SAFETY: asks for a number.
    let me = unsafe { libc::syscall(libc::SYS_gettid) }.to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let is_the_programs = |path: std::path::PathBuf| {
        // One that has ended meanwhile is none.
        std::fs::read(path.join("comm")).is_ok_and(|name| !name.starts_with(OWN.as_bytes()))
    };
    let others = tasks.flatten().filter(|task| task.file_name() != *me);
    others.filter(|task| is_the_programs(task.path())).count()
}

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The calling thread's number: at least 1, at most 30 bits, no other thread's of this process. A forked child's
/// only thread keeps the number of the one that forked.
#[inline(always)]
pub(crate) fn number() -> u32 {
    NUMBER.with(|number| match number.get() {
        0 => first(number),
        known => known,
    })
}

#[cold]
fn first(number: &Cell<u32>) -> u32 {
    loop {
        // Around again after one billion threads; 0 is for those that have none yet.
        let next = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & 0x3FFF_FFFF;
        if next != 0 {
            number.set(next);
            return next;
        }
    }
}

/// Runs something in a thread of libmp's own, which [`others`] knows by its name, and which no signal handler of
/// the host's runs in.
pub(crate) fn start_helper(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    // Held back here, they are held back in a thread that begins meanwhile, for ever.
    let _held = signals::hold()?;
    Builder::new()
        .name(format!("{OWN}{name}"))
        .spawn(work)
        .map_err(|e| Error::os(e.raw_os_error().unwrap_or(0), "no thread is to be had"))
}
