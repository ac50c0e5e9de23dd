//! What src/park takes from the system, as the model has it.

pub(crate) mod atomic;
pub(crate) mod cpu;
pub(crate) mod futex;
