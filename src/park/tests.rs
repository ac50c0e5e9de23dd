//! Locks and spots over words of this process, with a tree in which the test decides who is dead.

mod barrier;
mod condition;
mod event;

use super::*;
use crate::time::Deadline;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

mod rlock;
mod semaphore;

#[derive(Clone)]
struct Fake {
    me: Owner,
    dead: Arc<Mutex<HashSet<u32>>>,
    buried: Arc<Mutex<HashSet<u32>>>,
    rescued: Arc<AtomicU32>,
    deaths: Arc<AtomicU32>,
    waking: Arc<AtomicU32>,
    woken: Arc<AtomicU32>,
}

impl Fake {
    fn new(slot: u32) -> Self {
        Fake {
            me: Owner::new(slot, 1),
            dead: Arc::default(),
            buried: Arc::default(),
            rescued: Arc::default(),
            deaths: Arc::default(),
            waking: Arc::default(),
            woken: Arc::default(),
        }
    }

    /// Another process of the same tree.
    fn other(&self, slot: u32) -> Self {
        Fake { me: Owner::new(slot, 1), ..self.clone() }
    }

    fn dies(&self) {
        self.dead.lock().unwrap().insert(self.me.bits());
    }
}

impl Tree for Fake {
    type Seat = ();

    fn me(&self) -> Owner {
        self.me
    }

    fn is_dead(&self, owner: Owner) -> bool {
        self.dead.lock().unwrap().contains(&owner.bits())
    }

    fn bury(&self, owner: Owner) {
        self.buried.lock().unwrap().insert(owner.bits());
    }

    fn sit(&self, spot: &Spot) {
        spot.enter();
    }

    fn rise(&self, spot: &Spot, (): ()) {
        spot.leave();
    }

    fn begin_wake(&self) {
        self.waking.fetch_add(1, Ordering::Relaxed);
    }

    fn end_wake(&self, woken: u32) {
        self.woken.fetch_add(woken, Ordering::Relaxed);
        self.waking.fetch_add(woken.wrapping_sub(1), Ordering::Relaxed);
    }

    fn is_awake(&self) {
        self.waking.fetch_sub(1, Ordering::Relaxed);
    }

    fn wakes(&self) -> (u32, u32) {
        (self.waking.load(Ordering::Relaxed), self.woken.load(Ordering::Relaxed))
    }

    fn ring(_: usize) {}

    fn note_rescue(&self) {
        self.rescued.fetch_add(1, Ordering::Relaxed);
    }

    fn note_owner_death(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }
}

fn try_once() -> Deadline {
    Deadline::NoWait
}

fn soon() -> Deadline {
    Deadline::after(20_000_000)
}

fn guarded() -> Deadline {
    Deadline::after(30_000_000_000)
}

#[test]
fn a_held_lock_is_nobody_elses() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let b = a.other(2);
    assert_eq!(lock.acquire(&a, try_once), Some(Held::Cleanly));
    assert!(lock.is_held() && !lock.is_recovered(a.me()));
    assert_eq!(lock.acquire(&b, try_once), None);
    assert_eq!(lock.acquire(&b, soon), None);
    assert_eq!(lock.acquire(&a, soon), None, "not recursive");
    assert!(lock.release(&a));
    assert!(!lock.release(&a), "twice");
    assert_eq!(lock.acquire(&b, try_once), Some(Held::Cleanly));
}

/// Whoever else holds it, whatever else is to be done: that is for the whole release.
#[test]
fn a_quick_release_is_for_what_needs_nothing_else() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let b = a.other(2);
    assert!(!lock.release_quickly(a.me()), "free");
    lock.acquire(&a, try_once);
    assert!(!lock.release_quickly(b.me()) && lock.is_held());
    assert!(lock.release_quickly(a.me()) && !lock.is_held());
    lock.acquire(&a, try_once);
    a.dies();
    assert_eq!(lock.acquire(&b, try_once), Some(Held::AfterDeath));
    assert!(!lock.release_quickly(b.me()) && lock.is_held(), "recovered");
    assert!(lock.release(&b));
    lock.acquire(&b, try_once);
    // Its time runs out in a sleep, so that the next release is for a sleeper.
    assert_eq!(lock.acquire(&Fake { me: Owner::new(3, 1), ..b.clone() }, soon), None);
    assert!(!lock.release_quickly(b.me()) && lock.is_held(), "awaited");
    assert!(lock.release(&b) && !lock.is_held());
}

/// The same for a recursive lock, whose depth stays right when the quick way is not enough.
#[test]
fn a_quick_release_of_a_recursive_lock_counts_as_the_other() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let (me, other) = (holder(a.me(), 7), holder(a.me(), 8));
    assert!(lock.acquire_again_quickly(me) && lock.acquire_again_quickly(me));
    assert!(!lock.release_once_quickly(other), "another thread");
    assert!(lock.release_once_quickly(me) && lock.depth_of(me) == Some(1));
    assert!(lock.release_once_quickly(me) && !lock.is_held());
    assert!(!lock.release_once_quickly(me), "free");
    assert!(lock.acquire_again_quickly(me));
    // Its time runs out in a sleep, so that the last release is for a sleeper.
    assert_eq!(lock.acquire_again(&a, other, soon), Ok(None));
    assert!(lock.acquire_again_quickly(me) && lock.release_once_quickly(me));
    assert!(!lock.release_once_quickly(me) && lock.is_held_as(me), "awaited");
    assert!(lock.release_once(&a, me) && !lock.is_held());
    assert!(lock.acquire_again_quickly(other) && lock.depth_of(other) == Some(1));
}

#[test]
fn a_dead_holder_is_found_with_and_without_waiting() {
    for deadline in [try_once as fn() -> Deadline, soon, guarded] {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        lock.acquire(&a, try_once);
        a.dies();
        assert_eq!(lock.acquire(&b, deadline), Some(Held::AfterDeath));
        assert!(lock.is_recovered(b.me()) && !lock.is_recovered(a.me()));
        assert!(lock.release(&a));
        assert_eq!(lock.acquire(&b, try_once), Some(Held::Cleanly), "told once");
        assert!(!lock.is_recovered(b.me()));
        assert_eq!((a.deaths.load(Ordering::Relaxed), a.rescued.load(Ordering::Relaxed)), (1, 0));
    }
}

/// Whoever has the dead one's slot now has another generation.
#[test]
fn a_slots_next_tenant_keeps_its_lock() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let next = Fake { me: Owner::new(1, 2), ..a.clone() };
    let b = a.other(2);
    a.dies();
    assert_eq!(lock.acquire(&next, try_once), Some(Held::Cleanly));
    assert_eq!(lock.acquire(&b, soon), None);
}

#[test]
fn many_survivors_of_one_death_exclude_each_other() {
    let (a, lock) = (Fake::new(1), Arc::new(OwnerLock::default()));
    lock.acquire(&a, try_once);
    let inside = Arc::new(AtomicU32::new(0));
    let recovered = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (2..10)
        .map(|slot| {
            let (me, lock) = (a.other(slot), Arc::clone(&lock));
            let (inside, recovered) = (Arc::clone(&inside), Arc::clone(&recovered));
            std::thread::spawn(move || {
                for _ in 0..500 {
                    let held = lock.acquire(&me, guarded).expect("the lock goes on");
                    recovered.fetch_add(u32::from(held == Held::AfterDeath), Ordering::Relaxed);
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::Relaxed);
                    assert!(lock.release(&me));
                }
            })
        })
        .collect();
    a.dies();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(recovered.load(Ordering::Relaxed), 1);
}

#[test]
fn a_contended_lock_needs_no_rescue() {
    let (tree, lock) = (Fake::new(1), Arc::new(OwnerLock::default()));
    let threads: Vec<_> = (1..7)
        .map(|slot| {
            let (me, lock) = (tree.other(slot), Arc::clone(&lock));
            std::thread::spawn(move || {
                for i in 0..3000 {
                    // Some give up early: a wake that they ate must reach another.
                    let deadline = if i % 7 == 0 { Deadline::after(1000) } else { guarded() };
                    if lock.acquire(&me, || deadline).is_some() {
                        lock.release(&me);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
    assert!(!lock.is_held());
}

/// Nobody who comes along gets it before a sleeper.
#[test]
fn a_lock_that_is_asked_for_is_kept_for_a_sleeper() {
    for _ in 0..100 {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        lock.acquire(&a, try_once);
        std::thread::scope(|s| {
            s.spawn(|| {
                assert_eq!(lock.acquire(&b, guarded), Some(Held::Cleanly));
                assert!(!lock.is_asked_for());
            });
            // Once woken in vain it is asleep for certain before, though perhaps not again.
            while lock.wake_in_vain() == 0 {
                std::thread::yield_now();
            }
            lock.ask();
            assert!(lock.release(&a));
            assert!(!lock.try_quickly(a.me()), "b has it, or nobody yet");
        });
        assert!(lock.release(&b) && !lock.is_held());
        assert_eq!(a.rescued.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn who_is_woken_in_vain_too_often_asks_for_the_lock() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let (b, c) = (a.other(2), a.other(3));
    lock.acquire(&a, try_once);
    let gives_up = std::thread::scope(|s| {
        let gives_up = s.spawn(|| lock.acquire(&c, || Deadline::after(2_000_000_000)));
        while !lock.is_asked_for() {
            assert!(!gives_up.is_finished(), "it never asked");
            lock.wake_in_vain();
            std::thread::yield_now();
        }
        gives_up.join().unwrap()
    });
    assert_eq!(gives_up, None);
    assert!(!lock.is_asked_for(), "who leaves does not want it");
    assert!(lock.release(&a) && lock.try_quickly(b.me()));
}

/// Whoever asked for it was killed, or left just now.
#[test]
fn a_lock_that_is_kept_for_nobody_is_free() {
    for deadline in [try_once as fn() -> Deadline, soon, guarded] {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        lock.acquire(&a, try_once);
        lock.ask();
        assert!(!lock.release_quickly(a.me()) && lock.release(&a));
        assert!(!lock.is_held() && lock.owner().is_none());
        assert!(!lock.release(&b), "nobody has it");
        assert_eq!(lock.acquire(&b, deadline), Some(Held::Cleanly));
        assert!(lock.is_held() && lock.release(&b));
        assert!(lock.try_quickly(a.me()), "and nobody is waited for any more");
        assert_eq!(a.rescued.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_dead_holder_of_a_lock_that_is_asked_for_is_found() {
    for deadline in [try_once as fn() -> Deadline, soon, guarded] {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        lock.acquire(&a, try_once);
        lock.ask();
        a.dies();
        assert_eq!(lock.acquire(&b, deadline), Some(Held::AfterDeath));
        assert!(lock.is_recovered(b.me()) && lock.release(&b) && !lock.is_held());
    }
}

/// Loses wakes until a sleeper is rescued from one, as most are: one that has not gone to sleep yet finds the work by
/// itself.
fn until_rescued(tree: &Fake, mut lose: impl FnMut()) {
    let rescued = || tree.rescued.load(Ordering::Relaxed);
    let before = rescued();
    for _ in 0..1000 {
        lose();
        if rescued() > before {
            return;
        }
    }
    panic!("the counter is blind");
}

/// What the counter is for: it must not be blind.
#[test]
fn a_lost_wake_is_found_and_counted() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    until_rescued(&a, || {
        lock.acquire(&a, try_once);
        std::thread::scope(|scope| {
            for slot in 2..4 {
                let (me, lock) = (a.other(slot), &lock);
                scope.spawn(move || {
                    assert_eq!(lock.acquire(&me, guarded), Some(Held::Cleanly));
                    lock.release_silently();
                });
            }
            // Asleep or not yet: either way nobody wakes them.
            std::thread::sleep(std::time::Duration::from_millis(20));
            lock.release_silently();
        });
    });
    until_rescued(&a, || {
        let (spot, state) = (Spot::default(), AtomicU64::new(0));
        std::thread::scope(|s| {
            s.spawn(|| {
                wait_for(&spot, &a, guarded(), || Some(state.load(Ordering::Relaxed)).filter(|&n| n > 0))
            });
            while spot.sleepers() == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            state.store(1, Ordering::Relaxed);
        });
    });
}

/// On a busy machine somebody who was woken may not run for longer than another's slice.
#[test]
fn a_lock_that_is_free_for_somebody_on_the_way_is_no_lost_wake() {
    let (a, lock) = (Fake::new(1), Arc::new(OwnerLock::default()));
    lock.acquire(&a, try_once);
    a.begin_wake();
    a.end_wake(1);
    let sleeper = {
        let (me, lock) = (a.other(2), Arc::clone(&lock));
        std::thread::spawn(move || lock.acquire(&me, guarded))
    };
    std::thread::sleep(std::time::Duration::from_millis(20));
    lock.release_silently();
    assert_eq!(sleeper.join().unwrap(), Some(Held::Cleanly));
    assert_eq!(a.rescued.load(Ordering::Relaxed), 0);
    a.is_awake();
    assert_eq!(a.wakes().0, 0);
}

fn wait_for(spot: &Spot, tree: &Fake, deadline: Deadline, look: impl FnMut() -> Option<u64>) -> Option<u64> {
    match spot.wait(tree, deadline, true, look, || Ok::<(), ()>(())) {
        Ok(Wait::Found(found)) => Some(found),
        _ => None,
    }
}

#[test]
fn a_wait_ends_with_the_state_or_with_the_time() {
    let (tree, spot) = (Fake::new(1), Spot::default());
    assert_eq!(wait_for(&spot, &tree, Deadline::NoWait, || Some(7)), Some(7));
    assert_eq!(wait_for(&spot, &tree, Deadline::NoWait, || None), None);
    assert_eq!(wait_for(&spot, &tree, soon(), || None), None);
    assert_eq!(spot.sleepers(), 0);
}

#[test]
fn a_tick_can_end_a_wait() {
    let (tree, spot) = (Fake::new(1), Spot::default());
    let ended = spot.wait(&tree, guarded(), true, || None::<()>, || Err("the peer is gone"));
    assert!(matches!(ended, Err("the peer is gone")));
    assert_eq!(spot.sleepers(), 0);
}

#[test]
fn every_item_reaches_a_sleeper() {
    let (tree, spot) = (Fake::new(1), Arc::new(Spot::default()));
    let left = Arc::new(AtomicU64::new(0));
    let taken = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (tree, spot) = (tree.clone(), Arc::clone(&spot));
            let (left, taken, over) = (Arc::clone(&left), Arc::clone(&taken), Arc::clone(&over));
            std::thread::spawn(move || {
                let look = || {
                    let take = |n: u64| n.checked_sub(1);
                    let got = left.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take);
                    if got.is_ok() { Some(1) } else { over.load(Ordering::Acquire).then_some(0) }
                };
                while wait_for(&spot, &tree, guarded(), look).expect("an item or the end") == 1 {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    const ITEMS: u64 = 20_000;
    for i in 0..ITEMS {
        left.fetch_add(1, Ordering::AcqRel);
        spot.notify::<Fake>(1);
        if i % 64 == 0 {
            std::thread::yield_now();
        }
    }
    while taken.load(Ordering::Relaxed) < ITEMS {
        std::thread::yield_now();
    }
    over.store(true, Ordering::Release);
    spot.notify::<Fake>(i32::MAX);
    takers.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
    assert_eq!(spot.sleepers(), 0);
}

/// The header gives these numbers.
#[test]
fn a_lost_wake_costs_a_slice() {
    for _ in 0..1000 {
        let (short, idle) = (slice(false, Duration::MAX), slice(true, Duration::MAX));
        assert!((50..=75).contains(&short.as_millis()), "{short:?}");
        assert!((500..=750).contains(&idle.as_millis()), "{idle:?}");
        assert_eq!(slice(false, Duration::from_millis(7)), Duration::from_millis(7));
    }
    assert!((8..=12).contains(&(SLICE * 5 / 4 * IDLE_AFTER).as_secs()));
}
