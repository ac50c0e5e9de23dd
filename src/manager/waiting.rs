//! Calls of methods, and those who wait in the server until their object has changed.

use super::codec::{Room, Value};
use super::hall::Hall;
use super::message::Answer;
use super::server::{Client, Clients, Given, Read, Undo};
use super::store::Store;
use super::types::{Caller, Context, EACH, Gift, Object, Outcome};
use crate::error::{Error, Result, Status};
use crate::time::{Deadline, Instant};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A call of a method.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) object: u64,
    pub(super) method: &'a str,
    pub(super) caller: Caller,
    /// Nanoseconds.
    pub(super) timeout: i64,
}

/// What an attempt came to.
pub(super) enum Done {
    /// What may be undone, should the answer not arrive.
    Answered(Answer, Option<Undo>),
    /// In this lane of this object.
    Parked(u64, u8),
    /// In this lane of its own object, until the call is over.
    Running(u8),
}

/// One who waits.
struct Waiter {
    client: u64,
    caller: Caller,
    object: u64,
    method: String,
    args: Vec<Value>,
    /// In whose lane it is: mostly the same object's.
    at: u64,
    lane: u8,
    note: u64,
    timeout: i64,
    until: Option<Instant>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Waiting {
    waiters: HashMap<u64, Waiter>,
    /// Of each object those who wait for it, in the order in which they came.
    lanes: HashMap<u64, BTreeMap<u8, VecDeque<u64>>>,
    deadlines: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl Waiting {
    pub(super) fn count(&self) -> usize {
        self.waiters.len()
    }

    fn add(&mut self, waiter: Waiter) -> u64 {
        self.last += 1;
        self.lanes.entry(waiter.at).or_default().entry(waiter.lane).or_default().push_back(self.last);
        self.deadlines.extend(waiter.until.map(|until| (until, self.last)));
        self.waiters.insert(self.last, waiter);
        self.last
    }

    fn first(&self, object: u64, lane: u8) -> Option<u64> {
        self.lanes.get(&object)?.get(&lane)?.front().copied()
    }

    fn all(&self, object: u64, lane: u8) -> Vec<u64> {
        let row = self.lanes.get(&object).and_then(|lanes| lanes.get(&lane));
        row.map(|row| row.iter().copied().collect()).unwrap_or_default()
    }

    fn leave_lane(&mut self, number: u64, object: u64, lane: u8) {
        let Some(lanes) = self.lanes.get_mut(&object) else { return };
        if let Some(row) = lanes.get_mut(&lane) {
            // Mostly the first: all who wait for an event go one after the other.
            match row.front() {
                Some(&first) if first == number => drop(row.pop_front()),
                _ => row.retain(|&other| other != number),
            }
            if row.is_empty() {
                lanes.remove(&lane);
            }
        }
        if lanes.is_empty() {
            self.lanes.remove(&object);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(&number)?;
        self.leave_lane(number, waiter.at, waiter.lane);
        if let Some(until) = waiter.until {
            self.deadlines.remove(&(until, number));
        }
        Some(waiter)
    }
}

/// A panic ends what was asked for, and not the server.
pub(super) fn caught<T>(what: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|why| {
        let text = why.downcast_ref::<String>().map(String::as_str).or(why.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("it does not say why");
        Error::new(Status::Panic, format!("the method failed in the server: {text}"))
    })
}

fn weight(args: &[Value]) -> usize {
    args.iter().map(Value::weight).sum()
}

pub(super) fn context<'a>(store: &'a mut Store, own: u64, caller: Caller, note: &'a mut u64) -> Context<'a> {
    Context { store, own, caller, patient: false, note, gift: None }
}

impl Hall {
    pub(super) fn attempt(&mut self, call: &Attempt<'_>, args: &mut [Value], note: &mut u64) -> Done {
        let (id, caller) = (call.object, call.caller);
        let called = self.with_object(id, caller, note, |object, cx| {
            cx.patient = call.timeout > 0;
            (object.call(call.method, args, cx), cx.gift.take())
        });
        let (outcome, gift) = called.unwrap_or_else(|e| (Err(e), None));
        let undo = gift.map(|gift| Undo { object: id, caller, gift });
        match outcome {
            Ok(Outcome::Done(values)) => Done::Answered(Ok((Status::Ok, values)), undo),
            Ok(Outcome::OwnerDied) => Done::Answered(Ok((Status::OwnerDied, Vec::new())), undo),
            Ok(Outcome::Park(lane)) => Done::Parked(call.object, lane),
            Ok(Outcome::ParkAt(at, lane)) => Done::Parked(at, lane),
            Ok(Outcome::Run(lane)) => Done::Running(lane),
            Err(e) => Done::Answered(Err(e), undo),
        }
    }

    /// Calls for a client: the answer, and what may be undone; or who waits now.
    pub(super) fn call(
        &mut self,
        client: u64,
        call: &Attempt<'_>,
        mut args: Vec<Value>,
    ) -> std::result::Result<(Answer, Option<Undo>), u64> {
        let mut note = 0;
        let (at, lane, deadline) = match self.attempt(call, &mut args, &mut note) {
            Done::Answered(answer, undo) => return Ok((answer, undo)),
            Done::Parked(at, lane) => (at, lane, Deadline::after(call.timeout)),
            Done::Running(lane) => (call.object, lane, Deadline::Never),
        };
        let &Attempt { object, method, caller, timeout } = call;
        let until = match deadline {
            Deadline::NoWait => {
                self.withdraw(object, caller, note);
                return Ok((Err(too_late()), None));
            }
            Deadline::At(until) => Some(until),
            Deadline::Never => None,
        };
        if let Err(e) = self.store.charge(weight(&args)) {
            self.withdraw(object, caller, note);
            return Ok((Err(e), None));
        }
        let method = method.to_owned();
        let waiter = Waiter { client, caller, object, method, args, at, lane, note, timeout, until };
        Err(self.waiting.add(waiter))
    }

    /// Tells the object that somebody does not wait any more.
    pub(super) fn withdraw(&mut self, object: u64, caller: Caller, mut note: u64) {
        // One that is gone need not be told.
        let _ = self.with_object(object, caller, &mut note, |object, cx| object.gave_up(cx));
    }

    /// Uses an object. One that panics is put back all the same: it fails alone.
    pub(super) fn with_object<T>(
        &mut self,
        id: u64,
        caller: Caller,
        note: &mut u64,
        what: impl FnOnce(&mut dyn Object, &mut Context<'_>) -> T,
    ) -> Result<T> {
        let mut object = self.store.take(id)?;
        let mut cx = context(&mut self.store, id, caller, note);
        let done = caught(|| what(&mut *object, &mut cx));
        self.store.put_back(id, object);
        done
    }

    /// Lets those go on whose objects have changed.
    pub(super) fn wake(&mut self, clients: &mut Clients) {
        loop {
            self.store.sweep();
            let Some(object) = self.store.changed.pop_front() else { return };
            let Some(lanes) = self.waiting.lanes.get(&object) else { continue };
            for lane in lanes.keys().copied().collect::<Vec<_>>() {
                if lane >= EACH {
                    for number in self.waiting.all(object, lane) {
                        self.wake_one(clients, number);
                    }
                }
                while lane < EACH && self.wake_first(clients, object, lane) {}
            }
        }
    }

    /// Whether there is another one to look at in this lane.
    fn wake_first(&mut self, clients: &mut Clients, object: u64, lane: u8) -> bool {
        self.waiting.first(object, lane).is_some_and(|number| self.wake_one(clients, number))
    }

    /// Whether it has left its place.
    fn wake_one(&mut self, clients: &mut Clients, number: u64) -> bool {
        let Some(mut waiter) = self.waiting.waiters.remove(&number) else { return false };
        let Waiter { caller, timeout, object, at, lane, .. } = waiter;
        let method = std::mem::take(&mut waiter.method);
        let before = weight(&waiter.args);
        let call = Attempt { object, method: &method, caller, timeout };
        // What it brings along is counted once, also where it comes to be stored.
        self.store.discharge(before);
        self.store.room = Room::of(self.limits.message);
        let done = self.attempt(&call, &mut waiter.args, &mut waiter.note);
        waiter.method = method;
        let (now_at, next) = match &done {
            Done::Parked(now_at, next) => (*now_at, *next),
            Done::Running(_) | Done::Answered(..) => (at, lane),
        };
        match done {
            Done::Parked(..) | Done::Running(_) => {
                self.store.recharge(before);
                let moves = (now_at, next) != (at, lane);
                if moves {
                    self.waiting.leave_lane(number, at, lane);
                    (waiter.at, waiter.lane) = (now_at, next);
                    self.waiting.lanes.entry(now_at).or_default().entry(next).or_default().push_back(number);
                }
                self.waiting.waiters.insert(number, waiter);
                moves
            }
            Done::Answered(answer, undo) => {
                let client = waiter.client;
                self.waiting.waiters.insert(number, waiter);
                self.waiting.remove(number);
                self.resume(clients, client, answer, undo);
                true
            }
        }
    }

    /// Answers a client that was parked.
    fn resume(&mut self, clients: &mut Clients, number: u64, answer: Answer, undo: Option<Undo>) {
        let Some(client) = clients.get(number) else { return };
        client.parked = None;
        client.given.undo.extend(undo);
        self.give(client, answer);
        self.answered.push_back((number, false));
    }

    /// How long until the next one's time is over.
    pub(super) fn patience(&mut self) -> Duration {
        let now = Instant::now();
        let tickets = self.store.expire(now).unwrap_or(Duration::MAX);
        let first = self.waiting.deadlines.first();
        first.map_or(Duration::MAX, |(until, _)| until.saturating_duration_since(now)).min(tickets)
    }

    /// Answers those whose time is over.
    pub(super) fn expire(&mut self, clients: &mut Clients) {
        let now = Instant::now();
        while let Some(&(until, number)) = self.waiting.deadlines.first()
            && until <= now
        {
            if self.waits_on(number) {
                self.wake_one(clients, number);
            } else if let Some(client) = self.stop_waiting(number) {
                self.resume(clients, client, Err(too_late()), None);
            }
        }
    }

    /// Asks the object whether one whose time is over has an answer all the same, or has to wait without limit.
    fn waits_on(&mut self, number: u64) -> bool {
        let Some(mut waiter) = self.waiting.waiters.remove(&number) else { return false };
        let (id, caller) = (waiter.object, waiter.caller);
        let late = self.with_object(id, caller, &mut waiter.note, |object, cx| object.late(cx));
        let stays = late.unwrap_or(false);
        if stays && let Some(until) = waiter.until.take() {
            self.waiting.deadlines.remove(&(until, number));
        }
        self.waiting.waiters.insert(number, waiter);
        stays
    }

    /// Takes one out of those who wait. Answers its client.
    fn stop_waiting(&mut self, number: u64) -> Option<u64> {
        let waiter = self.waiting.remove(number)?;
        self.store.discharge(weight(&waiter.args));
        self.withdraw(waiter.object, waiter.caller, waiter.note);
        Some(waiter.client)
    }

    /// The client has what the last answer gave it.
    pub(super) fn confirm(&mut self, client: &mut Client) {
        for undo in client.given.undo.drain(..) {
            if let Gift::Item(item) = undo.gift {
                self.store.discharge(item.weight());
            }
        }
        client.given.leases.clear();
    }

    /// What the last answer took out of where it was is put back.
    pub(super) fn take_items_back(&mut self, client: &mut Client) {
        // The last one first: so they come to lie as they lay before.
        for at in (0..client.given.undo.len()).rev() {
            if let Gift::Item(_) = client.given.undo[at].gift {
                let undo = client.given.undo.remove(at);
                self.take_back(undo);
            }
        }
    }

    fn take_back(&mut self, undo: Undo) {
        let Undo { object, caller, gift } = undo;
        // An object that is gone has nothing to undo.
        let _ = match gift {
            Gift::Turn(turn) => self.with_object(object, caller, &mut 0, |object, cx| object.undo(turn, cx)),
            Gift::Item(item) => {
                self.store.discharge(item.weight());
                self.with_object(object, caller, &mut 0, |object, cx| {
                    // It was there before, so there is room for it; and where it is an object, that may be gone.
                    if cx.store.keep_again(&item).is_ok() {
                        object.put_back(item, cx);
                    }
                })
            }
        };
    }

    /// A client's connection has ended, and its last answer was read or not.
    pub(super) fn leave(&mut self, client: &mut Client, read: Read) {
        if let Some(number) = client.parked {
            self.stop_waiting(number);
        }
        let Some(session) = client.session else { return };
        match read {
            Read::Yes => {}
            Read::Perhaps => self.take_items_back(client),
            Read::No => {
                let Given { undo, leases } = std::mem::take(&mut client.given);
                undo.into_iter().rev().for_each(|undo| self.take_back(undo));
                leases.into_iter().for_each(|id| self.store.end_lease(session, id));
            }
        }
        self.confirm(client);
        let is_last = self.store.sessions.get_mut(&session).is_some_and(|known| {
            known.connections -= 1;
            known.connections == 0
        });
        if is_last && let Some((known, claims)) = self.store.end(session) {
            for object in claims {
                let caller = Caller { session, thread: 0 };
                let _ = self.with_object(object, caller, &mut 0, |object, cx| object.leave(cx));
            }
            self.store.forget(known);
        }
    }
}

fn too_late() -> Error {
    Error::new(Status::Timeout, "the time ran out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::registry::House;
    use crate::manager::server::Limits;
    use crate::manager::types::DONE;

    /// Fails in whatever it is told to fail in.
    struct Clumsy;

    impl Object for Clumsy {
        fn call(&mut self, method: &str, _args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
            match method {
                "wait" if cx.patient => Ok(Outcome::Park(0)),
                "work" => Ok(DONE),
                other => panic!("{other} is too hard"),
            }
        }

        fn describe(&self, _to: &mut String, _cx: &Context<'_>) {
            panic!("it cannot say");
        }

        fn gave_up(&mut self, _cx: &mut Context<'_>) {
            panic!("it never gives up");
        }
    }

    #[test]
    fn a_panic_ends_one_call() {
        let limits = Limits { message: 1000, total: 1000 };
        let mut hall = Hall::new(limits, House::without_types(limits).unwrap()).unwrap();
        let object = hall.store.add("Clumsy".into(), Box::new(Clumsy)).unwrap();
        let caller = Caller { session: [0; 16], thread: 0 };
        let mut call = |method, timeout| {
            let call = Attempt { object, method, caller, timeout };
            hall.call(1, &call, Vec::new()).map(|(answer, _)| answer.map(|(status, _)| status))
        };
        let failed = call("lift", 0).unwrap().unwrap_err();
        assert_eq!(failed.status, Status::Panic);
        assert!(failed.to_string().contains("lift is too hard"));
        assert_eq!(call("work", 0).unwrap().unwrap(), Status::Ok);
        let waiter = call("wait", 1000).unwrap_err();
        assert_eq!(hall.stop_waiting(waiter), Some(1));
        assert_eq!(hall.waiting.count(), 0);
        hall.with_object(object, caller, &mut 0, |object, cx| object.describe(&mut String::new(), cx))
            .unwrap_err();
        hall.with_object(object, caller, &mut 0, |_, _| ()).unwrap();
    }
}
