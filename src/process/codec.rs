//! What a fresh image is told by its parent, and the only file that knows how that is encoded. Both run the
//! same build of libmp, as the layout hash has made sure before anything is decoded.

use super::own::Origin;
use super::target::Target;
use crate::error::{Error, Result, Status};
use crate::sys::caller::Caller;
use crate::sys::setup::Told;
use crate::wire::What;
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{IntoRawFd, OwnedFd};

/// More than this is refused by both sides; a hostile length cannot make the child allocate more. Beside the
/// most that the arguments may have there is room for what tells them apart.
const LIMIT: usize = super::args::MOST_BYTES + (16 << 20);

/// What the child is, and what it shall do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Papers<'a> {
    /// The end of the lifeline, in a child that must not outlive its parent.
    pub(crate) lifeline: Option<i32>,
    /// Whether it is a pool's.
    pub(crate) worker: bool,
    /// The default start method that somebody has set in the parent, 0: nobody has. The child's is the same.
    pub(crate) method: u8,
    /// What the parent's children run, with its arguments; None for the parent's own executable. The same for
    /// the child's children.
    pub(crate) executable: Option<(CString, Vec<CString>)>,
    /// Who it is.
    pub(crate) origin: Origin,
    /// What it logs, the function that is given it, and the queue that it is put into: a Ref's bits, 0 for none.
    pub(crate) log: (u32, Option<Target>, u64),
    /// For a child of the fork server: what it would have had from the process that asked for it.
    pub(crate) asked: Option<Asked>,
    pub(crate) job: Job<'a>,
}

/// What a child of the fork server is besides.
#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) setup: Told,
}

/// What a fresh image runs.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job<'a> {
    /// A process's target with its arguments.
    Process { target: Option<Target>, args: Vec<Passed<'a>> },
    /// A worker of the pool with this reference.
    Worker { pool: u64, number: u16, owner: u32 },
    /// The fork server: where requests come from, and what it runs before the first.
    Server { requests: i32, preload: Vec<Target> },
}

impl Job<'_> {
    /// The descriptors that the image inherits for it, each once, in ascending order: of the server its requests, of a
    /// process those of the connections and of the objects with names that it is given.
    pub(super) fn descriptors(&self) -> Vec<i32> {
        match self {
            Job::Server { requests, .. } => vec![*requests],
            Job::Process { args, .. } => {
                let mut fds: Vec<i32> = args.iter().filter_map(Passed::descriptor).collect();
                fds.sort_unstable();
                fds.dedup();
                fds
            }
            Job::Worker { .. } => Vec::new(),
        }
    }

    /// In a process that was handed them instead: their numbers are these here, in the same order.
    pub(super) fn adopt(&mut self, handed: Vec<OwnedFd>) {
        let there = self.descriptors();
        let here: Vec<i32> = handed.into_iter().map(IntoRawFd::into_raw_fd).collect();
        // What did not come leads nowhere.
        let renumber =
            |fd: i32| there.binary_search(&fd).ok().and_then(|at| here.get(at).copied()).unwrap_or(-1);
        if let Job::Process { args, .. } = self {
            args.iter_mut().for_each(|arg| arg.renumber(renumber));
        }
    }
}

/// One argument.
#[derive(Serialize, Deserialize)]
pub(crate) enum Passed<'a> {
    Bytes(Blob<'a>),
    /// Kind, reference, and the entry of the child's ledger that holds it.
    Object(u8, u64, u64),
    /// One that has a name: kind, reference, the descriptor that the child is given, and the file that it leads to.
    Named(u8, u64, i32, u64, u64),
    /// A connection or a listener: the descriptor that the child is given, what it is, and of a pipe its reference and
    /// the entry of the child's ledger that holds it.
    Carried(i32, What, Option<(u64, u64)>),
    /// What a voucher says.
    Voucher(Blob<'a>),
}

impl Passed<'_> {
    /// The descriptor that it stands on, if any.
    fn descriptor(&self) -> Option<i32> {
        match self {
            Passed::Named(_, _, fd, ..) | Passed::Carried(fd, ..) => Some(*fd),
            Passed::Bytes(_) | Passed::Object(..) | Passed::Voucher(_) => None,
        }
    }

    /// That has another number here.
    fn renumber(&mut self, new: impl Fn(i32) -> i32) {
        if let Passed::Named(_, _, fd, ..) | Passed::Carried(fd, ..) = self {
            *fd = new(*fd);
        }
    }
}

/// Bytes that are encoded as they are, and not one by one.
pub(crate) struct Blob<'a>(pub(crate) Cow<'a, [u8]>);

impl Serialize for Blob<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> std::result::Result<Vec<u8>, E> {
                let mut copy = Vec::new();
                copy.try_reserve_exact(bytes.len()).map_err(|_| E::custom("no memory"))?;
                copy.extend_from_slice(bytes);
                Ok(copy)
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> std::result::Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Bytes).map(|bytes| Blob(Cow::Owned(bytes)))
    }
}

/// Grows with what is written, and says so when there is no memory: an allocation of the encoder's own that
/// fails would end the host.
#[derive(Default)]
struct Growing(Vec<u8>);

impl Writer for Growing {
    fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), EncodeError> {
        if self.0.len() + bytes.len() > LIMIT {
            return Err(EncodeError::Other("too much"));
        }
        self.0.try_reserve(bytes.len()).map_err(|_| EncodeError::UnexpectedEnd)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// For the child.
pub(crate) fn encode<T: Serialize>(what: &T) -> Result<Vec<u8>> {
    let mut bytes = Growing::default();
    match bincode::serde::encode_into_writer(what, &mut bytes, bincode::config::standard()) {
        Ok(()) => Ok(bytes.0),
        Err(EncodeError::UnexpectedEnd) => {
            Err(Error::new(Status::NoMemory, "no memory for the arguments on their way to the child"))
        }
        Err(e) => Err(Error::new(Status::Invalid, format!("the arguments cannot be encoded: {e}"))),
    }
}

/// In the child.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    let limit = bincode::config::standard().with_limit::<LIMIT>();
    match bincode::serde::decode_from_slice(bytes, limit) {
        Ok((what, used)) if used == bytes.len() => Ok(what),
        Ok(_) => Err(Error::new(Status::Invalid, "what the parent sent is longer than it should be")),
        Err(e) => Err(Error::new(Status::Invalid, format!("what the parent sent cannot be decoded: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn papers() -> Papers<'static> {
        let args = vec![Passed::Bytes(Blob(Cow::Borrowed(&b"abc"[..]))), Passed::Object(2, u64::MAX >> 2, 7)];
        Papers {
            lifeline: Some(5),
            worker: true,
            method: 2,
            executable: Some((c"/bin/x".to_owned(), vec![c"x".to_owned()])),
            origin: Origin { name: c"a name".to_owned(), path: "3:1".to_owned(), ..Origin::default() },
            log: (7, None, 0),
            asked: None,
            job: Job::Process { target: Some(Target::Name(b"f".to_vec())), args },
        }
    }

    #[test]
    fn papers_come_back_as_they_went() {
        let bytes = encode(&papers()).unwrap();
        let Papers {
            lifeline: Some(5),
            worker: true,
            method: 2,
            executable: Some(executable),
            origin,
            log: (7, None, 0),
            asked: None,
            job: Job::Process { target: Some(Target::Name(name)), args },
        } = decode(&bytes).unwrap()
        else {
            panic!("something else")
        };
        assert_eq!(executable, (c"/bin/x".to_owned(), vec![c"x".to_owned()]));
        assert_eq!((&*origin.name, &origin.path[..]), (c"a name", "3:1"));
        assert_eq!((&name[..], args.len()), (&b"f"[..], 2));
        assert!(matches!(&args[0], Passed::Bytes(Blob(b)) if **b == *b"abc"));
        assert!(matches!(args[1], Passed::Object(2, r, 7) if r == u64::MAX >> 2));
    }

    #[test]
    fn every_damage_is_an_error_or_something_valid() {
        let bytes = encode(&papers()).unwrap();
        for at in 0..bytes.len() {
            assert!(decode::<Papers>(&bytes[..at]).is_err(), "cut at {at}");
            for flip in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let _ = decode::<Papers>(&damaged);
            }
        }
        let longer = [bytes, vec![0]].concat();
        assert!(decode::<Papers>(&longer).is_err());
    }

    #[test]
    fn a_hostile_length_allocates_nothing() {
        // An argument of bytes that says it has u64::MAX of them.
        let good = encode(&papers()).unwrap();
        let at = good.windows(4).rposition(|w| w == b"\x03abc").unwrap();
        let hostile = [&good[..at], &[253], &[0xFF; 8]].concat();
        assert!(decode::<Papers>(&hostile).is_err());
    }
}
