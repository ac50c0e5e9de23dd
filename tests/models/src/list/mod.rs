//! What src/park and src/queue must not become: each mutant is wrong in one way, and a model finds it.

/// One thing wrong.
#[allow(dead_code)] // The build script needs some of it, the test the rest.
pub struct Mutant {
    pub name: &'static str,
    /// Below src/park; for the models of queues, below src; for those of pipes, below src/wire/pipe.
    pub file: &'static str,
    /// What stands there once, and what stands there instead.
    pub edits: &'static [(&'static str, &'static str)],
    /// Which model finds it.
    pub model: &'static str,
    /// And says this.
    pub says: &'static str,
}

mod barrier;
mod bells;
mod condition;
mod event;
mod flow;
mod lock;
mod polled;
mod rlock;
mod semaphore;
mod spot;

const LOST: &str = "a wake was lost";
const RACE: &str = "Causality violation";

const ALL: &[&[Mutant]] = &[
    spot::MUTANTS,
    lock::MUTANTS,
    rlock::MUTANTS,
    semaphore::MUTANTS,
    event::MUTANTS,
    condition::MUTANTS,
    barrier::MUTANTS,
    bells::MUTANTS,
    flow::MUTANTS,
    polled::MUTANTS,
];

pub fn all() -> impl Iterator<Item = &'static Mutant> {
    ALL.iter().copied().flatten()
}
