//! Workers' stderr, line by line under their names: a thread of the owner's reads what they write, and writes each
//! line by one system call, so that no two of them are mixed up. Each worker has a pipe of its own.

use crate::error::Result;
use crate::sys::flag::Flag;
use crate::sys::kept::{self, Kept};
use crate::sys::pipe::{self, Read};
use crate::sys::poll::Row;
use crate::sys::{stdio, thread};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A line that is longer goes out in pieces.
const LONGEST: usize = 64 << 10;

/// Of one worker.
struct Source {
    from: Kept,
    /// "[NAME] ", and what has come of a line since.
    line: Vec<u8>,
    tag: usize,
}

struct Shared {
    fresh: Mutex<Vec<Source>>,
    /// Something is there, or it is the end.
    flag: Flag,
    is_over: AtomicBool,
}

/// The thread, as the owner sees it.
pub(super) struct Scribe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn new() -> Result<Self> {
        let flag = Flag::new()?;
        let shared = Shared { fresh: Mutex::default(), flag, is_over: AtomicBool::new(false) };
        Ok(Scribe { shared: Arc::new(shared), thread: None })
    }

    /// Begins to read: once the first workers are there, so that they are not forked beside a thread.
    pub(super) fn begin(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        self.thread = Some(thread::start_helper("stderr", move || run(&shared))?);
        Ok(())
    }

    /// The two ends of one more worker's pipe.
    pub(super) fn pipe() -> Result<(Kept, Kept)> {
        let mut list = kept::list();
        let (reader, writer) = pipe::pair()?;
        Ok((list.keep(reader), list.keep(writer)))
    }

    /// Reads there from now on.
    pub(super) fn follow(&self, from: Kept, name: &[u8]) {
        let line = [b"[", name, b"] "].concat();
        let tag = line.len();
        self.shared.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(Source { from, line, tag });
        self.shared.flag.raise();
    }

    /// Writes what is there, whole line or not, and ends.
    pub(super) fn end(mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.flag.raise();
        match self.thread.take() {
            // Its panic was its own.
            Some(thread) => drop(thread.join()),
            // The pool did not come into being.
            None => run(&self.shared),
        }
    }
}

/// The thread's whole life.
fn run(shared: &Shared) {
    let mut sources: Vec<Source> = Vec::new();
    loop {
        shared.flag.lower();
        // Before the last look: who was told of the end has written all that counts.
        let is_over = shared.is_over.load(Ordering::Acquire);
        sources.append(&mut shared.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        sources.retain_mut(|source| source.copy() && !is_over);
        if is_over {
            return;
        }
        let mut row = Row::default();
        row.push(shared.flag.fd());
        for fd in sources.iter().filter_map(|source| source.from.ours()) {
            row.push(std::os::fd::AsRawFd::as_raw_fd(&fd));
        }
        if row.wait(Duration::from_secs(60)).is_err() {
            // The host program closes what is not its own.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Source {
    /// Copies what is there; false where no more will come.
    fn copy(&mut self) -> bool {
        let mut some = [0; 8192];
        loop {
            let Some(from) = self.from.ours() else { return false };
            match pipe::read(from, &mut some) {
                Read::Bytes(n) => self.take(&some[..n]),
                Read::Nothing => return true,
                Read::End => return false,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST {
                self.write();
            }
        }
    }

    fn write(&mut self) {
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        stdio::write_record(&self.line);
        self.line.truncate(self.tag);
    }
}

/// A worker may die within a line.
impl Drop for Source {
    fn drop(&mut self) {
        if self.line.len() > self.tag {
            self.write();
        }
    }
}
