//! Queues: each message arrives once and whole, and nobody sleeps beside one, or beside room for one.

use super::explore::{Body, End, Model, Process};
use super::queue::{Limits, Message, create};
use super::shm::{self, Data, In, Kind, QueueBlock, Store, TREE};
use crate::error::{Result, Status};
use crate::park::{Owner, Tree};
use crate::sys::atomic::Ordering::Relaxed;
use crate::time::{self, Deadline};
use std::cell::RefCell;

pub(crate) const MODELS: &[(&str, fn())] = &[
    ("flow_one", one),
    ("flow_two_consumers", two_consumers),
    ("flow_two_producers", two_producers),
    ("flow_room", room),
    ("flow_half", half),
    ("flow_chain", chain),
    ("flow_rings", rings),
    ("flow_tasks", tasks),
    ("flow_end", end),
    ("flow_producer_killed", producer_killed),
    ("flow_consumer_killed", consumer_killed),
    ("flow_link_killed", link_killed),
    ("flow_pass_killed", pass_killed),
    ("flow_commit_killed", commit_killed),
    ("flow_peek_killed", peek_killed),
    ("flow_release_killed", release_killed),
];

/// A message: its number again and again.
const LONG: usize = 56;

struct Shared {
    store: Box<Store>,
    queue: &'static QueueBlock,
    /// What was got, by whoever; the checker's threads are one thread of the system's.
    got: RefCell<Vec<u8>>,
}

// SAFETY: the checker runs one thread at a time, and none holds the list over a step of its own.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// With a ring of 32 grains, of which so many were used up, and room for so many messages.
    fn new(ring: usize, used: u64, maxsize: usize) -> Self {
        let store = Store::new();
        let made = create(&TREE, Limits { maxsize, maxbytes: 0, ring }).expect("a queue");
        let queue = shm::resolve_in::<QueueBlock>(&TREE, made.r, Kind::Queue).expect("the queue");
        assert!(shm::carry(made, &store.holder), "nobody's in particular");
        for side in [&queue.producers, &queue.consumers] {
            side.position.store(used, Relaxed);
            side.seen.store(used, Relaxed);
        }
        Shared { store, queue, got: RefCell::default() }
    }

    /// Where the next message but one goes around the ring's end.
    fn ring() -> Self {
        Self::new(256, 29, 0)
    }

    /// The same with two messages in it.
    fn ring_of_two() -> Self {
        let shared = Self::ring();
        shared.fill(2, 8);
        shared
    }

    /// The next message needs another ring.
    fn full_ring() -> Self {
        let shared = Self::new(0, 0, 0);
        shared.fill(3, LONG);
        shared
    }

    /// Before the run.
    fn fill(&self, count: u8, len: usize) {
        for number in 0..count {
            assert!(self.queue.put_quickly(&In(&TREE), Message::Bytes(&vec![number; len])).expect("room"));
        }
    }

    /// The same, the other way.
    fn take(&self, count: usize) {
        for _ in 0..count {
            let mut take = |data: Option<Data>| Ok(data.is_some());
            assert_eq!(self.queue.get_quickly(&In(&TREE), &mut take).expect("a get"), Some(true));
        }
    }

    fn put(&self, process: &Process, number: u8, len: usize) {
        let bytes = [number; LONG];
        let message = Message::Bytes(&bytes[..len]);
        if !self.queue.put_quickly(process, message).expect("a put") {
            self.queue.put(process, message, Deadline::Never, || Ok(())).expect("a put");
        }
    }

    fn note(&self, data: Option<Data>) -> u8 {
        let data = data.expect("no message is none");
        let mut bytes = vec![0; data.len()];
        data.read(0, &mut bytes);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a torn message");
        bytes[0]
    }

    fn get_until(&self, process: &Process, deadline: Deadline) -> Result<u8> {
        let mut take = |data| Ok(self.note(data));
        let number = match self.queue.get_quickly(process, &mut take)? {
            Some(number) => number,
            None => self.queue.get(process, deadline, || Ok(()), &mut take, None)?,
        };
        self.got.borrow_mut().push(number);
        Ok(number)
    }

    fn get(&self, process: &Process) -> u8 {
        self.get_until(process, Deadline::Never).expect("a get")
    }

    /// As long as there is anything.
    fn drain(&self, process: &Process) {
        let end = loop {
            if let Err(e) = self.get_until(process, Deadline::NoWait) {
                break e;
            }
        };
        assert_eq!(end.status, Status::Empty, "{end}");
    }

    /// At the end: what was got, in its order; it is nowhere any more.
    fn got(&self, first: u8, last: u8) {
        let mut got = self.got.borrow().clone();
        got.sort_unstable();
        assert_eq!(got, (first..=last).collect::<Vec<_>>(), "messages");
        assert_eq!(self.queue.count(), 0, "messages are left");
    }

    /// How many messages were got, each of them once.
    fn each_once(&self) -> usize {
        let got = self.got.borrow();
        let times = |number| got.iter().filter(|it| **it == number).count();
        assert!((0..8).all(|number| times(number) <= 1), "a message came twice");
        (0..8).map(times).sum()
    }

    /// The queue and its ring, and at most a spare ring or block.
    fn owns_little(&self) {
        assert!((2..=3).contains(&self.store.blocks()), "{} blocks", self.store.blocks());
    }
}

fn mourn(_: &Process, shared: &Shared, dead: Owner) {
    shm::sweep(shared.queue, dead);
}

fn model(
    new: fn() -> Shared,
    interruptions: usize,
    processes: &'static [Body<Shared>],
    end: fn(&Shared, End),
) -> Model<Shared> {
    time::moments_are_over(true);
    Model { new, processes, mourn, end, interruptions }
}

fn puts_one(process: &Process, shared: &Shared) {
    shared.put(process, 0, 8);
}

fn puts_two(process: &Process, shared: &Shared) {
    shared.put(process, 0, 8);
    shared.put(process, 1, 24);
}

fn puts_its_own(process: &Process, shared: &Shared) {
    shared.put(process, process.number() as u8, 24);
}

fn gets_one(process: &Process, shared: &Shared) {
    shared.get(process);
}

fn gets_two(process: &Process, shared: &Shared) {
    assert_eq!(shared.get(process), 0, "the first message");
    assert_eq!(shared.get(process), 1, "the second message");
}

fn gets_two_of_two(process: &Process, shared: &Shared) {
    shared.get(process);
    shared.get(process);
}

fn one() {
    model(Shared::ring, 2, &[puts_two, gets_two], |shared, _| shared.got(0, 1)).run();
}

fn two_consumers() {
    model(Shared::ring, 1, &[puts_two, gets_one, gets_one], |shared, _| shared.got(0, 1)).run();
}

fn two_producers() {
    model(Shared::ring, 1, &[puts_its_own, puts_its_own, gets_two_of_two], |shared, _| shared.got(0, 1))
        .run();
}

fn room() {
    model(|| Shared::new(256, 0, 1), 1, &[puts_two, gets_two], |shared, _| shared.got(0, 1)).run();
}

/// Who waits for more room than it needs, and for longer than the run, is woken by who makes it.
fn half() {
    let model = model(|| Shared::new(256, 0, 1), 1, &[puts_two, gets_two], |shared, _| shared.got(0, 1));
    time::moments_are_over(false);
    model.run();
}

fn links(process: &Process, shared: &Shared) {
    shared.put(process, 3, LONG);
}

fn passes(process: &Process, shared: &Shared) {
    for number in 0..4 {
        assert_eq!(shared.get(process), number, "messages in their order");
    }
}

fn chain() {
    let end = |shared: &Shared, _| {
        shared.got(0, 3);
        shared.owns_little();
    };
    model(Shared::full_ring, 1, Box::leak(Box::new([links as Body<Shared>, passes])), end).run();
}

/// Producers who are a ring ahead find it full, and look for who has got what.
fn rings() {
    let new = || {
        let shared = Shared::full_ring();
        for number in 3..6 {
            let message = [number; LONG];
            let put = shared.queue.put(&In(&TREE), Message::Bytes(&message), Deadline::NoWait, || Ok(()));
            put.expect("a link or room");
        }
        shared.take(3);
        shared
    };
    let puts: Body<Shared> = |process, shared| shared.put(process, 6, LONG);
    let gets: Body<Shared> = |process, shared| {
        for number in 3..6 {
            assert_eq!(shared.get(process), number, "messages in their order");
        }
    };
    let end = |shared: &Shared, _| assert_eq!((shared.each_once(), shared.queue.count()), (3, 1), "messages");
    model(new, 1, Box::leak(Box::new([puts, gets])), end).run();
}

fn tasks() {
    let works: Body<Shared> = |process, shared| {
        shared.get(process);
        shared.queue.task_done(process).expect("it was unfinished");
    };
    let joins: Body<Shared> = |process, shared| {
        shared.queue.join(process, Deadline::Never, || Ok(())).expect("all is done");
    };
    model(Shared::ring_of_two, 1, Box::leak(Box::new([works, works, joins])), |shared, _| shared.got(0, 1))
        .run();
    // Who has got a message finds it counted.
    model(Shared::ring, 2, Box::leak(Box::new([puts_one as Body<Shared>, works])), |_, _| {}).run();
}

/// Who sleeps is told of the end, and what was put before is got.
fn end() {
    let puts: Body<Shared> = |process, shared| {
        let put = shared.queue.put(process, Message::Bytes(&[0; 8]), Deadline::Never, || Ok(()));
        if put.is_err_and(|e| e.status == Status::Closed) {
            shared.got.borrow_mut().push(0);
        }
    };
    let gets: Body<Shared> = |process, shared| {
        while shared.get_until(process, Deadline::Never).is_ok() {}
    };
    let ends: Body<Shared> = |process, shared| shared.queue.shut_down(process, false).expect("an end");
    model(Shared::ring, 1, Box::leak(Box::new([puts, gets, ends])), |shared, _| shared.got(0, 0)).run();
}

/// What the dead one did not publish is not there, and the others go on.
fn producer_killed() {
    let waits_for_second: Body<Shared> = |process, shared| while shared.get(process) != 1 {};
    let end = |shared: &Shared, _| {
        let got = shared.got.borrow().len() + shared.queue.count();
        assert!(got == 1 || got == 2, "messages");
    };
    let processes = Box::leak(Box::new([puts_its_own as Body<Shared>, puts_its_own, waits_for_second]));
    model(Shared::ring, 0, processes, end).kill(&[0]);
}

/// The dead one got a message or it is there for the other.
fn consumer_killed() {
    let drains: Body<Shared> = |process, shared| {
        shared.get(process);
        if process.other_is_dead(0) {
            shared.drain(process);
        }
    };
    let end = |shared: &Shared, end: End| {
        let left = shared.each_once() + shared.queue.count();
        assert!(left == 2 || left == 1 && end.killed.is_some(), "{left} messages");
    };
    model(Shared::ring_of_two, 1, Box::leak(Box::new([gets_one as Body<Shared>, drains])), end).kill(&[0]);
}

/// Whoever comes after the dead one finds a chain, with or without its link.
fn link_killed() {
    let puts_another: Body<Shared> = |process, shared| shared.put(process, 4, LONG);
    let gets_all: Body<Shared> = |process, shared| while shared.get(process) != 4 {};
    let end = |shared: &Shared, _| {
        shared.queue.count();
        assert!(shared.got.borrow().starts_with(&[0, 1, 2]), "messages");
    };
    let processes = Box::leak(Box::new([links as Body<Shared>, puts_another, gets_all]));
    model(Shared::full_ring, 0, processes, end).kill(&[0]);
}

fn pass_killed() {
    let new = || {
        let shared = Shared::full_ring();
        shared
            .queue
            .put(&In(&TREE), Message::Bytes(&[3; LONG]), Deadline::NoWait, || Ok(()))
            .expect("a link");
        shared.take(3);
        shared
    };
    let puts: Body<Shared> = |process, shared| shared.put(process, 4, LONG);
    let gets: Body<Shared> = |process, shared| while shared.get(process) != 4 {};
    let end = |shared: &Shared, _| {
        assert_eq!(shared.queue.count(), 0, "messages are left");
        shared.owns_little();
    };
    model(new, 0, Box::leak(Box::new([gets_one as Body<Shared>, puts, gets])), end).kill(&[0]);
}

fn commits(process: &Process, shared: &Shared) {
    let data = shared.queue.reserve(LONG).expect("room");
    data.write(0, &[0; LONG]);
    let address = data.address().addr();
    shared.queue.commit(process, address, LONG, Deadline::Never, || Ok(())).expect("a commit");
}

fn commit_killed() {
    let processes = Box::leak(Box::new([commits as Body<Shared>, puts_its_own, |process, shared| {
        while shared.get(process) != 1 {}
        if process.other_is_dead(0) {
            mourn(process, shared, Owner::new(1, 1));
            shared.drain(process);
        }
    }]));
    let end = |shared: &Shared, _| {
        let got = shared.got.borrow().len();
        assert!(got == 1 && shared.queue.count() <= 1 || got == 2 && shared.queue.count() == 0, "messages");
        shared.owns_little();
    };
    model(Shared::ring, 0, processes, end).kill(&[0]);
}

/// In place of a number: a release has begun.
const RELEASED: u8 = 9;

fn releases(process: &Process, shared: &Shared, data: Option<Data>) {
    let address = data.expect("no message is none").address().addr();
    shared.got.borrow_mut().push(RELEASED);
    shared.queue.release(process.me(), address).expect("a loan");
}

fn borrows(process: &Process, shared: &Shared) {
    let data = shared.queue.peek(process, Deadline::Never, || Ok(())).expect("a message");
    shared.note(data);
    releases(process, shared, data);
}

/// What the dead one had peeked and did not give back is there for the other.
fn peek_killed() {
    let drains: Body<Shared> = |process, shared| {
        shared.get(process);
        if process.other_is_dead(0) {
            mourn(process, shared, Owner::new(1, 1));
            shared.drain(process);
        }
    };
    let end = |shared: &Shared, _| {
        // This first: it completes what the dead one had entered, which may be a loan.
        let left = shared.queue.count();
        let lent = shared.queue.loans.iter().filter(|loan| loan.word.load(Relaxed) != 0).count();
        let known = shared.each_once() + left + lent;
        let released = shared.got.borrow().contains(&RELEASED);
        // Given back and not known to be, it may be counted twice.
        assert!(known == 2 || released && (1..=3).contains(&known), "{known} messages");
    };
    model(Shared::ring_of_two, 1, Box::leak(Box::new([borrows as Body<Shared>, drains])), end).kill(&[0]);
}

/// Who sleeps is handed what the dead one had, unless that was given back; and what is put then in any case.
fn release_killed() {
    let new = || {
        let shared = Shared::ring();
        shared.fill(1, 8);
        shared.queue.peek(&In(&TREE), Deadline::NoWait, || Ok(())).expect("a message");
        shared
    };
    let gives_back: Body<Shared> = |process, shared| {
        let data = shm::data(&shm::carried(&shared.queue.lent()[0]).expect("a loan").head);
        releases(process, shared, data);
    };
    let puts: Body<Shared> = |process, shared| shared.put(process, 1, 8);
    let gets: Body<Shared> = |process, shared| while shared.get(process) != 1 {};
    let end = |shared: &Shared, _| {
        shared.each_once();
        assert!(shared.got.borrow().contains(&1), "the second message");
        shared.owns_little();
    };
    model(new, 1, Box::leak(Box::new([gives_back, puts, gets])), end).kill(&[0]);
}
