//! What clients ask for.

use super::channel::Message;
use super::codec::{Room, Value};
use super::message::{Answer, Request, VERSION, What};
use super::registry::House;
use super::server::{Client, Clients, Given, Limits};
use super::store::{Store, Ticket};
use super::types::custom::{CREATE, Custom};
use super::types::{self, Caller};
use super::waiting::{Attempt, Done, Waiting, caught, context};
use crate::error::{Error, Result, Status, fail};
use crate::sys::random;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct Hall {
    pub(super) store: Store,
    pub(super) limits: Limits,
    /// This server and no other.
    name: Ticket,
    pub(super) waiting: Waiting,
    /// Clients that were answered and have to be looked after; true: and closed.
    pub(super) answered: VecDeque<(u64, bool)>,
}

impl Hall {
    pub(super) fn new(limits: Limits, house: Arc<House>) -> Result<Self> {
        Ok(Hall {
            store: Store::new(house),
            limits,
            name: random::bytes()?,
            waiting: Waiting::default(),
            answered: VecDeque::new(),
        })
    }

    /// A message of a client that is not parked.
    pub(super) fn handle(&mut self, clients: &mut Clients, number: u64, message: &Message) {
        let Some(client) = clients.get(number) else { return };
        // It goes on, so it has the answer before.
        self.confirm(client);
        self.store.room = Room::of(self.limits.message);
        let answer = match Request::decode(message) {
            Ok((request, values)) => match client.session {
                None => self.hello(client, &request, &values),
                Some(session) => match caught(|| self.ask(client, number, session, &request, values)) {
                    Ok(Some(answer)) => answer,
                    Ok(None) => return,
                    Err(e) => Err(e),
                },
            },
            Err(e) => Err(e),
        };
        let refused = client.session.is_none();
        self.give(client, answer);
        self.store.sweep();
        if refused {
            self.answered.push_back((number, true));
        }
    }

    /// Whoever connects says first what he speaks and who he is.
    fn hello(&mut self, client: &mut Client, request: &Request<'_>, values: &[Value]) -> Answer {
        let (What::Hello, [Value::Int(version), Value::Bytes(session)]) = (request.what, values) else {
            fail!(Invalid, "the first request says the version and the session");
        };
        if *version != VERSION {
            fail!(Unsupported, "this server speaks version {VERSION}, and the client {version}");
        }
        let Ok(session) = Ticket::try_from(&**session) else { fail!(Invalid, "a session has 16 bytes") };
        let known = self.store.sessions.entry(session).or_default();
        let is_new = known.connections == 0;
        known.connections += 1;
        client.session = Some(session);
        let name = Value::Bytes(self.name[..].into());
        let most = Value::Int(self.limits.message as i64);
        Ok((Status::Ok, vec![Value::Int(VERSION), name, Value::Bool(is_new), most]))
    }

    /// None: it is parked.
    fn ask(
        &mut self,
        client: &mut Client,
        number: u64,
        session: Ticket,
        request: &Request<'_>,
        mut values: Vec<Value>,
    ) -> Option<Answer> {
        let caller = Caller { session, thread: request.thread };
        let done = |values| Ok((Status::Ok, values));
        let made = |object, method| Attempt { object, method, caller, timeout: request.timeout };
        let answer = match request.what {
            What::Hello => Err(Error::new(Status::Invalid, "the session is known already")),
            What::Call => return self.call_for(client, number, made(request.object, request.name), values),
            What::Create => {
                match self.store.house.kind(request.name).map(|kind| Custom::new(&self.store.house, kind)) {
                    Some(fresh) => match self.store.add(request.name.to_owned().into(), Box::new(fresh)) {
                        Ok(id) => return self.call_for(client, number, made(id, CREATE), values),
                        Err(e) => Err(e),
                    },
                    None => self.create(request.name, caller, &mut values),
                }
            }
            What::Hold => self.hold(request.object, &values),
            What::Release => {
                for value in &values {
                    if let Value::Object(id) = value {
                        self.store.end_lease(session, *id);
                    }
                }
                done(Vec::new())
            }
            What::Export => {
                let ticket = self.store.issue(session, request.object);
                ticket.and_then(|ticket| done(vec![Value::Bytes(ticket[..].into())]))
            }
            What::Batch => self.batch(caller, values, &mut client.given),
            What::Info if request.name == "str" && self.runs_apart(request.object) => {
                return self.call_for(client, number, made(request.object, "str"), Vec::new());
            }
            What::Info => self.info(request),
        };
        Some(answer)
    }

    fn runs_apart(&self, object: u64) -> bool {
        self.store.peek(object).is_ok_and(|object| object.runs_apart())
    }

    /// None: it is parked.
    fn call_for(
        &mut self,
        client: &mut Client,
        number: u64,
        made: Attempt<'_>,
        values: Vec<Value>,
    ) -> Option<Answer> {
        match self.call(number, &made, values) {
            Ok((answer, undo)) => {
                client.given.undo.extend(undo);
                Some(answer)
            }
            Err(waiter) => {
                client.parked = Some(waiter);
                None
            }
        }
    }

    fn create(&mut self, type_name: &str, caller: Caller, args: &mut [Value]) -> Answer {
        let mut note = 0;
        let mut cx = context(&mut self.store, 0, caller, &mut note);
        let (name, object) = types::make(type_name, args, &mut cx)?;
        let id = self.store.add(name.into(), object)?;
        Ok((Status::Ok, vec![Value::Object(id)]))
    }

    /// A lease of an object of which the client knows, or has a ticket for. The answer is what gives it.
    fn hold(&mut self, object: u64, values: &[Value]) -> Answer {
        let id = match values {
            [] => object,
            [Value::Bytes(ticket)] => match self.store.redeem(ticket) {
                Some(id) => {
                    self.store.release(id);
                    id
                }
                None => fail!(Closed, "the ticket was used already, or is too old"),
            },
            _ => fail!(Invalid, "a lease is had by an object's number or by a ticket"),
        };
        self.store.check(id)?;
        Ok((Status::Ok, vec![Value::Object(id)]))
    }

    /// Calls one after the other: object, method, how many arguments, they. The first that fails is the last.
    fn batch(&mut self, caller: Caller, values: Vec<Value>, given: &mut Given) -> Answer {
        let mut values = VecDeque::from(values);
        let mut all = Vec::new();
        let mut calls = 0;
        let mut status = Status::Ok;
        while let Some(first) = values.pop_front() {
            let (Value::Object(object), Some(Value::Text(method)), Some(Value::Int(count))) =
                (first, values.pop_front(), values.pop_front())
            else {
                fail!(Invalid, "call {calls} of the batch is no object, method and number of arguments");
            };
            let Some(count) = usize::try_from(count).ok().filter(|&count| count <= values.len()) else {
                fail!(Invalid, "call {calls} of the batch does not have {count} arguments");
            };
            let mut args: Vec<Value> = values.drain(..count).collect();
            if self.runs_apart(object) {
                fail!(Unsupported, "call {calls} of the batch is of a registered type, which takes its time");
            }
            let made = Attempt { object, method: &method, caller, timeout: 0 };
            let failed = |e: Error| Error::new(e.status, format!("call {calls} of the batch: {e}"));
            let mut note = 0;
            let found = match self.attempt(&made, &mut args, &mut note) {
                Done::Answered(Ok((came, found)), undo) => {
                    given.undo.extend(undo);
                    // Of one lock or another.
                    if came == Status::OwnerDied {
                        status = came;
                    }
                    found
                }
                Done::Answered(Err(e), _) => return Err(failed(e)),
                Done::Parked(..) | Done::Running(_) => {
                    self.withdraw(object, caller, note);
                    fail!(Timeout, "call {calls} of the batch would have to wait")
                }
            };
            let count = Value::Int(found.len() as i64);
            self.store.room.take(std::iter::once(&count).chain(&found)).map_err(failed)?;
            all.push(count);
            all.extend(found);
            calls += 1;
        }
        Ok((status, all))
    }

    fn info(&mut self, request: &Request<'_>) -> Answer {
        let value = match request.name {
            "number_of_objects" => Value::Int(self.store.count() as i64),
            "type" => {
                self.store.check(request.object)?;
                Value::Text(self.store.type_of(request.object).into())
            }
            "str" => {
                let caller = Caller { session: Ticket::default(), thread: 0 };
                let mut text = String::new();
                self.with_object(request.object, caller, &mut 0, |object, cx| {
                    object.describe(&mut text, cx)
                })?;
                Value::Text(text.into())
            }
            "debug_info" => {
                let mut text = format!(
                    "{} objects, {} bytes, {} sessions, {} waiting",
                    self.store.count(),
                    self.store.house.account.used(),
                    self.store.sessions.len(),
                    self.waiting.count()
                );
                for (id, type_name, count) in self.store.list() {
                    if text.len() + 256 > self.limits.message {
                        text.push_str("\n...");
                        break;
                    }
                    text.push_str(&format!("\n{id}: {type_name}, held {count} times"));
                }
                Value::Text(text.into())
            }
            other => fail!(Unsupported, "the server knows nothing of {other:?}"),
        };
        Ok((Status::Ok, vec![value]))
    }

    /// Leases what the answer has, and puts it into the client's output.
    pub(super) fn give(&mut self, client: &mut Client, answer: Answer) {
        let fits = |values: &[Value]| Room::of(self.limits.message).take(values);
        let answer = answer.and_then(|(status, values)| fits(&values).map(|()| (status, values)));
        if let (Ok((_, values)), Some(session)) = (&answer, client.session) {
            for value in values {
                if let Value::Object(id) = value
                    && self.store.lease(session, *id).is_ok()
                {
                    client.given.leases.push(*id);
                }
            }
        }
        let put = client.answer(&answer);
        if let Err(e) = &put {
            // A sentence has room where an answer has not.
            let _ = client.answer(&Err(e.clone()));
        }
        if answer.is_err() || put.is_err() {
            // Of a batch that failed what it did stays done, but nothing is lost.
            self.take_items_back(client);
        }
    }
}
