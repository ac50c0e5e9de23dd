//! The mutants of the bells, and of who rings them.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "bells_look_before_they_watch",
        file: "bells.rs",
        edits: &[(
            "    let ready = watch();\n    fence(Ordering::SeqCst);\n    (!ready && !look())",
            "    let found = look();\n    let ready = watch();\n    (!ready && !found)",
        )],
        model: "bells_two",
        says: LOST,
    },
    Mutant {
        name: "bells_watch_before_the_state_is_read",
        file: "bells.rs",
        edits: &[(
            "    let states = states();\n    let ready = watch();\n",
            "    let ready = watch();\n    let states = states();\n",
        )],
        model: "bells_watchers",
        says: LOST,
    },
    Mutant {
        name: "bells_watcher_without_fence",
        file: "bells.rs",
        edits: &[("    let ready = watch();\n    fence(Ordering::SeqCst);\n", "    let ready = watch();\n")],
        model: "bells_two",
        says: LOST,
    },
    Mutant {
        name: "bells_ring_one_of_two",
        file: "bells.rs",
        edits: &[("            who &= who - 1;", "            who = 0;")],
        model: "bells_watchers",
        says: LOST,
    },
    Mutant {
        name: "bells_wake_one_thread",
        file: "bells.rs",
        edits: &[("futex::wake(bell, i32::MAX);", "futex::wake(bell, 1);")],
        model: "bells_threads",
        says: LOST,
    },
    Mutant {
        name: "bells_spot_forgets_after_the_ring",
        file: "spot.rs",
        edits: &[(
            "            self.sleepers.fetch_and(!WATCHED, Ordering::AcqRel);\n            T::ring((&raw const *self).addr());",
            "            T::ring((&raw const *self).addr());\n            self.sleepers.fetch_and(!WATCHED, Ordering::AcqRel);",
        )],
        model: "bells_again",
        says: LOST,
    },
    Mutant {
        name: "bells_lock_does_not_ring",
        file: "lock.rs",
        edits: &[("            T::ring((&raw const *self).addr());\n", "")],
        model: "bells_lock",
        says: LOST,
    },
    Mutant {
        name: "bells_ringer_without_fence",
        file: "bells.rs",
        edits: &[("        fence(Ordering::SeqCst);\n        let wanted", "        let wanted")],
        model: "bells_lock",
        says: LOST,
    },
    Mutant {
        name: "bells_lock_looks_twice",
        file: "lock.rs",
        edits: &[("Ok(_) => return seen & HOLDER == 0,", "Ok(_) => return false,")],
        model: "bells_lock",
        says: LOST,
    },
];
