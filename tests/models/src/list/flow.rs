//! The mutants of src/queue, and of what it stands on.

use super::{LOST, Mutant, RACE};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "flow_put_without_fence",
        file: "queue/wake.rs",
        edits: &[(
            "// Rule 4 of sleeping, and what is said at the top.\n        fence(Ordering::SeqCst);",
            "",
        )],
        model: "flow_one",
        says: LOST,
    },
    Mutant {
        name: "flow_put_leaves_the_wake",
        file: "queue/wake.rs",
        edits: &[(
            "self.consumers.position().is_level_with(tail.from)",
            "self.consumers.position().is_level_with(tail.at)",
        )],
        model: "flow_one",
        says: LOST,
    },
    Mutant {
        name: "flow_get_without_fence",
        file: "queue/wake.rs",
        edits: &[("// As above.\n        fence(Ordering::SeqCst);", "")],
        model: "flow_room",
        says: LOST,
    },
    Mutant {
        name: "flow_get_leaves_the_next",
        file: "queue/wake.rs",
        edits: &[("self.message.has_sleepers() && !tail.is_level_with(head.at)", "false")],
        model: "flow_two_consumers",
        says: LOST,
    },
    Mutant {
        name: "flow_room_wakes_nobody",
        file: "queue/wake.rs",
        edits: &[("self.room.wake::<T>(self.who_can_go_on(tail, head));", "")],
        model: "flow_room",
        says: LOST,
    },
    Mutant {
        name: "flow_half_wakes_nobody",
        file: "queue/wake.rs",
        edits: &[("self.half.wake::<T>(self.who_can_go_on(tail, head));", "")],
        model: "flow_half",
        says: LOST,
    },
    Mutant {
        name: "flow_published_without_release",
        file: "queue/side.rs",
        edits: &[(
            "self.position.store(to.bits(), Ordering::Release)",
            "self.position.store(to.bits(), Ordering::Relaxed)",
        )],
        model: "flow_one",
        says: RACE,
    },
    Mutant {
        name: "flow_seen_without_acquire",
        file: "queue/side.rs",
        edits: &[("self.position.load(Ordering::Acquire)", "self.position.load(Ordering::Relaxed)")],
        model: "flow_one",
        says: RACE,
    },
    Mutant {
        name: "flow_numbers_after_the_position",
        file: "queue/side.rs",
        edits: &[(
            "self.prepare(to, tally);",
            "self.position.store(to.bits(), Ordering::Release);\nself.prepare(to, tally);",
        )],
        model: "flow_tasks",
        says: "it was unfinished",
    },
    Mutant {
        name: "flow_skips_without_a_word",
        file: "queue/ring.rs",
        edits: &[("place.offset != place.from", "false")],
        model: "flow_one",
        says: "damaged",
    },
    Mutant {
        name: "flow_links_without_a_word",
        file: "queue/chain.rs",
        edits: &[("ring.write_link(from.at());", "")],
        model: "flow_chain",
        says: "damaged",
    },
    Mutant {
        name: "flow_steals_without_settling",
        file: "queue/side.rs",
        edits: &[("shm::settle(self);", "")],
        model: "flow_pass_killed",
        says: "damaged",
    },
    Mutant {
        name: "flow_is_done_and_wakes_nobody",
        file: "queue/tasks.rs",
        edits: &[("self.joined.notify::<T>(i32::MAX);", "")],
        model: "flow_tasks",
        says: LOST,
    },
    Mutant {
        name: "flow_ends_and_wakes_nobody",
        file: "queue/end.rs",
        edits: &[("self.wake_all(tree);\n        dropped", "dropped")],
        model: "flow_end",
        says: LOST,
    },
    Mutant {
        name: "flow_forgets_what_the_dead_had",
        file: "shm/loans.rs",
        edits: &[("loan.word.store(ORPHAN, Release)", "loan.word.store(0, Release)")],
        model: "flow_peek_killed",
        says: "messages",
    },
    Mutant {
        name: "flow_commits_in_steps",
        file: "shm/redo.rs",
        edits: &[(
            "self.redo.count.store(self.count as u64, Ordering::Release);\n        self.redo.replay(self.s);",
            "for [place, value] in &self.redo.pairs[..self.count] {\n\
             let word = self.s.word_at(place.load(Ordering::Relaxed) as usize).expect(\"a word\");\n\
             word.store(value.load(Ordering::Relaxed), Ordering::Release);\n}",
        )],
        model: "flow_pass_killed",
        says: "damaged",
    },
];
