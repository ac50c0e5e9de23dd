//! Semaphores. Anybody may release one, as in Python, unless it was made to be given back: then what a session has
//! taken is noted, nobody releases more than it has, and what it still has at its end is free again.

use super::{Context, DONE, Object, Outcome, one, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;
use crate::manager::store::Ticket;
use std::collections::HashMap;

#[derive(Clone, Copy, Default)]
struct Taken {
    count: i64,
    /// The session's last one.
    turn: u64,
}

struct Semaphore {
    name: &'static str,
    value: i64,
    most: i64,
    /// What each session has taken; None: it is not noted.
    taken: Option<HashMap<Ticket, Taken>>,
    /// How often it was taken or released.
    turn: u64,
    /// So many that the dead had were not taken again yet.
    abandoned: i64,
}

pub(super) fn make(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    build("Semaphore", args, |_| i64::MAX)
}

pub(super) fn make_bounded(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    build("BoundedSemaphore", args, |value| value)
}

fn build(name: &'static str, args: &[Value], most: fn(i64) -> i64) -> Result<Box<dyn Object>> {
    let (value, give_back) = match args {
        [] => (1, false),
        [Value::Int(value @ 0..)] => (*value, false),
        [Value::Int(value @ 0..), Value::Bool(give_back)] => (*value, *give_back),
        _ => fail!(Invalid, "a {name} is made of a number from 0, and whether it is given back"),
    };
    let taken = give_back.then(HashMap::new);
    Ok(Box::new(Semaphore { name, value, most: most(value), taken, turn: 0, abandoned: 0 }))
}

impl Semaphore {
    fn acquire(&mut self, cx: &mut Context<'_>) -> Outcome {
        if self.value == 0 {
            return Outcome::Park(0);
        }
        self.value -= 1;
        let Some(taken) = &mut self.taken else { return DONE };
        self.turn += 1;
        let had = taken.entry(cx.caller.session).or_default();
        *had = Taken { count: had.count + 1, turn: self.turn };
        cx.claim();
        cx.undoable(self.turn);
        if self.abandoned == 0 {
            return DONE;
        }
        self.abandoned -= 1;
        Outcome::OwnerDied
    }

    fn release(&mut self, count: i64, cx: &mut Context<'_>) -> Result<()> {
        if count < 1 {
            fail!(Invalid, "{count} is no number of releases");
        }
        let Some(sum) = self.value.checked_add(count).filter(|&sum| sum <= self.most) else {
            fail!(OverRelease, "the {} has been released more often than that", self.name);
        };
        let session = cx.caller.session;
        if let Some(taken) = &mut self.taken {
            let had = taken.get(&session).map_or(0, |had| had.count);
            if had < count {
                fail!(NotOwner, "this process has taken {had}, and cannot release {count}");
            }
            self.turn += 1;
            if had == count {
                taken.remove(&session);
                cx.disclaim(session);
            } else {
                taken.insert(session, Taken { count: had - count, turn: self.turn });
            }
        }
        self.value = sum;
        cx.changed();
        Ok(())
    }
}

impl Object for Semaphore {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("acquire", []) => self.acquire(cx),
            ("release", []) => self.release(1, cx).map(|()| DONE)?,
            ("release", [Value::Int(count)]) => self.release(*count, cx).map(|()| DONE)?,
            ("get_value", []) => one(Value::Int(self.value)),
            ("locked", []) => truth(self.value == 0),
            (method, args) => return Err(unknown(self.name, method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str(&format!("<{} at {}>", self.name, self.value));
    }

    fn leave(&mut self, cx: &mut Context<'_>) {
        let Some(taken) = &mut self.taken else { return };
        if let Some(had) = taken.remove(&cx.caller.session) {
            self.value += had.count;
            self.abandoned += had.count;
            cx.changed();
        }
    }

    fn undo(&mut self, turn: u64, cx: &mut Context<'_>) {
        let last = self.taken.as_ref().and_then(|taken| taken.get(&cx.caller.session));
        // It may have been released since, on another connection.
        if last.is_some_and(|last| last.turn == turn) && self.release(1, cx).is_ok() {
            self.abandoned += 1;
        }
    }
}
