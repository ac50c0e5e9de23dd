//! What a task's function sees: one item at a time.

use super::task::{Stage, TaskState};
use crate::error::{Error, Result, Status, fail};
use crate::shm::{Data, ItemCell, PoolArea, Shown};
use crate::sys::thread;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The item that is being worked on. Between items there is none, and every question is answered with STATE. The
/// function may hand its task to threads of its own, for as long as it runs itself. One that goes on after that
/// does no harm: the task's bytes, which may be another task's by then, are written by the function's thread alone, and
/// what others say waits for it under the item's turn.
pub(crate) struct Running {
    area: PoolArea,
    item: ItemCell,
    /// The function's.
    thread: u32,
    /// It has a result where the owner reads it.
    returned: AtomicBool,
    /// Something is in `said`: so that the mutex is left alone by items of fixed size that do not fail.
    spoke: AtomicBool,
    said: Mutex<Said>,
}

/// What has no place in the task's bytes, or is not there yet.
#[derive(Default)]
struct Said {
    /// Whose it is.
    turn: u64,
    result: Option<Vec<u8>>,
    /// Why the last result was not taken.
    refused: Option<String>,
    failure: Option<String>,
}

/// How an item ended.
#[derive(Default)]
pub(super) struct Ended {
    /// It has a result of fixed size.
    pub(super) returned: bool,
    /// One that has no place, or is empty.
    pub(super) result: Vec<u8>,
    /// Why it failed, if its function said so or gave a last result that was not taken.
    pub(super) failure: Option<String>,
}

impl Running {
    /// By the thread that will call the functions.
    pub(super) fn new(area: PoolArea) -> Self {
        Running {
            area,
            item: ItemCell::default(),
            thread: thread::number(),
            returned: AtomicBool::new(false),
            spoke: AtomicBool::new(false),
            said: Mutex::default(),
        }
    }

    pub(super) fn begin(&self, item: Shown) {
        self.returned.store(false, Ordering::Relaxed);
        self.item.show(Some(item));
    }

    /// The item is over: what came of it.
    pub(super) fn end(&self) -> Ended {
        let last = self.item.get();
        self.item.show(None);
        let mut ended = Ended { returned: self.returned.load(Ordering::Relaxed), ..Ended::default() };
        // Relaxed: whoever spoke for the function has told the function's thread so.
        if !self.spoke.load(Ordering::Relaxed) {
            return ended;
        }
        let mut said = self.said();
        self.spoke.store(false, Ordering::Relaxed);
        let said = std::mem::take(&mut *said);
        // Of another turn it is what came too late for an earlier item.
        if let Some((item, _)) = last.filter(|&(_, turn)| turn == said.turn) {
            ended.failure = said.failure.or(said.refused);
            match (item.output, said.result) {
                (Some(place), Some(result)) => {
                    // One that there was no memory for is none.
                    ended.returned = result.len() == place.len();
                    if ended.returned {
                        place.write(0, &result);
                    }
                }
                (None, Some(result)) => ended.result = result,
                (_, None) => {}
            }
        }
        ended
    }

    fn shown(&self) -> Result<(Shown, u64)> {
        match self.item.get() {
            Some(shown) => Ok(shown),
            None => Err(over()),
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something about the item of this turn.
    fn say<T>(&self, turn: u64, what: impl FnOnce(&mut Said) -> Result<T>) -> Result<T> {
        let mut said = self.said();
        // Whoever spoke for a later item did so under the mutex; what is too late all the same, `end` throws away.
        if self.item.turn() != turn {
            return Err(over());
        }
        if said.turn != turn {
            *said = Said { turn, ..Said::default() };
        }
        self.spoke.store(true, Ordering::Relaxed);
        what(&mut said)
    }

    pub(crate) fn input(&self) -> Result<Data> {
        Ok(self.shown()?.0.input)
    }

    pub(crate) fn index(&self) -> Result<u64> {
        Ok(self.shown()?.0.index)
    }

    /// Whether the owner wants the function to return.
    pub(crate) fn is_cancelled(&self) -> Result<bool> {
        Ok(self.shown()?.0.task.is_some_and(|number| {
            matches!(TaskState::of(self.area.task(number)).stage, Stage::Asked | Stage::Doomed)
        }))
    }

    /// The item's result; the last one counts. Where that cannot be taken the item fails: few look at what
    /// `mp_task_return` answers, and zeros that nobody has computed must not pass for a result.
    pub(crate) fn give(&self, result: Result<&[u8]>) -> Result<()> {
        let (item, turn) = self.shown()?;
        let given = result.and_then(|result| self.take(&item, turn, result));
        // Another thread may have come too late for its own item, and here must not fail this one.
        if let Err(error) = &given
            && thread::number() == self.thread
        {
            self.say(turn, |said| {
                said.refused = Some(format!("mp_task_return: {error}"));
                Ok(())
            })?;
        }
        given
    }

    fn take(&self, item: &Shown, turn: u64, result: &[u8]) -> Result<()> {
        if let Some(place) = item.output {
            if place.len() != result.len() {
                fail!(Invalid, "a result has {} bytes here, not {}", place.len(), result.len());
            }
            // The item cannot end meanwhile. What another thread gave before would come later.
            if thread::number() == self.thread && !self.spoke.load(Ordering::Relaxed) {
                place.write(0, result);
                self.returned.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
        self.say(turn, |said| {
            let collected = said.result.insert(Vec::new());
            if collected.try_reserve_exact(result.len()).is_err() {
                fail!(NoMemory, "no memory for a result of {} bytes", result.len());
            }
            collected.extend_from_slice(result);
            said.refused = None;
            Ok(())
        })
    }

    /// The item fails with this sentence; the last one counts.
    pub(crate) fn fail(&self, sentence: String) -> Result<Status> {
        let (_, turn) = self.shown()?;
        self.say(turn, |said| {
            said.failure = Some(sentence);
            Ok(Status::Ok)
        })
    }
}

/// For who comes too late.
pub(crate) fn over() -> Error {
    Error::new(Status::State, "the task is over: its handle is good only inside the task's function")
}
