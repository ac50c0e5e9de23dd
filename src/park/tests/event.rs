//! Events.

use super::*;

#[test]
fn set_and_clear_do_what_they_say() {
    let (event, tree) = (EventWord::default(), Fake::new(1));
    assert!(!event.is_set());
    event.clear();
    assert!(!event.is_set());
    event.set(&tree);
    event.set(&tree);
    assert!(event.is_set() && event.wait(&tree, try_once()));
    event.clear();
    assert!(!event.is_set() && !event.wait(&tree, soon()));
}

/// Waits in a thread; true once that thread sleeps.
fn sleeper(event: &Arc<EventWord>, tree: &Fake) -> std::thread::JoinHandle<bool> {
    let (event, tree) = (Arc::clone(event), tree.clone());
    std::thread::spawn(move || event.wait(&tree, guarded()))
}

#[test]
fn a_set_that_is_cleared_at_once_releases_all() {
    let tree = Fake::new(1);
    for _ in 0..50 {
        let event = Arc::new(EventWord::default());
        let threads: Vec<_> = (0..4).map(|_| sleeper(&event, &tree)).collect();
        while event.sleepers() < 4 {
            std::thread::yield_now();
        }
        event.set(&tree);
        event.clear();
        assert!(threads.into_iter().all(|t| t.join().unwrap()));
        assert_eq!(event.sleepers(), 0);
    }
    assert_eq!(tree.rescued.load(Ordering::Relaxed), 0);
}

#[test]
fn a_set_whose_wake_is_lost_is_found() {
    let tree = Fake::new(1);
    let event = Arc::new(EventWord::default());
    let thread = sleeper(&event, &tree);
    while event.sleepers() == 0 {
        std::thread::yield_now();
    }
    // Long enough for it to be asleep in all likelihood; where it is not, it finds the event set all the same.
    std::thread::sleep(Duration::from_millis(5));
    event.set_silently();
    assert!(thread.join().unwrap());
}
