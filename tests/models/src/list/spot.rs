//! The mutants of sleeping at a spot.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "spot_publisher_without_fence",
        file: "spot.rs",
        edits: &[("fence(Ordering::SeqCst);\n        if self.has_sleepers()", "if self.has_sleepers()")],
        model: "spot_message",
        says: LOST,
    },
    Mutant {
        name: "spot_sleeper_without_fence",
        file: "spot.rs",
        edits: &[(
            "fence(Ordering::SeqCst);\n            if let Some(found) = look()",
            "if let Some(found) = look()",
        )],
        model: "spot_message",
        says: LOST,
    },
    Mutant {
        name: "spot_swapper_without_order",
        file: "spot.rs",
        edits: &[("self.sleepers.load(Ordering::SeqCst)", "self.sleepers.load(Ordering::Relaxed)")],
        model: "spot_swapped",
        says: LOST,
    },
    Mutant {
        name: "spot_wake_leaves_the_sequence",
        file: "spot.rs",
        edits: &[("self.sequence.fetch_add(1, Ordering::Release);", "")],
        model: "spot_message",
        says: LOST,
    },
    Mutant {
        name: "spot_looks_before_it_reads_the_sequence",
        file: "spot.rs",
        edits: &[
            ("let sequence = self.sequence.load(Ordering::Acquire);\n", ""),
            (
                "let remaining = deadline.remaining();",
                "let sequence = self.sequence.load(Ordering::Acquire);\nlet remaining = deadline.remaining();",
            ),
        ],
        model: "spot_message",
        says: LOST,
    },
    Mutant {
        name: "spot_wakes_one_of_all",
        file: "spot.rs",
        edits: &[("futex::wake(&self.sequence, count)", "futex::wake(&self.sequence, count.min(1))")],
        model: "spot_all",
        says: LOST,
    },
    Mutant {
        name: "spot_wakes_before_it_is_counted",
        file: "spot.rs",
        edits: &[
            ("self.sequence.fetch_add(1, Ordering::Release);\n", ""),
            (
                "futex::wake(&self.sequence, count);",
                "futex::wake(&self.sequence, count);\nself.sequence.fetch_add(1, Ordering::Release);",
            ),
        ],
        model: "spot_message",
        says: LOST,
    },
    Mutant {
        name: "spot_eats_a_wake",
        file: "spot.rs",
        edits: &[("if !matches!(ended, Ok(Wait::Found(_))) {", "if false {")],
        model: "spot_error",
        says: LOST,
    },
];
