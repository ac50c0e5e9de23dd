//! What src/park and src/queue must not become: each mutant is wrong in one way, and a model finds it.

/// One thing wrong.
#[allow(dead_code)] // The build script needs some of it, the test the rest.
pub struct Mutant {
    pub name: &'static str,
    /// Below src/park; for the models of queues, below src; for those of pipes, below src/wire/pipe.
    pub file: &'static str,
    /// What stands there once, and what stands there instead.
    pub edits: &'static [(&'static str, &'static str)],
    /// Which model finds it.
    pub model: &'static str,
    /// And says this.
    pub says: &'static str,
}

#[path = "list_flow.rs"]
mod flow;
#[path = "list_polled.rs"]
mod polled;

const LOST: &str = "a wake was lost";
const RACE: &str = "Causality violation";

pub fn all() -> impl Iterator<Item = &'static Mutant> {
    PARK.iter().chain(flow::MUTANTS).chain(polled::MUTANTS)
}

const PARK: &[Mutant] = &[
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
    Mutant {
        name: "bells_look_before_they_watch",
        file: "bells.rs",
        edits: &[(
            "    let ready = watch();\n    fence(Ordering::SeqCst);\n    (!ready && !look())",
            "    let found = look();\n    let ready = watch();\n    (!ready && !found)",
        )],
        model: "bells_two",
        says: LOST,
    },
    Mutant {
        name: "bells_watch_before_the_state_is_read",
        file: "bells.rs",
        edits: &[(
            "    let states = states();\n    let ready = watch();\n",
            "    let ready = watch();\n    let states = states();\n",
        )],
        model: "bells_watchers",
        says: LOST,
    },
    Mutant {
        name: "bells_watcher_without_fence",
        file: "bells.rs",
        edits: &[("    let ready = watch();\n    fence(Ordering::SeqCst);\n", "    let ready = watch();\n")],
        model: "bells_two",
        says: LOST,
    },
    Mutant {
        name: "bells_ring_one_of_two",
        file: "bells.rs",
        edits: &[("            who &= who - 1;", "            who = 0;")],
        model: "bells_watchers",
        says: LOST,
    },
    Mutant {
        name: "bells_wake_one_thread",
        file: "bells.rs",
        edits: &[("futex::wake(bell, i32::MAX);", "futex::wake(bell, 1);")],
        model: "bells_threads",
        says: LOST,
    },
    Mutant {
        name: "bells_spot_forgets_after_the_ring",
        file: "spot.rs",
        edits: &[(
            "            self.sleepers.fetch_and(!WATCHED, Ordering::AcqRel);\n            T::ring((&raw const *self).addr());",
            "            T::ring((&raw const *self).addr());\n            self.sleepers.fetch_and(!WATCHED, Ordering::AcqRel);",
        )],
        model: "bells_again",
        says: LOST,
    },
    Mutant {
        name: "bells_lock_does_not_ring",
        file: "lock.rs",
        edits: &[("            T::ring((&raw const *self).addr());\n", "")],
        model: "bells_lock",
        says: LOST,
    },
    Mutant {
        name: "bells_ringer_without_fence",
        file: "bells.rs",
        edits: &[("        fence(Ordering::SeqCst);\n        let wanted", "        let wanted")],
        model: "bells_lock",
        says: LOST,
    },
    Mutant {
        name: "bells_lock_looks_twice",
        file: "lock.rs",
        edits: &[("Ok(_) => return seen & HOLDER == 0,", "Ok(_) => return false,")],
        model: "bells_lock",
        says: LOST,
    },
];
