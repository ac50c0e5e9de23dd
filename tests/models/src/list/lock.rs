//! The mutants of the lock word.

use super::{LOST, Mutant, RACE};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "lock_bit_dropped_by_who_slept",
        file: "lock.rs",
        edits: &[("if self.swap(seen, me | SLEEPERS) {", "if self.swap(seen, me) {")],
        model: "lock_three",
        says: LOST,
    },
    Mutant {
        name: "lock_release_wakes_nobody",
        file: "lock.rs",
        edits: &[("if sleepers { futex::wake_low(&self.word, 1) as u32 } else { 0 }", "0")],
        model: "lock_two",
        says: LOST,
    },
    Mutant {
        name: "lock_release_in_two_steps",
        file: "lock.rs",
        edits: &[(
            "match self.word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {",
            "self.word.store(next, Ordering::Release);\nmatch Ok::<u64, u64>(0) {",
        )],
        model: "lock_two",
        says: LOST,
    },
    Mutant {
        name: "lock_wakes_before_it_is_free",
        file: "lock.rs",
        edits: &[
            ("begun = true;\n", "begun = true;\nfutex::wake_low(&self.word, 1);\n"),
            ("if sleepers { futex::wake_low(&self.word, 1) as u32 } else { 0 }", "0"),
        ],
        model: "lock_two",
        says: LOST,
    },
    Mutant {
        name: "lock_taken_without_acquire",
        file: "lock.rs",
        edits: &[(
            "self.word.compare_exchange(0, word, Ordering::Acquire,",
            "self.word.compare_exchange(0, word, Ordering::Relaxed,",
        )],
        model: "lock_two",
        says: RACE,
    },
    Mutant {
        name: "lock_given_back_without_release",
        file: "lock.rs",
        edits: &[(
            "compare_exchange(seen, next, Ordering::Release,",
            "compare_exchange(seen, next, Ordering::Relaxed,",
        )],
        model: "lock_two",
        says: RACE,
    },
    Mutant {
        name: "lock_stolen_from_the_living",
        file: "lock.rs",
        edits: &[("|| !tree.is_dead(owner)", "")],
        model: "lock_try",
        says: RACE,
    },
    Mutant {
        name: "lock_stolen_without_comparison",
        file: "lock.rs",
        edits: &[(
            "if self.swap(seen, word | seen & SLEEPERS | RECOVERED) {",
            "self.word.store(word | seen & SLEEPERS | RECOVERED, Ordering::Relaxed);\n{",
        )],
        model: "lock_kill_of_three",
        says: RACE,
    },
    Mutant {
        name: "lock_kept_and_nobody_woken",
        file: "lock.rs",
        edits: &[("self.wake(tree, seen & SLEEPERS != 0);", "self.wake(tree, seen & KEPT == SLEEPERS);")],
        model: "lock_kept_two",
        says: LOST,
    },
    Mutant {
        name: "lock_kept_bit_dropped_by_who_asked",
        file: "lock.rs",
        edits: &[(
            "if self.swap(seen, me | SLEEPERS) {",
            "if self.swap(seen, if seen == KEPT { me } else { me | SLEEPERS }) {",
        )],
        model: "lock_kept_three",
        says: LOST,
    },
    Mutant {
        name: "lock_kept_for_who_has_left",
        file: "lock.rs",
        edits: &[("while asked && seen", "while false && asked && seen")],
        model: "lock_kept_timeout",
        says: LOST,
    },
    Mutant {
        name: "lock_kept_taken_for_a_dead_ones",
        file: "lock.rs",
        edits: &[(
            "if seen & HOLDER == 0 {\n                if self.swap",
            "if seen == 0 {\n                if self.swap",
        )],
        model: "lock_kept_try",
        says: "told of a death",
    },
    Mutant {
        name: "lock_kept_for_nobody_who_slept",
        file: "lock.rs",
        edits: &[("seen == 0 || kept && slept {", "seen == 0 {")],
        model: "lock_kept_two",
        says: LOST,
    },
    Mutant {
        name: "lock_gives_up_with_a_wake",
        file: "lock.rs",
        edits: &[(
            "let mut seen = self.word.load(Ordering::Relaxed);\n            let kept",
            "let mut seen = self.word.load(Ordering::Relaxed);\nif deadline.is_over() { return None; }\nlet kept",
        )],
        model: "lock_timeout",
        says: LOST,
    },
    Mutant {
        name: "lock_never_stolen",
        file: "lock.rs",
        edits: &[(
            "if Owner::from_bits(seen as u32).is_some_and(|owner| owner == tree.me() || !tree.is_dead(owner))",
            "if true",
        )],
        model: "lock_kill_of_two",
        says: "the survivors do not go on",
    },
];
