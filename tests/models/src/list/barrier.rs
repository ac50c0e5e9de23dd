//! The mutants of barriers.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "barrier_place_without_comparison",
        file: "barrier.rs",
        edits: &[(
            "if word.compare_exchange(was, me, Ordering::AcqRel, Ordering::Relaxed).is_ok() {",
            "word.store(me, Ordering::Release);\n{",
        )],
        model: "barrier_two",
        says: LOST,
    },
    Mutant {
        name: "barrier_wakes_one",
        file: "barrier.rs",
        edits: &[("swap_and_notify(tree, i32::MAX,", "swap_and_notify(tree, 1,")],
        model: "barrier_three",
        says: LOST,
    },
    Mutant {
        name: "barrier_state_without_order",
        file: "barrier.rs",
        edits: &[(
            "compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed)",
            "compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)",
        )],
        model: "barrier_two",
        says: LOST,
    },
    Mutant {
        name: "barrier_ignores_the_dead",
        file: "barrier.rs",
        edits: &[("if missing {", "if false {")],
        model: "barrier_kill",
        says: "the survivors do not go on",
    },
    Mutant {
        name: "barrier_leaves_the_uncounted",
        file: "barrier.rs",
        edits: &[(
            "if owner_of(was, seen.cycle).is_some() {\n                self.count(tree, seen);\n",
            "if owner_of(was, seen.cycle).is_some() {\n",
        )],
        model: "barrier_two",
        says: "branches",
    },
];
