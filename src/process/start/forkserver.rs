//! The fork server start method, as its clients see it: a fresh image that has one thread and forks on request.
//! It is reached over a socket pair that it and its clients have inherited, has no name, and ends with the last
//! of its clients, which are the process that ran it and all children that it has made.
//!
//! A request is three numbers (the child's slot, its papers, the entry that holds them), which standard streams are
//! given and which closed, and descriptors: where to answer, and what the child is given. The answer is the child's
//! number with its pidfd; later, on the same socket, comes its exit status. A child goes on only after the client has
//! said that it knows of it; then come the descriptors of the objects with names that it is given, in the order of
//! their numbers.

use super::spawn::{self, Written};
use super::{Claimed, Started, Tie};
use crate::error::{Error, Result, Status, fail};
use crate::log;
use crate::park::Owner;
use crate::process::codec::{Asked, Job};
use crate::process::own::{self, Origin};
use crate::process::target::Target;
use crate::shm;
use crate::sys::children::Trace;
use crate::sys::kept::{self, Kept};
use crate::sys::local::Local;
use crate::sys::packets::{self, Errno, Message};
use crate::sys::setup::{self, Setup, Stream, Told};
use crate::sys::{caller, children, fd, lifeline, stdio};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// What the client says to a child that it knows of.
pub(super) const GO: [u8; 1] = [b'g'];
/// What a client says that gives up the server, with a socket; and the answer of one that stays for others.
pub(super) const LEAVE: [u8; 1] = [b'l'];
pub(super) const STAYS: [u8; 1] = [b's'];
/// What a zygote's owner says that needs it no more.
pub(super) const END: [u8; 1] = [b'e'];
/// Bytes of a request.
pub(super) const REQUEST: usize = 24;
/// Bytes of an answer or a status: two numbers.
pub(super) const ANSWER: usize = 8;
/// What the first of them says.
pub(super) const STARTED: i32 = 0;
pub(super) const FAILED: i32 = 1;
pub(super) const EXITED: i32 = 2;
pub(super) const KILLED: i32 = 3;

/// The way to a server.
struct Client {
    requests: Kept,
    /// The server, where this process has run it.
    server: Option<Started>,
}

#[derive(Default)]
struct Known {
    client: Option<Arc<Client>>,
    preload: Vec<usize>,
    /// A server was run: what it shall preload can no longer be changed.
    ran: bool,
}

static KNOWN: Local<Known> = Local::new();

/// Has the server run a function before its first child.
pub(crate) fn preload(address: usize) -> Result<()> {
    KNOWN.with(|known| {
        if known.ran || known.client.is_some() {
            fail!(State, "the fork server runs already");
        }
        known.preload.push(address);
        Ok(())
    })
}

/// In a child of the server: the same server makes its children, too.
pub(super) fn adopt(requests: OwnedFd) {
    let requests = kept::list().keep(requests);
    let client = Client { requests, server: None };
    KNOWN.with(|known| known.client = Some(Arc::new(client)));
}

/// Runs the server, if there is none.
pub(crate) fn run() -> Result<()> {
    client().map(drop)
}

/// At a process's end: what this process alone has kept running ends.
pub(crate) fn leave() {
    if let Some(client) = KNOWN.with(|known| known.client.take()) {
        end(client);
    }
}

/// Closes the way to a server; one that this process has run, and that nobody else can reach, ends by that. It
/// is asked whether it does: with the question it is given a socket, on which it hears that the way is closed.
fn end(client: Arc<Client>) {
    let Ok(Client { requests, server: Some(server) }) = Arc::try_unwrap(client) else { return };
    let ear = {
        let mut list = kept::list();
        let pair = requests.ours().zip(packets::pair().ok());
        pair.and_then(|(to, (mine, servers))| {
            packets::send(to, &LEAVE, &[servers.as_raw_fd()]).ok().map(|()| list.keep(mine))
        })
    };
    drop(requests);
    // One that does not answer is stopped, or busy with a hook of the program's; or there is no descriptor for
    // asking it.
    let limit = Duration::from_secs(1);
    let stays = ear.as_ref().and_then(Kept::ours).is_some_and(|ear| {
        let _ = packets::send(ear, &GO, &[]);
        server.wait_or(ear, limit);
        matches!(packets::receive::<1>(ear), Ok(Some(said)) if said.len == 1)
    });
    if !stays {
        server.wait(limit);
        server.ended();
    }
}

/// The way to the server, which is run if there is none.
fn client() -> Result<Arc<Client>> {
    if let Some(client) = KNOWN.with(|known| known.client.clone()) {
        return Ok(client);
    }
    let fresh = Arc::new(run_server()?);
    // Of two threads that ran one each the first's stays.
    let stays = KNOWN.with(|known| Arc::clone(known.client.get_or_insert_with(|| Arc::clone(&fresh))));
    if !Arc::ptr_eq(&stays, &fresh) {
        end(fresh);
    }
    Ok(stays)
}

/// The server that this client leads to is gone.
fn forget(client: &Arc<Client>) {
    let gone = KNOWN.with(|known| known.client.take_if(|c| Arc::ptr_eq(c, client)));
    drop(gone);
    // Locks are held.
    log::later(log::WARNING, || {
        "the fork server has died: another is started, and its children run on".into()
    });
    if let Some(server) = &client.server {
        // It closes its end when it dies, so it is about to be reaped.
        server.wait(Duration::from_secs(1));
        server.ended();
    }
}

fn run_server() -> Result<Client> {
    own::expect_end();
    let preload = KNOWN.with(|known| {
        known.ran = true;
        known.preload.clone()
    });
    // Only a hint: what has no place in a module stays away.
    let preload = preload.into_iter().filter_map(|address| Target::of(address).ok()).collect();
    let (requests, servers_end) = {
        let mut list = kept::list();
        let (mine, servers) = packets::pair()?;
        (list.keep(mine), list.keep(servers))
    };
    let Some(inherited) = servers_end.ours() else {
        fail!(State, "the host program has closed a descriptor")
    };
    let job = Job::Server { requests: inherited.as_raw_fd(), preload };
    let origin = own::child_origin(c"ForkServer".to_owned(), String::new(), true)?;
    let setup = Setup { streams: [Stream::Null; 3], ..Setup::default() };
    let child = Claimed(spawn::claim(&setup)?);
    let server = spawn::launch(child.0, job, origin, Tie::Loose, &setup)?;
    std::mem::forget(child);
    drop(servers_end);
    spawn::confirm_or(&server, || match packets::receive::<ANSWER>(requests.ours()?) {
        Ok(Some(said)) if said.len == ANSWER => Some(numbers(&said.bytes).1),
        _ => None,
    })?;
    Ok(Client { requests, server: Some(server) })
}

/// In a server that cannot begin: says by which code it leaves.
pub(super) fn last_words(to: BorrowedFd<'_>, code: i32) {
    // Whoever asked may be gone.
    let _ = packets::send(to, &answer(EXITED, code), &[]);
}

/// Has the server fork a child. Returns when it exists; `confirm` waits for its word.
pub(super) fn launch(child: Owner, job: Job<'_>, origin: Origin, tie: Tie, setup: &Setup) -> Result<Started> {
    let handed = job.descriptors();
    let asked = Asked { caller: caller::of_this_thread(), setup: Told::of(setup) };
    let mut papers = spawn::papers(job, origin, tie, setup);
    papers.asked = Some(asked);
    let written = spawn::write(child, &papers)?;
    stdio::flush_before_fork();
    // One that died since is replaced; its children run on, and tell of their end themselves if they can.
    for _ in 0..2 {
        let client = client()?;
        match request(&client, child, &written, tie, setup, &handed) {
            Ok(started) => {
                shm::note_pid(child, started.pid);
                return Ok(started);
            }
            Err(Broken::Server) => forget(&client),
            Err(Broken::Other(e)) => return Err(e),
        }
    }
    fail!(Os, "the fork server dies as soon as it is asked for a child");
}

/// Why a request came to nothing.
pub(super) enum Broken {
    /// The server is gone.
    Server,
    Other(Error),
}

impl From<Error> for Broken {
    fn from(e: Error) -> Self {
        Broken::Other(e)
    }
}

fn request(
    client: &Client,
    child: Owner,
    written: &Written,
    tie: Tie,
    setup: &Setup,
    handed: &[RawFd],
) -> std::result::Result<Started, Broken> {
    let Some(requests) = client.requests.ours() else { return Err(Broken::Server) };
    let me = children::own_pidfd();
    let here = children::open_directory()?;
    let (Trace::Descriptor(me), Some(here)) = (me, here) else {
        return Err(Error::new(Status::Os, "this process cannot be followed").into());
    };
    let (answers, childs_lifeline, mine) = {
        let mut list = kept::list();
        let (mine, servers) = packets::pair()?;
        let lifeline = if tie.has_lifeline() { Some(lifeline::pair()?) } else { None };
        let (parents, childs) = lifeline.unzip();
        let mut fds = vec![servers.as_raw_fd(), me.as_raw_fd(), here.as_raw_fd(), requests.as_raw_fd()];
        let (mut given, mut closed) = (0u8, 0u8);
        for (at, stream) in (0..).zip(setup.streams) {
            let source = match stream {
                Stream::Null => continue,
                Stream::Closed => {
                    closed |= 1 << at;
                    continue;
                }
                Stream::Same if fd::identity(at).is_none() => {
                    closed |= 1 << at;
                    continue;
                }
                Stream::Same => at,
                Stream::Fd(source) => source,
            };
            if fd::identity(source).is_none() {
                return Err(bad_stream().into());
            }
            given |= 1 << at;
            fds.push(source);
        }
        if let Some(childs) = &childs {
            given |= 1 << 3;
            fds.push(childs.as_raw_fd());
        }
        let mut bytes = [0; REQUEST];
        bytes[..4].copy_from_slice(&child.bits().to_le_bytes());
        bytes[4..6].copy_from_slice(&[given, closed]);
        bytes[8..16].copy_from_slice(&written.r.to_le_bytes());
        bytes[16..].copy_from_slice(&written.entry.to_le_bytes());
        send_request(requests, &bytes, &fds)?;
        (list.keep(mine), childs, parents.map(|p| list.keep(p)))
    };
    drop(childs_lifeline);
    let patience = |ear: BorrowedFd<'_>| while !packets::readable([ear], Duration::from_secs(60))[0] {};
    hear(requests, answers, child, mine, handed, patience)
}

/// Hears that the child exists, and tells it to begin. `wait` waits for the answer.
pub(super) fn hear(
    requests: BorrowedFd<'_>,
    answers: Kept,
    child: Owner,
    lifeline: Option<Kept>,
    handed: &[RawFd],
    wait: impl FnOnce(BorrowedFd<'_>),
) -> std::result::Result<Started, Broken> {
    let Some(ear) = answers.ours() else {
        return Err(Error::new(Status::State, "the host program has closed a descriptor").into());
    };
    wait(ear);
    // The descriptor that comes with it is listed before another thread can fork.
    let mut list = kept::list();
    let Some(answer) = packets::receive::<ANSWER>(ear)? else { return Err(Broken::Server) };
    let (what, number) = numbers(&answer.bytes);
    match (answer.len, what, answer.fds.into_iter().next()) {
        (ANSWER, STARTED, Some(pidfd)) => {
            let trace = fd::above_stdio(pidfd).map_or(Trace::Number, Trace::Descriptor);
            let mut started = Started::new(number as u32, child, trace, lifeline, &mut list);
            drop(list);
            match packets::send(ear, &GO, &[]).and_then(|()| hand(ear, handed)) {
                Err(e) if !packets::is_gone(e) => {
                    // The child sees its socket closed, and does not begin.
                    return Err(Error::os(e as i32, "cannot tell the child to begin (sendmsg)").into());
                }
                // Refused, either the server is dead, or the child already, and its status is on the way.
                Err(_) if packets::readable([requests], Duration::ZERO)[0] => return Err(Broken::Server),
                _ => {}
            }
            started.answers = Some(answers);
            Ok(started)
        }
        (ANSWER, FAILED, _) => Err(Error::os(number, "the process that forks for this one cannot").into()),
        _ => {
            drop(list);
            Err(Broken::Server)
        }
    }
}

/// Hands a child that was told to begin the descriptors in its papers.
fn hand(to: BorrowedFd<'_>, fds: &[RawFd]) -> std::result::Result<(), Errno> {
    fds.chunks(packets::MOST).try_for_each(|some| packets::send(to, &GO, some))
}

/// In the child: those, so many.
pub(super) fn take(from: BorrowedFd<'_>, count: usize) -> Result<Vec<OwnedFd>> {
    let mut fds = Vec::new();
    while fds.len() < count {
        if !packets::readable([from], Duration::from_secs(60))[0] {
            continue;
        }
        match packets::receive::<ANSWER>(from)? {
            Some(Message { fds: some, .. }) if !some.is_empty() => fds.extend(some),
            // Its end closed, or this process has no place for so many.
            Some(_) => fail!(Os, "a descriptor of an object with a name did not come through"),
            None => {}
        }
    }
    Ok(fds)
}

fn bad_stream() -> Error {
    setup::failure(setup::STREAMS, setup::NO_DESCRIPTOR).unwrap_or_else(|| Error::new(Status::Os, "streams"))
}

pub(super) fn send_request(
    requests: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[RawFd],
) -> std::result::Result<(), Broken> {
    packets::send(requests, bytes, fds).map_err(|e| match packets::is_gone(e) {
        true => Broken::Server,
        false => Broken::Other(Error::os(e as i32, "cannot ask the fork server (sendmsg)")),
    })
}

/// The two numbers of an answer.
pub(super) fn numbers(bytes: &[u8; ANSWER]) -> (i32, i32) {
    let at = |i: usize| i32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    (at(0), at(4))
}

/// And back.
pub(super) fn answer(what: i32, number: i32) -> [u8; ANSWER] {
    let mut bytes = [0; ANSWER];
    bytes[..4].copy_from_slice(&what.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    bytes
}
