//! The queue against a model, and producers and consumers that stop half way.

mod chain;
mod ring;
mod wake;

use super::position::{GRAIN, LONGEST, Position};
use super::put::Message;
use super::ring::{Ring, SHORTEST};
use super::state::{Limits, create};
use crate::error::{Result, Status, fail};
use crate::park::Tree;
use crate::shm::{self, Data, Kind, LARGE, Object, QueueBlock, RingBlock, ThisTree};
use crate::time::Deadline;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

type Got = Option<Vec<u8>>;

fn queue(bytes: usize, maxsize: usize) -> (Object, &'static QueueBlock) {
    shm::join().unwrap();
    with_limits(Limits { ring: bytes, maxsize, maxbytes: 0 })
}

fn with_limits(limits: Limits) -> (Object, &'static QueueBlock) {
    shm::join().unwrap();
    let object = create(&shm::TREE, limits).unwrap();
    (object, shm::resolve::<QueueBlock>(object.r, Kind::Queue).unwrap())
}

/// The ring that a queue's consumers are in.
fn ring(queue: &QueueBlock) -> &'static RingBlock {
    shm::ring_of(&queue.consumers).unwrap()
}

fn copy(message: Option<Data>) -> Result<Got> {
    Ok(message.map(|data| {
        let mut bytes = vec![0; data.len()];
        data.read(0, &mut bytes);
        bytes
    }))
}

fn put_message(queue: &QueueBlock, message: Message<'_>) -> Result<()> {
    if queue.put_quickly(&ThisTree, message)? {
        return Ok(());
    }
    queue.put(&ThisTree, message, Deadline::after(0), || Ok(()))
}

fn put(queue: &QueueBlock, bytes: &[u8]) -> Result<()> {
    put_message(queue, Message::Bytes(bytes))
}

fn get_with<R>(queue: &QueueBlock, mut take: impl FnMut(Option<Data>) -> Result<R>) -> Result<R> {
    if let Some(taken) = queue.get_quickly(&ThisTree, &mut take)? {
        return Ok(taken);
    }
    queue.get(&ThisTree, Deadline::after(0), || Ok(()), &mut take, None)
}

fn get(queue: &QueueBlock) -> Result<Got> {
    get_with(queue, copy)
}

fn status<T>(result: Result<T>) -> Option<Status> {
    result.err().map(|e| e.status)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Both sides begin here.
fn begin_at(queue: &QueueBlock, position: Position) {
    for side in [&queue.producers, &queue.consumers] {
        side.position.store(position.bits(), Relaxed);
        side.seen.store(position.bits(), Relaxed);
    }
}

/// Puts and gets of all lengths, in the ring and outside it, against a VecDeque; the words wrap on the way.
#[test]
fn it_does_what_a_deque_does() {
    for (seed, bytes, maxsize) in [(1, 256, 0), (2, 1024, 3), (3, 4096, 0), (4, 65_536, 40), (5, 512, 1)] {
        let (object, queue) = queue(bytes, maxsize);
        begin_at(queue, Position::new((1 << 28) - 500, (1 << 28) - 300, 250));
        let mut model: VecDeque<Got> = VecDeque::new();
        let mut random = Random(seed * 0x9E37_79B9);
        let (mut full, mut empty, mut large) = (0, 0, 0);
        for round in 0..20_000_u32 {
            if random.below(2) == 0 {
                let longest = bytes / 4;
                let len = [random.below(9), random.below(longest + 1), longest, random.below(3 * longest)];
                let len = len[random.below(4)];
                let message: Got =
                    (random.below(10) > 0).then(|| (0..len).map(|i| (i as u32 + round) as u8).collect());
                let done = match &message {
                    Some(bytes) => put(queue, bytes),
                    None => put_message(queue, Message::None),
                };
                match status(done) {
                    None => {
                        large += u32::from(message.as_ref().is_some_and(|m| m.len() > longest));
                        model.push_back(message);
                    }
                    Some(Status::Full) => full += 1,
                    Some(other) => panic!("{other:?}"),
                }
                assert!(maxsize == 0 || model.len() <= maxsize);
                assert!(maxsize == 0 || model.len() < maxsize || queue.is_full().unwrap());
            } else {
                match (get(queue), model.pop_front()) {
                    (Ok(got), Some(expected)) => assert_eq!(got, expected),
                    (Err(e), None) if e.status == Status::Empty => empty += 1,
                    (got, expected) => panic!("{got:?} and not {expected:?}"),
                }
            }
            assert_eq!(queue.count(), model.len());
        }
        assert!(full > 100 && empty > 10 && large > 100, "{full} {empty} {large}");
        shm::release(object.entry);
    }
}

#[test]
fn an_empty_ring_takes_the_longest_wherever_it_begins() {
    let (object, queue) = queue(SHORTEST, 0);
    for at in 0..64 {
        begin_at(queue, Position::new(at, 0, 0));
        let message = vec![at as u8; SHORTEST / 4];
        put(queue, &message).unwrap();
        assert_eq!(get(queue).unwrap().unwrap(), message);
        assert_eq!(status(get(queue)), Some(Status::Empty));
    }
    shm::release(object.entry);
}

/// The consumer's own failure, a buffer that is too small for example, leaves the message.
#[test]
fn what_is_refused_stays() {
    let (object, queue) = queue(1024, 0);
    for len in [10, 10_000] {
        put(queue, &vec![7; len]).unwrap();
        let refuse = |_: Option<Data>| -> Result<()> { fail!(TooSmall, "no") };
        assert_eq!(status(get_with(queue, refuse)), Some(Status::TooSmall));
        assert_eq!(queue.count(), 1);
        assert_eq!(get(queue).unwrap().unwrap(), vec![7; len]);
    }
    shm::release(object.entry);
}

/// A producer that stops after any of its steps but the last has put nothing, and the next one writes where it
/// wrote.
#[test]
fn a_producer_that_stops_half_way_has_put_nothing() {
    let (object, queue) = queue(1024, 0);
    put(queue, b"before").unwrap();
    let ring = Ring::of(&queue.producers).unwrap();
    let tail = queue.producers.position();
    let place = ring.place(tail.at(), 200);
    ring.write(place, &[0xBA; 200]);
    queue.producers.seen.store(queue.consumers.position().bits(), Relaxed);
    put(queue, b"after").unwrap();
    assert_eq!(get(queue).unwrap().unwrap(), b"before");
    assert_eq!(get(queue).unwrap().unwrap(), b"after");
    assert_eq!(status(get(queue)), Some(Status::Empty));
    shm::release(object.entry);
}

/// The same for a message outside the ring: its carrier has a spare block then, and the next put may use it.
#[test]
fn a_large_message_that_was_not_published_is_a_spare() {
    let (object, queue) = queue(1024, 0);
    let bytes = shm::create::<shm::BytesBlock>(Kind::Bytes, 100_000, |_| {}).unwrap();
    let block = ring(queue);
    shm::carry(bytes, &block.carriers[0]);
    block.lengths[0].store(5, Relaxed);
    block.order[0].store(0, Relaxed);
    assert_eq!(status(get(queue)), Some(Status::Empty));
    put(queue, &vec![1; 100_000]).unwrap();
    assert_eq!(shm::carried(&block.carriers[0]).map(|b| shm::data(&b.head).unwrap().len()), Some(100_000));
    assert_eq!(get(queue).unwrap().unwrap(), vec![1; 100_000]);
    shm::release(object.entry);
    assert!(shm::resolve::<shm::BytesBlock>(bytes.r, Kind::Bytes).is_none(), "it goes with the queue");
}

/// A consumer that stops between copying and publishing leaves the message for the next one.
#[test]
fn a_consumer_that_stops_half_way_has_got_nothing() {
    let (object, queue) = queue(1024, 0);
    for len in [20, 5000] {
        put(queue, &vec![3; len]).unwrap();
        let stop = |message: Option<Data>| -> Result<()> {
            assert_eq!(copy(message).unwrap().unwrap().len(), len);
            std::panic::resume_unwind(Box::new(()))
        };
        assert!(catch_unwind(AssertUnwindSafe(|| get_with(queue, stop))).is_err());
        assert_eq!(get(queue).unwrap().unwrap(), vec![3; len]);
        assert_eq!(status(get(queue)), Some(Status::Empty));
    }
    shm::release(object.entry);
}

/// Whoever dies with the lock loses it, also to a call that does not wait.
#[test]
fn the_locks_of_the_dead_are_taken_over() {
    let (object, queue) = queue(1024, 0);
    for side in [&queue.producers, &queue.consumers] {
        let ghost = shm::claim_child(ThisTree.me()).unwrap();
        assert!(side.lock.try_quickly(ghost));
        assert!(put(queue, b"1").and_then(|()| get(queue)).is_err(), "it lives");
        shm::give_up(ghost);
        put(queue, b"2").unwrap();
        get(queue).unwrap();
        while get(queue).is_ok() {}
    }
    shm::release(object.entry);
}

/// Blocks that are too big to keep leave the queue with their message; others stay, few.
#[test]
fn big_blocks_are_not_kept() {
    let (object, queue) = queue(1024, 0);
    let kept = || ring(queue).carriers.iter().filter(|c| shm::carried(c).is_some()).count();
    let big = vec![9; 5 << 20];
    put(queue, &big).unwrap();
    assert_eq!(status(put(queue, &big)), Some(Status::Full), "one at a time");
    assert_eq!(kept(), 1);
    assert!(get(queue).unwrap().unwrap() == big);
    assert_eq!(kept(), 0);
    for _ in 0..100 {
        put(queue, &[1; 1000]).unwrap();
        put(queue, &[2; 2000]).unwrap();
        assert_eq!(get(queue).unwrap().unwrap(), [1; 1000]);
        assert_eq!(get(queue).unwrap().unwrap(), [2; 2000]);
    }
    assert_eq!(kept(), 2);
    for n in 0..LARGE as u8 {
        put(queue, &[n; 300]).unwrap();
    }
    assert_eq!(status(put(queue, &[0; 300])), Some(Status::Full));
    put(queue, b"small").unwrap();
    let refs: Vec<_> = ring(queue).carriers.iter().map(|c| c.load(Relaxed)).collect();
    shm::release(object.entry);
    for bits in refs {
        let r = shm::Ref::from_bits(bits);
        assert!(shm::resolve::<shm::BytesBlock>(r, Kind::Bytes).is_none(), "what it carried goes with it");
    }
}

#[test]
fn sizes_have_limits() {
    shm::join().unwrap();
    for ring in [LONGEST + 1, usize::MAX] {
        let refused = create(&shm::TREE, Limits { ring, ..Limits::default() });
        assert_eq!(status(refused), Some(Status::Invalid));
    }
    for (asked, given) in [(0, 2048), (1, SHORTEST), (257, 512), (4096, 4096)] {
        let (object, queue) = queue(asked, 0);
        assert_eq!(Ring::of(&queue.producers).unwrap().grains() as usize * GRAIN, given);
        shm::release(object.entry);
    }
}
