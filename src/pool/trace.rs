//! A timeline of what pools do, in the format that chrome://tracing and Perfetto read: each worker's place is a row,
//! each task a bar on it, and the time that a task waits for its worker a bar of its own.
//!
//! Of one process all pools that have the same file write to it, each as a "process" of the timeline. What they say
//! is collected, and written when it is much, or a second old, when the pool ends, and when the process does. In
//! between the file is whole: see [`Journal`].

use super::task::Outcome;
use crate::log;
use crate::process::own::{self, Hook};
use crate::sys::clock;
use crate::sys::journal::{self, Journal};
use crate::sys::local::Local;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::{Arguments, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are written at once.
const MUCH: usize = 1 << 16;
/// Nanoseconds after which also less is.
const LONG: u64 = 1_000_000_000;
const FIRST: &[u8] = b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
const LAST: &[u8] = b"\n]}\n";

type Shared = Arc<Mutex<Sheet>>;

/// A file, and what it is still to be told.
#[derive(Default)]
struct Sheet {
    /// None before it is begun, and once it could not be written.
    journal: Option<Journal>,
    tried: bool,
    text: String,
    /// When it was written last.
    written: u64,
    begun: bool,
    /// Pools so far.
    pools: u32,
}

/// The files of this process, which are kept until its end.
static SHEETS: Local<Vec<(PathBuf, Shared)>> = Local::new();
/// The process that made the first one, also in its forks.
static FIRST_PROCESS: AtomicU32 = AtomicU32::new(0);

impl Sheet {
    fn add(&mut self, event: Arguments<'_>) {
        if self.journal.is_none() || self.text.try_reserve(512).is_err() {
            return;
        }
        if std::mem::replace(&mut self.begun, true) {
            self.text.push_str(",\n");
        }
        let _ = self.text.write_fmt(event);
    }

    fn write_if_due(&mut self) {
        if self.text.len() >= MUCH || clock::now() - self.written >= LONG {
            self.write();
        }
    }

    fn write(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        self.written = clock::now();
        if let Err(e) = journal.add(self.text.as_bytes()) {
            log::later(log::WARNING, || format!("the trace ends here: {e}"));
            self.journal = None;
        }
        self.text.clear();
    }
}

/// A pool's part of a file.
pub(super) struct Trace {
    sheet: Shared,
    pool: u32,
    /// When the task in each slot was queued, and its number among all.
    queued: Vec<(u64, u64)>,
    count: u64,
}

/// How a task's bar is called.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    Came(Outcome),
    Died,
    /// The pool ended meanwhile.
    Ended,
}

/// What a bar is about.
pub(super) struct Span {
    pub(super) worker: u16,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) tries: u32,
    pub(super) begun: u64,
    /// 0: until now.
    pub(super) spent: u64,
}

impl Trace {
    /// What is asked for: by the pool's maker, or by the environment. A file that cannot be written is no reason
    /// not to work.
    pub(super) fn wanted(path: Option<PathBuf>, workers: usize, tasks: usize) -> Option<Box<Self>> {
        let path = path.or_else(|| journal::path_from("MP_TRACE")).filter(|p| !p.as_os_str().is_empty())?;
        let path = own_name(&path);
        let sheet = sheet(&path);
        let pool = join(&sheet, &path)?;
        let trace = Trace { sheet, pool, queued: vec![(0, 0); tasks], count: 0 };
        let named = |of: &str, row: usize, name: String| {
            trace.event(("M", "__metadata", of), row, 0, format_args!(r#","args":{{"name":"{name}"}}"#));
        };
        named("process_name", 0, format!("pool {pool} of process {}", std::process::id()));
        for worker in 0..workers {
            named("thread_name", row(worker), format!("worker {worker}"));
        }
        Some(Box::new(trace))
    }

    fn event(&self, what: (&str, &str, &str), row: usize, at: u64, rest: Arguments<'_>) {
        let mut sheet = lock(&self.sheet);
        self.put(&mut sheet, what, row, at, rest);
        sheet.write_if_due();
    }

    fn put(
        &self,
        sheet: &mut Sheet,
        (phase, category, name): (&str, &str, &str),
        row: usize,
        at: u64,
        rest: Arguments<'_>,
    ) {
        let (pool, at) = (self.pool, Micros(at));
        sheet.add(format_args!(
            r#"{{"ph":"{phase}","cat":"{category}","name":"{name}","pid":{pool},"tid":{row},"ts":{at}{rest}}}"#
        ));
    }

    /// Something that takes no time, on a worker's row.
    pub(super) fn mark(&self, what: &str, worker: u16, how: &str) {
        let rest = format_args!(r#","s":"t","args":{{"how":"{}"}}"#, escaped(how));
        self.event(("i", "worker", what), row(worker.into()), clock::now(), rest);
    }

    /// A task begins to wait.
    pub(super) fn queued(&mut self, number: u32) {
        self.count += 1;
        self.queued[number as usize] = (clock::now(), self.count);
    }

    /// It waits no longer, since then.
    fn waited(&self, number: u32, until: u64) {
        let (since, count) = self.queued[number as usize];
        let id = format_args!(r#","id":"{}.{count}""#, self.pool);
        // Of the two the file has both or none.
        let mut sheet = lock(&self.sheet);
        self.put(&mut sheet, ("b", "queue", "queued"), 0, since, id);
        self.put(&mut sheet, ("e", "queue", "queued"), 0, until.max(since), id);
        sheet.write_if_due();
    }

    /// Nobody has begun it, and nobody will.
    pub(super) fn dropped(&self, number: u32) {
        self.waited(number, clock::now());
    }

    /// It is over.
    pub(super) fn over(&self, number: u32, bar: Bar, span: &Span) {
        let now = clock::now();
        let Span { worker, first, count, tries, begun, spent } = *span;
        // Tasks that follow one another share a reading of the clock.
        let begun = if begun == 0 { now } else { begun.max(self.queued[number as usize].0) };
        let until = if spent == 0 { now } else { span.begun + spent }.max(begun);
        let name = match bar {
            Bar::Came(Outcome::Ok) => "task",
            Bar::Came(Outcome::Stopped) => "task, stopped",
            Bar::Came(_) => "task, failed",
            Bar::Died => "task, worker died",
            Bar::Ended => "task, pool ended",
        };
        self.waited(number, begun);
        let waited = begun.saturating_sub(self.queued[number as usize].0);
        let (length, waited) = (Micros(until - begun), Micros(waited));
        let rest = format_args!(
            r#","dur":{length},"args":{{"first":{first},"items":{count},"tries":{tries},"queued_us":{waited}}}"#
        );
        self.event(("X", "task", name), row(worker.into()), begun, rest);
    }

    /// The pool ends.
    pub(super) fn end(&self) {
        lock(&self.sheet).write();
    }
}

/// A worker's row: 0 is the pool's own.
fn row(worker: usize) -> usize {
    worker + 1
}

fn lock(sheet: &Shared) -> MutexGuard<'_, Sheet> {
    sheet.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sheet for a path.
fn sheet(path: &Path) -> Shared {
    let (sheet, first) = SHEETS.with(|all| match all.iter().find(|(known, _)| known == path) {
        Some((_, sheet)) => (Arc::clone(sheet), false),
        None => {
            all.push((path.into(), Shared::default()));
            (Arc::clone(&all[all.len() - 1].1), all.len() == 1)
        }
    });
    if first {
        own::add_exit_hook(Hook { priority: i32::MIN, call: Arc::new(write_all) });
    }
    sheet
}

/// One more pool writes to it; gives its number. None: nobody can.
fn join(sheet: &Shared, path: &Path) -> Option<u32> {
    let mut sheet = lock(sheet);
    if !std::mem::replace(&mut sheet.tried, true) {
        sheet.written = clock::now();
        match Journal::begin(path, FIRST, LAST) {
            Ok(journal) => sheet.journal = Some(journal),
            Err(e) => {
                // What is told may be code of the program's.
                drop(sheet);
                log::note(log::WARNING, || format!("there will be no trace: {e}"));
                return None;
            }
        }
    }
    sheet.journal.as_ref()?;
    sheet.pools += 1;
    Some(sheet.pools)
}

/// At the process's end.
fn write_all() {
    for (_, sheet) in SHEETS.with(|all| all.clone()) {
        lock(&sheet).write();
    }
}

/// With the process's number: where the name has %p, and also in a child whose parent may have the name itself.
fn own_name(path: &Path) -> PathBuf {
    let (mut name, pid) = (path.as_os_str().as_bytes().to_vec(), std::process::id());
    if let Some(at) = name.windows(2).position(|two| two == b"%p") {
        name.splice(at..at + 2, pid.to_string().into_bytes());
        return OsString::from_vec(name).into();
    }
    let first = FIRST_PROCESS.compare_exchange(0, pid, Ordering::Relaxed, Ordering::Relaxed);
    if first.is_err_and(|first| first != pid) || own::parent().is_some() {
        name.extend_from_slice(format!(".{pid}").as_bytes());
    }
    OsString::from_vec(name).into()
}

/// Nanoseconds as JSON's microseconds.
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// As the inside of a JSON string.
fn escaped(text: &str) -> Cow<'_, str> {
    let special = |c: char| c == '"' || c == '\\' || c.is_control();
    if !text.contains(special) {
        return text.into();
    }
    let escape = |c: char| match special(c) {
        true => format!("\\u{:04x}", c as u32),
        false => c.to_string(),
    };
    text.chars().map(escape).collect::<String>().into()
}
