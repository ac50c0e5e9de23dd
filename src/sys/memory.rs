//! Shared and private memory straight from the kernel.

use super::fd::{above_stdio, adopt};
use super::{last_error, os};
use crate::error::{Error, Result, Status};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Its size is fixed for ever, for everybody.
const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_SEAL);

/// A sparse shared file of fixed size that has no name, mapped whole. The mapping is never undone.
pub(crate) struct SharedFile {
    pub(crate) fd: OwnedFd,
    pub(crate) base: *mut u8,
    pub(crate) size: usize,
}

/// The most that this process may reserve at once: a quarter of its address space, and no file larger than
/// RLIMIT_FSIZE, beyond which `ftruncate` kills the host with SIGXFSZ.
pub(crate) fn reservation_limit() -> Result<u64> {
    let (space, _) = getrlimit(Resource::RLIMIT_AS).map_err(os("cannot read RLIMIT_AS"))?;
    let (file, _) = getrlimit(Resource::RLIMIT_FSIZE).map_err(os("cannot read RLIMIT_FSIZE"))?;
    let space = if space == RLIM_INFINITY { u64::MAX } else { space / 4 };
    Ok(space.min(file))
}

/// Makes one of `size` bytes. A size that the address space does not hold is NO_MEMORY.
pub(crate) fn shared_file(name: &std::ffi::CStr, size: usize) -> Result<SharedFile> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
        .and_then(above_stdio)
        .map_err(os("cannot make the shared segment (memfd_create)"))?;
    ftruncate(&fd, size as i64).map_err(os("cannot size the shared segment (ftruncate)"))?;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SEALS)).map_err(os("cannot seal the shared segment"))?;
    let base = map(&fd, size)?;
    Ok(SharedFile { fd, base, size })
}

/// The first word of the file behind a descriptor of which nothing is known, if it is sealed as such a file
/// is. Nothing is changed by asking.
pub(crate) fn first_word(fd: RawFd) -> Option<u64> {
    let mut word = [0_u8; 8];
    // SAFETY: only asked about, whatever it is; the buffer is ours.
    unsafe {
        (libc::fcntl(fd, libc::F_GET_SEALS) == SEALS.bits()
            && libc::pread(fd, word.as_mut_ptr().cast(), word.len(), 0) == 8)
            .then_some(u64::from_ne_bytes(word))
    }
}

/// Maps one that was inherited, of at least `least` bytes. The descriptor is this process's from now on.
pub(crate) fn open_shared(fd: RawFd, least: usize) -> Result<SharedFile> {
    let fd = adopt(fd)?;
    let size = fstat(&fd).map_err(os("cannot look at the shared segment (fstat)"))?.st_size as usize;
    if size < least {
        return Err(Error::new(Status::Invalid, format!("{size} bytes are no segment of libmp's")));
    }
    let base = map(&fd, size)?;
    Ok(SharedFile { fd, base, size })
}

/// Maps the whole file, for ever.
fn map(fd: &OwnedFd, size: usize) -> Result<*mut u8> {
    let map = memmap2::MmapOptions::new().len(size).map_raw(fd).map_err(|e| {
        Error::os(e.raw_os_error().unwrap_or(0), "cannot map the shared segment")
            .with_status(Status::NoMemory)
    })?;
    let base = map.as_mut_ptr();
    // SAFETY: the range is the mapping just made. Failure is no matter: core dumps are then larger.
    unsafe { libc::madvise(base.cast(), size, libc::MADV_DONTDUMP) };
    std::mem::forget(map);
    Ok(base)
}

/// What the kernel gives and takes memory by.
pub(crate) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: asks for a number.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            SIZE.store(size.max(4096) as usize, Ordering::Relaxed);
            SIZE.load(Ordering::Relaxed)
        }
        size => size,
    }
}

/// Reserves private memory that costs nothing until it is touched; it is never given back.
pub(crate) fn private_reserve(size: usize) -> Result<*mut u8> {
    // SAFETY: a fresh private mapping at an address of the kernel's choice; nothing else is touched.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(last_error("cannot reserve address space for handles"));
    }
    Ok(at.cast())
}

/// Makes the kernel find pages for a range now, so that a later store cannot meet a SIGBUS.
///
/// # Safety
/// The range lies in a shared mapping of this process.
pub(crate) unsafe fn populate(at: *mut u8, len: usize) -> Result<()> {
    const MADV_POPULATE_WRITE: i32 = 23;
    // Steps, so that a signal's interruption never costs more than one of them.
    const STEP: usize = 64 << 20;
    // The kernel grants more than there is, and kills somebody when it is used.
    if len >= STEP && (len as u64) > available().unwrap_or(u64::MAX) {
        return Err(Error::new(
            Status::NoMemory,
            format!("the machine has no {} MiB of memory left", len >> 20),
        ));
    }
    let mut done = 0;
    while done < len {
        let step = STEP.min(len - done);
        // SAFETY: the caller's promise; populating changes no byte.
        if unsafe { libc::madvise(at.add(done).cast(), step, MADV_POPULATE_WRITE) } == 0 {
            done += step;
            continue;
        }
        let e = last_error("no memory for the shared segment");
        match e.errno {
            libc::EINTR | libc::EAGAIN => {}
            // Before Linux 5.14 there is no such advice: pages come when they are touched.
            libc::EINVAL => return Ok(()),
            _ => return Err(e.with_status(Status::NoMemory)),
        }
    }
    Ok(())
}

/// Bytes that can be had without driving anybody out: memory and swap.
fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse().ok()
    };
    Some((kib("MemAvailable:")? + kib("SwapFree:").unwrap_or(0)) << 10)
}

/// Gives a range's pages back to the kernel; it reads as zeros afterwards, in every process.
///
/// # Safety
/// The range lies in a shared mapping of this process, and nobody uses what is in it.
pub(crate) unsafe fn give_back(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if libc::madvise(at.cast(), len, libc::MADV_REMOVE) != 0 {
            // The pages stay; the next user expects zeros all the same.
            std::ptr::write_bytes(at, 0, len);
        }
    }
}

/// Bytes of its own that this process has in memory; 0 where the kernel does not say.
pub(crate) fn own() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut fields = text.split(' ').skip(1).map(|field| field.parse().unwrap_or(0u64));
    let (all, shared) = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
    // SAFETY: asks for a number.
    all.saturating_sub(shared) * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64
}
