//! The mutants of conditions.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "condition_leaves_without_comparison",
        file: "condition.rs",
        edits: &[(
            "if seen.change(self.node, 0) {\n                    return false;",
            "{\n                    self.node.store(0, Ordering::Release);\n                    return false;",
        )],
        model: "condition_timeout",
        says: LOST,
    },
    Mutant {
        name: "condition_grants_without_comparison",
        file: "condition.rs",
        edits: &[(
            "let done = node.change(word, granted);",
            "word.store(granted, Ordering::Release); let done = true;",
        )],
        model: "condition_timeout",
        says: LOST,
    },
    Mutant {
        name: "condition_wakes_nobody",
        file: "condition.rs",
        edits: &[("if done { futex::wake_low(word, 1) as u32 } else { 0 }", "0")],
        model: "condition_two",
        says: LOST,
    },
    Mutant {
        name: "condition_wakes_before_it_grants",
        file: "condition.rs",
        edits: &[
            (
                "    let done = node.change(word",
                "    futex::wake_low(word, 1);\n    let done = node.change(word",
            ),
            ("if done { futex::wake_low(word, 1) as u32 } else { 0 }", "0"),
        ],
        model: "condition_two",
        says: LOST,
    },
    Mutant {
        name: "condition_sleeps_without_a_word",
        file: "condition.rs",
        edits: &[(
            "if seen.state == WAITING {\n                let asleep",
            "if false {\n                let asleep",
        )],
        model: "condition_two",
        says: LOST,
    },
    Mutant {
        name: "condition_says_asleep_without_comparison",
        file: "condition.rs",
        edits: &[(
            "if !seen.change(self.node, asleep) {\n                    continue;\n                }",
            "self.node.store(asleep, Ordering::Release);",
        )],
        model: "condition_two",
        says: LOST,
    },
    Mutant {
        name: "condition_counts_the_tries",
        file: "condition.rs",
        edits: &[(
            "} else if grant(tree, word, node, next) {\n                    left -= 1;",
            "} else {\n                    grant(tree, word, node, next);\n                    left -= 1;",
        )],
        model: "condition_timeout",
        says: LOST,
    },
    Mutant {
        name: "condition_forgets_grants_of_the_dead",
        file: "condition.rs",
        edits: &[("            self.move_grant(tree, node.number);\n", "")],
        model: "condition_kill",
        says: "the survivors do not go on",
    },
];
