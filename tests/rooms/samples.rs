//! The check itself, on sources that are right and sources that are wrong.

use crate::plan::{check, room_of};

#[test]
fn right_arrows_pass() {
    let right: &[(&str, &str)] = &[
        (
            "lib.rs",
            "//! Map.\n#![deny(missing_docs)]\nmod sys;\n#[macro_use]\npub mod error;\nmod time;\npub mod ffi;",
        ),
        ("sys/futex.rs", "use nix::sys; use libc::c_int; fn f() { unsafe { libc::abort() } }"),
        ("park/mod.rs", "use crate::sys::futex; use crate::{error::Result, time::Deadline};"),
        ("shm/mod.rs", "use crate::{sys, park::{self, Park}}; unsafe fn f() {} mod table;"),
        ("shm/table.rs", "use super::Word; use super::super::sys::mmap; fn f() { crate::park::sleep() }"),
        (
            "sync/lock.rs",
            "use crate::shm; use self::word::Word; use super::wait; fn f() { shm::a(); self.b() }",
        ),
        ("sync/lock.rs", "mod tests { use super::*; use super::super::wait; use crate::shm::x; }"),
        ("pool/task.rs", "fn f() { let s = \"unsafe crate::ffi libc::x\"; } // unsafe crate::ffi::x"),
        (
            "pool/task.rs",
            "/// unsafe, and crate::ffi::x\n#[allow(unsafe_code, reason = \"crate::ffi\")] fn f() {}",
        ),
        ("pool/task.rs", "pub(in crate::pool) fn f() {} pub(crate) struct S { pub(super) x: u8 }"),
        ("pool/task.rs", "fn f() { assert!(crate::process::alive(), \"{}\", crate::shm::count()); }"),
        ("pool/task.rs", "macro_rules! m { ($x:expr) => { pub(crate) fn f() { $crate::error::g(self) } } }"),
        ("ffi/lock.rs", "use core::ffi::c_int; use crate::{manager, pool, sync::Lock}; unsafe fn f() {}"),
        (
            "error.rs",
            "use std::{fmt, io}; fn f() { fmt::a(); io::Error::b(); Status::C; i64::MAX; g::h() } mod g {}",
        ),
        ("error.rs", "#[allow(clippy::all)] mod a {} macro_rules! f { () => { $crate::error::E::new() } }"),
        ("time.rs", "use std::time::Duration; mod tests { use super::*; fn f() { Duration::MAX } }"),
        ("error.rs", "macro_rules! f { () => {} } pub(crate) use f;"),
    ];
    for (file, text) in right {
        assert_eq!(check(file, text), [""; 0], "{file}: {text}");
    }
}

#[test]
fn wrong_arrows_are_found() {
    let wrong: &[(&str, &str, &str)] = &[
        ("sys/futex.rs", "use crate::park::sleep;", "1: sys uses park"),
        ("sys/futex.rs", "use crate::shm;", "sys uses shm"),
        ("park/mod.rs", "use crate::{sys, shm::Segment};", "park uses shm"),
        ("park/mod.rs", "use crate::sys::{self, x}; use {std::io, crate::{time, pool}};", "park uses pool"),
        ("shm/mod.rs", "use super::sync::Lock;", "shm uses sync"),
        ("shm/table.rs", "use super::super::sync::Lock;", "shm uses sync"),
        ("shm/table.rs", "mod a { use super::super::super::wire; }", "shm uses wire"),
        (
            "shm/table.rs",
            "mod a { mod b { fn f() { super::super::super::super::wire::g() } } }",
            "shm uses wire",
        ),
        ("sync/lock.rs", "\n\nuse crate::wire::Pipe;", "3: sync uses wire"),
        ("wire/pipe.rs", "use crate::sync::Lock;", "wire uses sync"),
        ("queue/ring.rs", "use crate::shared::Value;", "queue uses shared"),
        ("pool/mod.rs", "use crate::manager::Server;", "pool uses manager"),
        ("pool/mod.rs", "fn f() -> crate::ffi::guard::G { loop {} }", "pool uses ffi"),
        ("pool/mod.rs", "fn f() { let x: Vec<Option<crate::ffi::G>>; }", "pool uses ffi"),
        ("pool/mod.rs", "impl crate::ffi::T for S {}", "pool uses ffi"),
        ("pool/mod.rs", "fn f() { println!(\"{}\", 1 + crate::ffi::x()); }", "pool uses ffi"),
        ("pool/mod.rs", "macro_rules! m { () => { $crate::ffi::x() } }", "pool uses ffi"),
        ("pool/mod.rs", "m! { use crate::{error, ffi::x}; }", "pool uses ffi"),
        ("pool/mod.rs", "m!(super::ffi::x);", "pool uses ffi"),
        ("pool/mod.rs", "#[cfg_attr(test, with(crate::ffi::x))] fn f() {}", "pool uses ffi"),
        ("pool/mod.rs", "use crate::r#ffi::x;", "pool uses ffi"),
        ("pool/mod.rs", "#[cfg(test)] mod tests { use crate::ffi::x; }", "pool uses ffi"),
        ("pool/mod.rs", "use crate::nowhere;", "which is no room"),
        ("pool/mod.rs", "use crate as root;", "hides which room"),
        ("pool/mod.rs", "use crate::{self as root};", "hides which room"),
        ("pool/mod.rs", "use crate::*;", "hides which room"),
        ("pool/mod.rs", "use super::*;", "hides which room"),
        ("pool/task.rs", "use super::super as root;", "hides which room"),
        ("pool/mod.rs", "m! { use crate as root; }", "hides which room"),
        ("pool/mod.rs", "extern crate self as mp;", "hides which room"),
        ("pool/mod.rs", "include!(\"x.rs\");", "include! hides"),
        ("pool/mod.rs", "#[path = \"../ffi/x.rs\"] mod x;", "#[path] hides"),
        ("shm/mod.rs", "use libc::c_int;", "shm names libc"),
        ("shm/mod.rs", "fn f() { ::libc::abort() }", "shm names libc"),
        ("ffi/lock.rs", "fn f(x: libc::c_int) {}", "ffi names libc"),
        ("park/mod.rs", "use {nix as n, std::io};", "park names nix"),
        ("pool/mod.rs", "extern crate memmap2;", "pool names memmap2"),
        ("pool/mod.rs", "use libc; fn f() {}", "pool names libc"),
        ("pool/mod.rs", "fn f() { assert_eq!(x, libc::EINTR); }", "pool names libc"),
        ("error.rs", "use crate::time::Deadline;", "a leaf uses nothing but std"),
        ("time.rs", "use crate::sys::clock;", "a leaf uses nothing but std"),
        ("error.rs", "use serde::Serialize;", "a leaf uses nothing but std"),
        ("error.rs", "fn f() { serde::x() }", "a leaf uses nothing but std"),
        ("error.rs", "fn f() { unsafe { g() } }", "unsafe in error"),
        ("sync/lock.rs", "unsafe impl Send for X {}", "unsafe in sync"),
        ("sync/lock.rs", "#[unsafe(no_mangle)] fn f() {}", "unsafe in sync"),
        ("pool/mod.rs", "fn f() { vec![unsafe { g() }]; }", "unsafe in pool"),
        ("pool/mod.rs", "macro_rules! m { () => { unsafe { x() } } }", "unsafe in pool"),
        ("attic/mod.rs", "", "attic is no room"),
        ("lib.rs", "mod attic;", "attic in lib.rs"),
        ("lib.rs", "mod sys; fn f() {}", "an item in lib.rs"),
        ("lib.rs", "mod sys { }", "an item in lib.rs"),
        ("lib.rs", "pub use sys::f;", "an item in lib.rs"),
        ("lib.rs", "#[path = \"x.rs\"] mod sys;", "#[path] hides"),
        ("shm/mod.rs", "fn (", "1: does not parse"),
    ];
    for (file, text, problem) in wrong {
        let found = check(file, text);
        assert!(found.iter().any(|p| p.contains(problem)), "{file}: {text}: {found:?} lacks {problem:?}");
    }
}

#[test]
fn a_file_knows_its_room() {
    assert_eq!(room_of("lib.rs"), None);
    assert_eq!(room_of("error.rs").as_deref(), Some("error"));
    assert_eq!(room_of("shm/mod.rs").as_deref(), Some("shm"));
    assert_eq!(room_of("process/start/fork.rs").as_deref(), Some("process"));
}
