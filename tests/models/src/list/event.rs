//! The mutants of events.

use super::{LOST, Mutant};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "event_forgets_what_it_saw",
        file: "event.rs",
        edits: &[("now & SET != 0 || now & !SET != began & !SET", "now & SET != 0")],
        model: "event_pulse",
        says: LOST,
    },
    Mutant {
        name: "event_wakes_one",
        file: "event.rs",
        edits: &[(
            "self.spot.swap_and_notify(tree, i32::MAX, swap)",
            "self.spot.swap_and_notify(tree, 1, swap)",
        )],
        model: "event_all",
        says: LOST,
    },
    Mutant {
        name: "event_set_without_order",
        file: "event.rs",
        edits: &[("set, Ordering::SeqCst, Ordering::Relaxed", "set, Ordering::Release, Ordering::Relaxed")],
        model: "event_all",
        says: LOST,
    },
    Mutant {
        name: "event_counts_no_sets",
        file: "event.rs",
        edits: &[("seen.wrapping_add(ONE) | SET", "seen | SET")],
        model: "event_pulse",
        says: LOST,
    },
];
