//! The types of managed objects. To add one:
//!
//! 1. a file here with a struct for which [`Object`] is implemented: `call` is a match over the names of its methods;
//! 2. a line in [`TYPES`];
//! 3. its table in docs/manager-protocol.md, and its tests in c-tests/test_manager_<type>.c.
//!
//! A method that has to wait answers [`Outcome::Park`] with the number of a lane, and nothing has changed then. The
//! server calls it again, with the same arguments, when the object has changed (`cx.changed()` says so), and in the
//! order in which those in the lane came: where the first of a lane still has to wait, so have those behind it, but in
//! lanes from [`EACH`] on everybody is asked. What
//! the caller has to remember from its first attempt (the epoch of an event, the generation of a barrier) is in
//! `cx.note`, which is 0 then. When its time runs out, `late` is asked; when
//! it does not wait any more, or its client goes, `gave_up` is told.
//!
//! What a method stores it has counted by `cx.keep` before, and what it gives up by `cx.give_up`; both know what to
//! do with a value that is an object. What a session holds (a lock) is noted by `cx.claim`: `leave` is called when
//! the session ends. Where an answer says that the caller holds something, `cx.undoable` has `undo` called should the
//! connection end before the answer was read; what an answer takes out of the object goes by `cx.hand_over`, and comes
//! back by `put_back`. An answer of many values is made by `cx.all` or
//! `cx.gather`, which know how much room there is.

mod array;
mod barrier;
mod condition;
pub(super) mod custom;
mod dict;
mod event;
mod list;
mod lock;
mod namespace;
mod number;
mod queue;
mod rlock;
mod semaphore;
mod set;
mod value;

use super::codec::{Room, Value};
use super::store::{Store, Ticket};
use super::text;
use crate::error::{Error, Result, Status, fail};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) session: Ticket,
    pub(super) thread: u32,
}

/// What a call came to.
pub(super) enum Outcome {
    /// These values.
    Done(Vec<Value>),
    /// The caller has what it asked for, and the one who had it before died.
    OwnerDied,
    /// It has to wait in this lane.
    Park(u8),
    /// It has to wait in a lane of another object, and is called again when that one has changed.
    ParkAt(u64, u8),
    /// Somebody else works at it: it waits for that in this lane, however long its own time is.
    Run(u8),
}

/// What an answer gives its caller, beside leases.
pub(super) enum Gift {
    /// The object's own number for it.
    Turn(u64),
    /// What was taken out of the object.
    Item(Value),
}

/// In this lane and those above it one who still has to wait is no sign for those behind.
pub(super) const EACH: u8 = 128;

/// Without a value.
pub(super) const DONE: Outcome = Outcome::Done(Vec::new());

pub(super) fn one(value: Value) -> Outcome {
    Outcome::Done(vec![value])
}

pub(super) fn truth(yes: bool) -> Outcome {
    one(Value::Bool(yes))
}

pub(super) fn length(len: usize) -> Outcome {
    one(Value::Int(len as i64))
}

/// What a method knows beside its arguments.
pub(super) struct Context<'a> {
    pub(super) store: &'a mut Store,
    /// The object's own number.
    pub(super) own: u64,
    pub(super) caller: Caller,
    /// Whether the caller waits at all.
    pub(super) patient: bool,
    /// Kept while it waits; 0 at first.
    pub(super) note: &'a mut u64,
    /// Set by [`Self::undoable`] and [`Self::hand_over`].
    pub(super) gift: Option<Gift>,
}

impl Context<'_> {
    pub(super) fn keep(&mut self, value: &Value) -> Result<()> {
        self.store.keep(value)
    }

    pub(super) fn give_up(&mut self, value: &Value) {
        self.store.give_up(value);
    }

    /// All or none are counted.
    pub(super) fn keep_all<'v>(&mut self, values: impl Iterator<Item = &'v Value> + Clone) -> Result<()> {
        for (done, value) in values.clone().enumerate() {
            if let Err(e) = self.keep(value) {
                values.take(done).for_each(|value| self.give_up(value));
                return Err(e);
            }
        }
        Ok(())
    }

    /// Those who wait may go on.
    pub(super) fn changed(&mut self) {
        // Of many changes by one request those who wait see the last.
        if self.store.changed.back() != Some(&self.own) {
            self.store.changed.push_back(self.own);
        }
    }

    pub(super) fn claim(&mut self) {
        self.store.claim(self.caller.session, self.own);
    }

    pub(super) fn disclaim(&mut self, session: Ticket) {
        self.store.disclaim(session, self.own);
    }

    /// `turn` comes back in [`Object::undo`].
    pub(super) fn undoable(&mut self, turn: u64) {
        self.gift = Some(Gift::Turn(turn));
    }

    /// An item leaves for the caller, and is the object's no more. It comes back in [`Object::put_back`] should the
    /// answer not be read; so long it is counted.
    pub(super) fn hand_over(&mut self, item: &Value) {
        if let Value::Object(id) = item {
            // The answer's lease holds it from now on.
            self.store.release(*id);
        }
        self.gift = Some(Gift::Item(item.clone()));
    }

    /// An answer that grows while there is room for it.
    pub(super) fn gather(&self) -> Gathered {
        Gathered { values: Vec::new(), room: self.store.room }
    }

    /// All of these.
    pub(super) fn all<'v>(&self, values: impl IntoIterator<Item = &'v Value>) -> Result<Outcome> {
        let mut gathered = self.gather();
        values.into_iter().try_for_each(|value| gathered.add(&[value]))?;
        Ok(Outcome::Done(gathered.values))
    }

    /// Values in a row as text, with ", " between.
    pub(super) fn write_row<'v>(&self, to: &mut String, values: impl Iterator<Item = &'v Value>) {
        for (at, value) in values.enumerate() {
            if at > 0 {
                to.push_str(", ");
            }
            self.write(to, value);
        }
    }

    /// A text that is too long for an answer anyway does not grow any more.
    pub(super) fn write(&self, to: &mut String, value: &Value) {
        if to.len() > self.store.room.bytes {
            return;
        }
        text::write(to, value, &|id| self.store.type_of(id));
    }
}

/// An answer of many values, none of which is copied that has no room in it.
pub(super) struct Gathered {
    pub(super) values: Vec<Value>,
    room: Room,
}

impl Gathered {
    /// All of these or none.
    pub(super) fn add(&mut self, values: &[&Value]) -> Result<()> {
        self.room.take(values.iter().copied())?;
        self.values.extend(values.iter().map(|&value| value.clone()));
        Ok(())
    }

    /// Some behind a position: false where they have to come with the next answer. Where not even the first have room,
    /// that is an error: an answer without any would be the end.
    pub(super) fn add_behind(&mut self, values: &[&Value]) -> Result<bool> {
        match self.add(values) {
            Err(e) if self.values.len() == 1 => Err(e),
            added => Ok(added.is_ok()),
        }
    }
}

/// A managed object.
pub(super) trait Object: Send {
    /// Calls a method. It takes the arguments that it stores out of `args`, unless it parks.
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome>;

    /// What `str` says of it.
    fn describe(&self, to: &mut String, cx: &Context<'_>);

    /// What it holds, for other objects' methods; None for a type that has no such thing.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }

    /// Its methods answer [`Outcome::Run`], the one for `str` too: the loop does not run them.
    fn runs_apart(&self) -> bool {
        false
    }

    /// How often the caller has it, of a lock.
    fn held_by(&self, _caller: Caller) -> u64 {
        0
    }

    /// Hands out what it stores, as it goes.
    fn empty(&mut self, _each: &mut dyn FnMut(Value)) {}

    /// The session of `cx.caller`, which it had claimed, is over.
    fn leave(&mut self, _cx: &mut Context<'_>) {}

    /// The caller, who may not have learnt of it, shall not hold what its last call gave it.
    fn undo(&mut self, _turn: u64, _cx: &mut Context<'_>) {}

    /// An item that was on its way to a caller has not arrived.
    fn put_back(&mut self, _item: Value, _cx: &mut Context<'_>) {}

    /// The time of a caller who waits is over. True: it has an answer for it all the same, or has to wait on, without
    /// limit; it is called again at once.
    fn late(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// The caller does not wait any more.
    fn gave_up(&mut self, _cx: &mut Context<'_>) {}
}

type Make = fn(&mut [Value], &mut Context<'_>) -> Result<Box<dyn Object>>;

/// By name.
const TYPES: &[(&str, Make)] = &[
    ("Array", array::make),
    ("Barrier", barrier::make),
    ("BoundedSemaphore", semaphore::make_bounded),
    ("Condition", condition::make),
    ("Event", event::make),
    ("JoinableQueue", queue::make),
    ("Lock", lock::make),
    ("Namespace", namespace::make),
    ("Queue", queue::make),
    ("RLock", rlock::make),
    ("Semaphore", semaphore::make),
    ("Value", value::make),
    ("dict", dict::make),
    ("list", list::make),
    ("set", set::make),
];

/// Made of C's functions, like those of programs, but in every server.
const OTHERS: [&str; 5] = ["AsyncResult", "Iterator", "Pool", "ShareableList", "SharedMemory"];

pub(super) fn is_known(name: &str) -> bool {
    OTHERS.contains(&name) || TYPES.iter().any(|(known, _)| *known == name)
}

/// A new object, and its type's name.
pub(super) fn make(
    name: &str,
    args: &mut [Value],
    cx: &mut Context<'_>,
) -> Result<(&'static str, Box<dyn Object>)> {
    let Some((name, make)) = TYPES.iter().find(|(known, _)| *known == name) else {
        fail!(Unsupported, "the manager has no type {name:?}");
    };
    Ok((name, make(args, cx)?))
}

/// What was made of its arguments, unless they were wrong: then what it had stored of them goes.
fn built<T: Object + 'static>(
    mut made: T,
    filled: Result<()>,
    cx: &mut Context<'_>,
) -> Result<Box<dyn Object>> {
    match filled {
        Ok(()) => Ok(Box::new(made)),
        Err(e) => {
            made.empty(&mut |value| cx.give_up(&value));
            Err(e)
        }
    }
}

/// There is no such method, or not with such arguments.
pub(super) fn unknown(type_name: &str, method: &str, args: &[Value]) -> Error {
    let kinds: Vec<_> = args.iter().map(Value::kind).collect();
    let text = format!("{type_name} has no method {method}({})", kinds.join(", "));
    Error::new(Status::Unsupported, text)
}

/// A place among `len`, counted from the end where it is negative.
pub(super) fn place(index: i64, len: usize) -> Result<usize> {
    let from_start = if index < 0 { index.checked_add(len as i64) } else { Some(index) };
    match from_start.and_then(|i| usize::try_from(i).ok()).filter(|&i| i < len) {
        Some(i) => Ok(i),
        None => fail!(Invalid, "the index {index} is out of range: there are {len} items"),
    }
}
