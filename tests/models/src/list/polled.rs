//! The mutants of the bells of pipes.

use super::{LOST, Mutant};

/// What the models say where something is in the ring and nothing in the socket.
const UNTOLD: &str = "nobody is told";

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
        name: "polled_relied_on_without_fence",
        file: "bell.rs",
        edits: &[("sender.next.store(to, Release);\n    fence(SeqCst);", "sender.next.store(to, Release);")],
        model: "polled_left",
        says: UNTOLD,
    },
    Mutant {
        name: "polled_bells_taken_without_fence",
        file: "bell.rs",
        edits: &[(
            "receiver.bell.store(head, Relaxed);\n        fence(SeqCst);",
            "receiver.bell.store(head, Relaxed);",
        )],
        model: "polled_left",
        says: UNTOLD,
    },
    Mutant {
        name: "polled_bells_taken_unsaid",
        file: "bell.rs",
        edits: &[("receiver.bell.store(head, Relaxed);\n        fence(SeqCst);", "fence(SeqCst);")],
        model: "polled_left",
        says: UNTOLD,
    },
    Mutant {
        name: "polled_bells_taken_that_are_relied_on",
        file: "bell.rs",
        edits: &[("has_come || next > head && sender.bell.load(Relaxed) > taken", "has_come")],
        model: "polled_left",
        says: UNTOLD,
    },
    Mutant {
        name: "polled_not_found_before_the_sender_says_so",
        file: "bell.rs",
        edits: &[("return send_next(way, to);", "return;")],
        model: "polled_found",
        says: "it tells of nothing",
    },
    Mutant {
        name: "polled_sent_before_it_is_told_of",
        file: "bell.rs",
        edits: &[(
            "sender.next.store(to, Release);\n    fence(SeqCst);",
            "sender.next.store(to, Release);\n    fence(SeqCst);\n    way.sent(to);",
        )],
        model: "polled_left_by_the_killed",
        says: UNTOLD,
    },
    Mutant {
        name: "polled_bells_before_descriptors_relied_on",
        file: "bell.rs",
        edits: &[("way.block.sender.bell.store(0, Relaxed);", "")],
        model: "polled_descriptor_left",
        says: UNTOLD,
    },
];
