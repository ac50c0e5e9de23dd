//! Positions and records: arithmetic at the wrap-around, and what a stray pointer may have left.

use super::*;
use crate::queue::position::GRAIN;
use crate::queue::ring::Record;

#[test]
fn positions_wrap_each_by_itself() {
    const TOP: u32 = (1 << 28) - 1;
    let begin = Position::new(TOP, TOP, 127);
    let end = begin.after(3, true);
    assert_eq!(end, Position::new(2, 0, 0));
    let between = end.since(begin);
    assert_eq!((between.grains, between.messages), (3, 1));
    assert_eq!(Position::new(TOP, 7, 9).after(1, false), Position::new(0, 8, 9));
    assert_eq!(Position::from_bits(begin.bits()), begin);
}

/// Every length that fits into the ring, at every place: what is written is read again, and nothing reaches
/// beyond the place that was asked for.
#[test]
fn a_record_is_read_as_it_was_written() {
    let (object, queue) = queue(SHORTEST, 0);
    let ring = Ring::of(&queue.producers).unwrap();
    let bytes: Vec<u8> = (1..=64).collect();
    for at in 0..ring.grains() * 2 {
        for len in 0..=ring.longest() {
            ring.part(0, SHORTEST).write(0, &[0xEE; SHORTEST]);
            let place = ring.place(at, len);
            ring.write(place, &bytes[..len]);
            let (record, grains) = ring.read(at, place.grains).unwrap();
            assert_eq!(grains, place.grains);
            let Record::Bytes { offset, len: found } = record else { panic!("{record:?}") };
            assert_eq!(found, len);
            assert_eq!(copy(Some(ring.part(offset, len))).unwrap().unwrap(), bytes[..len]);
            let begin = at as usize * GRAIN % SHORTEST;
            assert!(grains as usize * GRAIN <= SHORTEST / 2 + 2 * GRAIN);
            for i in grains as usize * GRAIN..SHORTEST {
                assert_eq!(copy(Some(ring.part((begin + i) % SHORTEST, 1))).unwrap().unwrap(), [0xEE]);
            }
        }
    }
    shm::release(object.entry);
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let (object, queue) = queue(SHORTEST, 0);
    let ring = Ring::of(&queue.producers).unwrap();
    let mut random = Random(99);
    let bad = [
        0,
        1,
        1 << 56 | 65,
        1 << 56 | u64::from(u32::MAX),
        3 << 56 | LARGE as u64,
        4 << 56,
        6 << 56,
        u64::MAX,
    ];
    for word in bad {
        ring.part(0, 8).write(0, &word.to_ne_bytes());
        let found = ring.read(0, ring.grains());
        // A skip leads to itself here.
        assert_eq!(status(found), Some(Status::State), "{word:x}");
    }
    // A message that is longer than what was published.
    ring.part(0, 8).write(0, &(1_u64 << 56 | 16).to_ne_bytes());
    assert_eq!(status(ring.read(0, 2)), Some(Status::State));
    assert!(ring.read(0, 3).is_ok());
    // And whatever else a stray pointer may leave.
    for _ in 0..100_000 {
        let word = random.below(usize::MAX) as u64 & !(0xF8 << 56);
        ring.part(248, 8).write(0, &word.to_ne_bytes());
        let _ = ring.read(31, random.below(33) as u32);
    }
    for _ in 0..10_000 {
        queue.producers.position.store(random.below(usize::MAX) as u64, Relaxed);
        queue.consumers.position.store(random.below(usize::MAX) as u64, Relaxed);
        queue.producers.seen.store(random.below(usize::MAX) as u64, Relaxed);
        queue.consumers.seen.store(random.below(usize::MAX) as u64, Relaxed);
        let _ = (put(queue, b"1"), put(queue, &[2; 100]), get(queue), queue.is_full(), queue.count());
    }
    shm::release(object.entry);
}
