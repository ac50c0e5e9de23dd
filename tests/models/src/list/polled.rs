//! The mutants of the bells of pipes.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "polled_announced_without_fence",
        file: "bell.rs",
        edits: &[(
            "sender.announced.fetch_or(ONCE, SeqCst);\n    fence(SeqCst);",
            "sender.announced.fetch_or(ONCE, Relaxed);",
        )],
        model: "polled_once",
        says: LOST,
    },
    Mutant {
        name: "polled_descriptor_does_not_tell_of_what_is_there",
        file: "bell.rs",
        edits: &[("place.raise(way.has_come());", "")],
        model: "polled_one",
        says: LOST,
    },
    Mutant {
        name: "polled_settled_without_a_second_look",
        file: "bell.rs",
        edits: &[("polled.raise(way.has_come());", "")],
        model: "polled_two",
        says: LOST,
    },
    Mutant {
        name: "polled_rung_beside_the_receiver",
        file: "bell.rs",
        edits: &[(
            "let _ = sender.rung.compare_exchange(RINGING, RUNG, SeqCst, Relaxed);",
            "sender.rung.store(RUNG, SeqCst);",
        )],
        model: "polled_two",
        says: LOST,
    },
    Mutant {
        name: "polled_rung_before_the_byte_is_there",
        file: "bell.rs",
        edits: &[("sender.rung.swap(RINGING, SeqCst);", "sender.rung.store(RUNG, SeqCst);")],
        model: "polled_sender_killed",
        says: "do not go on",
    },
];
