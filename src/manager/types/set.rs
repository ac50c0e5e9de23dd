//! A set: values of every kind but objects, in the order in which they came.

use super::{Context, DONE, Object, Outcome, built, length, truth, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::codec::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::take;
use std::sync::Arc;

#[derive(Default)]
struct Set {
    places: HashMap<Arc<Value>, u64>,
    /// The order, which a cursor follows: a number is never used again.
    values: BTreeMap<u64, Arc<Value>>,
    last: u64,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let mut set = Set::default();
    let filled = args.iter_mut().try_for_each(|value| set.add(value, cx));
    built(set, filled, cx)
}

impl Set {
    fn add(&mut self, value: &mut Value, cx: &mut Context<'_>) -> Result<()> {
        if let Value::Object(_) = value {
            fail!(Invalid, "a managed object is no member of a set");
        }
        if self.places.contains_key(value) {
            return Ok(());
        }
        self.places.try_reserve(1).map_err(|_| Error::new(Status::NoMemory, "no memory for a larger set"))?;
        cx.keep(value)?;
        let value = Arc::new(take(value));
        self.last += 1;
        self.values.insert(self.last, Arc::clone(&value));
        self.places.insert(value, self.last);
        Ok(())
    }

    fn remove(&mut self, value: &Value, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.places.remove(value) else { return false };
        self.values.remove(&at);
        cx.give_up(value);
        true
    }

    /// Those for which it is true, in their order.
    fn those(&self, which: impl Fn(&Value) -> bool) -> impl Iterator<Item = &Value> {
        self.values.values().map(|value| &**value).filter(move |value| which(value))
    }

    fn keep_those(&mut self, which: impl Fn(&Value) -> bool, cx: &mut Context<'_>) {
        for value in self.those(|value| !which(value)).cloned().collect::<Vec<_>>() {
            self.remove(&value, cx);
        }
    }
}

/// The other side of an operation: what is in a managed set, list or dict, or the arguments themselves.
fn others(args: &mut [Value], cx: &Context<'_>) -> Result<Vec<Value>> {
    if let [Value::Object(id)] = args {
        let items = cx.store.peek(*id)?.items();
        return items.ok_or_else(|| Error::new(Status::Invalid, "the other object has no values"));
    }
    Ok(args.iter_mut().map(take).collect())
}

impl Object for Set {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        match (method, &mut *args) {
            ("add", [value]) => return self.add(value, cx).map(|()| DONE),
            ("discard", [value]) => {
                self.remove(value, cx);
                return Ok(DONE);
            }
            ("remove", [value]) if self.remove(value, cx) => return Ok(DONE),
            ("remove", [_]) => fail!(NotFound, "the value is not in the set"),
            ("pop", []) => {
                let Some(value) = self.values.values().next().cloned() else {
                    fail!(NotFound, "pop from an empty set")
                };
                self.remove(&value, cx);
                return Ok(super::one(Arc::unwrap_or_clone(value)));
            }
            ("contains", [value]) => return Ok(truth(self.places.contains_key(value))),
            ("len", []) => return Ok(length(self.places.len())),
            ("clear", []) => {
                self.empty(&mut |value| cx.give_up(&value));
                return Ok(DONE);
            }
            ("items", []) => return cx.all(self.those(|_| true)),
            ("next", [Value::Int(position), Value::Int(most)]) => {
                let from = u64::try_from(*position).unwrap_or(0).saturating_add(1);
                let mut found = cx.gather();
                found.add(&[&Value::Int(*position)])?;
                for (at, value) in self.values.range(from..).take(usize::try_from(*most).unwrap_or(0)) {
                    if !found.add_behind(&[value])? {
                        break;
                    }
                    found.values[0] = Value::Int(*at as i64);
                }
                return Ok(Outcome::Done(found.values));
            }
            _ => {}
        }
        self.algebra(method, args, cx)
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        if self.values.is_empty() {
            to.push_str("set()");
            return;
        }
        to.push('{');
        cx.write_row(to, self.values.values().map(|value| &**value));
        to.push('}');
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.those(|_| true).cloned().collect())
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        self.values.clear();
        self.places.drain().for_each(|(value, _)| each(Arc::unwrap_or_clone(value)));
    }
}

impl Set {
    /// Operations with other values. Those in place end with "_update".
    fn algebra(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        const KNOWN: [&str; 11] = [
            "union",
            "update",
            "intersection",
            "intersection_update",
            "difference",
            "difference_update",
            "symmetric_difference",
            "symmetric_difference_update",
            "isdisjoint",
            "issubset",
            "issuperset",
        ];
        if !KNOWN.contains(&method) {
            return Err(unknown("set", method, args));
        }
        let row = others(args, cx)?;
        let other: HashSet<&Value> = row.iter().collect();
        let is_here = |value: &Value| self.places.contains_key(value);
        let fresh = || {
            let mut seen = HashSet::new();
            row.iter().filter(|value| !is_here(value)).filter(move |value| seen.insert(*value))
        };
        Ok(match method {
            "isdisjoint" => truth(!other.iter().any(|value| is_here(value))),
            "issuperset" => truth(other.iter().all(|value| is_here(value))),
            "issubset" => truth(self.values.values().all(|value| other.contains(&**value))),
            "intersection" => cx.all(self.those(|value| other.contains(value)))?,
            "difference" => cx.all(self.those(|value| !other.contains(value)))?,
            "union" => cx.all(self.those(|_| true).chain(fresh()))?,
            "symmetric_difference" => cx.all(self.those(|value| !other.contains(value)).chain(fresh()))?,
            "intersection_update" => {
                self.keep_those(|value| other.contains(value), cx);
                DONE
            }
            "difference_update" => {
                self.keep_those(|value| !other.contains(value), cx);
                DONE
            }
            _ => {
                let fresh: Vec<Value> = fresh().cloned().collect();
                if method == "symmetric_difference_update" {
                    self.keep_those(|value| !other.contains(value), cx);
                }
                for mut value in fresh {
                    self.add(&mut value, cx)?;
                }
                DONE
            }
        })
    }
}
