//! Queues that grow, and how they give back.

use super::*;
use crate::queue::chain::USUAL;
use crate::shm::Ref;

fn growing(maxsize: usize, maxbytes: usize) -> (Object, &'static QueueBlock) {
    with_limits(Limits { maxsize, maxbytes, ring: 0 })
}

fn rings(queue: &QueueBlock) -> usize {
    let mut at = ring(queue);
    let mut count = 1;
    while let Some(r) = shm::carried_ref(&at.next) {
        at = shm::resolve::<RingBlock>(r, Kind::Ring).unwrap();
        count += 1;
    }
    count
}

/// Puts and gets of all lengths in waves, against a VecDeque; the words wrap on the way, and the rings' bytes count
/// on past where two of them are as far apart as the word can say.
#[test]
fn it_does_what_a_deque_does() {
    for (seed, maxsize, maxbytes) in [(1, 0, 0), (2, 50, 0), (3, 0, 100_000), (4, 0, 0)] {
        let (object, queue) = growing(maxsize, maxbytes);
        begin_at(queue, Position::new((1 << 28) - 256, (1 << 28) - 300, 120));
        let mut model: VecDeque<Got> = VecDeque::new();
        let mut bytes = 0;
        let mut random = Random(seed * 0x9E37_79B9);
        let (mut most, mut full) = (0, 0);
        for round in 0..20_000_u32 {
            // Waves: it fills for a while, then it drains.
            let fills = round / 1500 % 2 == 0;
            if random.below(10) < if fills { 8 } else { 2 } {
                let len = [random.below(9), random.below(500), random.below(3000), random.below(40_000)];
                let seldom = if random.below(20) == 0 { 4 } else { 2 };
                let which = random.below(seldom);
                let len = len[which];
                let message: Got =
                    (random.below(10) > 0).then(|| (0..len).map(|i| (i as u32 + round) as u8).collect());
                let done = match &message {
                    Some(bytes) => put(queue, bytes),
                    None => put_message(queue, Message::None),
                };
                let len = message.as_ref().map_or(0, Vec::len);
                let fits =
                    (maxsize == 0 || model.len() < maxsize) && (maxbytes == 0 || bytes + len <= maxbytes);
                match status(done) {
                    None => {
                        assert!(fits);
                        bytes += len;
                        model.push_back(message);
                    }
                    Some(Status::Full) => {
                        assert!(!fits);
                        full += 1;
                    }
                    Some(other) => panic!("{other:?}"),
                }
            } else {
                match (get(queue), model.pop_front()) {
                    (Ok(got), Some(expected)) => {
                        assert_eq!(got, expected);
                        bytes -= got.map_or(0, |got| got.len());
                    }
                    (Err(e), None) if e.status == Status::Empty => {}
                    (got, expected) => panic!("{got:?} and not {expected:?}"),
                }
            }
            assert_eq!(queue.count(), model.len());
            most = most.max(rings(queue));
        }
        assert!(most > 1 && (full > 100) == (maxsize + maxbytes > 0), "{most} {full}");
        while let Some(expected) = model.pop_front() {
            assert_eq!(get(queue).unwrap(), expected);
        }
        assert_eq!(rings(queue), 1);
        shm::release(object.entry);
    }
}

/// What is drained goes back but for one ring; a long chain that nobody drained goes with the queue.
#[test]
fn rings_come_and_go() {
    let (object, queue) = growing(0, 0);
    let message = [5; 1000];
    for drained in [true, false] {
        for _ in 0..40_000 {
            put(queue, &message).unwrap();
        }
        assert!(rings(queue) > 20, "{}", rings(queue));
        let first = Ref::from_bits(queue.consumers.ring.load(Relaxed));
        let last = Ref::from_bits(queue.producers.ring.load(Relaxed));
        if drained {
            for _ in 0..40_000 {
                assert_eq!(get(queue).unwrap().unwrap(), message);
            }
            assert_eq!(status(get(queue)), Some(Status::Empty));
            assert_eq!(rings(queue), 1);
            assert!(shm::resolve::<RingBlock>(first, Kind::Ring).is_none());
            let spare = shm::carried_ref(queue.spare()).unwrap();
            let spare = shm::resolve::<RingBlock>(spare, Kind::Ring).unwrap();
            assert!(spare.head.size.load(Relaxed) >= USUAL as u64);
        } else {
            shm::release(object.entry);
            assert!(shm::resolve::<RingBlock>(first, Kind::Ring).is_none());
            assert!(shm::resolve::<RingBlock>(last, Kind::Ring).is_none());
        }
    }
}

/// A producer that stops after hanging a ring on the queue has put nothing, and the queue goes on in there.
#[test]
fn a_producer_that_stops_after_a_link_has_put_nothing() {
    let (object, queue) = growing(0, 0);
    put(queue, b"before").unwrap();
    for _ in 0..3 {
        queue.link(&Ring::of(&queue.producers).unwrap()).unwrap();
    }
    assert_eq!(queue.count(), 1);
    assert_eq!(get(queue).unwrap().unwrap(), b"before");
    assert_eq!(status(get(queue)), Some(Status::Empty));
    put(queue, b"after").unwrap();
    assert_eq!(rings(queue), 4);
    assert_eq!(get(queue).unwrap().unwrap(), b"after");
    assert_eq!(rings(queue), 1);
    shm::release(object.entry);
}

/// Long messages, of which a ring has room for so many only.
#[test]
fn large_messages_hang_on_rings() {
    let (object, queue) = growing(0, 0);
    for round in 0..2 {
        for n in 0..100 {
            put(queue, &vec![n; 300_000 + round]).unwrap();
        }
        assert!(rings(queue) > 6);
        for n in 0..100 {
            assert!(get(queue).unwrap().unwrap() == vec![n; 300_000 + round]);
        }
        assert_eq!(rings(queue), 1);
        assert!(ring(queue).carriers.iter().filter(|c| shm::carried(c).is_some()).count() <= 2);
    }
    shm::release(object.entry);
}

/// Cut short, it has nothing left, and what it had is freed.
#[test]
fn what_is_dropped_is_freed() {
    for count in [0, 10, 40_000] {
        let (object, queue) = growing(0, 0);
        put(queue, &vec![1; 200_000]).unwrap();
        for _ in 0..count {
            put(queue, &[5; 1000]).unwrap();
        }
        queue.shut_down(&ThisTree, true).unwrap();
        assert_eq!((queue.count(), rings(queue)), (0, 1));
        assert_eq!(queue.dropped.load(Relaxed), count + 1);
        assert!(ring(queue).carriers.iter().all(|c| shm::carried(c).is_none()));
        assert_eq!(status(get(queue)), Some(Status::Closed));
        assert_eq!(status(put(queue, b"x")), Some(Status::Closed));
        shm::release(object.entry);
    }
}
