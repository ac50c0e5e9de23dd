//! The rooms, what each may use, and the check of one source file.

use crate::paths::{self, Use};

/// Bottom up. Rooms on one line do not use each other.
const FLOORS: &[&[&str]] = &[
    &["sys"],
    &["log"],
    &["park"],
    &["shm"],
    &["sync", "wire"],
    &["process", "queue", "shared"],
    &["pool", "manager"],
    &["ffi"],
];
/// Any room may use them; they use nothing but std.
const LEAVES: &[&str] = &["error", "time"];
const MAY_BE_UNSAFE: &[&str] = &["sys", "shm", "ffi"];
/// The system's own crates: only sys knows them.
const SYSTEM: &[&str] = &["libc", "nix", "memmap2"];
/// Come with the language: the libraries, and the tools that attributes name.
const STANDARD: &[&str] = &["std", "core", "alloc", "clippy", "rustfmt", "rustdoc"];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn is_leaf(room: &str) -> bool {
    LEAVES.contains(&room)
}

/// The room of a file, named by its path below src/. lib.rs, the map, is in none.
pub(crate) fn room_of(file: &str) -> Option<String> {
    module_of(file).into_iter().next()
}

/// The module that a file holds: shm/table.rs is [shm, table], shm/mod.rs is [shm].
fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

/// What is wrong with a file, each as "line: sentence".
pub(crate) fn check(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let room = match module.first() {
        Some(room) if floor(room).is_none() && !is_leaf(room) => {
            return vec![format!("1: {room} is no room: name it in tests/rooms/plan.rs")];
        }
        room => room.cloned(),
    };
    let uses = match paths::uses(&module, text) {
        Ok(uses) => uses,
        Err(problem) => return vec![problem],
    };
    let judge = |(line, found): (usize, Use)| {
        let problem = match &room {
            Some(room) => inside(room, &found),
            None => in_the_map(&found),
        };
        problem.map(|problem| format!("{line}: {problem}"))
    };
    let mut problems: Vec<String> = uses.into_iter().filter_map(judge).collect();
    problems.dedup();
    problems
}

fn inside(room: &str, found: &Use) -> Option<String> {
    match found {
        Use::Room(other) if other == room => None,
        Use::Room(other) => wrong_arrow(room, other),
        Use::Root(how) => Some(format!("{how} hides which room is used: name the room")),
        Use::Crate(name) if SYSTEM.contains(&name.as_str()) && room != "sys" => {
            Some(format!("{room} names {name}: only sys calls the system"))
        }
        Use::Crate(name) if is_leaf(room) && !STANDARD.contains(&name.as_str()) => {
            Some(format!("{room} names {name}: a leaf uses nothing but std"))
        }
        Use::Crate(_) => None,
        Use::Unsafe if MAY_BE_UNSAFE.contains(&room) => None,
        Use::Unsafe => Some(format!("unsafe in {room}: it lives in sys, shm and ffi")),
        Use::Trick(what) => Some(format!("{what} hides code from this check")),
        Use::Item(_) => None,
    }
}

/// lib.rs declares the rooms, and does nothing else.
fn in_the_map(found: &Use) -> Option<String> {
    match found {
        Use::Item(name) if floor(name).is_some() || is_leaf(name) => None,
        Use::Item(name) => Some(format!("{name} in lib.rs: it holds the rooms and nothing else")),
        Use::Trick(what) => Some(format!("{what} hides code from this check")),
        _ => None,
    }
}

fn wrong_arrow(room: &str, other: &str) -> Option<String> {
    if is_leaf(room) {
        return Some(format!("{room} uses {other}: a leaf uses nothing but std"));
    }
    if is_leaf(other) {
        return None;
    }
    match (floor(room), floor(other)) {
        (_, None) => Some(format!("{room} uses crate::{other}, which is no room")),
        (Some(mine), Some(its)) if its < mine => None,
        _ => Some(format!("{room} uses {other}, which does not lie below it")),
    }
}
