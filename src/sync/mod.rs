//! What processes synchronise by: policy over the words of `park`.
#![forbid(unsafe_code)]

mod describe;
pub(crate) use describe::name_this_process;
pub(crate) mod guarding;
pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod event;
pub(crate) mod lock;
pub(crate) mod ready;
pub(crate) mod rlock;
pub(crate) mod semaphore;
pub(crate) mod watch;
