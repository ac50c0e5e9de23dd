//! The models find what is wrong with each mutant, and say what.

#[path = "../src/list/mod.rs"]
mod list;

use libmp_models::mutants;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is wrong with the model, if anything.
fn missed(mutant: &'static list::Mutant) -> Option<String> {
    let list::Mutant { name, model, says, .. } = mutant;
    let Err(why) = catch_unwind(|| mutants::check(name, model)) else {
        return Some(format!("{name} passes {model}"));
    };
    let said = why.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| why.downcast_ref::<&str>().copied()).unwrap_or_default();
    (!said.contains(says)).then(|| format!("{name}: {model} does not say {says:?}, but:\n{said}"))
}

#[test]
fn each_is_found() {
    let (next, all) = (AtomicUsize::new(0), list::all().collect::<Vec<_>>());
    let some = || -> Vec<String> {
        std::iter::from_fn(|| all.get(next.fetch_add(1, Relaxed)).copied()).filter_map(missed).collect()
    };
    let missed: Vec<String> = std::thread::scope(|scope| {
        let threads = [scope.spawn(some), scope.spawn(some)];
        threads.into_iter().flat_map(|thread| thread.join().expect("its panics are caught")).collect()
    });
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    println!("{} mutants were found", list::all().count());
}
