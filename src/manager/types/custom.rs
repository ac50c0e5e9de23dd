//! Objects of types that the program has registered. Their functions run on threads of the crew, one at a time for
//! each object, or those of a concurrent type as they come; whoever calls waits like those who wait for a lock.
//!
//! | a call is | and its entry in the desk is            |
//! |-----------|-----------------------------------------|
//! | queued    | there, without what it came to          |
//! | running   | the same; or gone, if nobody wants it    |
//! | over      | what it came to, until it was fetched   |

use super::{Context, EACH, Object, Outcome, one, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::call::{Call, Part, Referent};
use crate::manager::codec::Value;
use crate::manager::crew::Row;
use crate::manager::registry::{House, Kind};
use crate::manager::waiting::caught;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The method that is called first, by the server itself.
pub(in crate::manager) const CREATE: &str = "(create)";

/// A call's function, of which more is known on the thread.
type Work = Box<dyn FnOnce(&Arc<Call>, &Referent) -> Result<()> + Send>;

type Answers = HashMap<u64, Option<Result<Vec<Part>>>>;

/// What calls have come to.
#[derive(Default)]
struct Desk(Mutex<Answers>);

impl Desk {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What nobody wants is dropped here, on the crew's thread.
    fn put(&self, number: u64, came: Result<Vec<Part>>) {
        if let Some(place) = self.answers().get_mut(&number) {
            *place = Some(came);
        }
    }

    /// If it is over.
    fn fetch(&self, number: u64) -> Option<Result<Vec<Part>>> {
        let mut answers = self.answers();
        answers.get(&number)?.as_ref()?;
        answers.remove(&number)?
    }
}

/// A call that is not over, and the row that it is in: of a concurrent type each has its own.
struct Begun {
    call: Arc<Call>,
    row: Arc<Row>,
}

impl Begun {
    fn args(&self) -> &[Value] {
        self.call.args()
    }
}

pub(in crate::manager) struct Custom {
    /// None once it has gone to the thread that ends it.
    referent: Option<Arc<Referent>>,
    row: Arc<Row>,
    /// In which its callers wait.
    lane: u8,
    desk: Arc<Desk>,
    calls: HashMap<u64, Begun>,
    last: u64,
    /// The call that makes it, while somebody waits for that.
    creation: Option<u64>,
}

impl Custom {
    fn around(referent: Arc<Referent>) -> Self {
        let lane = if referent.kind.is_concurrent { EACH } else { 0 };
        Custom {
            row: Row::new(&referent.house.crew),
            lane,
            referent: Some(referent),
            desk: Arc::default(),
            calls: HashMap::new(),
            last: 0,
            creation: None,
        }
    }

    /// One that is made by its first call, of [`CREATE`].
    pub(in crate::manager) fn new(house: &Arc<House>, kind: &Arc<Kind<usize>>) -> Self {
        let (house, kind) = (Arc::clone(house), Arc::clone(kind));
        Self::around(Arc::new(Referent { house, kind, pointer: OnceLock::new() }))
    }

    fn referent(&self) -> Result<&Arc<Referent>> {
        self.referent.as_ref().ok_or_else(|| Error::new(Status::Closed, "the object is gone"))
    }

    fn begin(&mut self, args: &mut [Value], cx: &mut Context<'_>, work: Work) -> Result<Outcome> {
        let referent = Arc::clone(self.referent()?);
        let call = Arc::new(Call::new(args.iter_mut().map(std::mem::take).collect(), &referent.house));
        cx.keep_all(call.args().iter())?;
        self.last += 1;
        let (number, own, desk, its) = (self.last, cx.own, Arc::clone(&self.desk), Arc::clone(&call));
        self.desk.answers().insert(number, None);
        let job = move || {
            let done = caught(|| work(&its, &referent)).and_then(|done| done);
            let came = done.and_then(|()| its.end());
            desk.put(number, came);
            referent.house.ring(own);
        };
        let row = match self.lane {
            EACH => Row::new(self.row.crew()),
            _ => Arc::clone(&self.row),
        };
        if let Err(e) = row.push(number, job) {
            self.desk.answers().remove(&number);
            call.args().iter().for_each(|arg| cx.give_up(arg));
            return Err(e);
        }
        self.calls.insert(number, Begun { call, row });
        *cx.note = number;
        Ok(Outcome::Run(self.lane))
    }

    fn create(&mut self, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        let kind = &self.referent()?.kind;
        let Some(create) = kind.create else {
            fail!(Unsupported, "{} has no function that makes one", kind.name)
        };
        let outcome = self.begin(
            args,
            cx,
            Box::new(move |call, referent| {
                let made = (referent.house.hooks.create)(create, call)?;
                // A function that has failed has made nothing.
                if !call.has_failed() {
                    let _ = referent.pointer.set(made);
                }
                Ok(())
            }),
        )?;
        self.creation = Some(*cx.note);
        // Nobody else holds it until it is answered.
        cx.store.retain(cx.own)?;
        Ok(outcome)
    }

    fn method(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        let kind = &self.referent()?.kind;
        let Some(&(_, function)) = kind.methods.iter().find(|(name, _)| name == method) else {
            return match (method, &*args) {
                ("str", []) => Ok(one(Value::Text(format!("<{} object>", kind.name).into()))),
                _ => Err(unknown(&kind.name, method, args)),
            };
        };
        let work = move |call: &Arc<Call>, referent: &Referent| match referent.pointer.get() {
            Some(&pointer) => (referent.house.hooks.method)(function, call, pointer),
            None => fail!(Closed, "the object could not be made"),
        };
        self.begin(args, cx, Box::new(work))
    }

    /// What a call has come to; it waits on where that is not there yet.
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Outcome> {
        let number = *cx.note;
        let Some(came) = self.desk.fetch(number) else { return Ok(Outcome::Run(self.lane)) };
        let is_creation = self.creation == Some(number);
        self.forget(number, cx);
        let parts = came?;
        match is_creation {
            true => {
                self.spend(parts);
                Ok(one(Value::Object(cx.own)))
            }
            false => self.unpack(parts, cx).map(Outcome::Done),
        }
    }

    fn unpack(&self, parts: Vec<Part>, cx: &mut Context<'_>) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(parts.len());
        let mut spent = Vec::new();
        let mut failed = Ok(());
        for part in parts {
            match part {
                Part::Value(value) => values.push(value),
                Part::Known { id, .. } => {
                    values.push(Value::Object(id));
                    spent.push(part);
                }
                Part::New(_) if failed.is_err() => spent.push(part),
                Part::New(referent) => {
                    let name = referent.kind.name.clone();
                    match cx.store.add(name.into(), Box::new(Custom::around(referent))) {
                        Ok(id) => values.push(Value::Object(id)),
                        Err(e) => failed = Err(e),
                    }
                }
            }
        }
        self.spend(spent);
        failed.map(|()| values)
    }

    /// What is left of a call goes where the program's functions may run, and where the server may be asked.
    fn spend(&self, parts: Vec<Part>) {
        if !parts.is_empty() {
            // There is a thread since the call.
            let _ = self.row.push(0, move || drop(parts));
        }
    }

    /// Of a call that is over, or that nobody waits for.
    fn forget(&mut self, number: u64, cx: &mut Context<'_>) {
        if let Some(begun) = self.calls.remove(&number) {
            begun.args().iter().for_each(|arg| cx.give_up(arg));
        }
        if self.creation == Some(number) {
            self.creation = None;
            cx.store.release(cx.own);
        }
    }
}

impl Object for Custom {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        match method {
            _ if *cx.note != 0 => self.finish(cx),
            CREATE if self.last == 0 && self.referent()?.pointer.get().is_none() => self.create(args, cx),
            method => self.method(method, args, cx),
        }
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str("<object>");
    }

    fn runs_apart(&self) -> bool {
        true
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        // They are known until the end, which withdraws them.
        self.calls.values().flat_map(Begun::args).cloned().for_each(each);
    }

    fn gave_up(&mut self, cx: &mut Context<'_>) {
        let number = *cx.note;
        if let Some(begun) = self.calls.get(&number) {
            begun.row.withdraw(number);
        }
        let came = self.desk.answers().remove(&number);
        if let Some(Some(Ok(parts))) = came {
            self.spend(parts);
        }
        self.forget(number, cx);
    }
}

impl Drop for Custom {
    fn drop(&mut self) {
        // Those who called are told that the object is gone.
        self.calls.iter().for_each(|(&number, begun)| begun.row.withdraw(number));
        let answers: Vec<_> = self.desk.answers().drain().collect();
        for (_, came) in answers {
            if let Some(Ok(parts)) = came {
                self.spend(parts);
            }
        }
        // Behind the call that is running; of a concurrent type the last one that runs drops it. One for which there was
        // no thread yet has nothing to end.
        let referent = self.referent.take();
        let _ = self.row.push(0, move || drop(referent));
    }
}
