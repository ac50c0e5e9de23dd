//! A connection or a listener on its way into a child: a descriptor of its own, which stays until the child has it,
//! and what else the child must know.

use super::connection::Connection;
use super::handshake::Key;
use super::listener::{Listener, Rules};
use crate::error::Result;
use crate::sys::fd;
use crate::sys::kept::{self, Kept};
use crate::sys::sockets;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsRawFd, RawFd};

/// What it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Connection { can_receive: bool, can_send: bool },
    Listener { address: String, key: Option<Vec<u8>>, allow_md5: bool, any_user: bool, patience: i64 },
}

pub(crate) struct Carried {
    fd: Kept,
    pub(crate) what: What,
}

impl Carried {
    pub(super) fn new(fd: Kept, what: What) -> Self {
        Carried { fd, what }
    }

    /// The descriptor that the child has to have.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.fd.fd().as_raw_fd()
    }

    /// In a forked child, which was spared the descriptor.
    pub(crate) fn arrived(&self) -> Self {
        Carried { fd: self.fd.inherit(), what: self.what.clone() }
    }

    /// In a fresh image, which has inherited it.
    pub(crate) fn received(fd: RawFd, what: What) -> Result<Self> {
        let mut list = kept::list();
        Ok(Carried { fd: list.keep(fd::adopt(fd)?), what })
    }

    /// The same once more.
    pub(crate) fn again(&self) -> Result<Self> {
        let mut list = kept::list();
        Ok(Carried { fd: list.keep(sockets::again(self.fd.fd())?), what: self.what.clone() })
    }

    /// Unpacks it; what is a listener comes back as it is.
    pub(crate) fn into_connection(self) -> std::result::Result<Connection, Self> {
        match self.what {
            What::Connection { can_receive, can_send } => {
                Ok(Connection::received(self.fd, can_receive, can_send))
            }
            What::Listener { .. } => Err(self),
        }
    }

    /// Unpacks it; what is a connection comes back as it is.
    pub(crate) fn into_listener(self) -> std::result::Result<Result<Listener>, Self> {
        match self.what {
            What::Listener { address, key, allow_md5, any_user, patience } => {
                let key = key.map(|bytes| Key { bytes: bytes.into(), allow_md5 });
                let rules = Rules { key, any_user, patience };
                Ok(Listener::received(self.fd, address, rules))
            }
            What::Connection { .. } => Err(self),
        }
    }
}
