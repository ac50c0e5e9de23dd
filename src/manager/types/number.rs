//! Numbers that are added to, and values that are exchanged: what all who hold values have in common.

use crate::error::{Result, fail};
use crate::manager::codec::Value;

/// The sum; of two integers an integer.
pub(super) fn sum(old: &Value, more: &Value) -> Result<Value> {
    match (old, more) {
        (Value::Int(a), Value::Int(b)) => match a.checked_add(*b) {
            Some(sum) => Ok(Value::Int(sum)),
            None => fail!(Invalid, "{a} + {b} does not fit into 64 bits"),
        },
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Int(a), Value::Double(b)) => Ok(Value::Double(*a as f64 + b)),
        (Value::Double(a), Value::Int(b)) => Ok(Value::Double(a + *b as f64)),
        (old, more) => fail!(Invalid, "{} and {} are no numbers to add", old.kind(), more.kind()),
    }
}
