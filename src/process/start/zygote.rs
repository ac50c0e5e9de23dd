//! A zygote: a child that was forked early, has one thread, and forks on request; so whoever asks never has to,
//! however large it has become and however many threads it has by then. What the zygote forks is like a fork of its
//! owner at the zygote's birth.
//!
//! It is asked as a fork server is, see `forkserver`. A request is the child's slot, a number for what it runs, and
//! the block with what it shall know of itself; with it come where to answer, the owner's pidfd, and the child's end of
//! its lifeline, and perhaps where its stderr leads. The zygote has a lifeline itself, runs nothing of the program's, and blocks all signals.

use super::forkserver::{self, Broken, END, REQUEST};
use super::server::{self, Nursery};
use super::{FAILED_TO_BEGIN, Started, Tie, fork, run_fork_hooks, run_to_the_end, spawn};
use crate::error::{Error, Result, Status};
use crate::park::Owner;
use crate::process::own::{self, Hook, Origin};
use crate::process::parent;
use crate::shm::{self, Entry, Ref};
use crate::sys::children::{self, Trace};
use crate::sys::kept::{self, Kept};
use crate::sys::lifeline;
use crate::sys::packets::{self, Message};
use crate::sys::setup::{Setup, Stream, Told};
use crate::sys::signals::{self, ChildAction};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::vec::IntoIter;

/// How long a zygote may take to leave: it does nothing else.
const GRACE: Duration = Duration::from_millis(100);

/// A zygote, as its owner sees it.
pub(crate) struct Zygote {
    requests: Kept,
    process: Started,
}

impl Zygote {
    /// Forks one. Its children run `body` with the number that they are asked for by.
    pub(crate) fn fork(body: impl Fn(u16) -> i32) -> Result<Self> {
        let (requests, zygotes_end) = {
            let mut list = kept::list();
            let (mine, zygotes) = packets::pair()?;
            (list.keep(mine), list.keep(zygotes))
        };
        let setup = Setup { streams: [Stream::Null, Stream::Same, Stream::Same], ..Setup::default() };
        let origin = own::child_origin(c"PoolZygote".to_owned(), String::new(), true)?;
        let owner = std::process::id();
        let handed = [zygotes_end.fd().as_raw_fd()];
        let mask = signals::mask();
        let life = || serve(owner, &zygotes_end.inherit(), mask, body);
        let process = fork::prepare(Tie::Zygote, &setup)?.start(origin, &handed, life)?;
        Ok(Zygote { requests, process })
    }

    /// Waits until it can work.
    pub(crate) fn confirm(&self) -> Result<()> {
        spawn::confirm(&self.process)
    }

    /// Has it fork a child, which then has this slot.
    pub(super) fn start(
        &self,
        child: Owner,
        number: u16,
        origin: &Origin,
        setup: &Setup,
    ) -> std::result::Result<Started, Broken> {
        let Some(requests) = self.requests.ours() else { return Err(Broken::Server) };
        let Trace::Descriptor(me) = children::own_pidfd() else {
            return Err(Error::new(Status::Os, "this process cannot be followed").into());
        };
        let written = spawn::write(child, &(origin, Told::of(setup)))?;
        let mut bytes = [0; REQUEST];
        bytes[..4].copy_from_slice(&child.bits().to_le_bytes());
        bytes[4..6].copy_from_slice(&number.to_le_bytes());
        let stderr = match setup.streams[2] {
            Stream::Fd(fd) => Some(fd),
            _ => None,
        };
        bytes[6] = stderr.is_some().into();
        bytes[8..16].copy_from_slice(&written.r.to_le_bytes());
        bytes[16..].copy_from_slice(&written.entry.to_le_bytes());
        let (answers, lifeline) = {
            let mut list = kept::list();
            let (mine, zygotes) = packets::pair()?;
            let (parents, childs) = lifeline::pair()?;
            let mut fds = vec![zygotes.as_raw_fd(), me.as_raw_fd(), childs.as_raw_fd()];
            fds.extend(stderr);
            forkserver::send_request(requests, &bytes, &fds)?;
            (list.keep(mine), list.keep(parents))
        };
        // Somebody may have stopped it.
        let patience = |ear: BorrowedFd<'_>| {
            while !packets::readable([ear], GRACE)[0] {
                let _ = self.process.signal(signals::SIGCONT);
            }
        };
        let mut started = forkserver::hear(requests, answers, child, Some(lifeline), &[], patience)?;
        shm::note_pid(child, started.pid);
        started.reports = true;
        Ok(started)
    }

    /// Ends it, and waits until it is gone.
    pub(crate) fn end(self) {
        let Zygote { requests, process } = self;
        // A child that the host program forked itself may hold a copy of this end: it is not enough to close it.
        if let Some(to) = requests.ours() {
            let _ = packets::send(to, &END, &[]);
        }
        drop(requests);
        process.wait(GRACE);
        if process.ended().is_none() {
            let _ = process.signal(signals::SIGKILL);
            process.bury();
        }
        shm::sweep(process.owner);
    }
}

/// What the zygote keeps for its children: of the owner's thread, and of the program's.
struct Heritage {
    mask: u64,
    action: ChildAction,
    hooks: Vec<Hook>,
}

/// The zygote's whole life. It ends with its owner.
fn serve(owner: u32, requests: &Kept, mask: u64, body: impl Fn(u16) -> i32) -> i32 {
    let name = children::rename(c"mp-zygote");
    let follow = || Ok((children::open_parent(owner)?, signals::for_zygote()?));
    let (owner, (deaths, action)) = follow().unwrap_or_else(|e| spawn::refuse(&e));
    // It is gone already.
    let Some(owner) = owner else { return 0 };
    let heritage = Heritage { mask, action, hooks: own::fork_hooks() };
    let (owner, deaths) = {
        let mut list = kept::list();
        (list.keep(owner), list.keep(deaths))
    };
    let live = |zygote, bytes: &_, answers, fds| -> i32 {
        children::set_thread_name(&name);
        live(zygote, bytes, answers, fds, &heritage, &body)
    };
    let mut nursery = Nursery::default();
    shm::report_birth(0, 0);
    loop {
        let (asked, died) = (requests.fd(), deaths.fd());
        let [is_asked, has_died, is_over] =
            packets::readable([asked, died, owner.fd()], Duration::from_secs(60));
        if has_died {
            nursery.reap(died);
        }
        if is_over {
            return 0;
        }
        if !is_asked {
            continue;
        }
        match packets::receive::<REQUEST>(asked) {
            Ok(Some(Message { len: REQUEST, bytes, fds })) => nursery.make(&bytes, fds, live),
            Ok(Some(Message { len: 0 | 1, .. })) => return 0,
            // A descriptor table that is full loses descriptors: whoever asked sees its socket closed.
            Ok(_) | Err(_) => {}
        }
    }
}

/// A child's whole life.
fn live(
    zygote: u32,
    bytes: &[u8; REQUEST],
    answers: OwnedFd,
    mut fds: IntoIter<OwnedFd>,
    heritage: &Heritage,
    body: impl Fn(u16) -> i32,
) -> ! {
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    server::begin(zygote, &answers, Owner::from_bits(word(0) as u32));
    drop(answers);
    let told = spawn::read::<(Origin, Told)>(Ref::from_bits(word(8)), Entry::from_bits(word(16)));
    let (origin, told) = told.unwrap_or_else(|e| spawn::refuse(&e));
    own::begin(origin, heritage.hooks.clone());
    let (Some(owner), Some(lifeline)) = (fds.next(), fds.next()) else { children::exit_now(FAILED_TO_BEGIN) };
    parent::begin(owner);
    let stderr = if bytes[6] != 0 { fds.next() } else { None };
    let leads = stderr.as_ref().map_or(Stream::Same, |to| Stream::Fd(to.as_raw_fd()));
    if let Err((part, errno)) = told.into_setup([Stream::Same, Stream::Same, leads]).apply() {
        shm::report_birth(part, errno);
        children::exit_now(FAILED_TO_BEGIN);
    }
    drop(stderr);
    heritage.action.put_back();
    match signals::for_worker().and_then(|()| lifeline::arm(&lifeline)) {
        Ok(true) => {}
        Ok(false) => children::exit_now(FAILED_TO_BEGIN),
        Err(e) => spawn::refuse(&e),
    }
    signals::take_mask(heritage.mask);
    shm::report_birth(0, 0);
    run_to_the_end(|| {
        run_fork_hooks(&heritage.hooks);
        body(word(4) as u16)
    })
}
