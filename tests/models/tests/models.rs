//! src/park and src/queue as they are do what the models say.

use libmp_models::models;
use std::time::Instant;

/// All models of one file. Each test is a thread, so they run beside each other.
fn hold(noun: &str) {
    let mut count = 0;
    for (name, model) in models::all() {
        if name.split('_').next() == Some(noun) {
            let (began, before) = (Instant::now(), models::runs());
            model();
            println!("{name}: {} ways in {:?}", models::runs() - before, began.elapsed());
            count += 1;
        }
    }
    assert!(count > 0, "no models");
}

macro_rules! nouns {
    ($($noun:ident)*) => {
        $(#[test] fn $noun() { hold(stringify!($noun)); })*

        #[test]
        fn none_is_left_out() {
            let known = [$(stringify!($noun)),*];
            for (name, _) in models::all() {
                assert!(known.iter().any(|noun| name.split('_').next() == Some(noun)), "{name}");
            }
        }
    };
}

nouns! { spot lock rlock semaphore event condition barrier bells flow polled }
