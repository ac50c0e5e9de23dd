//! The mutants of semaphores, and their accounts.

use super::{LOST, Mutant, RACE};

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "semaphore_wakes_one_for_two",
        file: "semaphore.rs",
        edits: &[(
            "self.spot.notify_swapped::<T>(count.min(MOST_SLOTS) as i32);",
            "self.spot.notify_swapped::<T>(1);",
        )],
        model: "semaphore_release_two",
        says: LOST,
    },
    Mutant {
        name: "semaphore_released_without_order",
        file: "semaphore.rs",
        edits: &[("sum as u32, Ordering::SeqCst,", "sum as u32, Ordering::Release,")],
        model: "semaphore_release_two",
        says: LOST,
    },
    Mutant {
        name: "semaphore_taken_without_acquire",
        file: "semaphore.rs",
        edits: &[("seen - 1, Ordering::Acquire,", "seen - 1, Ordering::Relaxed,")],
        model: "semaphore_one_slot",
        says: RACE,
    },
    Mutant {
        name: "semaphore_released_in_two_steps",
        file: "semaphore.rs",
        edits: &[(
            "match self.free.compare_exchange_weak(seen, sum as u32, Ordering::SeqCst, Ordering::Relaxed) {",
            "self.free.store(sum as u32, Ordering::SeqCst);\nmatch Ok::<u32, u32>(0) {",
        )],
        model: "semaphore_two_slots",
        says: "slots",
    },
    Mutant {
        name: "accounts_release_wakes_nobody",
        file: "semaphore.rs",
        edits: &[("        self.spot.notify::<T>(n.min(MOST_SLOTS) as i32);\n", "")],
        model: "semaphore_accounts_one_slot",
        says: LOST,
    },
    Mutant {
        name: "accounts_keep_the_dead",
        file: "semaphore.rs",
        edits: &[(
            "                word.store(0, Ordering::Release);\n                tree",
            "                tree",
        )],
        model: "semaphore_accounts_kill",
        says: "the survivors do not go on",
    },
];
