//! A namespace: values under names, as attributes are.

use super::{Context, DONE, Object, Outcome, built, length, number, one, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;
use std::collections::BTreeMap;
use std::mem::take;

/// In the order of their names.
#[derive(Default)]
struct Namespace(BTreeMap<Box<str>, Value>);

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let mut space = Namespace::default();
    if !args.len().is_multiple_of(2) {
        fail!(Invalid, "{} values are no pairs of a name and a value", args.len());
    }
    let filled = args.chunks_exact_mut(2).try_for_each(|pair| {
        let [Value::Text(name), value] = pair else { fail!(Invalid, "a name is a text") };
        space.set(name, take(value), cx)
    });
    built(space, filled, cx)
}

impl Namespace {
    fn find(&self, name: &str) -> Result<&Value> {
        match self.0.get(name) {
            Some(value) => Ok(value),
            None => fail!(NotFound, "the namespace has no attribute {name:?}"),
        }
    }

    fn set(&mut self, name: &str, value: Value, cx: &mut Context<'_>) -> Result<()> {
        if name.is_empty() || name.starts_with('_') {
            fail!(Invalid, "{name:?} is no name for an attribute: one does not begin with _");
        }
        cx.keep(&value)?;
        if let Some(place) = self.0.get_mut(name) {
            let old = std::mem::replace(place, value);
            cx.give_up(&old);
            return Ok(());
        }
        let name = Value::Text(name.into());
        if let Err(e) = cx.keep(&name) {
            cx.give_up(&value);
            return Err(e);
        }
        if let Value::Text(name) = name {
            self.0.insert(name, value);
        }
        Ok(())
    }
}

impl Object for Namespace {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("get", [Value::Text(name)]) => one(self.find(name)?.clone()),
            ("set", [Value::Text(name), value]) => {
                self.set(name, take(value), cx)?;
                DONE
            }
            ("del", [Value::Text(name)]) => {
                let Some((name, value)) = self.0.remove_entry(&**name) else {
                    return self.find(name).map(|_| DONE);
                };
                cx.give_up(&Value::Text(name));
                cx.give_up(&value);
                DONE
            }
            ("contains", [Value::Text(name)]) => truth(self.0.contains_key(&**name)),
            ("len", []) => length(self.0.len()),
            ("items", []) => {
                let mut pairs = cx.gather();
                for (name, value) in &self.0 {
                    pairs.add(&[&Value::Text(name.clone()), value])?;
                }
                Outcome::Done(pairs.values)
            }
            ("add", [Value::Text(name), more]) => {
                let sum = number::sum(self.find(name)?, more)?;
                self.set(name, sum.clone(), cx)?;
                one(sum)
            }
            ("compare_and_set", [Value::Text(name), expected, value]) => {
                let old = self.find(name)?;
                if old != expected {
                    return Ok(Outcome::Done(vec![Value::Bool(false), old.clone()]));
                }
                self.set(name, take(value), cx)?;
                truth(true)
            }
            (method, args) => return Err(unknown("Namespace", method, args)),
        })
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        to.push_str("Namespace(");
        for (at, (name, value)) in self.0.iter().enumerate() {
            to.push_str(if at > 0 { ", " } else { "" });
            to.push_str(name);
            to.push('=');
            cx.write(to, value);
        }
        to.push(')');
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        for (name, value) in take(&mut self.0) {
            each(Value::Text(name));
            each(value);
        }
    }
}
