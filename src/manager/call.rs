//! A call of a function of the program, in the server: what it is given, and what it comes to.

use super::account::Charge;
use super::codec::Value;
use super::message::What;
use super::proxy::Proxy;
use super::registry::{House, Kind};
use super::start::Manager;
use crate::error::{Error, Result, Status, fail};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What an object of a registered type is to the program. Whoever drops the last one runs a function of the program.
pub(super) struct Referent {
    pub(super) house: Arc<House>,
    pub(super) kind: Arc<Kind<usize>>,
    /// Whatever the program wants; unset until it was made.
    pub(super) pointer: OnceLock<usize>,
}

impl Drop for Referent {
    fn drop(&mut self) {
        if let (Some(&pointer), Some(destroy)) = (self.pointer.get(), self.kind.destroy) {
            // Nobody is there any more who could be told.
            let _ = (self.house.hooks.destroy)(destroy, pointer);
        }
    }
}

/// A part of what a call comes to.
pub(super) enum Part {
    Value(Value),
    /// An object that the server has.
    Known {
        id: u64,
        _held: Proxy,
    },
    /// One that it is to have.
    New(Arc<Referent>),
}

#[derive(Default)]
struct Came {
    parts: Vec<Part>,
    failure: Option<Error>,
}

pub(crate) struct Call {
    args: Vec<Value>,
    house: Arc<House>,
    came: Mutex<Came>,
}

impl Call {
    /// Texts have a zero behind them, for C.
    pub(super) fn new(args: Vec<Value>, house: &Arc<House>) -> Self {
        let args = args.into_iter().map(Value::ended).collect();
        Call { args, house: Arc::clone(house), came: Mutex::default() }
    }

    fn came(&self) -> MutexGuard<'_, Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn args(&self) -> &[Value] {
        &self.args
    }

    /// A proxy of this process's own for an argument that is an object.
    pub(crate) fn proxy(&self, index: usize) -> Result<Proxy> {
        let Some(Value::Object(id)) = self.args.get(index) else {
            fail!(Invalid, "argument {index} of {} is no object", self.args.len());
        };
        let reply = self.house.link().ask(None, What::Hold, *id, "", &[], 0)?;
        reply.leases.into_iter().next().map(Proxy::new).ok_or_else(super::link::gone)
    }

    /// A manager that is connected to this server.
    pub(crate) fn manager(&self) -> Manager {
        Manager::connected(Arc::clone(self.house.link()))
    }

    /// Has the server count bytes until the answer is dropped.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge> {
        Charge::new(&self.house.account, bytes)
    }

    pub(crate) fn give(&self, value: Value) {
        self.came().parts.push(Part::Value(value));
    }

    pub(crate) fn give_known(&self, proxy: &Proxy) -> Result<()> {
        let Value::Object(id) = proxy.value_for(self.house.link())? else { return Ok(()) };
        self.came().parts.push(Part::Known { id, _held: proxy.clone() });
        Ok(())
    }

    /// A new object of a registered type, which is this to the program from now on.
    pub(crate) fn give_new(&self, type_name: &str, pointer: usize) -> Result<()> {
        let kind = Arc::clone(self.house.must_have(type_name)?);
        let house = Arc::clone(&self.house);
        let referent = Arc::new(Referent { house, kind, pointer: OnceLock::from(pointer) });
        self.came().parts.push(Part::New(referent));
        Ok(())
    }

    pub(crate) fn fail(&self, status: Status, sentence: String) {
        self.came().failure = Some(Error::new(status, sentence));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.came().failure.is_some()
    }

    /// When the function has returned.
    pub(super) fn end(&self) -> Result<Vec<Part>> {
        let came = std::mem::take(&mut *self.came());
        match came.failure {
            Some(failure) => Err(failure),
            None => Ok(came.parts),
        }
    }
}
