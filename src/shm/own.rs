//! The tree's own segment: made by the tree's first process, mapped anew by a fresh image.

use super::format;
use super::layout::{Header, MAGIC, UNIT, hash};
use super::segment::{Mapped, TREE};
use crate::error::{Result, Status, fail};
use crate::sys::fd;
use crate::sys::memory::{self, SharedFile};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

/// What is asked for where nothing limits it; pages cost nothing until they are touched.
const WANTED: u64 = 1 << 40;
/// Less than this holds nothing of use.
const LEAST: u64 = 1 << 20;

/// Makes the segment of a new tree, as large as the limits allow.
pub(super) fn create() -> Result<()> {
    if TREE.is_ready() {
        return Ok(());
    }
    let mut size = memory::reservation_limit()?.min(wanted()?) / UNIT as u64 * UNIT as u64;
    if size < LEAST {
        fail!(
            NoMemory,
            "a shared segment of at least {} KiB is needed, and RLIMIT_FSIZE, a quarter of RLIMIT_AS or \
             MP_SEGMENT_SIZE allows {} KiB",
            LEAST >> 10,
            size >> 10
        );
    }
    let file = loop {
        match memory::shared_file(c"libmp", size as usize) {
            Ok(file) => break file,
            // The address space may be crowded: a smaller segment is better than none.
            Err(e) if e.status == Status::NoMemory && size / 2 >= LEAST => {
                size = size / 2 / UNIT as u64 * UNIT as u64;
            }
            Err(e) => return Err(e),
        }
    };
    TREE.set(&mapped(&file)?);
    if let Err(e) = TREE.populate_tables() {
        // The mapping stays, unused: nothing that was handed out leads to it.
        TREE.unset();
        return Err(e);
    }
    // From now on the number stands in TREE, which lasts as long as the process.
    let _ = file.fd.into_raw_fd();
    format::format(&TREE);
    TREE.set_ready();
    Ok(())
}

fn mapped(file: &SharedFile) -> Result<Mapped> {
    let fd = file.fd.as_raw_fd();
    match fd::identity(fd) {
        Some(identity) => Ok(Mapped { fd, base: file.base, size: file.size, identity }),
        None => fail!(Os, "cannot look at the shared segment (fstat)"),
    }
}

/// Whether a descriptor, which may be anything or closed, leads to a segment, be it of another build.
pub(crate) fn is_one(fd: RawFd) -> bool {
    fd > 2 && memory::first_word(fd) == Some(MAGIC)
}

/// In a fresh image: maps the segment that its parent handed it. `agreed` is the parent's layout hash.
pub(super) fn attach(fd: RawFd, agreed: u64) -> Result<()> {
    if TREE.is_ready() {
        fail!(State, "this process has a segment of its own already");
    }
    if agreed != hash() {
        fail!(Unsupported, "the parent runs another build of libmp");
    }
    let file = memory::open_shared(fd, size_of::<Header>())?;
    TREE.set(&mapped(&file)?);
    // Looked at before anything is believed: no other file begins like this.
    if !format::is_ours(&TREE) {
        TREE.unset();
        fail!(Invalid, "descriptor {fd} leads to no segment of libmp's");
    }
    let _ = file.fd.into_raw_fd();
    TREE.set_ready();
    Ok(())
}

/// What an image must know to find the segment: the descriptor, and what the layouts must agree on.
pub(crate) fn ticket() -> Result<(RawFd, u64)> {
    match TREE.descriptor() {
        Some(fd) => Ok((fd, hash())),
        None => fail!(
            State,
            "the host program has closed the segment's descriptor: only fork can start processes"
        ),
    }
}

/// `MP_SEGMENT_SIZE`: bytes, or a number with K, M, G or T.
fn wanted() -> Result<u64> {
    let Ok(text) = std::env::var("MP_SEGMENT_SIZE") else { return Ok(WANTED) };
    match parse_size(text.trim()) {
        Some(size) => Ok(size.min(1 << 40)),
        None => fail!(
            Invalid,
            "MP_SEGMENT_SIZE is \"{text}\": a number of bytes is wanted, or one with K, M, G or T"
        ),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_suffix() {
        assert_eq!(parse_size("65536"), Some(65536));
        assert_eq!(parse_size("2G"), Some(2 << 30));
        assert_eq!(parse_size("1t"), Some(1 << 40));
        for bad in ["", "K", "-1", "1.5M", "99999999999999T", "12X"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
