//! The priority queue against a model, and what a killed process may have left.

use super::heap::{capacity, place};
use super::state::{Move, State, What};
use super::{Taken, create};
use crate::error::{Result, Status};
use crate::shm::{self, Kind, Object, PriorityBlock, SHORT};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::Ordering::Relaxed;

fn queue(maxsize: usize) -> (Object, &'static PriorityBlock) {
    shm::join().unwrap();
    let object = create(maxsize).unwrap();
    (object, shm::resolve::<PriorityBlock>(object.r, Kind::Priority).unwrap())
}

fn nothing() -> Result<()> {
    Ok(())
}

type Got = (Option<Vec<u8>>, i64);

fn copy(taken: Taken) -> Result<Got> {
    let bytes = taken.bytes.map(|data| {
        let mut bytes = vec![0; data.len()];
        data.read(0, &mut bytes);
        bytes
    });
    Ok((bytes, taken.priority))
}

fn put(queue: &PriorityBlock, bytes: &[u8], priority: i64) -> Result<()> {
    queue.put(Some(bytes), priority, 0, nothing)
}

fn get(queue: &PriorityBlock) -> Result<Got> {
    queue.get(0, nothing, copy)
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

/// What the n-th message is: by its number alone.
fn message(n: u64) -> Option<Vec<u8>> {
    let lengths = [0, 1, 8, 40, SHORT, SHORT + 1, 300, 5000];
    let len = lengths[(n.wrapping_mul(0x9E37_79B9) >> 7) as usize % lengths.len()];
    (!n.is_multiple_of(17)).then(|| (0..len).map(|i| (i as u64 * 7 + n) as u8).collect())
}

/// Priority and number; the lowest is on top.
type Model = BinaryHeap<Reverse<(i64, u64)>>;

#[test]
fn it_does_what_a_binary_heap_does() {
    for (seed, priorities, maxsize, bias) in
        [(1, 5, 0, 50), (2, 1, 0, 52), (3, 1000, 100, 60), (4, 3, 7, 55), (5, 1 << 30, 0, 53)]
    {
        let (object, queue) = queue(maxsize);
        let mut model: Model = BinaryHeap::new();
        let mut leases: BTreeMap<u64, (i64, u64, u64)> = BTreeMap::new();
        let mut deliveries: BTreeMap<u64, u64> = BTreeMap::new();
        let mut random = Random(seed * 0x9E37_79B9);
        let (mut number, mut done) = (0, 0);
        for round in 0..30_000 {
            // It grows, and then it shrinks.
            let bias = if round < 20_000 { bias } else { 20 };
            if random.below(100) < bias {
                let priority = random.below(priorities) as i64 - 2;
                let bytes = message(number);
                let m = bytes.as_deref();
                let result = queue.put(m, priority, 0, nothing);
                if maxsize != 0 && model.len() >= maxsize {
                    assert_eq!(status(result), Some(Status::Full));
                } else {
                    result.unwrap();
                    model.push(Reverse((priority, number)));
                    number += 1;
                }
            } else {
                let any = random.below(leases.len().max(1));
                let lease = leases.iter().nth(any).map(|(&lease, &what)| (lease, what));
                match (random.below(5), lease) {
                    (0, Some((lease, (priority, n, times)))) => {
                        assert_eq!(queue.deliveries(lease).unwrap(), times);
                        queue.give_back(lease).unwrap();
                        leases.remove(&lease);
                        model.push(Reverse((priority, n)));
                        assert_eq!(status(queue.give_back(lease)), Some(Status::Invalid));
                    }
                    (1, Some((lease, _))) => {
                        queue.acknowledge(lease).unwrap();
                        leases.remove(&lease);
                        done += 1;
                        assert_eq!(status(queue.acknowledge(lease)), Some(Status::Invalid));
                    }
                    (2, _) => match (queue.lease(0, nothing, copy), model.pop()) {
                        (Ok(((bytes, p), lease)), Some(Reverse((priority, n)))) => {
                            assert_eq!((bytes, p), (message(n), priority));
                            let times = deliveries.entry(n).or_default();
                            *times += 1;
                            assert!(leases.insert(lease, (priority, n, *times)).is_none());
                        }
                        (result, none) => {
                            assert_eq!((status(result), none), (Some(Status::Empty), None));
                        }
                    },
                    _ => match (get(queue), model.pop()) {
                        (Ok(got), Some(Reverse((priority, n)))) => {
                            assert_eq!(got, (message(n), priority));
                            queue.task_done().unwrap();
                            done += 1;
                        }
                        (result, none) => {
                            assert_eq!((status(result), none), (Some(Status::Empty), None));
                        }
                    },
                }
            }
            assert_eq!(queue.count().unwrap(), model.len());
            assert_eq!(queue.unacknowledged().unwrap(), leases.len());
            assert_eq!(queue.still_unfinished().unwrap() as u64, number - done);
        }
        while let Some(Reverse((priority, n))) = model.pop() {
            assert_eq!(get(queue).unwrap(), (message(n), priority));
        }
        for &lease in leases.keys() {
            queue.give_back(lease).unwrap();
        }
        while get(queue).is_ok() {}
        assert!(queue.heap_parts.load(Relaxed) <= 2 && queue.lease_parts.load(Relaxed) <= 2);
        assert!(queue.carriers.iter().filter(|c| c.load(Relaxed) != 0).count() <= 4);
        shm::release(object.entry);
    }
}

#[test]
fn entries_are_in_one_part_each() {
    let mut n = 0;
    for rank in 0..10 {
        assert_eq!(capacity(rank), u64::from(n));
        for at in 0..shm::FIRST << rank {
            assert_eq!(place(n), (rank as usize, at));
            n += 1;
        }
    }
}

#[test]
fn the_state_comes_back_as_it_went() {
    for under_way in [Move::Idle, Move::Loading, Move::Up, Move::Down] {
        let state = State { under_way, hole: (1 << 30) - 1, count: (1 << 30) - 2 };
        assert_eq!(State::from_bits(state.bits()), state);
    }
    let mut what = What::bytes(What::LONGEST, true);
    for times in 1..=5 {
        what = what.delivered();
        assert!(what.is_long() && !what.is_none());
        assert_eq!((what.len(), what.deliveries()), (What::LONGEST, times));
    }
    assert_eq!(What(u64::MAX).delivered().deliveries(), (1 << 22) - 1);
}

/// Before each of the moves, and in the middle of each, a process is gone: whoever comes next completes it.
#[test]
fn a_move_that_is_begun_is_completed() {
    for stop in 0..40 {
        let (object, queue) = queue(0);
        for n in 0..stop {
            put(queue, &[n], i64::from(n) * 7 % 11).unwrap();
        }
        // There is room for one more.
        put(queue, b"first", i64::MIN).unwrap();
        get(queue).unwrap();
        queue.task_done().unwrap();
        let hold = queue.hold_now().unwrap().unwrap();
        // As a put does until it is in.
        super::state::describe(&queue.element, 3, u64::from(stop) + 1, What::bytes(0, false));
        let count = u32::from(stop);
        queue.set_state(State { under_way: Move::Up, hole: count, count: count + 1 });
        assert_eq!(queue.unfinished(), u64::from(stop));
        drop(hold);
        assert_eq!(queue.still_unfinished().unwrap(), usize::from(stop) + 1);
        let mut last = i64::MIN;
        for left in (0..=stop).rev() {
            // As a get does until it is out.
            let hold = queue.hold_now().unwrap().unwrap();
            let first = super::state::key(hold.heap().slot(0).unwrap()).0;
            assert!(first >= last);
            last = first;
            hold.heap().lift_last(u32::from(left) + 1).unwrap();
            queue.set_state(State::without_root(left.into()));
            drop(hold);
            assert_eq!(queue.count().unwrap(), usize::from(left));
        }
        assert_eq!(status(get(queue)), Some(Status::Empty));
        shm::release(object.entry);
    }
}

#[test]
fn shut_down_is_shut_down() {
    let (object, queue) = queue(0);
    for n in 0..100_u8 {
        put(queue, &vec![n; usize::from(n) * 3], 0).unwrap();
    }
    let lease = queue.lease(0, nothing, copy).unwrap().1;
    let second = queue.lease(0, nothing, copy).unwrap().1;
    queue.shut_down(false).unwrap();
    assert_eq!(status(put(queue, b"x", 0)), Some(Status::Closed));
    assert_eq!(get(queue).unwrap().0, Some(vec![2; 6]));
    queue.shut_down(true).unwrap();
    queue.shut_down(false).unwrap();
    assert_eq!(queue.count().unwrap(), 0);
    assert_eq!(status(get(queue)), Some(Status::Closed));
    // The two that are leased, and the one that was got.
    assert_eq!(queue.still_unfinished().unwrap(), 3);
    queue.acknowledge(lease).unwrap();
    queue.give_back(second).unwrap();
    assert_eq!((queue.count().unwrap(), queue.still_unfinished().unwrap()), (0, 1));
    queue.task_done().unwrap();
    assert_eq!(status(queue.task_done()), Some(Status::OverRelease));
    queue.join(0).unwrap();
    shm::release(object.entry);
}

/// Any words of the block and of its entries are anything: statuses, and an end.
#[test]
fn overwritten_words_do_no_harm() {
    let mut random = Random(0x5EED);
    for _ in 0..400 {
        let (object, queue) = queue(0);
        for n in 0..60_u8 {
            put(queue, &[n; 60], i64::from(n % 7)).unwrap();
        }
        let mut lease = 0;
        for _ in 0..10 {
            lease = queue.lease(0, nothing, copy).unwrap().1;
        }
        let words = [
            &queue.state,
            &queue.sequence,
            &queue.done,
            &queue.heap_parts,
            &queue.lease_parts,
            &queue.made,
            &queue.free,
            &queue.leased,
            &queue.given,
            &queue.closed,
        ];
        for _ in 0..1 + random.below(3) {
            let word = if random.below(3) == 0 {
                let part = [0, 1, shm::HEAP_PARTS][random.below(3)];
                let slot = queue.entry(part, random.below(16)).unwrap();
                // Not a carrier: what that leads to is others'.
                slot.iter().find(|w| random.below(8) == 0 && w.load(Relaxed) >> 62 == 0).unwrap_or(words[0])
            } else {
                words[random.below(words.len())]
            };
            let value = [0, 1, u64::MAX, random.0, 1 << 20, word.load(Relaxed) ^ 1 << random.below(62)];
            word.store(value[random.below(value.len())], Relaxed);
        }
        for _ in 0..20 {
            let known = |s: Option<Status>| {
                let fine = [Status::Empty, Status::Full, Status::Closed, Status::State, Status::NoMemory];
                assert!(s.is_none_or(|s| fine.contains(&s) || s == Status::Invalid), "{s:?}");
            };
            match random.below(6) {
                0 => known(status(put(queue, &[1; 200], 4))),
                1 => known(status(put(queue, &[1; 20], 4))),
                2 => known(status(get(queue))),
                3 => known(status(queue.lease(0, nothing, copy).map(|(_, new)| lease = new))),
                4 => known(status(queue.acknowledge(lease))),
                _ => known(status(queue.give_back(lease))),
            }
        }
        shm::release(object.entry);
    }
}
