//! The mutants of the lock that its holder may take again.

use super::{Mutant, RACE};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "rlock_of_a_process",
        file: "lock.rs",
        edits: &[(
            "self.word.load(Ordering::Relaxed) & HOLDER == holder",
            "self.word.load(Ordering::Relaxed) as u32 & 0x7FFF_FFFF == holder as u32",
        )],
        model: "rlock_threads",
        says: RACE,
    },
    Mutant {
        name: "rlock_depth_left_as_it_was",
        file: "rlock.rs",
        edits: &[("self.depth.store(depth, Ordering::Relaxed);\n        Some(held)", "Some(held)")],
        model: "rlock_two",
        says: "assertion",
    },
    Mutant {
        name: "rlock_depth_changed_by_who_has_left",
        file: "rlock.rs",
        edits: &[(
            "self.depth.store(depth.saturating_sub(1), Ordering::Relaxed);\n        depth > 1 || self.release(tree)",
            "let free = depth > 1 || self.release(tree);\n\
             self.depth.store(depth.saturating_sub(1), Ordering::Relaxed);\nfree",
        )],
        model: "rlock_two",
        says: "assertion",
    },
];
