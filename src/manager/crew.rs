//! Threads for what takes its time: functions of types that the program has registered. The server's loop does not
//! wait for them.
//!
//! Each object has a [`Row`] of jobs, which are done one at a time and in their order; those of different objects at
//! the same time. A row that has something to do is in the crew's list, or a thread is at one of its jobs.
//!
//! The last thread stays until the end: where an object was made, there is a thread for what ends it, also when no
//! other is to be had.

use crate::error::Result;
use crate::sys::thread;
use crate::time::{Deadline, Instant};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// More objects than this are not at work at the same time; the next have to wait. A thread that waits takes little more
/// than its stack has used.
const MOST: usize = 4096;
/// How long a thread that is not the last one waits for something to do before it ends.
const IDLE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Row>>,
    threads: usize,
    /// Of them, those that wait.
    idle: usize,
    ending: bool,
}

#[derive(Default)]
pub(super) struct Crew {
    state: Mutex<State>,
    work: Condvar,
    left: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<(u64, Job)>,
    /// It is in the crew's list, or a thread has it.
    is_known: bool,
}

/// The jobs of one object.
pub(super) struct Row {
    crew: Arc<Crew>,
    jobs: Mutex<Jobs>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No job runs under any of them, so that none can panic there.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Row {
    pub(super) fn new(crew: &Arc<Crew>) -> Arc<Self> {
        Arc::new(Row { crew: Arc::clone(crew), jobs: Mutex::default() })
    }

    pub(super) fn crew(&self) -> &Arc<Crew> {
        &self.crew
    }

    /// One more job, by a number for [`Self::withdraw`]. Fails where there was no thread yet and none is to be had: then
    /// it is dropped.
    pub(super) fn push(self: &Arc<Self>, number: u64, job: impl FnOnce() + Send + 'static) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        jobs.waiting.push_back((number, Box::new(job)));
        if !jobs.is_known {
            if let Err(e) = self.crew.add(self) {
                jobs.waiting.pop_back();
                return Err(e);
            }
            jobs.is_known = true;
        }
        Ok(())
    }

    /// Takes a job back that has not begun.
    pub(super) fn withdraw(&self, number: u64) {
        let mut jobs = lock(&self.jobs);
        let place = jobs.waiting.iter().position(|&(known, _)| known == number);
        let job = place.and_then(|place| jobs.waiting.remove(place));
        drop(jobs);
        drop(job);
    }

    /// Does the next job. Whether there are more.
    fn step(&self) -> bool {
        let next = lock(&self.jobs).waiting.pop_front();
        if let Some((_, job)) = next {
            job();
        }
        let mut jobs = lock(&self.jobs);
        jobs.is_known = !jobs.waiting.is_empty();
        jobs.is_known
    }
}

impl Crew {
    fn add(self: &Arc<Self>, row: &Arc<Row>) -> Result<()> {
        let mut state = lock(&self.state);
        if state.ready.len() >= state.idle && state.threads < MOST {
            let crew = Arc::clone(self);
            match thread::start_helper("manager", move || crew.work()) {
                Ok(_) => state.threads += 1,
                // Whoever is there gets round to it.
                Err(_) if state.threads > 0 => {}
                Err(e) => return Err(e),
            }
        }
        state.ready.push_back(Arc::clone(row));
        self.work.notify_one();
        Ok(())
    }

    /// A thread's life.
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(row) = state.ready.pop_front() {
                drop(state);
                let has_more = row.step();
                state = lock(&self.state);
                if has_more {
                    state.ready.push_back(row);
                } else {
                    drop(state);
                    // With the last job of an object its row may go.
                    drop(row);
                    state = lock(&self.state);
                }
                continue;
            }
            if state.ending {
                break;
            }
            state.idle += 1;
            let mut is_over = false;
            if state.threads == 1 {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                let (woken, waited) =
                    self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                is_over = waited.timed_out();
            }
            state.idle -= 1;
            if is_over && state.ready.is_empty() && state.threads > 1 {
                break;
            }
        }
        state.threads -= 1;
        self.left.notify_all();
    }

    /// Waits until all is done and the threads have ended. Those that go on after the deadline end some day.
    pub(super) fn finish(&self, deadline: Deadline) {
        let mut state = lock(&self.state);
        state.ending = true;
        self.work.notify_all();
        while state.threads > 0 {
            let left = match deadline {
                Deadline::NoWait => return,
                Deadline::At(until) => until.saturating_duration_since(Instant::now()),
                Deadline::Never => Duration::from_secs(1),
            };
            if left.is_zero() {
                return;
            }
            state = self.left.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    #[test]
    fn a_rows_jobs_come_one_after_the_other() {
        let crew = Arc::new(Crew::default());
        let rows: Vec<_> = (0..4).map(|_| Row::new(&crew)).collect();
        let counts: Vec<_> = (0..4).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        for turn in 0..200 {
            for (row, count) in rows.iter().zip(&counts) {
                let count = Arc::clone(count);
                row.push(1, move || {
                    assert_eq!(count.load(Ordering::Relaxed), turn);
                    std::thread::yield_now();
                    count.store(turn + 1, Ordering::Relaxed);
                })
                .unwrap();
            }
        }
        crew.finish(Deadline::Never);
        counts.iter().for_each(|count| assert_eq!(count.load(Ordering::Relaxed), 200));
    }

    #[test]
    fn a_row_that_is_held_up_holds_up_no_other() {
        let crew = Arc::new(Crew::default());
        let (slow, quick) = (Row::new(&crew), Row::new(&crew));
        let (go, wait) = mpsc::channel::<()>();
        let (done, told) = mpsc::channel();
        slow.push(1, move || wait.recv().unwrap()).unwrap();
        slow.push(2, || unreachable!("it was withdrawn")).unwrap();
        quick.push(1, move || done.send(7).unwrap()).unwrap();
        assert_eq!(told.recv(), Ok(7));
        slow.withdraw(2);
        go.send(()).unwrap();
        crew.finish(Deadline::Never);
    }
}
