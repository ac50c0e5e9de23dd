//! The bells of a pipe: who polls a descriptor is told of what comes, whichever sender is killed, and of nothing else for
//! long. One process receives.

use super::bell::{self, Bell};
use super::explore::{Body, End, Model, Process, unmourned};
use super::way::fd::{BorrowedFd, OwnedFd};
use super::way::{Way, lock_side};
use crate::park::Tree;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sys::atomic::{AtomicU32, fence};
use crate::time::Deadline;
use std::sync::Arc;

pub(crate) const MODELS: &[(&str, fn())] = &[
    ("polled_once", once),
    ("polled_one", one),
    ("polled_two", two),
    ("polled_sender_killed", sender_killed),
];

/// The piece that is waited for. Others are one each.
const LAST: u64 = 16;

struct Shared {
    way: Way,
    socket: OwnedFd,
}

impl Shared {
    fn new() -> Self {
        Shared { way: Way::default(), socket: OwnedFd::Socket(Arc::new(AtomicU32::new(0))) }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        BorrowedFd(&self.socket)
    }

    /// What stands in wire/pipe/line.rs, without who sleeps there.
    fn send(&self, piece: u64) {
        let sender = &self.way.block.sender;
        sender.position.store(sender.position.load(Relaxed) + piece, Release);
        fence(SeqCst);
        if sender.announced.load(Relaxed) != 0 {
            bell::ring(sender, self.fd());
        }
    }

    fn send_as(&self, process: &Process, piece: u64) {
        let sender = &self.way.block.sender;
        assert!(lock_side(sender, process, Deadline::Never));
        self.send(piece);
        sender.lock.release(process);
    }

    /// Whether the last piece has been received.
    fn is_over(&self) -> bool {
        self.way.block.receiver.position.load(Relaxed) >= LAST
    }

    /// The next piece, if there is one.
    fn receive(&self, bell: &Bell, process: &Process) -> bool {
        let receiver = &self.way.block.receiver;
        let head = receiver.position.load(Relaxed);
        let left = self.way.block.sender.position.load(Acquire) - head;
        if left > 0 {
            let piece = if left.is_multiple_of(LAST) { LAST } else { 1 };
            receiver.position.store(head + piece, Release);
        }
        bell.settle(&self.way, self.fd(), process);
        left > 0
    }

    fn receive_as(&self, bell: &Bell, process: &Process) -> bool {
        let receiver = &self.way.block.receiver;
        assert!(lock_side(receiver, process, Deadline::Never));
        let received = self.receive(bell, process);
        receiver.lock.release(process);
        received
    }
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

/// As the program does that asked for the descriptor.
fn polls(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    let fd = bell.descriptor(&shared.way, shared.fd()).expect("a descriptor");
    while !shared.is_over() {
        fd.poll(shared.fd());
        while shared.receive_as(&bell, process) {}
    }
    is_told_of_the_next(process, shared, &bell, &fd);
}

/// Nothing is there, which the descriptor says, once somebody has looked; and it tells of what comes after that.
fn is_told_of_the_next(process: &Process, shared: &Shared, bell: &Bell, fd: &OwnedFd) {
    let sender = &shared.way.block.sender;
    assert!(lock_side(sender, process, Deadline::Never));
    while shared.receive_as(bell, process) {}
    assert!(!fd.is_readable(), "it tells of nothing");
    shared.send(LAST);
    assert!(fd.is_readable(), "it does not tell of the next piece");
    sender.lock.release(process);
}

/// As a call does that waits for longer than a moment.
fn waits(process: &Process, shared: &Shared) {
    let bell = Bell::default();
    while !shared.is_over() {
        if shared.receive_as(&bell, process) {
            continue;
        }
        bell::announce_once(&shared.way.block.sender);
        if !shared.way.has_come() {
            shared.socket.poll(shared.fd());
        }
    }
}

fn model(interruptions: usize, processes: &'static [Body<Shared>]) -> Model<Shared> {
    Model { new: Shared::new, processes, mourn: unmourned, end: |_, _: End| {}, interruptions }
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

fn sender_killed() {
    model(1, &[sends_one, sends_last, polls]).kill(&[0]);
}
