//! What stands for an object in a process.

use super::codec::{Lent, Value};
use super::link::{Link, Name, Reply, Way, gone};
use super::message::What;
use crate::error::{Error, Result, Status, fail};
use crate::process::{Voucher, own};
use crate::sys::page::page;
use crate::time::Deadline;
use crate::wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// This process has the server keep an object.
pub(crate) struct Lease {
    link: Arc<Link>,
    /// The object is of this server; another one at the same address has others.
    server: Name,
    id: u64,
    /// The process that has it: a fork has to take one of its own.
    epoch: AtomicU64,
}

pub(super) fn this_process() -> u64 {
    page().epoch.load(Ordering::Relaxed)
}

impl Lease {
    pub(super) fn new(link: Arc<Link>, server: Name, id: u64) -> Self {
        Lease { link, server, id, epoch: AtomicU64::new(this_process()) }
    }

    /// Fails where the object's server is not there any more. In a fork it takes a lease first.
    fn check(&self) -> Result<()> {
        let (before, now) = (self.epoch.load(Ordering::Acquire), this_process());
        if before == now {
            return Ok(());
        }
        let held = self.link.ask(Some(self.server), What::Hold, self.id, "", &[], 0)?;
        // Of several threads one has its lease counted here instead; the others' go again by themselves. A mutex would
        // stay locked in a fork's own fork.
        if self.epoch.compare_exchange(before, now, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            held.leases.iter().for_each(|lease| lease.epoch.store(u64::MAX, Ordering::Relaxed));
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if *self.epoch.get_mut() == this_process() {
            self.link.release(self.server, self.id);
        }
    }
}

/// A handle's content.
#[derive(Clone)]
pub(crate) struct Proxy(Arc<Lease>);

/// A ticket on its way begins with this.
const MAGIC: &[u8; 4] = b"mpT1";

impl Proxy {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Proxy(lease)
    }

    /// As an argument for another object of the same server.
    pub(crate) fn value(&self, of: &Proxy) -> Result<Lent<'static>> {
        self.value_at(of.0.server)
    }

    fn value_at(&self, server: Name) -> Result<Lent<'static>> {
        self.0.check()?;
        if self.0.server != server {
            fail!(Invalid, "the two objects are not of the same manager");
        }
        Ok(Value::Object(self.0.id))
    }

    /// The same for an object that is to be made there.
    pub(crate) fn value_for(&self, link: &Link) -> Result<Lent<'static>> {
        self.value_at(link.connect(Deadline::after(link.patience()))?)
    }

    fn ask(&self, what: What, name: &str, values: &[Lent<'_>], timeout: i64) -> Result<Reply> {
        self.0.check()?;
        self.0.link.ask(Some(self.0.server), what, self.0.id, name, values, timeout)
    }

    /// Calls a method.
    pub(crate) fn call(&self, method: &str, args: &[Lent<'_>], timeout: i64) -> Result<Reply> {
        self.ask(What::Call, method, args, timeout)
    }

    /// Waits at a condition until the predicate holds.
    pub(crate) fn wait_for(&self, deadline: Deadline, mut predicate: impl FnMut() -> bool) -> Result<Status> {
        let mut status = Status::Ok;
        while !predicate() {
            let left = i64::try_from(deadline.remaining().as_nanos()).unwrap_or(i64::MAX);
            match self.call("wait", &[], left) {
                Ok(reply) if reply.status == Status::Ok => {}
                Ok(reply) => status = reply.status,
                Err(e) if e.status == Status::Timeout && predicate() => break,
                Err(e) => return Err(e),
            }
        }
        Ok(status)
    }

    /// Whether the object is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        wire::is_local(self.0.link.way.address.as_bytes())
    }

    /// Several calls as one.
    pub(crate) fn batch(&self, values: &[Lent<'_>]) -> Result<Reply> {
        self.ask(What::Batch, "", values, 0)
    }

    /// What the server knows of the object: "type", "str".
    pub(crate) fn text(&self, what: &str) -> Result<String> {
        text_of(self.ask(What::Info, what, &[], 0)?)
    }

    /// Bytes by which another process gets a proxy of its own, once. The key goes along only where nobody else can
    /// see it.
    pub(crate) fn export(&self, with_key: bool) -> Result<Vec<u8>> {
        let reply = self.ask(What::Export, "", &[], 0)?;
        let [Value::Bytes(ticket)] = &reply.values[..] else { fail!(Remote, "the server gives no ticket") };
        let Way { address, key, any_user } = &self.0.link.way;
        let mut bytes = [&MAGIC[..], &self.0.server, ticket, &[u8::from(*any_user)]].concat();
        for part in [address.as_bytes(), if with_key { key } else { &[] }] {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// A proxy of this process's own.
    pub(crate) fn import(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::new(Status::Invalid, "these bytes are no exported proxy");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (server, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (ticket, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (&[any_user], rest) = rest.split_first_chunk::<1>().ok_or_else(damaged)?;
        let (address, rest) = part(rest).ok_or_else(damaged)?;
        let (key, rest) = part(rest).ok_or_else(damaged)?;
        let address = std::str::from_utf8(address).map_err(|_| damaged())?;
        if !rest.is_empty() {
            return Err(damaged());
        }
        const PATIENCE: i64 = 30_000_000_000;
        let link = match Link::to(address) {
            Some(link) => link,
            None => {
                let key = if key.is_empty() { own::authkey()? } else { key.to_vec() };
                let way = Way { address: address.to_owned(), key, any_user: any_user != 0 };
                Link::find(way, PATIENCE)
            }
        };
        // The way there has statuses of its own.
        link.connect(Deadline::after(link.patience()))?;
        let ticket = Value::Bytes(&ticket[..]);
        let reply = link.ask(Some(*server), What::Hold, 0, "", &[ticket], 0)?;
        reply.leases.into_iter().next().map(Proxy).ok_or_else(gone)
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

pub(super) fn text_of(reply: Reply) -> Result<String> {
    match reply.values.into_iter().next() {
        Some(Value::Text(text)) => Ok(text.into()),
        _ => fail!(Remote, "the server answers with something else than a text"),
    }
}

impl Voucher for Proxy {
    fn issue(&self) -> Result<Vec<u8>> {
        self.export(true)
    }
}
