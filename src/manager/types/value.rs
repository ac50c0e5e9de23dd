//! One value with a type code, which is only told, as Python does it.

use super::{Context, DONE, Object, Outcome, number, one, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;
use std::mem::take;

struct Cell {
    code: Value,
    value: Value,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let [code @ Value::Text(_), value] = args else {
        fail!(Invalid, "a Value is made of a type code, which is a text, and a value");
    };
    cx.keep_all([&*code, &*value].into_iter())?;
    Ok(Box::new(Cell { code: take(code), value: take(value) }))
}

impl Cell {
    fn set(&mut self, value: Value, cx: &mut Context<'_>) -> Result<()> {
        cx.keep(&value)?;
        let old = std::mem::replace(&mut self.value, value);
        cx.give_up(&old);
        Ok(())
    }
}

impl Object for Cell {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("get", [] | [Value::None]) => one(self.value.clone()),
            ("set", [value] | [Value::None, value]) => {
                self.set(take(value), cx)?;
                DONE
            }
            ("add", [more] | [Value::None, more]) => {
                let sum = number::sum(&self.value, more)?;
                self.set(sum.clone(), cx)?;
                one(sum)
            }
            ("compare_and_set", [expected, value] | [Value::None, expected, value]) => {
                if self.value != *expected {
                    return Ok(Outcome::Done(vec![Value::Bool(false), self.value.clone()]));
                }
                self.set(take(value), cx)?;
                truth(true)
            }
            (method, args) => return Err(unknown("Value", method, args)),
        })
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        to.push_str("Value(");
        cx.write_row(to, [&self.code, &self.value].into_iter());
        to.push(')');
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        each(take(&mut self.code));
        each(take(&mut self.value));
    }
}
