//! What a process knows of itself: who it is, whose child, and which children it has.

use super::Process;
use crate::error::Result;
use crate::log;
use crate::sync;
use crate::sys::local::Local;
use crate::sys::{exit, random};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::sync::Arc;

/// The name of a process that nobody started for libmp.
pub(crate) const MAIN: &str = "MainProcess";
/// Bytes of a key that nobody has set.
const KEY: usize = 32;

/// What a child is told of itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) name: CString,
    /// "3:1" for the first child of the third one of the main process, for which it is "".
    pub(crate) path: String,
    /// It ends with its parent.
    pub(crate) daemon: bool,
    /// None in a main process.
    pub(crate) parent: Option<Parent>,
    /// What connections prove themselves by.
    pub(crate) authkey: Vec<u8>,
}

/// Whose child a process is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Parent {
    pub(crate) pid: u32,
    pub(crate) name: CString,
    /// The parent's own parent, for its description.
    pub(crate) parent_pid: Option<u32>,
}

impl Default for Origin {
    fn default() -> Self {
        Origin {
            name: CString::new(MAIN).unwrap_or_default(),
            path: String::new(),
            daemon: false,
            parent: None,
            authkey: Vec::new(),
        }
    }
}

/// A function of the program's, to be called at a certain moment of a process's life.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) priority: i32,
    pub(crate) call: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Own {
    origin: Origin,
    /// Children so far, started or not.
    count: u32,
    children: Vec<Arc<Process>>,
    /// Which child is looked at next for having ended.
    cursor: usize,
    at_exit: Vec<Hook>,
    after_fork: Vec<Hook>,
    /// The end has begun: what runs at the end has been taken.
    ending: bool,
}

static OWN: Local<Own> = Local::new();

/// In a child: this is who it is. The hooks are the ones that its parent's forked children run.
pub(crate) fn begin(origin: Origin, after_fork: Vec<Hook>) {
    sync::name_this_process(&origin.name.to_string_lossy());
    log::forget_pending();
    log::set_name(origin.name.clone());
    OWN.begin(Own { origin, after_fork, ..Own::default() });
}

pub(crate) fn origin() -> Origin {
    OWN.with(|own| own.origin.clone())
}

pub(crate) fn is_daemon() -> bool {
    OWN.with(|own| own.origin.daemon)
}

pub(crate) fn set_name(name: CString) {
    sync::name_this_process(&name.to_string_lossy());
    log::set_name(name.clone());
    OWN.with(|own| own.origin.name = name);
}

/// Whose child this process is; None: nobody's.
pub(crate) fn parent() -> Option<Parent> {
    OWN.with(|own| own.origin.parent.clone())
}

/// The path of one more child.
pub(crate) fn next_path() -> String {
    OWN.with(|own| {
        own.count += 1;
        match &own.origin.path[..] {
            "" => own.count.to_string(),
            path => format!("{path}:{}", own.count),
        }
    })
}

/// What a child with this name and path shall know of itself.
pub(crate) fn child_origin(name: CString, path: String, daemon: bool) -> Result<Origin> {
    let authkey = authkey()?;
    let mine = origin();
    let parent = Parent { pid: std::process::id(), name: mine.name, parent_pid: mine.parent.map(|p| p.pid) };
    Ok(Origin { name, path, daemon, parent: Some(parent), authkey })
}

/// The key; a random one where nobody has set or passed on one.
pub(crate) fn authkey() -> Result<Vec<u8>> {
    let key = OWN.with(|own| own.origin.authkey.clone());
    if !key.is_empty() {
        return Ok(key);
    }
    let fresh = random::bytes::<KEY>()?.to_vec();
    Ok(OWN.with(|own| {
        if own.origin.authkey.is_empty() {
            own.origin.authkey = fresh;
        }
        own.origin.authkey.clone()
    }))
}

pub(crate) fn set_authkey(key: Vec<u8>) {
    OWN.with(|own| own.origin.authkey = key);
}

/// Something is there that the process's end has to look after.
pub(crate) fn expect_end() {
    exit::at_end(super::end::at_exit);
}

/// Files a child that was just started; from now on the process's end looks after it.
pub(super) fn adopt(child: Arc<Process>) {
    expect_end();
    OWN.with(|own| own.children.push(child));
}

/// A child that has ended and was reaped.
pub(super) fn bury(child: &Process) {
    // Dropped after the mutex is free: with the object its descriptors go, which have one of their own.
    let gone: Vec<_> =
        OWN.with(|own| own.children.extract_if(.., |c| std::ptr::eq(Arc::as_ptr(c), child)).collect());
    drop(gone);
}

/// The children that were not reaped yet.
pub(crate) fn children() -> Vec<Arc<Process>> {
    OWN.with(|own| own.children.clone())
}

/// The next few children in turn, for a look whether they have ended: so there are never many more of the dead
/// than of the living.
pub(super) fn some_children() -> Vec<Arc<Process>> {
    const SOME: usize = 2;
    OWN.with(|own| {
        let len = own.children.len();
        let some = (0..SOME.min(len)).map(|i| Arc::clone(&own.children[(own.cursor + i) % len])).collect();
        own.cursor = own.cursor.wrapping_add(SOME) % len.max(1);
        some
    })
}

pub(crate) fn add_exit_hook(hook: Hook) {
    expect_end();
    OWN.with(|own| own.at_exit.push(hook));
}

pub(crate) fn add_fork_hook(hook: Hook) {
    OWN.with(|own| own.after_fork.push(hook));
}

pub(super) fn fork_hooks() -> Vec<Hook> {
    OWN.with(|own| own.after_fork.clone())
}

/// True for the first who asks.
pub(super) fn begin_ending() -> bool {
    OWN.with(|own| !std::mem::replace(&mut own.ending, true))
}

/// Takes the exit hook that is next: the highest priority first, and of those the latest; None when there is
/// none of at least `least`.
pub(super) fn take_exit_hook(least: i32) -> Option<Hook> {
    OWN.with(|own| {
        let hooks = own.at_exit.iter().enumerate().filter(|(_, h)| h.priority >= least);
        let (at, _) = hooks.max_by_key(|(at, h)| (h.priority, *at))?;
        Some(own.at_exit.remove(at))
    })
}
