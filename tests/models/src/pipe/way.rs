//! One way of a pipe, and the socket beneath: what src/wire/pipe/bell.rs takes from elsewhere, only as much as it
//! needs. Pieces are a number, and of what goes through the socket is only known how many bytes are in it.

use super::explore::Process;
use crate::park::OwnerLock;
use crate::sys::atomic::Ordering::{Acquire, Relaxed};
use crate::sys::atomic::{AtomicU32, AtomicU64};
use crate::time::Deadline;

pub(super) type In = Process;

#[derive(Default)]
pub(super) struct Edge {
    pub(super) lock: OwnerLock,
    pub(super) position: AtomicU64,
    pub(super) announced: AtomicU32,
    pub(super) rung: AtomicU32,
}

#[derive(Default)]
pub(super) struct Block {
    pub(super) sender: Edge,
    pub(super) receiver: Edge,
}

#[derive(Default)]
pub(super) struct Way {
    pub(super) block: Block,
}

impl Way {
    pub(super) fn has_come(&self) -> bool {
        self.block.sender.position.load(Acquire) != self.block.receiver.position.load(Relaxed)
    }
}

/// One word says how far a dead one came, so there is nothing to settle.
pub(super) fn lock_side(side: &Edge, process: &Process, deadline: Deadline) -> bool {
    side.lock.acquire(process, || deadline).is_some()
}

pub(super) mod fd {
    use super::AtomicU32;
    use crate::sys::atomic::Ordering::Acquire;
    use crate::sys::futex;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// What a descriptor stands for: how many bytes are in a socket; a flag, which no other process has; or several.
    #[derive(Clone)]
    pub(in super::super) enum OwnedFd {
        Socket(Arc<AtomicU32>),
        Flag(Arc<AtomicBool>),
        Many(Arc<Mutex<Vec<OwnedFd>>>),
    }

    pub(in super::super) type RawFd = OwnedFd;

    #[derive(Clone, Copy)]
    pub(in super::super) struct BorrowedFd<'a>(pub(in super::super) &'a OwnedFd);

    pub(in super::super) trait AsRawFd {
        fn as_raw_fd(&self) -> RawFd;
    }

    impl AsRawFd for BorrowedFd<'_> {
        fn as_raw_fd(&self) -> RawFd {
            self.0.clone()
        }
    }

    impl OwnedFd {
        pub(in super::super) fn socket(&self) -> &AtomicU32 {
            let OwnedFd::Socket(bytes) = self else { panic!("no socket") };
            bytes
        }

        pub(in super::super) fn is_readable(&self) -> bool {
            match self {
                // The kernel sees what is there.
                OwnedFd::Socket(bytes) => bytes.fetch_or(0, Acquire) > 0,
                OwnedFd::Flag(raised) => raised.load(Relaxed),
                OwnedFd::Many(list) => list.lock().expect("no panic").clone().iter().any(Self::is_readable),
            }
        }

        /// Polls until it is. Its own process raises a flag, and is here.
        pub(in super::super) fn poll(&self, socket: BorrowedFd<'_>) {
            while !self.is_readable() {
                futex::wait(socket.0.socket(), 0, Duration::MAX);
            }
        }
    }
}

pub(super) mod kept {
    use super::fd::{BorrowedFd, OwnedFd};

    pub(in super::super) struct Kept(OwnedFd);
    pub(in super::super) struct List;

    pub(in super::super) fn list() -> List {
        List
    }

    impl List {
        pub(in super::super) fn keep(&mut self, fd: OwnedFd) -> Kept {
            Kept(fd)
        }
    }

    impl Kept {
        pub(in super::super) fn fd(&self) -> BorrowedFd<'_> {
            BorrowedFd(&self.0)
        }
    }
}

pub(super) mod flag {
    use super::fd::{BorrowedFd, OwnedFd};
    use crate::error::Result;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    pub(in super::super) struct Flag(Arc<AtomicBool>, OwnedFd);

    impl Flag {
        pub(in super::super) fn new() -> Result<Self> {
            let raised = Arc::new(AtomicBool::new(false));
            Ok(Flag(Arc::clone(&raised), OwnedFd::Flag(raised)))
        }

        pub(in super::super) fn borrowed(&self) -> BorrowedFd<'_> {
            BorrowedFd(&self.1)
        }

        pub(in super::super) fn raise(&self) {
            self.0.store(true, Relaxed);
        }

        pub(in super::super) fn lower(&self) {
            self.0.store(false, Relaxed);
        }
    }
}

pub(super) mod sockets {
    use super::fd::{BorrowedFd, OwnedFd};
    use crate::error::Result;

    pub(in super::super) struct Many(OwnedFd);

    impl Many {
        pub(in super::super) fn new() -> Result<Self> {
            Ok(Many(OwnedFd::Many(std::sync::Arc::default())))
        }

        pub(in super::super) fn into_fd(self) -> OwnedFd {
            self.0
        }

        pub(in super::super) fn add(many: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<()> {
            let OwnedFd::Many(list) = many.0 else { panic!("not several") };
            list.lock().expect("no panic").push(fd.0.clone());
            Ok(())
        }
    }
}

pub(super) mod packets {
    use super::fd::{BorrowedFd, OwnedFd};
    use crate::error::Result;
    use crate::sys::atomic::Ordering::{AcqRel, Acquire};
    use crate::sys::futex;

    pub(in super::super) struct Message {
        pub(in super::super) fds: Vec<OwnedFd>,
    }

    pub(in super::super) fn try_send(to: BorrowedFd<'_>, _: &[u8]) {
        to.0.socket().fetch_add(1, AcqRel);
        futex::wake(to.0.socket(), i32::MAX);
    }

    pub(in super::super) fn peek<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<([u8; N], usize)>> {
        Ok(from.0.is_readable().then_some(([0; N], 1)))
    }

    pub(in super::super) fn receive<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<Message>> {
        let bytes = from.0.socket();
        let mut there = bytes.fetch_or(0, AcqRel);
        while there > 0 {
            match bytes.compare_exchange(there, there - 1, AcqRel, Acquire) {
                Ok(_) => return Ok(Some(Message { fds: Vec::new() })),
                Err(now) => there = now,
            }
        }
        Ok(None)
    }

    /// With descriptors, which the models have none of.
    pub(in super::super) fn copy<const N: usize>(_: BorrowedFd<'_>) -> Result<Option<Message>> {
        Ok(None)
    }

    pub(in super::super) fn discard(from: BorrowedFd<'_>) -> Result<()> {
        receive::<1>(from).map(drop)
    }
}
