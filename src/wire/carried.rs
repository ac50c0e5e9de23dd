//! A connection, a listener or a descriptor on its way into another process: a descriptor of its own, which stays
//! until that has it, and what else the child must know.

use super::connection::Connection;
use super::handshake::Key;
use super::listener::{Listener, Rules};
use super::pipe::{Pipe, Rings, Role};
use crate::error::{Error, Result, Status};
use crate::shm::{Entry, Kind, Object, Ref};
use crate::sys::fd;
use crate::sys::kept::{self, Kept};
use crate::sys::sockets;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

/// What it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Connection {
        can_receive: bool,
        can_send: bool,
        most: usize,
    },
    Pipe {
        first: bool,
        duplex: bool,
    },
    Listener {
        address: String,
        key: Option<Vec<u8>>,
        allow_md5: bool,
        any_user: bool,
        patience: i64,
        most: usize,
    },
    /// The program's own.
    Descriptor,
}

/// What it became; or itself, for another try, and why it did not.
pub(crate) type Unpacked<T> = std::result::Result<T, Box<(Carried, Error)>>;

pub(crate) struct Carried {
    fd: Kept,
    /// A pipe's, which it holds.
    rings: Option<Box<Rings>>,
    pub(crate) what: What,
}

impl Carried {
    pub(super) fn new(fd: Kept, what: What) -> Self {
        Carried { fd, rings: None, what }
    }

    pub(super) fn of_pipe((fd, rings, role): (Kept, Rings, Role)) -> Self {
        let what = What::Pipe { first: role.first, duplex: role.duplex };
        Carried { fd, rings: Some(Box::new(rings)), what }
    }

    /// A copy of a descriptor of the program's.
    pub(crate) fn descriptor_of_program(fd: RawFd) -> Result<Self> {
        let mut list = kept::list();
        Ok(Self::new(list.keep(fd::copy_of_program(fd)?), What::Descriptor))
    }

    /// What in shared memory the child has to hold.
    pub(crate) fn object(&self) -> Option<(Kind, Ref)> {
        self.rings.as_ref().map(|rings| (Kind::Pipe, rings.reference()))
    }

    /// The descriptor that the child has to have.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.fd.fd().as_raw_fd()
    }

    /// In a forked child, which was spared the descriptor. `held`: its entry for the object.
    pub(crate) fn arrived(&self, held: Option<Entry>) -> Self {
        let object = self.object().zip(held).map(|((_, r), entry)| Object { r, entry });
        Carried { fd: self.fd.inherit(), rings: object.and_then(rings), what: self.what.clone() }
    }

    /// In a fresh image, which has inherited it.
    pub(crate) fn received(fd: RawFd, what: What, held: Option<Object>) -> Result<Self> {
        let mut list = kept::list();
        Ok(Self::taken(list.keep(fd::adopt(fd)?), what, held))
    }

    /// One that came with a message.
    pub(super) fn taken(fd: Kept, what: What, held: Option<Object>) -> Self {
        Carried { fd, rings: held.and_then(rings), what }
    }

    /// The same once more.
    pub(crate) fn again(&self) -> Result<Self> {
        let rings = self.rings.as_ref().map(|rings| rings.again().map(Box::new)).transpose()?;
        let mut list = kept::list();
        Ok(Carried { fd: list.keep(sockets::again(self.fd.fd())?), rings, what: self.what.clone() })
    }

    pub(crate) fn into_connection(self) -> Unpacked<Connection> {
        match (&self.what, self.rings) {
            (&What::Connection { can_receive, can_send, most }, _) => {
                Ok(Connection::received(self.fd, can_receive, can_send).limited(most))
            }
            (&What::Pipe { first, duplex }, Some(rings)) => {
                Ok(Connection::of_pipe(Pipe::new(self.fd, *rings, Role { first, duplex })))
            }
            (What::Pipe { .. }, None) => {
                let why = Error::new(Status::State, "the pipe's block in shared memory is damaged");
                Carried { rings: None, ..self }.stays(why)
            }
            (What::Listener { .. } | What::Descriptor, rings) => {
                Carried { rings, ..self }.stays(Error::new(Status::Invalid, "it is no connection"))
            }
        }
    }

    pub(crate) fn into_listener(self) -> Unpacked<Listener> {
        let What::Listener { address, key, allow_md5, any_user, patience, most } = &self.what else {
            return self.stays(Error::new(Status::Invalid, "it is no listener"));
        };
        let key = key.as_ref().map(|bytes| Key { bytes: bytes.clone().into(), allow_md5: *allow_md5 });
        let rules = Rules { key, any_user: *any_user, patience: *patience, most: *most };
        match Listener::many(&self.fd, &rules) {
            Ok(many) => Ok(Listener::received(self.fd, many, address.clone(), rules)),
            Err(e) => self.stays(e),
        }
    }

    /// For the program.
    pub(crate) fn into_descriptor(self) -> Unpacked<RawFd> {
        match self.what {
            What::Descriptor => Ok(self.fd.into_fd().into_raw_fd()),
            _ => self.stays(Error::new(Status::Invalid, "it is no descriptor")),
        }
    }

    #[cold]
    fn stays<T>(self, why: Error) -> Unpacked<T> {
        Err(Box::new((self, why)))
    }
}

/// None where they are not what they were said to be.
fn rings(held: Object) -> Option<Box<Rings>> {
    Rings::of(held).ok().map(Box::new)
}
