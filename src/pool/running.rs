//! What a task's function sees: one item at a time.

use super::task::{Stage, TaskState};
use crate::error::{Result, Status, fail};
use crate::shm::{Data, PoolArea};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where a returned result goes.
pub(super) enum Output {
    /// Right into the task's bytes; results have this length.
    Fixed(Data),
    /// Collected, since lengths are not known before.
    Collected,
}

struct Item {
    input: Data,
    index: u64,
    output: Output,
    /// Where its task is; None for what is no task.
    task: Option<(PoolArea, usize)>,
    returned: bool,
    collected: Vec<u8>,
    failure: Option<String>,
}

/// The item that is being worked on. Between items there is none, and every question is answered with STATE.
#[derive(Default)]
pub(crate) struct Running {
    item: Mutex<Option<Item>>,
}

/// What an item came to.
pub(super) struct Worked {
    pub(super) returned: bool,
    pub(super) collected: Vec<u8>,
    pub(super) failure: Option<String>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Option<Item>> {
        self.item.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, index: u64, input: Data, output: Output, task: Option<(PoolArea, usize)>) {
        let item = Item { input, index, output, task, returned: false, collected: Vec::new(), failure: None };
        *self.lock() = Some(item);
    }

    pub(super) fn end(&self) -> Option<Worked> {
        let item = self.lock().take()?;
        Some(Worked { returned: item.returned, collected: item.collected, failure: item.failure })
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Item) -> Result<T>) -> Result<T> {
        match &mut *self.lock() {
            Some(item) => use_it(item),
            None => fail!(State, "the task is over: its handle is good only inside the task's function"),
        }
    }

    pub(crate) fn input(&self) -> Result<Data> {
        self.with(|item| Ok(item.input))
    }

    pub(crate) fn index(&self) -> Result<u64> {
        self.with(|item| Ok(item.index))
    }

    /// Whether the owner wants the function to return.
    pub(crate) fn is_cancelled(&self) -> Result<bool> {
        self.with(|item| {
            Ok(item.task.is_some_and(|(area, number)| {
                matches!(TaskState::of(area.task(number)).stage, Stage::Asked | Stage::Doomed)
            }))
        })
    }

    /// The item's result; the last one counts.
    pub(crate) fn give(&self, result: &[u8]) -> Result<()> {
        self.with(|item| {
            match &item.output {
                Output::Fixed(place) if place.len() == result.len() => place.write(0, result),
                Output::Fixed(place) => {
                    fail!(Invalid, "a result has {} bytes here, not {}", place.len(), result.len())
                }
                Output::Collected => {
                    item.collected.clear();
                    if item.collected.try_reserve_exact(result.len()).is_err() {
                        fail!(NoMemory, "no memory for a result of {} bytes", result.len());
                    }
                    item.collected.extend_from_slice(result);
                }
            }
            item.returned = true;
            Ok(())
        })
    }

    /// The item fails with this sentence; the last one counts.
    pub(crate) fn fail(&self, sentence: String) -> Result<Status> {
        self.with(|item| {
            item.failure = Some(sentence);
            Ok(Status::Ok)
        })
    }
}
