//! A dict: keys of every kind but objects, in the order in which they came.

use super::{Context, DONE, EACH, Object, Outcome, built, length, number, one, truth, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::codec::Value;
use std::collections::{BTreeMap, HashMap};
use std::mem::take;
use std::sync::Arc;

/// Those who wait for a key to change.
const WATCHERS: u8 = EACH;

struct Place {
    /// Where the key is in the order.
    at: u64,
    /// The number of its last change.
    version: u64,
    value: Value,
}

#[derive(Default)]
struct Dict {
    values: HashMap<Arc<Value>, Place>,
    /// The order, which a cursor follows: a number is never used again.
    keys: BTreeMap<u64, Arc<Value>>,
    last: u64,
    /// How often anything changed, and the last time that anything was removed: the version of every key that is not
    /// there.
    changes: u64,
    removed: u64,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let mut dict = Dict::default();
    let filled = dict.update(args, cx);
    built(dict, filled, cx)
}

fn check_key(key: &Value) -> Result<()> {
    if let Value::Object(_) = key {
        fail!(Invalid, "a managed object is no key");
    }
    Ok(())
}

impl Dict {
    fn find(&self, key: &Value) -> Result<&Value> {
        match self.values.get(key) {
            Some(place) => Ok(&place.value),
            None => fail!(NotFound, "the key is not there"),
        }
    }

    fn set(&mut self, key: &mut Value, value: Value, cx: &mut Context<'_>) -> Result<()> {
        check_key(key)?;
        cx.keep(&value)?;
        let version = self.changes + 1;
        if let Some(place) = self.values.get_mut(key) {
            let old = std::mem::replace(&mut place.value, value);
            place.version = version;
            cx.give_up(&old);
            self.changed(cx);
            return Ok(());
        }
        let no_memory = || Error::new(Status::NoMemory, "no memory for a larger dict");
        if let Err(e) = cx.keep(key).and_then(|()| self.values.try_reserve(1).map_err(|_| no_memory())) {
            cx.give_up(&value);
            return Err(e);
        }
        let key = Arc::new(take(key));
        self.last += 1;
        self.keys.insert(self.last, Arc::clone(&key));
        self.values.insert(key, Place { at: self.last, version, value });
        self.changed(cx);
        Ok(())
    }

    fn changed(&mut self, cx: &mut Context<'_>) {
        self.changes += 1;
        cx.changed();
    }

    /// The key's version and its value, once that is another one. Versions begin with 1.
    fn watch(&self, key: &Value, version: i64, cx: &Context<'_>) -> Result<Outcome> {
        check_key(key)?;
        let place = self.values.get(key);
        let now = Value::Int(place.map_or(self.removed + 1, |place| place.version + 1) as i64);
        if now != Value::Int(version) {
            let value = place.map(|place| place.value.clone());
            return Ok(Outcome::Done([Some(now), value].into_iter().flatten().collect()));
        }
        if !cx.patient {
            fail!(Timeout, "the key has not changed");
        }
        Ok(Outcome::Park(WATCHERS))
    }

    fn remove(&mut self, key: &Value, cx: &mut Context<'_>) -> Option<(Value, Value)> {
        let (key, Place { at, value, .. }) = self.values.remove_entry(key)?;
        self.keys.remove(&at);
        cx.give_up(&key);
        cx.give_up(&value);
        self.changed(cx);
        self.removed = self.changes;
        Some((Arc::unwrap_or_clone(key), value))
    }

    fn update(&mut self, pairs: &mut [Value], cx: &mut Context<'_>) -> Result<()> {
        if !pairs.len().is_multiple_of(2) {
            fail!(Invalid, "{} values are no pairs of a key and a value", pairs.len());
        }
        pairs.iter().step_by(2).try_for_each(check_key)?;
        for pair in pairs.chunks_exact_mut(2) {
            let [key, value] = pair else { continue };
            self.set(key, take(value), cx)?;
        }
        Ok(())
    }

    /// Pairs in their order.
    fn pairs(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.keys.values().filter_map(|key| Some((&**key, &self.values.get(key)?.value)))
    }

    /// Where the last one is, and some pairs; the position itself where there are none.
    fn some<'a>(
        &'a self,
        position: i64,
        keys: impl Iterator<Item = (&'a u64, &'a Arc<Value>)>,
        most: i64,
        cx: &Context<'_>,
    ) -> Result<Outcome> {
        let mut found = cx.gather();
        found.add(&[&Value::Int(position)])?;
        for (at, key) in keys.take(usize::try_from(most).unwrap_or(0)) {
            if let Some(place) = self.values.get(key) {
                if !found.add_behind(&[key, &place.value])? {
                    break;
                }
                found.values[0] = Value::Int(*at as i64);
            }
        }
        Ok(Outcome::Done(found.values))
    }
}

impl Object for Dict {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("get", [key]) => one(self.find(key)?.clone()),
            ("get", [key, other]) => {
                one(self.values.get(key).map_or_else(|| take(other), |v| v.value.clone()))
            }
            ("set", [key, value]) => {
                self.set(key, take(value), cx)?;
                DONE
            }
            ("del", [key]) => match self.remove(key, cx) {
                Some(_) => DONE,
                None => return self.find(key).map(|_| DONE),
            },
            ("contains", [key]) => truth(self.values.contains_key(key)),
            ("len", []) => length(self.values.len()),
            ("pop", [key]) => match self.remove(key, cx) {
                Some((_, value)) => one(value),
                None => return self.find(key).map(|_| DONE),
            },
            ("pop", [key, other]) => one(self.remove(key, cx).map_or_else(|| take(other), |pair| pair.1)),
            ("popitem", []) => {
                let Some(key) = self.keys.values().next_back().cloned() else {
                    fail!(NotFound, "popitem from an empty dict")
                };
                let pair = self.remove(&key, cx);
                Outcome::Done(pair.map(|(key, value)| vec![key, value]).unwrap_or_default())
            }
            ("setdefault", [key, value]) => {
                if let Some(place) = self.values.get(key) {
                    return Ok(one(place.value.clone()));
                }
                self.set(key, value.clone(), cx)?;
                one(take(value))
            }
            ("update", pairs) => {
                self.update(pairs, cx)?;
                DONE
            }
            ("clear", []) => {
                self.empty(&mut |value| cx.give_up(&value));
                self.changed(cx);
                self.removed = self.changes;
                DONE
            }
            ("keys", []) => cx.all(self.pairs().map(|(key, _)| key))?,
            ("values", []) => cx.all(self.pairs().map(|(_, value)| value))?,
            ("items", []) => cx.all(self.pairs().flat_map(|(key, value)| [key, value]))?,
            ("add", [key, more]) => {
                let sum = match self.values.get(key) {
                    Some(old) => number::sum(&old.value, more)?,
                    None => number::sum(&Value::Int(0), more)?,
                };
                self.set(key, sum.clone(), cx)?;
                one(sum)
            }
            ("compare_and_set", [key, expected, value]) => {
                let old = self.find(key)?;
                if old != expected {
                    return Ok(Outcome::Done(vec![Value::Bool(false), old.clone()]));
                }
                self.set(key, take(value), cx)?;
                truth(true)
            }
            ("next", [Value::Int(position), Value::Int(most)]) => {
                let from = u64::try_from(*position).unwrap_or(0);
                self.some(*position, self.keys.range(from.saturating_add(1)..), *most, cx)?
            }
            ("previous", [Value::Int(position), Value::Int(most)]) => {
                // 0 is the beginning of the way back, too: the end.
                let to = u64::try_from(*position).ok().filter(|&to| to > 0).unwrap_or(u64::MAX);
                self.some(*position, self.keys.range(..to).rev(), *most, cx)?
            }
            ("watch", [key, Value::Int(version)]) => self.watch(key, *version, cx)?,
            (method, args) => return Err(unknown("dict", method, args)),
        })
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        to.push('{');
        for (at, key) in self.keys.values().enumerate() {
            to.push_str(if at > 0 { ", " } else { "" });
            cx.write(to, key);
            to.push_str(": ");
            cx.write(to, self.values.get(key).map_or(&Value::None, |v| &v.value));
        }
        to.push('}');
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.keys.values().map(|key| (**key).clone()).collect())
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        self.keys.clear();
        for (key, Place { value, .. }) in self.values.drain() {
            each(Arc::unwrap_or_clone(key));
            each(value);
        }
    }
}
