//! The bells of a pipe: who polls a descriptor is told of what comes, whoever is killed and whoever else receives, and of
//! nothing else for long.

use super::bell::{self, Bell};
use super::explore::{Body, Counter, End, Model, Process, unmourned};
use super::way::fd::{BorrowedFd, OwnedFd};
use super::way::{Way, gone_away, lock_side};
use crate::error::Result;
use crate::park::Tree;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sys::atomic::{AtomicU64, fence};
use crate::time::Deadline;
use std::sync::Arc;

pub(crate) const MODELS: &[(&str, fn())] = &[
    ("polled_once", once),
    ("polled_one", one),
    ("polled_two", two),
    ("polled_found", found),
    ("polled_sender_killed", sender_killed),
    ("polled_left", left),
    ("polled_left_by_the_killed", left_by_the_killed),
    ("polled_beside_another", beside_another),
    ("polled_beside_another_killed", beside_another_killed),
    ("polled_descriptor", descriptor),
    ("polled_descriptor_left", descriptor_left),
    ("polled_descriptor_of_the_killed", descriptor_of_the_killed),
];

/// The piece that is waited for, and the one before it, of which there is a descriptor in the socket. Others are one
/// each, and come before both.
const LAST: u64 = 16;
const DESCRIPTOR: u64 = 4;

struct Shared {
    way: Way,
    socket: OwnedFd,
    /// Whether the first process has come to its end.
    over: Counter,
}

impl Shared {
    fn new() -> Self {
        Shared { way: Way::default(), socket: OwnedFd::Socket(Arc::new(AtomicU64::new(0))), over: Counter::default() }
    }

    /// Where somebody polls from the beginning.
    fn polled() -> Self {
        let shared = Self::new();
        Bell::default().descriptor(&shared.way, shared.fd()).expect("a descriptor");
        shared
    }

    fn fd(&self) -> BorrowedFd<'_> {
        BorrowedFd(&self.socket)
    }

    /// What stands in wire/pipe/line.rs, without who sleeps there.
    fn send(&self, piece: u64, descriptor: bool) {
        let (way, fd) = (&self.way, self.fd());
        bell::finish_dead(way, fd, room).expect("there is room");
        if descriptor {
            bell::send_descriptors(way, fd, (1, &[]), room).expect("there is room");
        }
        let to = way.tail() + piece;
        let rings = !descriptor && bell::is_awaited(&way.block.sender);
        if rings {
            bell::ring(way, fd, to, room).expect("there is room");
        }
        way.sent(to);
        fence(SeqCst);
        if !rings && !descriptor && bell::is_awaited(&way.block.sender) {
            bell::ring_anyway(way, fd, to);
        }
    }

    fn send_as(&self, process: &Process, piece: u64) {
        let sender = &self.way.block.sender;
        assert!(lock_side(sender, process, Deadline::Never).is_some());
        self.send(piece, piece == DESCRIPTOR);
        sender.lock.release(process);
    }

    /// Whether the last piece has been received.
    fn is_over(&self) -> bool {
        self.way.head() >= LAST
    }

    /// How much the next piece counts for, 0 where there is none.
    fn next(&self) -> u64 {
        match self.way.block.sender.position.load(Acquire) - self.way.head() {
            0 => 0,
            left if !left.is_multiple_of(DESCRIPTOR) => 1,
            left if !left.is_multiple_of(LAST) => DESCRIPTOR,
            _ => LAST,
        }
    }

    /// The next piece, if there is one, and it is not left to others; false: there is none.
    fn receive(&self, bell: &Bell, process: &Process, leaves: u64) -> bool {
        let receiver = &self.way.block.receiver;
        assert!(lock_side(receiver, process, Deadline::Never).is_some());
        if self.next() == 0 {
            bell.settle(&self.way, self.fd(), process);
        }
        let next = self.next();
        if next == DESCRIPTOR {
            let found = bell::find(&self.way, 1, self.fd()).expect("no error here");
            assert!(found.is_some(), "the descriptor is lost");
        }
        if next > 0 && next != leaves {
            receiver.position.store(self.way.head() + next, Release);
            if next == DESCRIPTOR {
                bell::drop_next(self.fd());
            }
            bell.settle(&self.way, self.fd(), process);
        }
        receiver.lock.release(process);
        next > 0
    }

    fn receive_all(&self, bell: &Bell, process: &Process) {
        while self.receive(bell, process, 0) {}
    }
}

fn room() -> Result<()> {
    Err(gone_away())
}

fn sends_one(process: &Process, shared: &Shared) {
    shared.send_as(process, 1);
}

fn sends_last(process: &Process, shared: &Shared) {
    shared.send_as(process, LAST);
}

fn sends_two(process: &Process, shared: &Shared) {
    sends_one(process, shared);
    sends_last(process, shared);
}

fn sends_descriptor(process: &Process, shared: &Shared) {
    sends_one(process, shared);
    shared.send_as(process, DESCRIPTOR);
}

fn sends_after_descriptor(process: &Process, shared: &Shared) {
    sends_descriptor(process, shared);
    sends_last(process, shared);
}

fn sends_descriptor_and_says_so(process: &Process, shared: &Shared) {
    shared.send_as(process, DESCRIPTOR);
    shared.over.add();
}

/// After the first process, which may be dead.
fn sends_last_then(process: &Process, shared: &Shared) {
    shared.over.await_count(1, || process.other_is_dead(0));
    sends_last(process, shared);
}

/// Looks so often, receives what is there, and leaves the last piece to others.
fn takes<const LOOKS: usize>(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    for _ in 0..LOOKS {
        shared.receive(&bell, process, LAST);
    }
}

/// As the program does that asked for the descriptor.
fn polls(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    let fd = bell.descriptor(&shared.way, shared.fd()).expect("a descriptor");
    while !shared.is_over() {
        fd.poll(shared.fd());
        shared.receive_all(&bell, process);
        // What a sender relies on may be there, and its piece not yet.
        loom::thread::yield_now();
    }
    is_told_of_the_next(process, shared, &bell, &fd);
}

/// The same, who is the only one: where it is told there is something.
fn finds(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    let fd = bell.descriptor(&shared.way, shared.fd()).expect("a descriptor");
    fd.poll(shared.fd());
    assert!(shared.receive(&bell, process, 0), "it tells of nothing");
}

/// Nothing is there, which the descriptor says, once somebody has looked; and it tells of what comes after that.
fn is_told_of_the_next(process: &Process, shared: &Shared, bell: &Bell, fd: &OwnedFd) {
    let sender = &shared.way.block.sender;
    assert!(lock_side(sender, process, Deadline::Never).is_some());
    bell::finish_dead(&shared.way, shared.fd(), room).expect("there is room");
    shared.receive_all(bell, process);
    assert!(!fd.is_readable(), "it tells of nothing");
    shared.send(LAST, false);
    assert!(fd.is_readable(), "it does not tell of the next piece");
    sender.lock.release(process);
}

/// As a call does that waits for longer than a moment.
fn waits(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    while !shared.is_over() {
        if shared.receive(&bell, process, 0) {
            continue;
        }
        bell::announce_once(&shared.way.block.sender);
        if !shared.way.has_come() {
            shared.socket.poll(shared.fd());
            loom::thread::yield_now();
        }
    }
}

/// Whoever polls now is told of what is there, though nobody does anything more.
fn is_told_of(shared: &Shared, _: End) {
    assert!(!shared.way.has_come() || shared.socket.is_readable(), "nobody is told of what is there");
}

fn model(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::new, processes, mourn: unmourned, end: |_, _: End| {}, interruptions }
}

fn model_of_what_is_left(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::polled, end: is_told_of, ..model(interruptions, processes) }
}

fn once() {
    model(2, &[waits, sends_two]).run();
}

fn one() {
    model(3, &[polls, sends_last]).run();
}

fn two() {
    model(2, &[polls, sends_two]).run();
}

fn found() {
    Model { new: Shared::polled, ..model(3, &[finds, sends_last]) }.run();
}

fn sender_killed() {
    model(1, &[sends_one, sends_last, polls]).kill(&[0]);
}

fn left() {
    model_of_what_is_left(2, &[sends_two, takes::<2>]).run();
}

fn left_by_the_killed() {
    model_of_what_is_left(1, &[sends_two, takes::<2>]).kill(&[0, 1]);
    model_of_what_is_left(1, &[sends_one, sends_last, takes::<2>]).kill(&[0]);
}

fn beside_another() {
    model(1, &[takes::<1>, polls, sends_two]).run();
}

fn beside_another_killed() {
    model(1, &[takes::<2>, polls, sends_two]).kill(&[0]);
}

fn descriptor() {
    model(1, &[takes::<2>, polls, sends_after_descriptor]).run();
}

fn descriptor_left() {
    model_of_what_is_left(1, &[sends_after_descriptor, takes::<3>]).run();
    model_of_what_is_left(1, &[sends_after_descriptor, takes::<3>]).kill(&[0, 1]);
}

fn descriptor_of_the_killed() {
    model(1, &[sends_descriptor_and_says_so, polls, sends_last_then]).kill(&[0]);
}
