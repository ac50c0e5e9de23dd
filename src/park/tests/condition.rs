//! Conditions. The lock is the tests' own: they do one thing at a time.

use super::*;
use crate::park::condition::Seat;

fn table(words: &ConditionWords) -> Nodes<'_> {
    words.with([&[]; PARTS])
}

const ROOM: usize = 13;

#[test]
fn those_who_waited_longest_are_released() {
    let (words, tree) = (ConditionWords::default(), Fake::new(1));
    // Also where the tickets begin anew in between.
    words.skip_tickets((1 << 30) - 5);
    let nodes = table(&words);
    for most in 0..=10 {
        let mut seats: Vec<_> = (0..10).map(|_| nodes.sit(&tree).unwrap()).collect();
        // Places do not tell who came first: the third leaves, and the place gets a new tenant.
        assert!(!seats.remove(2).sleep(&tree, try_once(), || ()));
        seats.push(nodes.sit(&tree).unwrap());
        assert_eq!(nodes.notify(&tree, most), most);
        let granted: Vec<_> = seats.iter().map(|s| s.is_granted()).collect();
        let want: Vec<_> = (0..10).map(|i| i < most as usize).collect();
        assert_eq!(granted, want);
        assert_eq!(nodes.count(), 10 - most as usize);
        assert_eq!(nodes.notify(&tree, u64::MAX), 10 - most);
        for seat in seats {
            assert!(seat.sleep(&tree, try_once(), || ()));
            seat.leave();
        }
        assert_eq!((nodes.count(), nodes.free(), nodes.notify(&tree, 1)), (0, ROOM, 0));
    }
}

#[test]
fn a_full_table_says_so() {
    let (words, tree) = (ConditionWords::default(), Fake::new(1));
    let more: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
    let nodes = table(&words);
    let seats: Vec<_> = std::iter::from_fn(|| nodes.sit(&tree)).collect();
    assert_eq!((seats.len(), nodes.missing_part()), (ROOM, Some(1)));
    let mut parts: [&[AtomicU64]; PARTS] = [&[]; PARTS];
    parts[1] = &more;
    let nodes = words.with(parts);
    assert_eq!(nodes.missing_part(), Some(2));
    let last = nodes.sit(&tree).unwrap();
    assert_eq!(nodes.notify(&tree, ROOM as u64), ROOM as u64);
    assert!(seats.iter().all(|s| s.is_granted()) && !last.is_granted());
}

#[test]
fn the_dead_do_not_count() {
    let (words, tree) = (ConditionWords::default(), Fake::new(1));
    let nodes = table(&words);
    let (dead, alive) = (tree.other(2), tree.other(3));
    let _first = nodes.sit(&dead).unwrap();
    let second = nodes.sit(&alive).unwrap();
    let third = nodes.sit(&alive).unwrap();
    dead.dies();
    assert_eq!(nodes.notify(&tree, 1), 1);
    assert!(second.is_granted() && !third.is_granted());
    assert_eq!(nodes.free(), ROOM - 2);
}

#[test]
fn what_a_dead_one_was_granted_goes_to_the_next_who_waited_then() {
    let (words, tree) = (ConditionWords::default(), Fake::new(1));
    let nodes = table(&words);
    let dead = tree.other(2);
    let first = nodes.sit(&dead).unwrap();
    let second = nodes.sit(&tree).unwrap();
    let third = nodes.sit(&tree).unwrap();
    let _waits = nodes.sit(&dead).unwrap();
    assert_eq!(nodes.notify(&tree, 1), 1);
    assert!(first.is_granted() && !second.is_granted());
    dead.dies();
    nodes.bury_the_granted(&tree);
    assert!(tree.buried.lock().unwrap().contains(&dead.me.bits()));
    for _ in 0..2 {
        nodes.note_death(&tree, dead.me);
        assert!(second.is_granted() && !third.is_granted());
        assert_eq!(nodes.free(), ROOM - 2, "the dead one's nodes are free, its waiting one as well");
    }
}

#[test]
fn what_a_dead_one_was_granted_is_nothing_to_those_who_came_later() {
    let (words, tree) = (ConditionWords::default(), Fake::new(1));
    let nodes = table(&words);
    let dead = tree.other(2);
    let _first = nodes.sit(&dead).unwrap();
    let second = nodes.sit(&tree).unwrap();
    assert_eq!(nodes.notify(&tree, u64::MAX), 2);
    let later = nodes.sit(&tree).unwrap();
    dead.dies();
    nodes.note_death(&tree, dead.me);
    assert!(second.is_granted() && !later.is_granted());
    assert_eq!(nodes.free(), ROOM - 2);
}

/// One is notified while its time runs out: either it takes it, or somebody else gets it.
#[test]
fn a_timeout_takes_no_notification_along() {
    let (words, tree) = (Arc::new(ConditionWords::default()), Fake::new(1));
    for round in 0..500 {
        let (theirs, their_tree) = (Arc::clone(&words), tree.other(2));
        let (begin, began) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let nodes = table(&theirs);
            let seat = nodes.sit(&their_tree).unwrap();
            begin.send(()).unwrap();
            let notified = seat.sleep(&their_tree, Deadline::after(60_000), || ());
            if notified {
                seat.leave();
            }
            notified
        });
        began.recv().unwrap();
        std::thread::sleep(Duration::from_micros(round % 120));
        let released = table(&words).notify(&tree, 1);
        assert_eq!(u64::from(thread.join().unwrap()), released);
        assert_eq!(table(&words).free(), ROOM);
    }
}

#[test]
fn sleepers_are_woken_and_lost_wakes_found() {
    let (words, tree) = (Arc::new(ConditionWords::default()), Fake::new(1));
    let nodes = table(&words);
    let sleep_until = |grant: &dyn Fn(&Nodes<'_>, &Seat<'_>)| {
        let seat = nodes.sit(&tree).unwrap();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| seat.sleep(&tree, guarded(), || ()));
            std::thread::sleep(Duration::from_millis(10));
            grant(&nodes, &seat);
            assert!(sleeper.join().unwrap());
        });
        seat.leave();
    };
    sleep_until(&|nodes, _| assert_eq!(nodes.notify(&tree, 1), 1));
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
    until_rescued(&tree, || sleep_until(&|_, seat| seat.grant_silently()));
}

#[test]
fn garbage_does_no_harm() {
    let tree = Fake::new(1);
    let garbage: Vec<_> = [u64::MAX, 1, 2, 3, 0x5_0000_0001, 0x8001_0001_FFFF_FFFD, 0x0001_0001_0000_0002]
        .map(AtomicU64::new)
        .into();
    let words = ConditionWords::default();
    let mut parts: [&[AtomicU64]; PARTS] = [&[]; PARTS];
    parts[5] = &garbage;
    let nodes = words.with(parts);
    nodes.notify(&tree, 2);
    nodes.note_death(&tree, Owner::new(1, 1));
    nodes.bury_waiters(&tree);
    nodes.bury_the_granted(&tree);
    nodes.notify(&tree, u64::MAX);
    assert_eq!(nodes.count(), 0);
}
