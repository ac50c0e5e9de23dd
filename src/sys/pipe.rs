//! A pipe whose reader does not wait.

use super::fd::above_stdio;
use super::os;
use crate::error::Result;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::os::fd::{BorrowedFd, OwnedFd};

/// The reading end and the writing one.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let made = nix::unistd::pipe2(OFlag::O_CLOEXEC).and_then(|(reader, writer)| {
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((above_stdio(reader)?, above_stdio(writer)?))
    });
    made.map_err(os("no descriptor is free for a pipe"))
}

/// What there is to read.
pub(crate) enum Read {
    Bytes(usize),
    Nothing,
    /// Nobody can write any more.
    End,
}

/// Reads what is there, as far as there is room.
pub(crate) fn read(from: BorrowedFd<'_>, into: &mut [u8]) -> Read {
    loop {
        match nix::unistd::read(from, into) {
            Ok(0) => return Read::End,
            Ok(n) => return Read::Bytes(n),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Read::Nothing,
            Err(_) => return Read::End,
        }
    }
}
