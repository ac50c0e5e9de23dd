//! Locks that their holder may take again.

use super::*;

/// A thread of this process.
fn thread(tree: &Fake, number: u32) -> u64 {
    holder(tree.me(), number)
}

fn take(lock: &OwnerLock, tree: &Fake, number: u32) -> Option<Held> {
    lock.acquire_again(tree, thread(tree, number), try_once).expect("not too deep")
}

#[test]
fn it_is_given_back_as_often_as_it_was_taken() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let (me, other_thread) = (thread(&a, 1), thread(&a, 2));
    let b = a.other(2);
    for depth in 1..=5 {
        assert_eq!(take(&lock, &a, 1), Some(Held::Cleanly));
        assert_eq!((lock.depth_of(me), lock.depth()), (Some(depth), depth));
        assert_eq!(lock.depth_of(other_thread), None);
    }
    for depth in (0..5).rev() {
        assert_eq!((take(&lock, &a, 2), take(&lock, &b, 1)), (None, None), "another thread, another process");
        assert!(!lock.acquire_again_quickly(other_thread));
        assert!(!lock.release_once(&a, other_thread) && !lock.release_once(&b, thread(&b, 1)));
        assert!(lock.release_once(&a, me));
        assert_eq!((lock.depth(), lock.is_held()), (depth, depth > 0));
    }
    assert!(!lock.release_once(&a, me), "once too often");
    assert!(lock.acquire_again_quickly(other_thread) && lock.acquire_again_quickly(other_thread));
    assert_eq!(lock.depth_of(other_thread), Some(2));
}

#[test]
fn it_is_given_up_wholly_and_taken_back_as_it_was() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let (me, b) = (thread(&a, 7), a.other(2));
    assert_eq!(lock.release_wholly(&a, me), None);
    for _ in 0..4 {
        take(&lock, &a, 7);
    }
    assert_eq!(lock.release_wholly(&b, thread(&b, 7)), None);
    assert_eq!(lock.release_wholly(&a, me), Some(4));
    assert!(!lock.is_held());
    assert_eq!(take(&lock, &b, 1), Some(Held::Cleanly));
    assert_eq!(lock.take_back(&a, me, 4, soon), None);
    b.dies();
    assert_eq!(lock.take_back(&a, me, 4, guarded), Some(Held::AfterDeath));
    assert_eq!(lock.depth_of(me), Some(4));
}

#[test]
fn the_dead_ones_depth_goes_with_it() {
    for deadline in [try_once as fn() -> Deadline, soon, guarded] {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        for _ in 0..5 {
            take(&lock, &a, 1);
        }
        a.dies();
        // The quick way leaves the dead to the slow one.
        assert!(!lock.acquire_again_quickly(thread(&b, 1)));
        let taken = lock.acquire_again(&b, thread(&b, 1), deadline);
        assert_eq!(taken, Ok(Some(Held::AfterDeath)));
        assert_eq!(take(&lock, &b, 1), Some(Held::Cleanly), "told once");
        assert!(lock.release_once(&b, thread(&b, 1)) && lock.is_recovered(b.me()));
        assert!(lock.release_once(&b, thread(&b, 1)) && !lock.is_held());
        assert!(!lock.is_recovered(b.me()));
    }
}

/// Each place at which a holder can be killed: the word and the depth are two stores.
#[test]
fn a_kill_between_word_and_depth_leaves_a_lock_that_goes_on() {
    for (word, depth) in [(true, 0), (true, 1), (true, 9), (false, 0), (false, 1)] {
        let (a, lock) = (Fake::new(1), OwnerLock::default());
        let b = a.other(2);
        if word {
            assert!(lock.take(thread(&a, 1)));
        }
        lock.depth.store(depth, Ordering::Relaxed);
        a.dies();
        let want = if word { Held::AfterDeath } else { Held::Cleanly };
        assert_eq!(take(&lock, &b, 3), Some(want));
        assert_eq!(lock.depth_of(thread(&b, 3)), Some(1));
        assert!(lock.release_once(&b, thread(&b, 3)));
        assert_eq!((lock.is_held(), lock.depth()), (false, 0));
    }
}

/// The number of a thread is another's in the next process of the slot.
#[test]
fn a_slots_next_tenant_is_not_the_holder() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let next = Fake { me: Owner::new(1, 2), ..a.clone() };
    take(&lock, &a, 1);
    assert!(!lock.release_once(&next, thread(&next, 1)));
    assert_eq!(take(&lock, &next, 1), None);
    a.dies();
    assert_eq!(take(&lock, &next, 1), Some(Held::AfterDeath));
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let (a, lock) = (Fake::new(1), OwnerLock::default());
    let me = thread(&a, 1);
    take(&lock, &a, 1);
    lock.depth.store(u64::from(u32::MAX) - 1, Ordering::Relaxed);
    assert_eq!(take(&lock, &a, 1), Some(Held::Cleanly));
    assert_eq!(lock.acquire_again(&a, me, guarded), Err(TooDeep));
    assert!(!lock.acquire_again_quickly(me));
    assert_eq!(lock.depth_of(me), Some(u32::MAX.into()));
    assert!(lock.release_once(&a, me) && lock.is_held());
}

#[test]
fn threads_and_processes_exclude_each_other_and_need_no_rescue() {
    let (tree, lock, inside) = (Fake::new(1), OwnerLock::default(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for i in 0..6 {
            let (lock, inside, me) = (&lock, &inside, tree.other(1 + i % 3));
            s.spawn(move || {
                let holder = thread(&me, 1 + i / 3);
                for round in 0..2000 {
                    let depth = 1 + round % 3;
                    for _ in 0..depth {
                        lock.acquire_again(&me, holder, guarded).unwrap().expect("the lock goes on");
                    }
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    if round % 16 == 0 {
                        std::thread::yield_now();
                    }
                    inside.fetch_sub(1, Ordering::Relaxed);
                    (0..depth).for_each(|_| assert!(lock.release_once(&me, holder)));
                }
            });
        }
    });
    assert!(!lock.is_held());
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}
