//! Records of what happens, for whoever asks for them: on stderr, in a function of the program's, in a queue that
//! another process takes them from.
//! Nobody has asked by default, and then a record costs a load and a comparison.
//!
//! The setting is one word, and what it leads to is never freed, so that a forked child has its parent's as it
//! is, whatever another thread was doing to it.
//!
//! | bits of the word | are                                                       |
//! |------------------|-----------------------------------------------------------|
//! | 0 to 15          | the level that was set, 0: none was                        |
//! | 16               | records go to stderr                                      |
//! | 31               | the environment was looked at, or need not be              |
#![forbid(unsafe_code)]

mod record;

pub(crate) use record::Record;

use crate::sys::local::Local;
use crate::sys::published::{List, Published};
use crate::sys::stdio;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

pub(crate) const SUBDEBUG: u16 = 5;
pub(crate) const DEBUG: u16 = 10;
pub(crate) const INFO: u16 = 20;
pub(crate) const SUBWARNING: u16 = 25;
pub(crate) const WARNING: u16 = 30;
pub(crate) const ERROR: u16 = 40;
pub(crate) const CRITICAL: u16 = 50;
/// Above every level.
pub(crate) const OFF: u16 = 1000;

const LEVEL: u32 = 0xFFFF;
const STDERR: u32 = 1 << 16;
const KNOWN: u32 = 1 << 31;

/// What nobody has called otherwise.
const MAIN: &CStr = c"MainProcess";

const NAMES: [(u16, &CStr); 7] = [
    (SUBDEBUG, c"SUBDEBUG"),
    (DEBUG, c"DEBUG"),
    (INFO, c"INFO"),
    (SUBWARNING, c"SUBWARNING"),
    (WARNING, c"WARNING"),
    (ERROR, c"ERROR"),
    (CRITICAL, c"CRITICAL"),
];

static SETTING: AtomicU32 = AtomicU32::new(0);
static SINK: Published<Sink> = Published::new();
/// Every sink that there was: one that is set again is not made again.
static SINKS: List<Sink> = List::new();
static QUEUE: Published<Sink> = Published::new();
/// Every queue that there was.
static QUEUES: List<Sink> = List::new();
/// What this process is called.
static NAME: Local<Option<CString>> = Local::new();

thread_local! {
    /// A record of this thread's is in the sink's hands.
    static IN_SINK: Cell<bool> = const { Cell::new(false) };
    /// What was to be said while a lock was held.
    static PENDING: RefCell<Vec<(u16, String)>> = const { RefCell::new(Vec::new()) };
}

/// How a sink is called: its address, the program's word for it, the record.
pub(crate) type Call = fn(usize, usize, &Record<'_>);

/// A function that is given the records, with the program's word for it, and how it is called. Of a queue: what a
/// child finds it by, the handle, and how it is put there.
pub(crate) struct Sink {
    pub(crate) function: usize,
    pub(crate) user: usize,
    call: Call,
}

fn setting() -> u32 {
    // Relaxed: one word, and what it says stands alone.
    match SETTING.load(Ordering::Relaxed) {
        0 => from_environment(),
        known => known,
    }
}

#[cold]
fn from_environment() -> u32 {
    let wanted = std::env::var("MP_LOG").ok().and_then(|text| parse(&text));
    let found = KNOWN | wanted.map_or(0, |level| STDERR | u32::from(level));
    // What somebody has set meanwhile goes before it.
    match SETTING.compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => found,
        Err(set) => set,
    }
}

/// A level's name in any case, or its number.
fn parse(text: &str) -> Option<u16> {
    let by_name = NAMES.iter().find(|(_, name)| name.to_bytes().eq_ignore_ascii_case(text.trim().as_bytes()));
    by_name.map(|&(level, _)| level).or_else(|| text.trim().parse().ok().filter(|&n| n > 0 && n < OFF))
}

fn change(to: impl Fn(u32) -> u32) {
    setting();
    let _ = SETTING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(to(now) | KNOWN));
}

/// The level that was set; 0: none was.
pub(crate) fn level() -> u16 {
    (setting() & LEVEL) as u16
}

/// Records below it are dropped; 0 for those below WARNING, as if none had been set.
pub(crate) fn set_level(level: u16) {
    change(|now| now & !LEVEL | u32::from(level));
}

pub(crate) fn to_stderr() {
    change(|now| now | STDERR);
}

/// What a child that does not have this memory is told: see [`adopt`].
pub(crate) fn word() -> u32 {
    setting()
}

/// In such a child.
pub(crate) fn adopt(word: u32) {
    SETTING.store(word | KNOWN, Ordering::Relaxed);
    SINK.set(None);
    QUEUE.set(None);
}

/// What this process is called in its records.
pub(crate) fn set_name(name: CString) {
    NAME.with(|n| *n = Some(name));
}

fn name() -> CString {
    NAME.with(|n| n.clone()).unwrap_or_else(|| MAIN.into())
}

/// Nanoseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Whether anybody wants records of this level.
#[inline]
pub(crate) fn enabled(level: u16) -> bool {
    let setting = setting();
    let least = match (setting & LEVEL) as u16 {
        0 => WARNING,
        set => set,
    };
    level >= least && (setting & STDERR != 0 || SINK.get().is_some() || QUEUE.get().is_some())
}

/// The function that is given the records; None: there is none.
pub(crate) fn sink() -> Option<&'static Sink> {
    SINK.get()
}

pub(crate) fn set_sink(sink: Option<(usize, usize, Call)>) {
    SINK.set(sink.map(|(function, user, call)| filed(function, user, call)));
}

/// The queue that records are put into; None: there is none.
pub(crate) fn queue() -> Option<&'static Sink> {
    QUEUE.get()
}

/// Another one; what was there before.
pub(crate) fn set_queue(queue: Option<(usize, usize, Call)>) -> Option<&'static Sink> {
    let new = queue.map(|(function, user, call)| {
        QUEUES.find_or_add(|q| (q.function, q.user) == (function, user), || Sink { function, user, call })
    });
    QUEUE.swap(new)
}

fn filed(function: usize, user: usize, call: Call) -> &'static Sink {
    SINKS.find_or_add(|s| (s.function, s.user) == (function, user), || Sink { function, user, call })
}

/// Says something. The caller holds no lock: what is told may be code of the program's.
pub(crate) fn note(level: u16, message: impl FnOnce() -> String) {
    if enabled(level)
        && let Ok(message) = CString::new(message())
    {
        write(level, &message);
    }
}

/// The same where a lock is held: said by [`catch_up`].
pub(crate) fn later(level: u16, message: impl FnOnce() -> String) {
    if enabled(level) {
        let _ = PENDING.try_with(|pending| pending.borrow_mut().push((level, message())));
    }
}

/// Says what this thread had to keep to itself. The caller holds no lock.
pub(crate) fn catch_up() {
    let pending = PENDING.try_with(|pending| std::mem::take(&mut *pending.borrow_mut()));
    for (level, message) in pending.unwrap_or_default() {
        note(level, || message);
    }
}

/// In a forked child: what the parent has still to say is not said twice.
pub(crate) fn forget_pending() {
    let _ = PENDING.try_with(|pending| pending.borrow_mut().clear());
}

/// Hands a record of this process to whoever wants it.
pub(crate) fn write(level: u16, message: &CStr) {
    if !enabled(level) {
        return;
    }
    let record = Record::new(level, message);
    hand_out(&record);
    if let Some(queue) = QUEUE.get() {
        give(queue, &record);
    }
}

/// Hands a record, of this process or another, to stderr and the sink, as far as there are any.
pub(crate) fn hand_out(record: &Record<'_>) {
    if setting() & STDERR != 0 {
        let (level, process, message) = (&record.level_name, &record.process, &record.message);
        let parts: [&[u8]; 7] =
            [b"[", level.to_bytes(), b"/", process.to_bytes(), b"] ", message.to_bytes(), b"\n"];
        let mut line = Vec::new();
        if line.try_reserve_exact(parts.iter().map(|p| p.len()).sum()).is_ok() {
            parts.iter().for_each(|part| line.extend_from_slice(part));
            stdio::write_record(&line);
        }
    }
    if let Some(sink) = SINK.get() {
        give(sink, record);
    }
}

/// What the receiver itself causes to be said is not given on.
fn give(to: &Sink, record: &Record<'_>) {
    if let Ok(false) = IN_SINK.try_with(|busy| busy.replace(true)) {
        (to.call)(to.function, to.user, record);
        let _ = IN_SINK.try_with(|busy| busy.set(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_words() {
        assert_eq!(parse("debug"), Some(DEBUG));
        assert_eq!(parse(" SubWarning "), Some(SUBWARNING));
        assert_eq!(parse("7"), Some(7));
        for nothing in ["", "no", "0", "-1", "1000", "70000"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_sink_is_filed_once() {
        fn call(_: usize, _: usize, _: &Record<'_>) {}
        let first = filed(1, 2, call);
        let other = filed(1, 3, call);
        assert!(std::ptr::eq(first, filed(1, 2, call)) && !std::ptr::eq(first, other));
    }
}
