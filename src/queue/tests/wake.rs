//! The table of who is woken when, with sleepers that only count.

use super::*;
use crate::park::Spot;
use crate::queue::position::MOST;

/// How many wakes a step takes.
fn wakes(spot: &Spot, step: impl FnOnce()) -> u32 {
    let before = spot.wakes();
    step();
    spot.wakes() - before
}

fn put_one(queue: &QueueBlock) {
    put(queue, b"12345678").unwrap();
}

fn get_one(queue: &QueueBlock) {
    get(queue).unwrap();
}

#[test]
fn consumers_are_woken_once_for_each_message() {
    let (object, queue) = queue(1024, 0);
    let spot = &queue.message;
    assert_eq!(wakes(spot, || put_one(queue)), 0, "nobody sleeps");
    get_one(queue);
    spot.enter();
    spot.enter();
    assert_eq!(wakes(spot, || put_one(queue)), 1, "it was empty");
    assert_eq!(wakes(spot, || put_one(queue)), 0, "the one who gets the first sees to that");
    assert_eq!(wakes(spot, || put(queue, &[1; 5000]).unwrap()), 0);
    assert_eq!(wakes(spot, || get_one(queue)), 1);
    assert_eq!(wakes(spot, || get_one(queue)), 1);
    assert_eq!(wakes(spot, || get_one(queue)), 0, "nothing is left");
    assert_eq!(wakes(spot, || put(queue, &[1; 5000]).unwrap()), 1);
    shm::release(object.entry);
}

/// Whoever leaves a message where it is may have been woken for it.
#[test]
fn a_consumer_that_fails_passes_its_wake_on() {
    let (object, queue) = queue(1024, 0);
    put_one(queue);
    queue.message.enter();
    let refuse = |_: Option<Data>| -> Result<()> { fail!(TooSmall, "no") };
    assert_eq!(wakes(&queue.message, || assert!(get_with(queue, refuse).is_err())), 1);
    let ghost = shm::claim_child(ThisTree.me()).unwrap();
    assert!(queue.consumers.lock.try_quickly(ghost));
    assert_eq!(wakes(&queue.message, || assert!(get(queue).is_err())), 1, "it never got at the message");
    shm::give_up(ghost);
    shm::release(object.entry);
}

#[test]
fn producers_are_woken_at_half_and_with_each_room() {
    for maxsize in [0, 8] {
        let (object, queue) = queue(256, maxsize);
        let full = if maxsize == 0 { 16 } else { maxsize };
        for _ in 0..full {
            put_one(queue);
        }
        assert_eq!(status(put(queue, b"12345678")), Some(Status::Full));
        queue.half.enter();
        for left in (0..full).rev() {
            let expected = u32::from(left == full / 2);
            assert_eq!(wakes(&queue.half, || get_one(queue)), expected, "{left} of {full}");
        }
        queue.room.enter();
        put_one(queue);
        put(queue, &[1; 5000]).unwrap();
        assert_eq!(wakes(&queue.room, || get_one(queue)), 1);
        assert_eq!(wakes(&queue.room, || get_one(queue)), 1);
        shm::release(object.entry);
    }
}

/// Of the sleepers for whom there is no place none is woken; all are where one's message may fit and another's not.
#[test]
fn as_many_producers_are_woken_as_can_go_on() {
    let can_go_on = |queue: &QueueBlock| {
        get_one(queue);
        queue.who_can_go_on(queue.producers.position(), &queue.head())
    };
    for (ring, maxbytes, expected) in [(0, 0, 2), (1024, 0, 2), (256, 0, i32::MAX), (1024, 100, i32::MAX)] {
        let (object, queue) = with_limits(Limits { ring, maxsize: 10, maxbytes });
        (0..9).for_each(|_| put_one(queue));
        assert_eq!(can_go_on(queue), expected, "ring {ring}, maxbytes {maxbytes}");
        shm::release(object.entry);
    }
    let (object, queue) = queue(1024, 0);
    (0..3).for_each(|_| put_one(queue));
    assert_eq!(can_go_on(queue), MOST as i32 - 2);
    put(queue, &[1; 5000]).unwrap();
    assert_eq!(can_go_on(queue), i32::MAX, "another large one may have to wait");
    shm::release(object.entry);
}
