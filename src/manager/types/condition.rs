//! A condition. Its lock is an RLock of its own, or a managed Lock or RLock.
//!
//! | who waits is | in the lane of | until                          |
//! |--------------|----------------|--------------------------------|
//! | asleep       | the condition  | it is notified, or late        |
//! | notified     | the lock       | it has the lock, without limit |
//! | late         | the lock       | the same; it is told TIMEOUT   |
//!
//! Where one who was notified goes before it has the lock, the next one is notified in its place.

use super::rlock::RLock;
use super::{Context, DONE, Object, Outcome, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::codec::Value;

/// Lanes of the condition: those who are asleep, and those who wait for its own lock.
const ASLEEP: u8 = 0;
const OWN_LOCK: u8 = 1;

enum Guard {
    Own(RLock),
    /// The number of a managed one.
    Other(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asleep,
    Notified,
    Late,
}

struct Sleeper {
    number: u64,
    /// How often it had the lock.
    times: u64,
    state: State,
}

struct Condition {
    guard: Guard,
    /// In the order in which they came.
    sleepers: Vec<Sleeper>,
    last: u64,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let guard = match &*args {
        [] => Guard::Own(RLock::default()),
        [lock @ Value::Object(id)] if matches!(cx.store.type_of(*id), "Lock" | "RLock") => {
            cx.keep(lock)?;
            Guard::Other(*id)
        }
        _ => fail!(Invalid, "a Condition is made of a managed Lock or RLock, or of nothing"),
    };
    Ok(Box::new(Condition { guard, sleepers: Vec::new(), last: 0 }))
}

impl Guard {
    /// Uses the lock as the caller does.
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        what: impl FnOnce(&mut dyn Object, &mut Context<'_>) -> T,
    ) -> Result<T> {
        let id = match self {
            Guard::Own(lock) => return Ok(what(lock, cx)),
            Guard::Other(id) => *id,
        };
        let mut lock = cx.store.take(id)?;
        let mut note = 0;
        let mut inner = Context {
            store: &mut *cx.store,
            own: id,
            caller: cx.caller,
            patient: cx.patient,
            note: &mut note,
            gift: None,
        };
        let done = what(&mut *lock, &mut inner);
        cx.gift = inner.gift.take().or(cx.gift.take());
        cx.store.put_back(id, lock);
        Ok(done)
    }

    /// One call of the lock's; where it has to wait, it waits for the lock.
    fn call(&mut self, method: &str, cx: &mut Context<'_>) -> Result<Outcome> {
        let outcome = self.with(cx, |lock, cx| lock.call(method, &mut [], cx))??;
        Ok(match (outcome, &*self) {
            (Outcome::Park(lane), Guard::Other(id)) => Outcome::ParkAt(*id, lane),
            (Outcome::Park(_), Guard::Own(_)) => Outcome::Park(OWN_LOCK),
            (outcome, _) => outcome,
        })
    }

    /// How often the caller has the lock, which is at least once.
    fn held(&mut self, cx: &mut Context<'_>) -> Result<u64> {
        match self.with(cx, |lock, cx| lock.held_by(cx.caller))? {
            0 => fail!(NotOwner, "the caller does not hold the condition's lock"),
            times => Ok(times),
        }
    }
}

fn too_late() -> Error {
    Error::new(Status::Timeout, "it was not notified in time")
}

impl Condition {
    fn place(&self, number: u64) -> Option<usize> {
        self.sleepers.iter().position(|sleeper| sleeper.number == number)
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Result<Outcome> {
        if let Some(at) = self.place(*cx.note) {
            return self.wake_up(at, cx);
        }
        let times = self.guard.held(cx)?;
        if !cx.patient {
            return Err(too_late());
        }
        for _ in 0..times {
            self.guard.call("release", cx)?;
        }
        self.last += 1;
        *cx.note = self.last;
        self.sleepers.push(Sleeper { number: self.last, times, state: State::Asleep });
        Ok(Outcome::Park(ASLEEP))
    }

    fn wake_up(&mut self, at: usize, cx: &mut Context<'_>) -> Result<Outcome> {
        let Sleeper { times, state, .. } = self.sleepers[at];
        if state == State::Asleep {
            return Ok(Outcome::Park(ASLEEP));
        }
        let outcome = self.guard.call("acquire", cx)?;
        if matches!(outcome, Outcome::Park(_) | Outcome::ParkAt(..)) {
            return Ok(outcome);
        }
        self.sleepers.remove(at);
        for _ in 1..times {
            self.guard.call("acquire", cx)?;
        }
        match (state, outcome) {
            (State::Late, Outcome::Done(_)) => Err(too_late()),
            (_, outcome) => Ok(outcome),
        }
    }

    /// Anybody may: the caller holds the lock, or the one who was notified is gone.
    fn notify(&mut self, count: usize, cx: &mut Context<'_>) {
        let asleep = self.sleepers.iter_mut().filter(|sleeper| sleeper.state == State::Asleep);
        asleep.take(count).for_each(|sleeper| sleeper.state = State::Notified);
        cx.changed();
    }
}

impl Object for Condition {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("acquire" | "release" | "locked", []) => self.guard.call(method, cx)?,
            ("wait", []) => self.wait(cx)?,
            ("notify", args @ ([] | [Value::Int(0..)])) => {
                let count = if let [Value::Int(count)] = args { *count as usize } else { 1 };
                self.guard.held(cx)?;
                self.notify(count, cx);
                DONE
            }
            ("notify_all", []) => {
                self.guard.held(cx)?;
                self.notify(usize::MAX, cx);
                DONE
            }
            (method, args) => return Err(unknown("Condition", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        let asleep = self.sleepers.iter().filter(|sleeper| sleeper.state == State::Asleep).count();
        to.push_str(&format!("<Condition, {asleep} waiting>"));
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        if let Guard::Other(id) = self.guard {
            each(Value::Object(id));
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>) {
        if let Guard::Own(lock) = &mut self.guard {
            lock.leave(cx);
        }
    }

    fn undo(&mut self, turn: u64, cx: &mut Context<'_>) {
        // A lock that is gone is nobody's.
        let _ = self.guard.with(cx, |lock, cx| lock.undo(turn, cx));
    }

    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.place(*cx.note) else { return false };
        if self.sleepers[at].state == State::Asleep {
            self.sleepers[at].state = State::Late;
        }
        true
    }

    fn gave_up(&mut self, cx: &mut Context<'_>) {
        let Some(at) = self.place(*cx.note) else { return };
        if self.sleepers.remove(at).state == State::Notified {
            self.notify(1, cx);
        }
    }
}
