//! Semaphores, those that only count and those that keep accounts.

use super::*;

fn counting(free: u64) -> SemaphoreWord {
    let word = SemaphoreWord::default();
    word.reset(free);
    word
}

#[test]
fn slots_are_counted() {
    let (tree, s) = (Fake::new(1), counting(2));
    assert!(s.try_acquire() && s.acquire(&tree, Deadline::NoWait));
    assert!(!s.try_acquire() && !s.acquire(&tree, Deadline::NoWait) && !s.acquire(&tree, soon()));
    assert_eq!((s.free(), s.spot().sleepers()), (0, 0));
    assert!(s.release::<Fake>(5, MOST_SLOTS));
    assert_eq!(s.free(), 5, "more than it began with");
}

#[test]
fn what_is_too_much_changes_nothing() {
    for (free, count, most) in [
        (3, 1, 3),
        (2, 2, 3),
        (0, 4, 3),
        (1, u64::MAX, 3),
        (MOST_SLOTS, 1, MOST_SLOTS),
        // An overwritten word must not wrap.
        (u32::MAX.into(), 1, MOST_SLOTS),
    ] {
        let s = counting(free);
        assert!(!s.release::<Fake>(count, most), "{free} + {count} of {most}");
        assert_eq!(s.free(), free);
    }
}

#[test]
fn every_slot_reaches_a_sleeper() {
    let (tree, s, taken) = (Fake::new(1), counting(0), AtomicU64::new(0));
    const ROUNDS: u64 = 3000;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    assert!(s.acquire(&tree, guarded()));
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for i in 0..4 * ROUNDS / 3 {
            assert!(s.release::<Fake>(3, MOST_SLOTS));
            if i % 16 == 0 {
                std::thread::yield_now();
            }
        }
    });
    assert_eq!((taken.load(Ordering::Relaxed), s.free()), (4 * ROUNDS, 0));
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}

#[test]
fn who_gives_up_takes_no_wake_along() {
    let (tree, s) = (Fake::new(1), counting(1));
    std::thread::scope(|scope| {
        for thread in 0..6u64 {
            let (tree, s) = (&tree, &s);
            scope.spawn(move || {
                for round in 0..2000 {
                    let deadline = if (round + thread) % 5 == 0 { Deadline::after(1000) } else { guarded() };
                    if s.acquire(tree, deadline) {
                        assert!(s.release::<Fake>(1, 1));
                    }
                }
            });
        }
    });
    assert_eq!((s.free(), s.spot().sleepers()), (1, 0));
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}

/// What an accounted semaphore lies in.
struct Room {
    lock: OwnerLock,
    spot: Spot,
    words: Vec<AtomicU64>,
}

impl Room {
    fn new(words: usize) -> Self {
        let words = std::iter::repeat_with(AtomicU64::default).take(words).collect();
        Room { lock: OwnerLock::default(), spot: Spot::default(), words }
    }

    fn of(&self, limit: u64) -> Accounts<'_> {
        Accounts { lock: &self.lock, spot: &self.spot, words: &self.words, limit }
    }
}

fn word(owner: Owner, count: u64) -> u64 {
    u64::from(owner.bits()) << 32 | count
}

#[test]
fn who_took_slots_gives_them_back() {
    let (a, room) = (Fake::new(1), Room::new(3));
    let (b, s) = (a.other(2), room.of(3));
    assert_eq!(s.acquire(&a, Deadline::NoWait), Ok(()));
    assert_eq!(s.acquire(&a, Deadline::NoWait), Ok(()));
    assert_eq!(s.acquire(&b, Deadline::NoWait), Ok(()));
    assert_eq!(s.acquire(&b, Deadline::NoWait), Err(NoSlot::TimedOut));
    assert_eq!(s.acquire(&b, soon()), Err(NoSlot::TimedOut));
    assert_eq!(s.taken(), 3);
    assert_eq!(s.release(&b, 2), Err(NotTaken(1)));
    assert_eq!(s.release(&a, u64::MAX), Err(NotTaken(2)));
    assert_eq!(s.taken(), 3, "nothing changed");
    assert_eq!(s.release(&a, 1), Ok(()));
    assert_eq!(s.release(&a, 1), Ok(()));
    assert_eq!(s.release(&a, 1), Err(NotTaken(0)));
    assert_eq!(s.release(&b, 1), Ok(()));
    assert!(room.words.iter().all(|w| w.load(Ordering::Relaxed) == 0) && !room.lock.is_held());
}

#[test]
fn accounts_that_somebody_changes_for_ever_are_not_waited_for() {
    let (a, room) = (Fake::new(1), Room::new(3));
    let (b, s) = (a.other(2), room.of(3));
    // As one who was stopped in the middle of it.
    assert!(room.lock.try_quickly(b.me()));
    for deadline in [try_once as fn() -> Deadline, soon] {
        assert_eq!(s.acquire(&a, deadline()), Err(NoSlot::TimedOut));
    }
    assert!(room.lock.release(&b));
    assert_eq!(s.acquire(&a, Deadline::NoWait), Ok(()));
}

#[test]
fn what_the_dead_had_is_free_for_who_wants_it() {
    for deadline in [try_once as fn() -> Deadline, soon, guarded] {
        let (a, room) = (Fake::new(1), Room::new(3));
        let (b, s) = (a.other(2), room.of(3));
        for _ in 0..3 {
            assert_eq!(s.acquire(&a, Deadline::NoWait), Ok(()));
        }
        a.dies();
        assert_eq!(s.taken(), 3, "until somebody asks");
        assert_eq!(s.acquire(&b, deadline()), Ok(()));
        assert_eq!((s.taken(), a.deaths.load(Ordering::Relaxed)), (1, 1));
        assert_eq!(s.release(&b, 2), Err(NotTaken(1)), "only what it took itself");
    }
}

#[test]
fn one_that_sleeps_finds_the_death() {
    let (a, room) = (Fake::new(1), Room::new(2));
    let (b, s) = (a.other(2), room.of(2));
    s.acquire(&a, Deadline::NoWait).unwrap();
    s.acquire(&a, Deadline::NoWait).unwrap();
    std::thread::scope(|scope| {
        // Without a limit: the end of one would find the death as well.
        scope.spawn(|| assert_eq!(s.acquire(&b, Deadline::Never), Ok(())));
        while room.spot.sleepers() == 0 {
            std::thread::yield_now();
        }
        a.dies();
    });
    assert_eq!((s.taken(), room.spot.sleepers()), (1, 0));
}

/// The counter of rescues cannot be relied on for this: nobody may happen to sleep.
#[test]
fn a_release_wakes_where_somebody_sleeps() {
    let (tree, s, room) = (Fake::new(1), counting(0), Room::new(1));
    let accounts = room.of(1);
    for sleeps in [false, true] {
        accounts.acquire(&tree, Deadline::NoWait).unwrap();
        if sleeps {
            s.spot().enter();
            room.spot.enter();
        }
        assert!(s.release::<Fake>(1, 9));
        assert_eq!(accounts.release(&tree, 1), Ok(()));
        assert_eq!((s.spot().wakes(), room.spot.wakes()), (sleeps.into(), sleeps.into()));
    }
}

/// Killed with the inner lock, before its store and after it: slots are taken, or are not.
#[test]
fn a_kill_in_the_middle_is_before_or_after() {
    for (had, has) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 1), (1, 0)] {
        let (a, room) = (Fake::new(1), Room::new(2));
        let (b, s) = (a.other(2), room.of(2));
        for _ in 0..had {
            s.acquire(&a, Deadline::NoWait).unwrap();
        }
        room.lock.acquire(&a, try_once);
        room.words[0].store(if has == 0 { 0 } else { word(a.me(), has) }, Ordering::Relaxed);
        a.dies();
        assert_eq!(s.taken(), has, "{had} {has}");
        assert_eq!(s.acquire(&b, guarded()), Ok(()));
        assert_eq!(s.acquire(&b, guarded()), Ok(()));
        assert_eq!(s.acquire(&b, Deadline::NoWait), Err(NoSlot::TimedOut));
        assert_eq!((s.release(&b, 2), s.taken()), (Ok(()), 0));
    }
}

#[test]
fn more_holders_than_words() {
    let (a, room) = (Fake::new(1), Room::new(2));
    let (b, c, s) = (a.other(2), a.other(3), room.of(9));
    s.acquire(&a, Deadline::NoWait).unwrap();
    s.acquire(&b, Deadline::NoWait).unwrap();
    assert_eq!(s.acquire(&c, Deadline::NoWait), Err(NoSlot::TooManyHolders));
    assert_eq!(s.acquire(&c, guarded()), Err(NoSlot::TooManyHolders));
    assert!(!room.lock.is_held());
    assert_eq!(s.acquire(&a, Deadline::NoWait), Ok(()), "who has a word goes on");
    b.dies();
    assert_eq!(s.acquire(&c, Deadline::NoWait), Ok(()), "the dead one's word is free");
    assert_eq!(s.taken(), 3);
}

/// The slot's next tenant has none of what the dead one had, and a word that names nobody is cleared.
#[test]
fn words_that_are_nobodys() {
    let (a, room) = (Fake::new(1), Room::new(2));
    let (next, s) = (Fake { me: Owner::new(1, 2), ..a.clone() }, room.of(2));
    s.acquire(&a, Deadline::NoWait).unwrap();
    room.words[1].store(1, Ordering::Relaxed);
    assert_eq!(s.release(&next, 1), Err(NotTaken(0)));
    a.dies();
    assert_eq!(s.acquire(&next, Deadline::NoWait), Ok(()));
    assert_eq!((s.taken(), s.release(&next, 1)), (1, Ok(())));
    // Counts beyond the limit take everything, and wrap nothing.
    room.words[0].store(word(next.me(), u32::MAX.into()), Ordering::Relaxed);
    assert_eq!(s.acquire(&next, Deadline::NoWait), Err(NoSlot::TimedOut));
}

#[test]
fn accounts_are_exact_and_need_no_rescue() {
    let (tree, room, inside) = (Fake::new(1), Room::new(3), AtomicU32::new(0));
    let s = room.of(3);
    std::thread::scope(|scope| {
        for slot in 1..7u32 {
            let (me, s, inside) = (tree.other(slot), &s, &inside);
            scope.spawn(move || {
                for round in 0..1500 {
                    let deadline = if (round + slot) % 7 == 0 { Deadline::after(1000) } else { guarded() };
                    if s.acquire(&me, deadline).is_ok() {
                        assert!(inside.fetch_add(1, Ordering::Relaxed) < 3);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        assert_eq!(s.release(&me, 1), Ok(()));
                    }
                }
            });
        }
    });
    assert_eq!((s.taken(), room.spot.sleepers()), (0, 0));
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}
