//! A list.

use super::{Context, DONE, Object, Outcome, length, number, one, place, truth, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::codec::{MOST_VALUES, Value};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::mem::take;

#[derive(Default)]
struct List(VecDeque<Value>);

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let mut list = List::default();
    list.extend(args, cx)?;
    Ok(Box::new(list))
}

impl List {
    fn reserve(&mut self, more: usize) -> Result<()> {
        self.0.try_reserve(more).map_err(|_| Error::new(Status::NoMemory, "no memory for a longer list"))
    }

    fn extend(&mut self, values: &mut [Value], cx: &mut Context<'_>) -> Result<()> {
        self.reserve(values.len())?;
        cx.keep_all(values.iter())?;
        self.0.extend(values.iter_mut().map(take));
        Ok(())
    }

    fn insert(&mut self, at: usize, value: &mut Value, cx: &mut Context<'_>) -> Result<()> {
        self.reserve(1)?;
        cx.keep(value)?;
        self.0.insert(at, take(value));
        Ok(())
    }

    fn remove(&mut self, at: usize, cx: &mut Context<'_>) -> Value {
        let value = self.0.remove(at).unwrap_or_default();
        cx.give_up(&value);
        value
    }

    fn replace(&mut self, at: usize, value: Value, cx: &mut Context<'_>) -> Result<()> {
        cx.keep(&value)?;
        let old = std::mem::replace(&mut self.0[at], value);
        cx.give_up(&old);
        Ok(())
    }

    fn find(&self, value: &Value, from: i64, to: i64) -> Result<usize> {
        let (from, to) = (self.clamp(from), self.clamp(to));
        match (from..to).find(|&at| self.0[at] == *value) {
            Some(at) => Ok(at),
            None => fail!(NotFound, "the value is not in the list"),
        }
    }

    /// As a slice's ends are.
    fn clamp(&self, index: i64) -> usize {
        let len = self.0.len() as i64;
        (if index < 0 { index.saturating_add(len) } else { index }).clamp(0, len) as usize
    }

    fn slice(&self, from: i64, to: i64, step: i64, cx: &Context<'_>) -> Result<Outcome> {
        let Ok(step) = usize::try_from(step) else { fail!(Invalid, "the step is {step}") };
        if step == 0 {
            fail!(Invalid, "the step is 0");
        }
        let (from, to) = (self.clamp(from), self.clamp(to));
        cx.all((from..to).step_by(step).map(|at| &self.0[at]))
    }

    fn repeat(&mut self, times: i64, cx: &mut Context<'_>) -> Result<()> {
        let len = self.0.len();
        let times = usize::try_from(times).unwrap_or(0);
        let Some(total) = len.checked_mul(times).filter(|&total| total <= MOST_VALUES.max(len)) else {
            fail!(NoMemory, "{len} items {times} times are more than {MOST_VALUES}");
        };
        while self.0.len() > total {
            self.remove(self.0.len() - 1, cx);
        }
        self.reserve(total - self.0.len())?;
        while self.0.len() < total {
            let value = self.0[self.0.len() - len].clone();
            if let Err(e) = cx.keep(&value) {
                while self.0.len() > len {
                    self.remove(self.0.len() - 1, cx);
                }
                return Err(e);
            }
            self.0.push_back(value);
        }
        Ok(())
    }
}

/// Numbers among each other, texts and bytes among each other; integers exactly, unless there are doubles among them.
fn order(a: &Value, b: &Value, exact: bool) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Int(i) => Some(*i as f64),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Double(d) => Some(*d),
        _ => None,
    };
    match (a, b) {
        (Value::Int(a), Value::Int(b)) if exact => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (a, b) => Some(number(a)?.total_cmp(&number(b)?)),
    }
}

impl Object for List {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        let len = self.0.len();
        Ok(match (method, args) {
            ("append", [value]) => {
                self.insert(len, value, cx)?;
                DONE
            }
            ("extend", values) => {
                self.extend(values, cx)?;
                DONE
            }
            ("insert", [Value::Int(at), value]) => {
                let at = self.clamp(*at);
                self.insert(at, value, cx)?;
                DONE
            }
            ("get", [Value::Int(at)]) => one(self.0[place(*at, len)?].clone()),
            ("set", [Value::Int(at), value]) => {
                self.replace(place(*at, len)?, take(value), cx)?;
                DONE
            }
            ("del", [Value::Int(at)]) => {
                self.remove(place(*at, len)?, cx);
                DONE
            }
            ("pop", []) if len == 0 => fail!(NotFound, "pop from an empty list"),
            ("pop", []) => one(self.remove(len - 1, cx)),
            ("pop", [Value::Int(at)]) => one(self.remove(place(*at, len)?, cx)),
            ("remove", [value]) => {
                let at = self.find(value, 0, i64::MAX)?;
                self.remove(at, cx);
                DONE
            }
            ("len", []) => length(len),
            ("contains", [value]) => truth(self.0.contains(value)),
            ("count", [value]) => length(self.0.iter().filter(|v| *v == value).count()),
            ("index", [value]) => length(self.find(value, 0, i64::MAX)?),
            ("index", [value, Value::Int(from)]) => length(self.find(value, *from, i64::MAX)?),
            ("index", [value, Value::Int(from), Value::Int(to)]) => length(self.find(value, *from, *to)?),
            ("reverse", []) => {
                self.0.make_contiguous().reverse();
                DONE
            }
            ("sort", []) => self.sort(false)?,
            ("sort", [Value::Bool(reverse)]) => self.sort(*reverse)?,
            ("clear", []) => {
                while !self.0.is_empty() {
                    self.remove(self.0.len() - 1, cx);
                }
                DONE
            }
            ("items", []) => self.slice(0, i64::MAX, 1, cx)?,
            ("items", [Value::Int(from), Value::Int(to)]) => self.slice(*from, *to, 1, cx)?,
            ("items", [Value::Int(from), Value::Int(to), Value::Int(step)]) => {
                self.slice(*from, *to, *step, cx)?
            }
            ("repeat", [Value::Int(times)]) => {
                self.repeat(*times, cx)?;
                DONE
            }
            ("add", [Value::Int(at), more]) => {
                let at = place(*at, len)?;
                let sum = number::sum(&self.0[at], more)?;
                self.replace(at, sum.clone(), cx)?;
                one(sum)
            }
            ("compare_and_set", [Value::Int(at), expected, value]) => {
                let at = place(*at, len)?;
                if self.0[at] != *expected {
                    return Ok(Outcome::Done(vec![Value::Bool(false), self.0[at].clone()]));
                }
                self.replace(at, take(value), cx)?;
                truth(true)
            }
            ("next", [Value::Int(position), Value::Int(most)]) => {
                let from = self.clamp((*position).max(0));
                let mut found = cx.gather();
                found.add(&[&Value::Int(from as i64)])?;
                for value in self.0.range(from..).take(usize::try_from(*most).unwrap_or(0)) {
                    if !found.add_behind(&[value])? {
                        break;
                    }
                }
                found.values[0] = Value::Int((from + found.values.len() - 1) as i64);
                Outcome::Done(found.values)
            }
            (method, args) => return Err(unknown("list", method, args)),
        })
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        to.push('[');
        cx.write_row(to, self.0.iter());
        to.push(']');
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().cloned().collect())
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        self.0.drain(..).for_each(each);
    }
}

impl List {
    /// Stable. A list with what has no order stays as it is.
    fn sort(&mut self, reverse: bool) -> Result<Outcome> {
        let values = self.0.make_contiguous();
        let first = values.first().cloned().unwrap_or_default();
        if values.len() > 1
            && let Some(odd) = values.iter().find(|value| order(&first, value, true).is_none())
        {
            fail!(Invalid, "a list with {} and {} has no order", first.kind(), odd.kind());
        }
        // One that is not the same throughout is none.
        let exact = !values.iter().any(|value| matches!(value, Value::Double(_)));
        let order = |a: &Value, b: &Value| order(a, b, exact).unwrap_or(Ordering::Equal);
        match reverse {
            false => values.sort_by(order),
            true => values.sort_by(|a, b| order(b, a)),
        }
        Ok(DONE)
    }
}
