//! What the processes of each model do, and what must be true of it. Compiled for the rooms as they are, and again for
//! each mutant.

mod barrier;
mod bells;
mod condition;
mod event;
mod explore;
mod lock;
mod rlock;
mod semaphore;
mod spot;

use super::park;

/// Models by name, those of one file each.
pub(crate) type Models = &'static [(&'static str, fn())];

pub(crate) const OF_PARK: &[Models] = &[
    spot::MODELS,
    lock::MODELS,
    rlock::MODELS,
    semaphore::MODELS,
    event::MODELS,
    condition::MODELS,
    barrier::MODELS,
    bells::MODELS,
];

/// All models, by name.
pub fn all() -> Vec<(&'static str, fn())> {
    [OF_PARK, &[crate::flow::MODELS, crate::polled::MODELS]].concat().concat()
}

/// Tries everything that can happen in one of them, and panics where it should not.
///
/// # Panics
///
/// Where there is no such model too.
pub fn check(name: &str) {
    find(&all(), name)();
}

pub(crate) fn find(models: &[(&str, fn())], name: &str) -> fn() {
    models.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("there is no model {name}")).1
}

/// In how many ways models went so far, in this thread.
pub fn runs() -> usize {
    crate::world::RUNS.get()
}
