//! What a task's function sees: one item at a time.

use super::task::{Stage, TaskState};
use crate::error::{Result, Status, fail};
use crate::shm::{Data, ItemCell, PoolArea, Shown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The item that is being worked on. Between items there is none, and every question is answered with STATE. The
/// function may hand its task to threads of its own, for as long as it runs itself.
pub(crate) struct Running {
    area: PoolArea,
    item: ItemCell,
    /// It has a result.
    returned: AtomicBool,
    /// Something is in `said`: so that the mutex is left alone by items of fixed size that do not fail.
    spoke: AtomicBool,
    said: Mutex<Said>,
}

/// What has no place in the task's bytes.
#[derive(Default)]
struct Said {
    collected: Vec<u8>,
    failure: Option<String>,
}

impl Running {
    pub(super) fn new(area: PoolArea) -> Self {
        Running {
            area,
            item: ItemCell::default(),
            returned: AtomicBool::new(false),
            spoke: AtomicBool::new(false),
            said: Mutex::default(),
        }
    }

    pub(super) fn begin(&self, item: Shown) {
        self.returned.store(false, Ordering::Relaxed);
        // Of one that was given up.
        if self.spoke.load(Ordering::Relaxed) {
            self.take_said();
        }
        self.item.show(Some(item));
    }

    /// The item is over; whether it has a result.
    pub(super) fn end(&self) -> bool {
        self.item.show(None);
        // Relaxed: whoever did it for the function has told the function's thread so.
        self.returned.load(Ordering::Relaxed)
    }

    /// Why the item that was last failed, if its function said so.
    pub(super) fn failure(&self) -> Option<String> {
        match self.spoke.load(Ordering::Relaxed) {
            true => self.said().failure.take(),
            false => None,
        }
    }

    /// The result of the item that was last, where it has no place.
    pub(super) fn collected(&self) -> Vec<u8> {
        match self.spoke.load(Ordering::Relaxed) {
            true => self.take_said().collected,
            false => Vec::new(),
        }
    }

    fn take_said(&self) -> Said {
        self.spoke.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.said())
    }

    fn shown(&self) -> Result<Shown> {
        match self.item.get() {
            Some(item) => Ok(item),
            None => fail!(State, "the task is over: its handle is good only inside the task's function"),
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn input(&self) -> Result<Data> {
        Ok(self.shown()?.input)
    }

    pub(crate) fn index(&self) -> Result<u64> {
        Ok(self.shown()?.index)
    }

    /// Whether the owner wants the function to return.
    pub(crate) fn is_cancelled(&self) -> Result<bool> {
        Ok(self.shown()?.task.is_some_and(|number| {
            matches!(TaskState::of(self.area.task(number)).stage, Stage::Asked | Stage::Doomed)
        }))
    }

    /// The item's result; the last one counts.
    pub(crate) fn give(&self, result: &[u8]) -> Result<()> {
        match self.shown()?.output {
            Some(place) if place.len() == result.len() => place.write(0, result),
            Some(place) => {
                fail!(Invalid, "a result has {} bytes here, not {}", place.len(), result.len())
            }
            None => {
                let collected = &mut self.said().collected;
                self.spoke.store(true, Ordering::Relaxed);
                collected.clear();
                if collected.try_reserve_exact(result.len()).is_err() {
                    fail!(NoMemory, "no memory for a result of {} bytes", result.len());
                }
                collected.extend_from_slice(result);
            }
        }
        self.returned.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The item fails with this sentence; the last one counts.
    pub(crate) fn fail(&self, sentence: String) -> Result<Status> {
        self.shown()?;
        self.said().failure = Some(sentence);
        self.spoke.store(true, Ordering::Relaxed);
        Ok(Status::Ok)
    }
}
