//! The fork server itself: see `forkserver` for what is said on its sockets.

use super::forkserver::{self, ANSWER, EXITED, FAILED, GO, KILLED, LEAVE, REQUEST, STARTED, STAYS, answer};
use super::spawn::{self, Newborn};
use crate::park::Owner;
use crate::process::target::Target;
use crate::process::{end, parent};
use crate::shm::{self, Entry, Ref};
use crate::sys::children::{self, End, Fork, Trace};
use crate::sys::kept::{self, Kept};
use crate::sys::packets::{self, Message};
use crate::sys::setup::{self, Stream};
use crate::sys::{caller, fd, signals, stdio};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::vec::IntoIter;

/// How often a child that nobody has said anything to looks whether its server lives.
const SLICE: Duration = Duration::from_millis(50);

/// What a server does with a function that it preloads, and with a child.
pub(crate) struct Calls {
    preload: fn(usize),
    execute: fn(Newborn) -> i32,
    /// What `ps` calls the program; the server calls itself something else.
    name: [u8; 16],
}

impl Calls {
    /// In the process that becomes the server: from now on `ps` knows it by that name.
    pub(crate) fn new(preload: fn(usize), execute: fn(Newborn) -> i32) -> Self {
        Calls { preload, execute, name: children::rename(c"mp-forkserver") }
    }
}

/// The server's whole life. It ends with the last of its clients; its exit code is the result.
pub(crate) fn serve(requests: i32, preload: &[Target], calls: &Calls) -> i32 {
    let (Ok(requests), Ok(deaths)) = (fd::adopt(requests), signals::for_server()) else { return 1 };
    for target in preload {
        // Only a hint: what this image does not have stays away.
        if let Ok(address) = target.address() {
            (calls.preload)(address);
        }
    }
    stdio::flush_all();
    let (requests, deaths) = {
        let mut list = kept::list();
        (list.keep(requests), list.keep(deaths))
    };
    let mut nursery = Nursery::default();
    let live = |server, bytes: &_, answers, fds| live(server, bytes, answers, fds, calls);
    // Clients that give up the server, and want to know whether it ends.
    let mut leaving: Vec<Kept> = Vec::new();
    loop {
        let (Some(asked), Some(died)) = (requests.ours(), deaths.ours()) else { return 1 };
        let leaver = leaving.first().and_then(Kept::ours);
        let [is_asked, has_died, leaves] =
            packets::readable([asked, died, leaver.unwrap_or(asked)], Duration::from_secs(60));
        if has_died {
            nursery.reap(died);
        }
        if let Some(leaver) = leaver.filter(|_| leaves && !packets::readable([asked], Duration::ZERO)[0]) {
            // It has closed its way before it said so, and yet this is not the end: there are others.
            let _ = packets::send(leaver, &STAYS, &[]);
            leaving.remove(0);
        }
        if !is_asked {
            continue;
        }
        match packets::receive::<REQUEST>(asked) {
            Ok(Some(Message { len: REQUEST, bytes, fds })) => nursery.make(&bytes, fds, live),
            Ok(Some(Message { len: 1, bytes, fds })) if bytes[0] == LEAVE[0] => {
                leaving.extend(fds.into_iter().next().map(|fd| kept::list().keep(fd)));
            }
            Ok(Some(Message { len: 0, .. })) => return 0,
            // A descriptor table that is full loses descriptors: whoever asked sees its socket closed.
            Ok(_) | Err(_) => {}
        }
    }
}

/// The children of a process that forks for others.
#[derive(Default)]
pub(super) struct Nursery {
    /// Where to tell how they ended.
    waiting: BTreeMap<u32, Kept>,
}

impl Nursery {
    /// Tells of those that have ended.
    pub(super) fn reap(&mut self, died: BorrowedFd<'_>) {
        signals::drain(died);
        while let Some((pid, end)) = children::reap_any() {
            report(self.waiting.remove(&pid), end);
        }
    }

    /// Forks a child for a client, which runs `live`. In the child it does not return.
    pub(super) fn make(
        &mut self,
        bytes: &[u8; REQUEST],
        fds: Vec<OwnedFd>,
        live: impl FnOnce(u32, &[u8; REQUEST], OwnedFd, IntoIter<OwnedFd>) -> i32,
    ) {
        let mut fds = fds.into_iter();
        let Some(answers) = fds.next() else { return };
        let server = std::process::id();
        let mut list = kept::list();
        let Ok(held) = signals::hold() else { return };
        match children::fork() {
            Ok(Fork::Child) => {
                // The list's mutex is free in the child already: the kernel has wiped it.
                std::mem::forget(list);
                std::mem::forget(held);
                kept::close_all(&[]);
                end::leave(live(server, bytes, answers, fds))
            }
            Ok(Fork::Parent { pid }) => {
                drop(held);
                let Trace::Descriptor(pidfd) = children::open_pidfd(pid) else {
                    // It has not begun, and does not: nobody says that it is wanted.
                    children::abandon(pid);
                    let _ = packets::send(answers.as_fd(), &answer(FAILED, children::NO_DESCRIPTOR), &[]);
                    return;
                };
                let said = packets::send(answers.as_fd(), &answer(STARTED, pid as i32), &[pidfd.as_raw_fd()]);
                if said.is_ok() {
                    self.waiting.insert(pid, list.keep(answers));
                }
            }
            Err(e) => {
                let _ = packets::send(answers.as_fd(), &answer(FAILED, e.errno), &[]);
            }
        }
    }
}

/// Tells the client how its child ended. It may be gone itself.
fn report(answers: Option<Kept>, end: End) {
    let (what, number) = match end {
        End::Exited(code) => (EXITED, code),
        End::Killed(signal) => (KILLED, signal),
        End::Reaped => return,
    };
    if let Some(to) = answers.as_ref().and_then(Kept::ours) {
        let _ = packets::send(to, &answer(what, number), &[]);
    }
}

/// A child's whole life; its exit code is the result.
fn live(
    server: u32,
    bytes: &[u8; REQUEST],
    answers: OwnedFd,
    mut fds: IntoIter<OwnedFd>,
    calls: &Calls,
) -> i32 {
    children::set_thread_name(&calls.name);
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let (given, closed) = (bytes[4], bytes[5]);
    let owner = Owner::from_bits(number(0) as u32);
    begin(server, &answers, owner);
    let newborn = spawn::receive(Ref::from_bits(number(8)), Entry::from_bits(number(16)));
    let mut newborn = newborn.unwrap_or_else(|e| spawn::refuse(&e));
    match forkserver::take(answers.as_fd(), newborn.job.descriptors().len()) {
        Ok(handed) => newborn.job.adopt(handed),
        Err(e) => spawn::refuse(&e),
    }
    drop(answers);
    let (Some(parent), Some(here), Some(requests)) = (fds.next(), fds.next(), fds.next()) else {
        children::exit_now(super::FAILED_TO_BEGIN)
    };
    parent::begin(parent);
    forkserver::adopt(requests);
    let mut streams = [Stream::Null; 3];
    let mut sources = Vec::new();
    for (at, stream) in streams.iter_mut().enumerate() {
        if given >> at & 1 != 0
            && let Some(source) = fds.next()
        {
            *stream = Stream::Fd(source.as_raw_fd());
            sources.push(source);
        } else if closed >> at & 1 != 0 {
            *stream = Stream::Closed;
        }
    }
    newborn.life.lifeline = if given >> 3 & 1 != 0 { fds.next() } else { None };
    let Some(asked) = newborn.life.asked.take() else { children::exit_now(super::FAILED_TO_BEGIN) };
    let mask = asked.caller.mask();
    if let Err(e) = asked.caller.put_on(Some(here)) {
        spawn::refuse(&e);
    }
    let mut wanted = asked.setup.into_setup(streams);
    if let Err((part, errno)) = wanted.apply() {
        shm::report_birth(part, errno);
        children::exit_now(super::FAILED_TO_BEGIN);
    }
    if let Some(strings) = wanted.environment.take() {
        setup::set_environment(strings);
    }
    drop(sources);
    caller::set_mask(mask);
    (calls.execute)(newborn)
}

/// In a child: takes its slot, once it is wanted.
pub(super) fn begin(server: u32, answers: &OwnedFd, owner: Option<Owner>) {
    if !is_wanted(server, answers) || owner.is_none_or(|owner| shm::enter_child(owner).is_err()) {
        children::exit_now(super::FAILED_TO_BEGIN);
    }
}

/// Waits until the client says that it knows of this child. One that nobody knows of does not run.
fn is_wanted(server: u32, answers: &OwnedFd) -> bool {
    loop {
        if packets::readable([answers.as_fd()], SLICE)[0] {
            let said = packets::receive::<ANSWER>(answers.as_fd());
            return matches!(said, Ok(Some(Message { len: 1, bytes, .. })) if bytes[0] == GO[0]);
        }
        if children::parent_pid() != server {
            return false;
        }
    }
}
