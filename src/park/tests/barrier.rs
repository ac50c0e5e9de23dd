//! Barriers.

use super::*;

type Never = std::convert::Infallible;

struct Rig {
    words: BarrierWords,
    members: Vec<AtomicU64>,
    has_action: bool,
}

impl Rig {
    fn new(parties: usize) -> Arc<Self> {
        Self::with(parties, false)
    }

    fn with(parties: usize, has_action: bool) -> Arc<Self> {
        let members = (0..2 * parties).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Rig { words: BarrierWords::default(), members, has_action })
    }

    fn barrier(&self) -> Barrier<'_> {
        Barrier::new(&self.words, &self.members, self.has_action)
    }

    fn wait(&self, tree: &Fake, deadline: Deadline) -> Result<u32, Failure<Never>> {
        self.barrier().wait(tree, deadline, || Ok(()))
    }
}

type Party = std::thread::JoinHandle<Result<u32, Failure<Never>>>;

/// Waits in a thread, for as long as the test may take.
fn party(rig: &Arc<Rig>, tree: &Fake) -> Party {
    let (rig, tree) = (Arc::clone(rig), tree.clone());
    std::thread::spawn(move || rig.wait(&tree, guarded()))
}

fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

#[test]
fn one_party_does_not_wait() {
    let (rig, tree) = (Rig::new(1), Fake::new(1));
    for _ in 0..100 {
        assert_eq!(rig.wait(&tree, try_once()), Ok(0));
    }
}

#[test]
fn all_go_together_and_each_has_its_number() {
    const PARTIES: usize = 5;
    const CYCLES: usize = 300;
    let (rig, tree) = (Rig::new(PARTIES), Fake::new(1));
    let inside = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..PARTIES)
        .map(|n| {
            let (rig, tree, inside) = (Arc::clone(&rig), tree.other(n as u32 + 1), Arc::clone(&inside));
            std::thread::spawn(move || {
                let mut sum = 0;
                for cycle in 1..=CYCLES {
                    inside.fetch_add(1, Ordering::Relaxed);
                    sum += rig.wait(&tree, guarded()).unwrap();
                    assert!(inside.load(Ordering::Relaxed) >= (PARTIES * cycle) as u32);
                }
                sum
            })
        })
        .collect();
    let sum: u32 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!(sum as usize, CYCLES * PARTIES * (PARTIES - 1) / 2);
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}

#[test]
fn whose_time_is_over_breaks_it_for_all() {
    let (rig, tree) = (Rig::new(3), Fake::new(1));
    let first = party(&rig, &tree);
    until(|| rig.barrier().waiting() == 1);
    assert_eq!(rig.wait(&tree.other(2), soon()), Err(Failure::TooLate));
    assert_eq!(first.join().unwrap(), Err(Failure::Broken));
    assert!(rig.barrier().is_broken());
    assert_eq!(rig.wait(&tree, guarded()), Err(Failure::Broken));
    rig.barrier().reset(&tree);
    assert!(!rig.barrier().is_broken());
    assert_eq!(rig.wait(&tree, try_once()), Err(Failure::TooLate));
}

#[test]
fn a_reset_with_some_inside_breaks_only_their_cycle() {
    let (rig, tree) = (Rig::new(2), Fake::new(1));
    for _ in 0..50 {
        let first = party(&rig, &tree);
        until(|| rig.barrier().waiting() == 1);
        rig.barrier().reset(&tree);
        assert!(!rig.barrier().is_broken());
        assert_eq!(first.join().unwrap(), Err(Failure::Broken));
        let first = party(&rig, &tree);
        assert!(rig.wait(&tree, guarded()).is_ok() && first.join().unwrap().is_ok());
    }
}

/// One who looks late must learn how its own cycle ended, not how the last one did.
#[test]
fn each_cycle_keeps_its_end() {
    let (rig, tree) = (Rig::new(1), Fake::new(1));
    let ends = [true, false, true, true, false, false, true];
    for passes in ends {
        if passes {
            rig.wait(&tree, try_once()).unwrap();
        } else {
            rig.barrier().reset(&tree);
        }
    }
    let known: Vec<_> = (0..ends.len() as u32).map(|cycle| rig.barrier().passed(cycle)).collect();
    assert_eq!(known, ends.map(Some));
    assert_eq!(rig.barrier().passed(ends.len() as u32), None);
}

#[test]
fn the_last_one_runs_the_action_before_any_goes_on() {
    let (rig, tree) = (Rig::with(2, true), Fake::new(1));
    for _ in 0..50 {
        let first = party(&rig, &tree);
        until(|| rig.barrier().waiting() == 1);
        let ran = rig.barrier().wait::<_, Never>(&tree, guarded(), || {
            assert!(!first.is_finished());
            assert_eq!(rig.barrier().waiting(), 2);
            Ok(())
        });
        assert_eq!((ran, first.join().unwrap()), (Ok(1), Ok(0)));
    }
}

#[test]
fn an_action_that_fails_or_panics_breaks_it() {
    let (rig, tree) = (Rig::with(2, true), Fake::new(1));
    let first = party(&rig, &tree);
    until(|| rig.barrier().waiting() == 1);
    assert_eq!(rig.barrier().wait(&tree, guarded(), || Err("no")), Err(Failure::Action("no")));
    assert_eq!(first.join().unwrap(), Err(Failure::Broken));
    rig.barrier().reset(&tree);
    let first = party(&rig, &tree);
    until(|| rig.barrier().waiting() == 1);
    let panics = std::panic::AssertUnwindSafe(|| {
        rig.barrier().wait::<_, Never>(&tree, guarded(), || std::panic::resume_unwind(Box::new(())))
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(first.join().unwrap(), Err(Failure::Broken));
}

#[test]
fn who_comes_while_the_action_runs_is_of_the_next_cycle() {
    let (rig, tree) = (Rig::with(1, true), Fake::new(1));
    let (mut late, mut next) = (None, None);
    let ran = rig.barrier().wait::<_, Never>(&tree, guarded(), || {
        late = Some(rig.wait(&tree, soon()));
        next = Some(party(&rig, &tree));
        Ok(())
    });
    assert_eq!((ran, late), (Ok(0), Some(Err(Failure::NotIn))));
    assert_eq!(next.unwrap().join().unwrap(), Ok(0));
}

#[test]
fn an_abort_during_the_action_breaks_its_cycle() {
    let (rig, tree) = (Rig::with(1, true), Fake::new(1));
    let ran = rig.barrier().wait::<_, Never>(&tree, guarded(), || {
        rig.barrier().abort(&tree);
        Ok(())
    });
    assert_eq!(ran, Err(Failure::Broken));
    assert!(rig.barrier().is_broken());
}

/// Takes a place as one does who is killed right after.
fn arrive_and_die(rig: &Rig, dead: &Fake, counted: bool) {
    rig.barrier().take_place(dead, counted);
    dead.dies();
}

#[test]
fn a_party_killed_inside_is_found_and_breaks_it() {
    for counted in [false, true] {
        for comes_first in [false, true] {
            let (rig, tree) = (Rig::new(3), Fake::new(1));
            let dead = tree.other(2);
            if comes_first {
                arrive_and_die(&rig, &dead, counted);
            }
            let waits = party(&rig, &tree);
            until(|| rig.barrier().waiting() > u32::from(comes_first));
            if !comes_first {
                arrive_and_die(&rig, &dead, counted);
            }
            // Who waits asks, finds the corpse, and has it buried; and whoever buries it tells the barrier.
            until(|| tree.buried.lock().unwrap().contains(&dead.me.bits()));
            rig.barrier().note_death(&tree, dead.me, false);
            assert_eq!(waits.join().unwrap(), Err(Failure::Broken));
            rig.barrier().note_death(&tree, dead.me, false);
            assert!(rig.barrier().is_broken());
        }
    }
}

#[test]
fn a_party_that_was_not_counted_counts() {
    let (rig, tree) = (Rig::new(3), Fake::new(1));
    rig.barrier().take_place(&tree.other(2), false);
    let waits = party(&rig, &tree);
    until(|| rig.barrier().waiting() == 2);
    assert_eq!(rig.wait(&tree.other(3), try_once()), Ok(2));
    assert_eq!(waits.join().unwrap(), Ok(1));
}

#[test]
fn a_party_of_the_last_cycle_is_missed_unless_it_left_in_good_order() {
    for normally in [false, true] {
        let (rig, tree) = (Rig::new(2), Fake::new(1));
        let dead = tree.other(2);
        let first = party(&rig, &dead);
        until(|| rig.barrier().waiting() == 1);
        rig.wait(&tree, guarded()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(0));
        dead.dies();
        let waits = party(&rig, &tree);
        until(|| tree.buried.lock().unwrap().contains(&dead.me.bits()));
        rig.barrier().note_death(&tree, dead.me, normally);
        assert_eq!(rig.barrier().is_broken(), !normally);
        if normally {
            assert_eq!(rig.wait(&tree.other(3), try_once()), Ok(1));
        }
        assert_eq!(waits.join().unwrap().is_ok(), normally);
    }
}

#[test]
fn after_a_reset_nobody_is_missed() {
    let (rig, tree) = (Rig::new(1), Fake::new(1));
    rig.wait(&tree, try_once()).unwrap();
    rig.barrier().reset(&tree);
    rig.barrier().note_death(&tree, tree.me, false);
    assert!(!rig.barrier().is_broken());
}

/// Whatever is in the words, nothing panics and nobody waits for ever.
#[test]
fn garbage_does_no_harm() {
    let tree = Fake::new(1);
    for bits in [u64::MAX, 1, 2, 3, 0x1FFFC, 0xFFFF_FFFF_0000_0004, 0x8000_0000_8000_0005] {
        let rig = Rig::with(2, true);
        rig.words.overwrite(bits);
        let _ = rig.wait(&tree, soon());
        rig.barrier().note_death(&tree, tree.me, false);
        rig.barrier().abort(&tree);
        assert!(rig.barrier().is_broken());
    }
}
