//! What a child is apart from its program: directory, CPUs, process group, standard streams. It is put into
//! effect between the fork and the program, by system calls alone, so that it also works in a child that still
//! shares its parent's memory.

use super::os;
use crate::error::Error;
use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::RawFd;

/// Where one of stdin, stdout and stderr leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Where the parent's does.
    #[default]
    Same,
    /// To /dev/null.
    Null,
    /// Nowhere: it is closed, as the parent's is.
    Closed,
    /// Where this descriptor of the parent's does.
    Fd(RawFd),
}

/// A program and its arguments.
pub(crate) type Executable = (CString, Vec<CString>);

/// What is to be put into effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) streams: [Stream; 3],
    pub(crate) directory: Option<CString>,
    /// A bit for each CPU that it may run on; empty: the parent's.
    pub(crate) cpus: Vec<u64>,
    /// The process group to join; 0 for one of its own.
    pub(crate) group: Option<i32>,
    /// "NAME=value"; None: the parent's. The caller's business: it comes with the program.
    pub(crate) environment: Option<Vec<CString>>,
    /// What a fresh image runs; None: what all others do. The caller's business, too.
    pub(crate) executable: Option<&'static Executable>,
}

/// A bit for each of these CPUs.
pub(crate) fn cpu_mask(cpus: &[usize]) -> Vec<u64> {
    let mut mask = vec![0; cpus.iter().max().map_or(0, |&highest| highest / 64 + 1)];
    for cpu in cpus {
        mask[cpu / 64] |= 1 << (cpu % 64);
    }
    mask
}

/// The part of it that a process which is not a child in the kernel's eyes is told; its streams are sent to it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Told {
    directory: Option<CString>,
    cpus: Vec<u64>,
    group: Option<i32>,
    environment: Option<Vec<CString>>,
}

impl Told {
    pub(crate) fn of(setup: &Setup) -> Self {
        let Setup { directory, cpus, group, environment, .. } = setup.clone();
        Told { directory, cpus, group, environment }
    }

    pub(crate) fn into_setup(self, streams: [Stream; 3]) -> Setup {
        let Told { directory, cpus, group, environment } = self;
        Setup { streams, directory, cpus, group, environment, executable: None }
    }
}

/// Which part could not be put into effect, as a number that fits into a birth report.
pub(crate) const STREAMS: i32 = -201;
pub(crate) const DIRECTORY: i32 = -202;
pub(crate) const CPUS: i32 = -203;
pub(crate) const GROUP: i32 = -204;

/// The errno of a stream that is to be a descriptor which is closed.
pub(crate) const NO_DESCRIPTOR: i32 = libc::EBADF;

/// What it means; None for other numbers.
pub(crate) fn failure(part: i32, errno: i32) -> Option<Error> {
    let what = match part {
        STREAMS => "the child cannot open its standard streams",
        DIRECTORY => "the child cannot change to its working directory",
        CPUS => "the child cannot be bound to its CPUs",
        GROUP => "the child cannot join its process group",
        _ => return None,
    };
    Some(os(what)(Errno::from_raw(errno)))
}

impl Setup {
    /// Whether it may fail for the caller's own reasons, so that the caller waits for the child's word.
    pub(crate) fn may_fail(&self) -> bool {
        let given = self.streams.iter().any(|s| matches!(s, Stream::Fd(_)));
        given || self.directory.is_some() || !self.cpus.is_empty() || self.group.is_some()
    }

    /// In the child. An error is the part and the errno.
    pub(crate) fn apply(&self) -> Result<(), (i32, i32)> {
        streams(&self.streams).map_err(|e| (STREAMS, e))?;
        if let Some(directory) = &self.directory {
            // SAFETY: a string that is ended by a zero.
            check(unsafe { libc::chdir(directory.as_ptr()) }).map_err(|e| (DIRECTORY, e))?;
        }
        if !self.cpus.is_empty() {
            let bytes = size_of_val(&self.cpus[..]);
            // SAFETY: the kernel reads so many bytes.
            let r = unsafe { libc::sched_setaffinity(0, bytes, self.cpus.as_ptr().cast()) };
            check(r).map_err(|e| (CPUS, e))?;
        }
        if let Some(group) = self.group {
            // SAFETY: plain numbers.
            check(unsafe { libc::setpgid(0, group) }).map_err(|e| (GROUP, e))?;
        }
        Ok(())
    }
}

fn check(r: libc::c_int) -> Result<libc::c_int, i32> {
    if r < 0 { Err(Errno::last_raw()) } else { Ok(r) }
}

/// Puts the three where they shall lead. A source among the three itself is moved away first, so that an
/// exchange of two works.
fn streams(wanted: &[Stream; 3]) -> Result<(), i32> {
    let mut sources = [-1; 3];
    for (at, stream) in (0..).zip(wanted) {
        sources[at as usize] = match *stream {
            Stream::Fd(fd) if fd < 3 && fd != at => {
                // SAFETY: fcntl on a number.
                check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?
            }
            Stream::Fd(fd) => fd,
            _ => -1,
        };
    }
    for (at, stream) in (0..).zip(wanted) {
        let source = sources[at as usize];
        match *stream {
            Stream::Same => {}
            // SAFETY: fcntl on a number: it must not close at exec.
            Stream::Fd(fd) if fd == at => drop(check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?),
            // SAFETY: plain numbers; the copy does not close at exec.
            Stream::Fd(_) => drop(check(unsafe { libc::dup2(source, at) })?),
            Stream::Null => null(at)?,
            // SAFETY: closing a number that may be closed already.
            Stream::Closed => drop(unsafe { libc::close(at) }),
        }
    }
    for (at, stream) in (0..).zip(wanted) {
        if matches!(*stream, Stream::Fd(fd) if fd < 3 && fd != at) {
            // SAFETY: the copy that was made above.
            unsafe { libc::close(sources[at as usize]) };
        }
    }
    Ok(())
}

/// Two readers of one terminal would steal each other's lines.
fn null(at: RawFd) -> Result<(), i32> {
    let mode = if at == 0 { libc::O_RDONLY } else { libc::O_WRONLY };
    // SAFETY: a static string.
    let fd = check(unsafe { libc::open(c"/dev/null".as_ptr(), mode) })?;
    // Opened right onto its place where that was closed.
    if fd != at {
        // SAFETY: plain numbers; the first is ours to close.
        check(unsafe { libc::dup2(fd, at) })?;
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

unsafe extern "C" {
    static mut environ: *const *const libc::c_char;
}

/// This process's environment, as it is now.
pub(crate) fn environment() -> Vec<CString> {
    let mut copies = Vec::new();
    // SAFETY: the C library's array of strings, ended by NULL, which the host does not change while it calls
    // us: the same rule as for getenv.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            copies.push(std::ffi::CStr::from_ptr(*next).to_owned());
            next = next.add(1);
        }
    }
    copies
}

/// Replaces the environment of a process that is only just beginning. It stays for the process's life.
pub(crate) fn set_environment(strings: Vec<CString>) {
    let mut pointers: Vec<*const libc::c_char> =
        strings.into_iter().map(|s| s.into_raw().cast_const()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: nobody else runs yet; the strings and the array are never freed.
    unsafe { environ = pointers.leak().as_ptr() };
}

/// An array for exec, good as long as the strings are.
pub(super) fn array(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The array that this process has.
pub(super) fn own_array() -> *const *const libc::c_char {
    // SAFETY: the pointer itself is read, in the host's thread.
    unsafe { environ }
}
