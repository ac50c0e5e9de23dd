//! Another library in Rust, with a standard library of its own: it panics, unwinds and runs threads.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

struct AtEnd<'a>(&'a mut i32);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

/// x + 2: one is added in a thread, the other while a panic unwinds.
#[unsafe(no_mangle)]
pub extern "C" fn second_add_two(x: i32) -> i32 {
    let mut sum = std::thread::spawn(move || x + 1).join().expect("a thread that returns");
    set_hook(Box::new(|_| {}));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _at_end = AtEnd(&mut sum);
        if std::env::args_os().len() < 1000 {
            panic!("on purpose");
        }
    }));
    assert!(caught.is_err(), "the panic was not caught");
    sum
}
