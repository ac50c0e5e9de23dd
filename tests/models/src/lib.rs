//! The algorithms of src/park and src/queue, and of the bells of pipes, where every order of the steps of a few
//! processes is tried, and where a process may be killed after any of its steps.
//!
//! `sys` and `time` are what these rooms take from those below them, made of the model checker's parts, and the copies'
//! `shm` is what src/queue takes from src/shm: its queue's blocks, rings, loans and redo record as they are, over as
//! little as will do. Nobody's sleep ends by itself here: there are no slices, so a wake that is lost is found, except
//! after a kill.

// A build of this for unit tests, of which there are none, would have those of src/park in it.
#![cfg(not(test))]
// What explores the models is compiled with each copy of a room.
#![allow(clippy::duplicate_mod)]

mod sys;
mod time;
mod world;

#[path = "../../../src/park/mod.rs"]
#[allow(dead_code, unused_imports)]
mod park;

#[path = "../../../src/error.rs"]
#[allow(dead_code)]
mod error;

pub mod models;

include!(concat!(env!("OUT_DIR"), "/rooms.rs"));

/// The rooms with what is wrong with any mutant, which is asked for by its name.
#[allow(warnings, clippy::all)]
pub mod mutants {
    use std::cell::Cell;

    thread_local! {
        static WRONG: Cell<&'static str> = const { Cell::new("") };
    }

    /// Whether that one is being checked, by this thread.
    fn is(mutant: &str) -> bool {
        WRONG.get() == mutant
    }

    /// Runs a model with that mutant.
    pub fn check(mutant: &'static str, model: &str) {
        WRONG.set(mutant);
        let models = [park::MODELS, &[flow::MODELS], &[polled::MODELS]].concat().concat();
        crate::models::find(&models, model)();
    }

    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}
