//! src/park and src/queue as they are do what the models say.

use libmp_models::models;
use std::process::Command;
use std::time::Instant;
use std::{env, str};

/// All models of one file. The tests run beside each other, each as a process: the checker makes and unmaps a stack for
/// each thread of each run, and threads of one process would wait for one another there.
fn hold(noun: &str) {
    const ALONE: &str = "MP_MODELS_ALONE";
    if env::var_os(ALONE).is_some() {
        return hold_here(noun);
    }
    let program = env::current_exe().expect("the test is a file");
    let alone = Command::new(program).args(["--exact", noun, "--nocapture"]).env(ALONE, "1").output();
    let alone = alone.expect("the test can be run again");
    let said = [&alone.stdout, &alone.stderr].map(|said| str::from_utf8(said).expect("text"));
    assert!(
        alone.status.success() && said[0].contains("1 passed"),
        "{noun} ends with {}\n{}",
        alone.status,
        said.concat()
    );
    print!("{}", said.concat());
}

fn hold_here(noun: &str) {
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
