//! Types that the program has registered, and what the server needs to call their functions.

use super::account::Account;
use super::call::Call;
use super::crew::Crew;
use super::link::{Link, Way};
use super::proxy::this_process;
use super::server::Limits;
use crate::error::{Error, Result, Status, fail};
use crate::process::Target;
use crate::sys::flag::Flag;
use crate::wire::Connection;
use serde::{Deserialize, Serialize};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A type's functions, by what names them: an address in this process, a target on its way to another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kind<F> {
    pub(crate) name: String,
    /// None: only methods make objects of it.
    pub(crate) create: Option<F>,
    pub(crate) destroy: Option<F>,
    pub(crate) methods: Vec<(String, F)>,
    /// An object's calls run at the same time, and not one after the other.
    pub(crate) is_concurrent: bool,
}

impl<F> Kind<F> {
    fn map<G>(&self, way: impl Fn(&F) -> Result<G>) -> Result<Kind<G>> {
        let methods = self.methods.iter().map(|(name, f)| Ok((name.clone(), way(f)?)));
        Ok(Kind {
            name: self.name.clone(),
            create: self.create.as_ref().map(&way).transpose()?,
            destroy: self.destroy.as_ref().map(&way).transpose()?,
            methods: methods.collect::<Result<_>>()?,
            is_concurrent: self.is_concurrent,
        })
    }
}

/// How functions of the program are called. An error is what left the function instead of its answer.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// Types that every server has.
    pub(crate) kinds: fn() -> Vec<Kind<usize>>,
    pub(crate) create: fn(function: usize, call: &Arc<Call>) -> Result<usize>,
    pub(crate) method: fn(function: usize, call: &Arc<Call>, object: usize) -> Result<()>,
    pub(crate) destroy: fn(function: usize, object: usize) -> Result<()>,
    /// Of a barrier.
    pub(crate) action: fn(function: usize) -> Result<()>,
}

/// What the server's loop is to look at.
#[derive(Default)]
pub(super) struct Rung {
    /// Objects that have a call that is over.
    pub(super) objects: Vec<u64>,
    /// Functions of the program, as clients.
    pub(super) clients: Vec<Connection>,
}

struct Bell {
    flag: Flag,
    rung: Mutex<Rung>,
}

impl Bell {
    fn ring(&self, what: impl FnOnce(&mut Rung)) {
        what(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.flag.raise();
    }
}

/// What all objects of registered types in a server share.
pub(super) struct House {
    kinds: Vec<Arc<Kind<usize>>>,
    pub(super) hooks: Hooks,
    /// Of what the server stores.
    pub(super) account: Arc<Account>,
    pub(super) crew: Arc<Crew>,
    bell: Bell,
    /// To this server, for functions that use its objects.
    way: Way,
    link: OnceLock<Arc<Link>>,
}

/// Nanoseconds that a function waits for an answer of its own server.
const PATIENCE: i64 = 30_000_000_000;

impl House {
    pub(super) fn new(kinds: Vec<Kind<usize>>, hooks: Hooks, way: Way, limits: Limits) -> Result<Arc<Self>> {
        Ok(Arc::new(House {
            kinds: (hooks.kinds)().into_iter().chain(kinds).map(Arc::new).collect(),
            hooks,
            account: Account::new(limits.total),
            crew: Arc::default(),
            bell: Bell { flag: Flag::new()?, rung: Mutex::default() },
            way,
            link: OnceLock::new(),
        }))
    }

    /// A server's that nobody reaches.
    #[cfg(any(test, fuzzing))]
    pub(super) fn without_types(limits: Limits) -> Result<Arc<Self>> {
        let hooks = Hooks {
            kinds: Vec::new,
            create: |_, _| Ok(0),
            method: |_, _, _| Ok(()),
            destroy: |_, _| Ok(()),
            action: |_| Ok(()),
        };
        let nowhere = Way { address: String::new(), key: Vec::new(), any_user: false };
        House::new(Vec::new(), hooks, nowhere, limits)
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Arc<Kind<usize>>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    pub(super) fn must_have(&self, name: &str) -> Result<&Arc<Kind<usize>>> {
        let none = || Error::new(Status::Unsupported, format!("no type {name:?} is registered"));
        self.kind(name).ok_or_else(none)
    }

    pub(super) fn link(self: &Arc<Self>) -> &Arc<Link> {
        self.link.get_or_init(|| {
            let (house, process) = (Arc::downgrade(self), this_process());
            let door = move || {
                // A child that a function has forked goes the way of all.
                let house = house.upgrade().filter(|_| process == this_process())?;
                Some(Connection::socket_pair().map(|(its, mine)| {
                    house.bell.ring(|rung| rung.clients.push(its));
                    mine
                }))
            };
            Link::inside(self.way.clone(), PATIENCE, Box::new(door))
        })
    }

    pub(super) fn ring(&self, object: u64) {
        self.bell.ring(|rung| rung.objects.push(object));
    }

    /// For the loop to wait for.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.flag.borrowed()
    }

    /// What there is.
    pub(super) fn answer(&self) -> Rung {
        // First: whoever rings from now on is heard again.
        self.bell.flag.lower();
        std::mem::take(&mut *self.bell.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// In the program: adds one to a manager's.
pub(super) fn add(kinds: &mut Vec<Kind<usize>>, kind: Kind<usize>) -> Result<()> {
    if kind.name.is_empty() || kind.name.len() > 255 {
        fail!(Invalid, "a type's name has 1 to 255 bytes, and this one has {}", kind.name.len());
    }
    if super::types::is_known(&kind.name) || kinds.iter().any(|known| known.name == kind.name) {
        fail!(Exists, "the manager has a type {:?} already", kind.name);
    }
    for (place, (name, _)) in kind.methods.iter().enumerate() {
        if name.is_empty() || name.len() > 255 {
            fail!(Invalid, "a method's name has 1 to 255 bytes, and method {place} has {}", name.len());
        }
        if kind.methods[..place].iter().any(|(other, _)| other == name) {
            fail!(Invalid, "{} has two methods {name:?}", kind.name);
        }
    }
    kinds.push(kind);
    Ok(())
}

/// For another process.
pub(super) fn to_targets(kinds: &[Kind<usize>]) -> Result<Vec<Kind<Target>>> {
    kinds.iter().map(|kind| kind.map(|&address| Target::of(address))).collect()
}

/// There.
pub(super) fn from_targets(kinds: &[Kind<Target>]) -> Result<Vec<Kind<usize>>> {
    kinds.iter().map(|kind| kind.map(Target::address)).collect()
}
