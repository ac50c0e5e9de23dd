//! Connections, listeners and descriptors that go with a message: a descriptor each, and papers that say what else
//! there is to know. The papers lie in shared memory behind the message: what they say is checked before it is believed.

use super::carried::{Carried, What};
use crate::error::{Result, fail};
use crate::shm::{self, Entry, Object};
use crate::sys::kept::{self, Kept};
use crate::sys::{packets, sockets};
use std::os::fd::RawFd;

/// The papers, each behind its length, and the descriptors.
pub(super) fn pack(carried: &[Carried]) -> Result<(Vec<u8>, Vec<RawFd>)> {
    if carried.len() > packets::MOST {
        fail!(
            Invalid,
            "{} of them are connections, listeners or descriptors, and {} can be",
            carried.len(),
            packets::MOST
        );
    }
    let mut papers = Vec::new();
    for one in carried {
        put_bytes(&mut papers, &written(&one.what));
    }
    Ok((papers, carried.iter().map(Carried::descriptor).collect()))
}

/// What came with a message: what holds its handles, and the descriptors of some.
pub(crate) struct Load {
    pub(crate) parcel: Entry,
    fds: Vec<Kept>,
}

impl Load {
    pub(super) fn new(parcel: Entry, fds: Vec<Kept>) -> Self {
        Load { parcel, fds }
    }

    /// The `nth` connection, listener or descriptor; `held` is what it has in shared memory.
    pub(crate) fn carried(&self, nth: usize, held: Option<Object>) -> Result<Carried> {
        let what = shm::parcel(self.parcel).and_then(|parcel| {
            let data = parcel.papers()?;
            let mut papers = Vec::new();
            papers.try_reserve_exact(data.len()).ok()?;
            data.append_to(0, data.len(), &mut papers);
            let mut rest = &papers[..];
            let paper = (0..=nth).map(|_| take_bytes(&mut rest)).last()??;
            read(paper)
        });
        let (Some(what), Some(fd)) = (what, self.fds.get(nth)) else {
            held.inspect(|object| shm::release(object.entry));
            fail!(State, "the message was overwritten by a stray pointer");
        };
        let mut list = kept::list();
        match sockets::again(fd.fd()) {
            Ok(fd) => Ok(Carried::taken(list.keep(fd), what, held)),
            Err(e) => {
                drop(list);
                held.inspect(|object| shm::release(object.entry));
                Err(e)
            }
        }
    }
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&bytes.len().to_ne_bytes());
    to.extend_from_slice(bytes);
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_number(from)? as usize;
    let (bytes, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(bytes)
}

fn take_number(from: &mut &[u8]) -> Option<u64> {
    let (bytes, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_ne_bytes(*bytes))
}

const CONNECTION: u8 = 1;
const PIPE: u8 = 2;
const LISTENER: u8 = 3;
const DESCRIPTOR: u8 = 4;

fn written(what: &What) -> Vec<u8> {
    let mut out = Vec::new();
    match what {
        &What::Connection { can_receive, can_send, most } => {
            out.extend_from_slice(&[CONNECTION, can_receive.into(), can_send.into()]);
            out.extend_from_slice(&most.to_ne_bytes());
        }
        &What::Pipe { first, duplex } => out.extend_from_slice(&[PIPE, first.into(), duplex.into()]),
        What::Descriptor => out.extend_from_slice(&[DESCRIPTOR, 0, 0]),
        What::Listener { address, key, allow_md5, any_user, patience, most } => {
            out.extend_from_slice(&[LISTENER, (*allow_md5).into(), (*any_user).into()]);
            out.extend_from_slice(&most.to_ne_bytes());
            out.extend_from_slice(&patience.to_ne_bytes());
            put_bytes(&mut out, address.as_bytes());
            if let Some(key) = key {
                put_bytes(&mut out, key);
            }
        }
    }
    out
}

fn read(paper: &[u8]) -> Option<What> {
    let (&[kind, one, other], mut rest) = paper.split_first_chunk()?;
    let (one, other) = (one != 0, other != 0);
    Some(match kind {
        CONNECTION => {
            What::Connection { can_receive: one, can_send: other, most: take_number(&mut rest)? as usize }
        }
        PIPE => What::Pipe { first: one, duplex: other },
        DESCRIPTOR => What::Descriptor,
        LISTENER => {
            let most = take_number(&mut rest)? as usize;
            let patience = take_number(&mut rest)? as i64;
            let address = String::from_utf8(take_bytes(&mut rest)?.to_vec()).ok()?;
            let key = take_bytes(&mut rest).map(<[u8]>::to_vec);
            What::Listener { address, key, allow_md5: one, any_user: other, patience, most }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn papers_come_back_and_nonsense_does_not() {
        let key = Some(b"key".to_vec());
        let listener = |key| What::Listener {
            address: "127.0.0.1:80".into(),
            key,
            allow_md5: true,
            any_user: false,
            patience: -5,
            most: 9,
        };
        let all = [
            What::Connection { can_receive: true, can_send: false, most: usize::MAX },
            What::Pipe { first: false, duplex: true },
            What::Descriptor,
            listener(None),
            listener(key),
        ];
        for what in &all {
            let paper = written(what);
            assert_eq!(format!("{:?}", read(&paper)), format!("{:?}", Some(what)));
            for cut in 0..paper.len() {
                // Cut off in its key, a listener has none.
                let got = read(&paper[..cut]);
                assert!(
                    got.is_none() || matches!(got, Some(What::Listener { key: None, .. })),
                    "{what:?} {cut}"
                );
            }
        }
        assert!(read(&[9, 0, 0]).is_none());
        let mut long = &usize::MAX.to_ne_bytes()[..];
        assert!(take_bytes(&mut long).is_none());
    }
}
