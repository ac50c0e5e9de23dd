//! The algorithms of src/park, where every order of the steps of a few processes is tried, and where a process may
//! be killed after any of its steps.
//!
//! `sys` and `time` are what src/park takes from the rooms below it, made of the model checker's parts. Nobody's sleep
//! ends by itself here: there are no slices, so a wake that is lost is found, except after a kill.

// A build of this for unit tests, of which there are none, would have those of src/park in it.
#![cfg(not(test))]

mod sys;
mod time;
mod world;

#[path = "../../../src/park/mod.rs"]
#[allow(dead_code, unused_imports)]
mod park;

pub mod models;

/// src/park again and again, each time with one thing wrong.
#[allow(warnings, clippy::all)]
pub mod mutants {
    pub(crate) use crate::models::find;

    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}
