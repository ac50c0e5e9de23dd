//! The spawn start method: the program's executable runs again, and `mp_bootstrap` in it finds out by its
//! last argument that it is a child. `--mp-child=FD,LAYOUT,OWNER,PAPERS,ENTRY` names the inherited segment, what
//! both builds must agree on, the slot that was claimed, and the block with everything else. The fork server, whose
//! exit code nobody can ask for, is told one thing more: a descriptor to say it to.

use super::{Started, Tie, forkserver};
use crate::error::{Error, Result, Status, fail};
use crate::log;
use crate::park::{Owner, Tree};
use crate::process::Method;
use crate::process::codec::{self, Asked, Job, Papers};
use crate::process::own::{self, Origin};
use crate::process::target::Target;
use crate::shm::{self, Birth, BytesBlock, Entry, Kind, Object, Ref, ThisTree};
use crate::sys::children::{self, End};
use crate::sys::fd;
use crate::sys::kept::{self, Listed};
use crate::sys::published::{List, Published};
use crate::sys::setup::{self, Executable, Setup};
use crate::sys::spawn::{Image, spawn};
use crate::sys::{lifeline, stdio};
use crate::time::Deadline;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

const MARKER: &str = "--mp-child=";
/// A child that has not said anything for so long does not know of libmp.
const PATIENCE: i64 = 60_000_000_000;

/// How a child that has no slot yet says what is wrong.
const OTHER_BUILD: i32 = 254;
const NO_SEGMENT: i32 = 253;

/// This process's own executable, also where it was renamed or unlinked.
const OWN: &CStr = c"/proc/self/exe";

/// What runs, where it is not this process's own executable. Without a lock: a child that the host forks meanwhile
/// would find that taken for ever. Every one that there was stays.
static EXECUTABLE: Published<Executable> = Published::new();
static EXECUTABLES: List<Executable> = List::new();

/// Sets what spawn runs: a program and its arguments, argv[0] included; None for this process's own again.
pub(crate) fn set_executable(executable: Option<Executable>) {
    EXECUTABLE.set(executable.map(keep_executable));
}

/// One that stays for as long as the process does.
pub(crate) fn keep_executable(executable: Executable) -> &'static Executable {
    EXECUTABLES.find_or_add(|known| *known == executable, || executable.clone())
}

/// What spawn runs.
pub(crate) fn executable() -> &'static CStr {
    EXECUTABLE.get().map_or(OWN, |(path, _)| path)
}

/// What a child of this setup runs, where it is not this process's own executable.
fn executable_of(setup: &Setup) -> Option<&'static Executable> {
    setup.executable.or_else(|| EXECUTABLE.get())
}

/// Runs a fresh image that will find its job. Returns when it runs; `confirm` waits for its word.
pub(super) fn launch(child: Owner, job: Job<'_>, origin: Origin, tie: Tie, setup: &Setup) -> Result<Started> {
    let (segment, agreed) = shm::ticket()?;
    stdio::flush_before_fork();
    // Until the new descriptors are listed no other thread's child may come by.
    let mut list = kept::list();
    let (parents_end, childs_end) = match tie.has_lifeline() {
        true => lifeline::pair().map(|(p, c)| (Some(list.keep(p)), Some(c)))?,
        false => (None, None),
    };
    let parents_end = Listed { list: &mut list, kept: parents_end };
    let lifeline = childs_end.as_ref().map(AsRawFd::as_raw_fd);
    let papers = Papers { lifeline, ..papers(job, origin, tie, setup) };
    let written = write(child, &papers)?;
    let mut marker =
        format!("{MARKER}{segment},{agreed:x},{:x},{:x},{:x}", child.bits(), written.r, written.entry);
    let detached = if let Job::Server { requests, .. } = papers.job {
        marker += &format!(",{requests:x}");
        true
    } else {
        false
    };
    let keep = [Some(segment), lifeline].into_iter().flatten().chain(papers.job.descriptors()).collect();
    let (path, mut argv) = papers.executable.unwrap_or_else(|| (OWN.to_owned(), vec![own_name()]));
    let path = from_here(path, setup)?;
    argv.push(CString::new(marker).unwrap_or_default());
    let (pid, trace) = spawn(&Image { path, argv, keep, setup, detached })?;
    shm::note_pid(child, pid);
    drop(written);
    let lifeline = parents_end.take();
    drop(childs_end);
    let mut started = Started::new(pid, child, trace, lifeline, &mut list);
    started.is_image = true;
    Ok(started)
}

/// The executable's path as it is meant: from the parent's directory, wherever the child begins.
fn from_here(path: CString, setup: &Setup) -> Result<CString> {
    if setup.directory.is_none() || path.as_bytes().starts_with(b"/") || path.is_empty() {
        return Ok(path);
    }
    let here = std::env::current_dir()
        .map_err(|e| Error::os(e.raw_os_error().unwrap_or(0), "the program's own directory is gone"))?;
    let full = [here.as_os_str().as_bytes(), b"/", path.as_bytes()].concat();
    Ok(CString::new(full).unwrap_or(path))
}

/// What a child of this process is told.
pub(super) fn papers<'a>(job: Job<'a>, origin: Origin, tie: Tie, setup: &Setup) -> Papers<'a> {
    let executable = executable_of(setup).cloned();
    let method = Method::chosen().map_or(0, |m| m as u8);
    // A pointer of the user's means nothing to a process without this memory, and so the sink neither.
    let sink = log::sink().filter(|sink| sink.user == 0);
    let queue = log::queue().map_or(0, |queue| queue.function as u64);
    let log = (log::word(), sink.and_then(|sink| Target::of(sink.function).ok()), queue);
    Papers { lifeline: None, worker: tie == Tie::Worker, method, executable, origin, log, asked: None, job }
}

/// Papers in a block that the child's ledger holds, and the parent's as long as this lives.
pub(super) struct Written {
    pub(super) r: u64,
    pub(super) entry: u64,
    _held: Held,
}

/// Writes them.
pub(super) fn write(child: Owner, papers: &impl Serialize) -> Result<Written> {
    let bytes = codec::encode(papers)?;
    let object = shm::create::<BytesBlock>(Kind::Bytes, bytes.len(), |_| {})?;
    let _held = Held(object.entry);
    let Some(data) = shm::resolve::<BytesBlock>(object.r, Kind::Bytes).and_then(|b| shm::data(&b.head))
    else {
        fail!(State, "the papers' block in shared memory is damaged");
    };
    data.write(0, &bytes);
    let entry = shm::hold_for(child, object.r, Kind::Bytes)?;
    Ok(Written { r: object.r.bits(), entry: entry.bits(), _held })
}

/// What this process was called with, for `ps`.
fn own_name() -> CString {
    let name = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    CString::new(name).unwrap_or_default()
}

/// Releases a block that the parent held for as long as the child did not.
struct Held(Entry);

impl Drop for Held {
    fn drop(&mut self) {
        shm::release(self.0);
    }
}

/// Waits until the child is ready to run its function; an error says why it is not, and then it is gone.
pub(super) fn confirm(started: &Started) -> Result<()> {
    confirm_or(started, || None)
}

/// The same; `last_words` may know how the child ended where the kernel does not say.
pub(super) fn confirm_or(started: &Started, last_words: impl FnOnce() -> Option<i32>) -> Result<()> {
    // Only looked at, not reaped: how a child ended that had its say is for its owner to find out.
    let gone = || started.is_over().then_some(());
    let problem = match shm::await_birth(started.owner, Deadline::after(PATIENCE), gone) {
        Some(Birth::Said { status: 0, .. }) => return Ok(()),
        Some(Birth::Said { status, errno }) => {
            started.bury();
            refusal(status, errno)
        }
        Some(Birth::Gone(())) => {
            let end = match started.bury() {
                End::Reaped => last_words().map_or(End::Reaped, End::Exited),
                end => end,
            };
            unborn(end, started)
        }
        None => {
            let _ = started.signal(crate::sys::signals::SIGKILL);
            started.bury();
            Error::new(Status::NotInitialized, "the child did not call mp_bootstrap(argc, argv) for a minute")
        }
    };
    shm::sweep(started.owner);
    Err(problem)
}

/// What it means that a child ended before it said anything.
fn unborn(end: End, started: &Started) -> Error {
    let how = match end {
        End::Exited(OTHER_BUILD) => {
            return Error::new(Status::Unsupported, "the child runs another build of libmp");
        }
        End::Exited(NO_SEGMENT) => {
            return Error::new(Status::NoMemory, "the child cannot map the shared segment");
        }
        End::Exited(code) => format!("exited with code {code}"),
        End::Killed(signal) => format!("was killed by {}", crate::sys::signals::name(signal)),
        End::Reaped => "ended".into(),
    };
    if started.reports && matches!(end, End::Killed(_)) {
        // No shortcoming of the program's.
        return Error::new(
            Status::WorkerDied,
            format!("worker process {} {how} before it began", started.pid),
        );
    }
    if !started.is_image {
        return Error::new(Status::Os, format!("the child {how} before it could run its function"));
    }
    let must = "with which its main must begin";
    Error::new(
        Status::NotInitialized,
        format!("the child {how} before it called mp_bootstrap(argc, argv), {must}"),
    )
}

fn refusal(status: i32, errno: i32) -> Error {
    if let Some(error) = setup::failure(status, errno) {
        return error;
    }
    let (status, text) = match status {
        s if s == Status::UnknownTarget as i32 => (
            Status::UnknownTarget,
            "the child does not have the function: it runs another build, or has not registered the name",
        ),
        s if s == Status::NoMemory as i32 => (Status::NoMemory, "the child has no memory for its arguments"),
        _ => (Status::Os, "the child could not begin"),
    };
    match errno {
        0 => Error::new(status, text),
        _ => Error::os(errno, text).with_status(status),
    }
}

/// A child that has found its papers.
pub(crate) struct Newborn {
    pub(crate) job: Job<'static>,
    /// What is given the records that it logs.
    pub(crate) sink: Option<Target>,
    /// And the queue that they are put into: a Ref's bits, 0 for none.
    pub(crate) log_queue: u64,
    pub(crate) life: Life,
}

/// What it does before it runs.
pub(crate) struct Life {
    pub(super) lifeline: Option<OwnedFd>,
    worker: bool,
    pub(super) asked: Option<Asked>,
}

/// In `mp_bootstrap`: None when this is no child. One that cannot be ends here.
pub(crate) fn newborn(last: &str) -> Option<Newborn> {
    let mut fields = last.strip_prefix(MARKER)?.split(',');
    let segment = fields.next()?.parse().ok()?;
    let mut number = || u64::from_str_radix(fields.next()?, 16).ok();
    let (agreed, owner, papers, entry) = (number()?, number()?, number()?, number()?);
    let ear = number().and_then(|fd| i32::try_from(fd).ok());
    let give_up = |code| {
        if let Some(ear) = ear.and_then(|fd| fd::adopt(fd).ok()) {
            forkserver::last_words(ear.as_fd(), code);
        }
        children::exit_now(code)
    };
    let owner = Owner::from_bits(u32::try_from(owner).ok()?)?;
    // Somebody may type the marker: without a descriptor to a segment it means nothing, and whatever the
    // number leads to stays as it is.
    if !shm::is_segment(segment) {
        return None;
    }
    match shm::enter_image(segment, agreed, owner) {
        Ok(()) => {}
        Err(e) if e.status == Status::Unsupported => give_up(OTHER_BUILD),
        Err(e) if e.status == Status::Invalid => return None,
        Err(_) => give_up(NO_SEGMENT),
    }
    note_bootstrap();
    match receive(Ref::from_bits(papers), Entry::from_bits(entry)) {
        Ok(newborn) => Some(newborn),
        Err(e) => refuse(&e),
    }
}

/// Tells the parent why this child cannot run, and ends it.
pub(crate) fn refuse(error: &Error) -> ! {
    shm::report_birth(error.status as i32, error.errno);
    children::exit_now(super::FAILED_TO_BEGIN)
}

/// What was written for this child.
pub(super) fn read<T: DeserializeOwned>(r: Ref, entry: Entry) -> Result<T> {
    let Some(data) = shm::resolve::<BytesBlock>(r, Kind::Bytes).and_then(|b| shm::data(&b.head)) else {
        fail!(Invalid, "the papers are not there");
    };
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(data.len()).is_err() {
        fail!(NoMemory, "no memory for the papers");
    }
    bytes.resize(data.len(), 0);
    data.read(0, &mut bytes);
    shm::release(entry);
    codec::decode(&bytes)
}

pub(super) fn receive(r: Ref, entry: Entry) -> Result<Newborn> {
    let papers: Papers<'static> = read(r, entry)?;
    let lifeline = match papers.lifeline {
        Some(fd) => Some(fd::adopt(fd)?),
        None => None,
    };
    Method::set_default(Method::from_bits(papers.method), true)?;
    if papers.executable.is_some() {
        set_executable(papers.executable);
    }
    own::begin(papers.origin, Vec::new());
    let (setting, sink, log_queue) = papers.log;
    log::adopt(setting);
    Ok(Newborn {
        job: papers.job,
        sink,
        log_queue,
        life: Life { lifeline, worker: papers.worker, asked: papers.asked },
    })
}

impl Life {
    /// Arms what a worker needs, tells the parent that all is well, and runs.
    pub(crate) fn run(self, body: impl FnOnce() -> i32) -> ! {
        let calm = if self.worker { crate::sys::signals::for_worker() } else { Ok(()) };
        let armed = calm.and_then(|()| self.lifeline.as_ref().map_or(Ok(true), lifeline::arm));
        match armed {
            Ok(true) => {}
            Ok(false) => children::exit_now(super::FAILED_TO_BEGIN),
            Err(e) => refuse(&e),
        }
        shm::report_birth(0, 0);
        super::run_to_the_end(body)
    }
}

/// Whether this program's main begins as it should.
static BOOTSTRAPPED: AtomicBool = AtomicBool::new(false);

pub(crate) fn note_bootstrap() {
    BOOTSTRAPPED.store(true, Ordering::Relaxed);
}

/// Claims a slot for a fresh image.
pub(super) fn claim(setup: &Setup) -> Result<Owner> {
    if !BOOTSTRAPPED.load(Ordering::Relaxed) && executable_of(setup).is_none() {
        fail!(
            NotInitialized,
            "spawn runs the program again, which must then find out that it is a child: begin main with \
             mp_bootstrap(argc, argv)"
        );
    }
    shm::claim_child(ThisTree.me())
}

/// An object out of the papers.
pub(crate) fn object(r: u64, entry: u64) -> Object {
    Object { r: Ref::from_bits(r), entry: Entry::from_bits(entry) }
}
