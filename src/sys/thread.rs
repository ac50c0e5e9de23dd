//! A number for each thread, and how many there are.

use crate::error::{Error, Result};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

static LAST: AtomicU32 = AtomicU32::new(0);

/// What the names of the library's own threads begin with.
const OWN: &[u8] = b"libmp-";

/// How many threads this process has besides the one that asks and the library's own.
pub(crate) fn others() -> usize {
    // SAFETY: asks for a number.
    let me = unsafe { libc::syscall(libc::SYS_gettid) }.to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let is_the_programs = |path: std::path::PathBuf| {
        // One that has ended meanwhile is none.
        std::fs::read(path.join("comm")).is_ok_and(|name| !name.starts_with(OWN))
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

/// Helper threads of libmp's that run in this process.
static HELPERS: AtomicU32 = AtomicU32::new(0);

/// How many of this process's threads are libmp's own. A fork leaves them out.
#[allow(dead_code, reason = "for the warning about threads at a fork")]
pub(crate) fn helpers() -> u32 {
    HELPERS.load(Ordering::Relaxed)
}

/// Runs something in a thread of libmp's own, which no signal handler of the host's runs in.
pub(crate) fn start_helper(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let held = super::signals::hold()?;
    let began = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        HELPERS.fetch_add(1, Ordering::Relaxed);
        work();
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    });
    drop(held);
    match began {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::os(e.raw_os_error().unwrap_or(0), "cannot start a thread")),
    }
}
