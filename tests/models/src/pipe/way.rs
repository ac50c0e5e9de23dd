//! One way of a pipe, and the socket beneath: what src/wire/pipe/bell.rs takes from elsewhere, only as much as it
//! needs. Pieces are a number. What goes through the socket is a byte for each packet: a bell's position, or a
//! descriptor's number.

use super::explore::Process;
use crate::park::{Held, OwnerLock};
use crate::error::{Error, Status};
use crate::sys::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sys::atomic::{AtomicU32, AtomicU64};
use crate::time::Deadline;

pub(super) type In = Process;

#[derive(Default)]
pub(super) struct Edge {
    pub(super) lock: OwnerLock,
    pub(super) position: AtomicU64,
    pub(super) announced: AtomicU32,
    pub(super) next: AtomicU64,
    pub(super) bell: AtomicU64,
    /// With the lock only, and not modelled: by then its piece was received.
    pub(super) descriptors: std::sync::atomic::AtomicU64,
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
    pub(super) fn tail(&self) -> u64 {
        self.block.sender.position.load(Relaxed)
    }

    pub(super) fn head(&self) -> u64 {
        self.block.receiver.position.load(Relaxed)
    }

    /// No model asks who takes over from a dead receiver what goes with its piece.
    pub(super) fn number_at_head(&self) -> Option<u64> {
        None
    }

    pub(super) fn has_come(&self) -> bool {
        self.block.sender.position.load(Acquire) != self.head()
    }

    /// A store, as an exchange: the checker lets another's exchange that comes after a store see what was there before
    /// it, and come last all the same. Of exchanges it knows the order.
    pub(super) fn sent(&self, to: u64) {
        self.block.sender.position.swap(to, Release);
    }
}

pub(super) fn gone_away() -> Error {
    Error::new(Status::Eof, "nobody receives")
}

/// One word says how far a dead one came, so there is nothing to settle.
pub(super) fn lock_side(side: &Edge, process: &Process, deadline: Deadline) -> Option<Held> {
    side.lock.acquire(process, || deadline)
}

pub(super) mod fd {
    use super::AtomicU64;
    use crate::sys::atomic::Ordering::Acquire;
    use crate::sys::futex;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// What a descriptor stands for: a socket, with the packet that comes first in the lowest byte; a flag, which no
    /// other process has; or several.
    #[derive(Clone)]
    pub(in super::super) enum OwnedFd {
        Socket(Arc<AtomicU64>),
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
        pub(in super::super) fn socket(&self) -> &AtomicU64 {
            let OwnedFd::Socket(packets) = self else { panic!("no socket") };
            packets
        }

        pub(in super::super) fn is_readable(&self) -> bool {
            match self {
                // The kernel sees what is there.
                OwnedFd::Socket(packets) => packets.fetch_or(0, Acquire) > 0,
                OwnedFd::Flag(raised) => raised.load(Relaxed),
                OwnedFd::Many(list) => list.lock().expect("no panic").clone().iter().any(Self::is_readable),
            }
        }

        /// Polls until it is. Its own process raises a flag, and is here.
        pub(in super::super) fn poll(&self, socket: BorrowedFd<'_>) {
            while !self.is_readable() {
                futex::wait_low(socket.0.socket(), 0, Duration::MAX);
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
    use super::fd::{BorrowedFd, OwnedFd, RawFd};
    use super::packets;
    use crate::error::Result;
    use std::time::Duration;

    #[derive(PartialEq)]
    pub(in super::super) enum For {
        Writing,
    }

    #[allow(dead_code)]
    pub(in super::super) enum Moved {
        Bytes(usize),
        NotNow,
        End,
        Reset,
    }

    /// There is always room.
    pub(in super::super) fn send_along(to: BorrowedFd<'_>, bytes: &[u8], _: &[RawFd]) -> Result<Moved> {
        packets::put(to, bytes);
        Ok(Moved::Bytes(bytes.len()))
    }

    pub(in super::super) fn wait(_: BorrowedFd<'_>, what: For, _: Duration) -> bool {
        what == For::Writing
    }

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

    /// Bytes of a packet with descriptors, and the bit by which one is known. Positions are less.
    const NUMBER: usize = 8;
    const IS_NUMBER: u8 = 0x80;

    pub(in super::super) struct Message {
        pub(in super::super) fds: Vec<OwnedFd>,
    }

    /// Changes what is in the socket, as long as that can be; what was there before.
    fn change(socket: BorrowedFd<'_>, how: impl Fn(u64) -> Option<u64>) -> u64 {
        let packets = socket.0.socket();
        let mut there = packets.fetch_or(0, AcqRel);
        while let Some(changed) = how(there) {
            match packets.compare_exchange(there, changed, AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => there = now,
            }
        }
        there
    }

    pub(super) fn put(to: BorrowedFd<'_>, bytes: &[u8]) {
        assert!(bytes[0] > 0 && bytes[0] < IS_NUMBER && bytes[1..].iter().all(|&byte| byte == 0));
        let packet = if bytes.len() == NUMBER { bytes[0] | IS_NUMBER } else { bytes[0] };
        change(to, |there| {
            assert!(there.leading_zeros() >= 8, "too much is in the socket");
            let behind = (64 - there.leading_zeros()).div_ceil(8);
            Some(there | u64::from(packet) << (behind * 8))
        });
        futex::wake_low(to.0.socket(), i32::MAX);
    }

    pub(in super::super) fn peek<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<([u8; N], usize)>> {
        let first = change(from, |_| None) as u8;
        let mut bytes = [0; N];
        bytes[0] = first & !IS_NUMBER;
        let len = if first & IS_NUMBER != 0 { N } else { N + 1 };
        Ok((first != 0).then_some((bytes, len)))
    }

    pub(in super::super) fn copy<const N: usize>(from: BorrowedFd<'_>) -> Result<Option<Message>> {
        Ok(peek::<N>(from)?.map(|_| Message { fds: Vec::new() }))
    }

    pub(in super::super) fn discard(from: BorrowedFd<'_>) -> Result<()> {
        change(from, |there| (there != 0).then_some(there >> 8));
        Ok(())
    }
}
