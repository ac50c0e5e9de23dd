//! A fixed number of numbers of one type, by the codes of Python's `array`.

use super::{Context, DONE, Object, Outcome, length, number, one, place, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;

struct Array {
    code: char,
    values: Vec<Value>,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let Some((Value::Text(code), values)) = args.split_first() else {
        fail!(Invalid, "an Array is made of a type code, which is a text, and numbers");
    };
    let mut chars = code.chars();
    let (Some(code), None) = (chars.next(), chars.next()) else {
        fail!(Invalid, "{code:?} is no type code: b, B, h, H, i, I, l, L, q, Q, f and d are");
    };
    let values = values.iter().map(|value| fit(code, value)).collect::<Result<Vec<_>>>()?;
    cx.keep_all(values.iter())?;
    Ok(Box::new(Array { code, values }))
}

/// The number as the type has it, if it does.
fn fit(code: char, value: &Value) -> Result<Value> {
    let (least, most) = match code {
        'b' => (i8::MIN.into(), i8::MAX.into()),
        'B' => (0, u8::MAX.into()),
        'h' => (i16::MIN.into(), i16::MAX.into()),
        'H' => (0, u16::MAX.into()),
        'i' => (i32::MIN.into(), i32::MAX.into()),
        'I' => (0, u32::MAX.into()),
        'l' | 'q' => (i64::MIN, i64::MAX),
        // No value is larger than that.
        'L' | 'Q' => (0, i64::MAX),
        'f' | 'd' => {
            let double = match value {
                Value::Double(d) => *d,
                Value::Int(i) => *i as f64,
                other => fail!(Invalid, "{} is no number", other.kind()),
            };
            return Ok(Value::Double(if code == 'f' { f64::from(double as f32) } else { double }));
        }
        other => fail!(Invalid, "{other:?} is no type code: b, B, h, H, i, I, l, L, q, Q, f and d are"),
    };
    match value {
        Value::Int(i) if (least..=most).contains(i) => Ok(Value::Int(*i)),
        Value::Int(i) => fail!(Invalid, "{i} is out of range: {code} has {least} to {most}"),
        other => fail!(Invalid, "{} is no integer", other.kind()),
    }
}

impl Object for Array {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        let len = self.values.len();
        Ok(match (method, args) {
            ("len", []) => length(len),
            ("get", [Value::Int(at)]) => one(self.values[place(*at, len)?].clone()),
            ("set", [Value::Int(at), value]) => {
                self.values[place(*at, len)?] = fit(self.code, value)?;
                DONE
            }
            ("items", []) => cx.all(&self.values)?,
            ("add", [Value::Int(at), more]) => {
                let at = place(*at, len)?;
                self.values[at] = fit(self.code, &number::sum(&self.values[at], more)?)?;
                one(self.values[at].clone())
            }
            ("compare_and_set", [Value::Int(at), expected, value]) => {
                let at = place(*at, len)?;
                if self.values[at] != *expected {
                    return Ok(Outcome::Done(vec![Value::Bool(false), self.values[at].clone()]));
                }
                self.values[at] = fit(self.code, value)?;
                truth(true)
            }
            (method, args) => return Err(unknown("Array", method, args)),
        })
    }

    fn describe(&self, to: &mut String, cx: &Context<'_>) {
        to.push_str("array('");
        to.push(self.code);
        to.push_str("', [");
        cx.write_row(to, self.values.iter());
        to.push_str("])");
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.values.clone())
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        self.values.drain(..).for_each(each);
    }
}
