//! Values, and how they lie in a message: all numbers little end first. docs/manager-protocol.md says it for others.

use super::bytes::Bytes;
use super::channel::{LARGE, Message};
use super::outgoing::Outgoing;
use crate::error::{Error, Result, Status, fail};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// More values than this in one message are taken for a mistake.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// What is stored and sent. The numbers of the kinds are those of the C API's items.
#[derive(Clone, Debug, Default)]
pub(crate) enum Value<T = Box<str>, B = Bytes> {
    #[default]
    None,
    Int(i64),
    Double(f64),
    Bool(bool),
    /// UTF-8 without a zero in it.
    Text(T),
    Bytes(B),
    /// A managed object by its number.
    Object(u64),
}

/// One that is only sent, and whose text or bytes are somebody else's.
pub(crate) type Lent<'a> = Value<&'a str, &'a [u8]>;

/// The same kind and the same content: 1, 1.0 and true are three values. A double is equal to itself, NaN too, and
/// both zeros are one, so that every value but an object can be a key.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::None, Value::None) => true,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => bits(*a) == bits(*b),
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Object(a), Value::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, to: &mut H) {
        std::mem::discriminant(self).hash(to);
        match self {
            Value::None => {}
            Value::Int(i) => i.hash(to),
            Value::Double(d) => bits(*d).hash(to),
            Value::Bool(b) => b.hash(to),
            Value::Text(text) => text.hash(to),
            Value::Bytes(bytes) => bytes.hash(to),
            Value::Object(id) => id.hash(to),
        }
    }
}

fn bits(double: f64) -> u64 {
    match double {
        0.0 => 0,
        d if d.is_nan() => f64::NAN.to_bits(),
        d => d.to_bits(),
    }
}

const NONE: u8 = 0;
const INT: u8 = 1;
const DOUBLE: u8 = 2;
const BOOL: u8 = 3;
const TEXT: u8 = 4;
const BYTES: u8 = 5;
const OBJECT: u8 = 6;

/// The bytes of a text.
pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    if bytes.contains(&0) {
        fail!(Invalid, "a text has a zero in it");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => fail!(Invalid, "a text is not UTF-8: pass it as bytes"),
    }
}

impl Value {
    /// For C: a text with a zero behind it.
    pub(crate) fn ended(self) -> Self {
        match self {
            Value::Text(text) => Value::Text((String::from(text) + "\0").into()),
            other => other,
        }
    }

    /// About how much memory it takes.
    pub(crate) fn weight(&self) -> usize {
        const BARE: usize = 32;
        match self {
            Value::Text(text) => BARE + text.len(),
            Value::Bytes(bytes) => BARE + bytes.len(),
            _ => BARE,
        }
    }
}

impl From<Lent<'_>> for Value {
    fn from(lent: Lent<'_>) -> Self {
        match lent {
            Value::None => Value::None,
            Value::Int(i) => Value::Int(i),
            Value::Double(d) => Value::Double(d),
            Value::Bool(b) => Value::Bool(b),
            Value::Text(text) => Value::Text(text.into()),
            Value::Bytes(bytes) => Value::Bytes(bytes.into()),
            Value::Object(id) => Value::Object(id),
        }
    }
}

impl<T: AsRef<str>, B: AsRef<[u8]> + Clone> Value<T, B> {
    /// In sentences.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::None => "none",
            Value::Int(_) => "an integer",
            Value::Double(_) => "a double",
            Value::Bool(_) => "a truth value",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::Object(_) => "a managed object",
        }
    }

    /// Bytes that it has in a message.
    pub(super) fn length(&self) -> usize {
        match self {
            Value::None => 1,
            Value::Bool(_) => 2,
            Value::Int(_) | Value::Double(_) | Value::Object(_) => 9,
            Value::Text(text) => 5 + text.as_ref().len(),
            Value::Bytes(bytes) => 5 + bytes.as_ref().len(),
        }
    }

    fn write(&self, to: &mut Outgoing<B>) {
        match self {
            Value::None => to.write(&[NONE]),
            Value::Int(i) => put(to, INT, &i.to_le_bytes()),
            Value::Double(d) => put(to, DOUBLE, &d.to_le_bytes()),
            Value::Bool(b) => put(to, BOOL, &[u8::from(*b)]),
            Value::Text(text) => {
                let text = text.as_ref().as_bytes();
                put(to, TEXT, &(text.len() as u32).to_le_bytes());
                to.write(text);
            }
            Value::Bytes(bytes) => {
                put(to, BYTES, &(bytes.as_ref().len() as u32).to_le_bytes());
                to.lend(bytes);
            }
            Value::Object(id) => put(to, OBJECT, &id.to_le_bytes()),
        }
    }
}

fn put<B: AsRef<[u8]>>(to: &mut Outgoing<B>, kind: u8, bytes: &[u8]) {
    to.write(&[kind]);
    to.write(bytes);
}

/// How many of their bytes are copied into a message.
pub(super) fn copied<T: AsRef<str>, B: AsRef<[u8]> + Clone>(values: &[Value<T, B>]) -> usize {
    let of = |value: &Value<T, B>| match value {
        Value::Bytes(bytes) if bytes.as_ref().len() >= LARGE => 5,
        value => value.length(),
    };
    values.iter().fold(4, |sum: usize, value| sum.saturating_add(of(value)))
}

/// How many there are, and they.
pub(super) fn write_values<T: AsRef<str>, B: AsRef<[u8]> + Clone>(
    to: &mut Outgoing<B>,
    values: &[Value<T, B>],
) {
    to.write(&(values.len() as u32).to_le_bytes());
    values.iter().for_each(|value| value.write(to));
}

/// What is left of the room for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) values: usize,
    pub(super) bytes: usize,
}

impl Room {
    /// In an answer of so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Room { values: MOST_VALUES, bytes: bytes.saturating_sub(8) }
    }

    /// Takes up some of it, if there is so much.
    pub(super) fn take<'v>(&mut self, values: impl IntoIterator<Item = &'v Value>) -> Result<()> {
        let mut left = *self;
        for value in values {
            let rest = (left.values.checked_sub(1), left.bytes.checked_sub(value.length()));
            let (Some(values), Some(bytes)) = rest else {
                fail!(TooSmall, "this is too much for one answer: ask for some at a time");
            };
            left = Room { values, bytes };
        }
        *self = left;
        Ok(())
    }
}

/// Takes a message apart. Whoever reads past its end is told so.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// All of it, for a value that stays there.
    alone: Option<&'a Arc<Vec<u8>>>,
}

impl<'a> From<&'a [u8]> for Reader<'a> {
    fn from(rest: &'a [u8]) -> Self {
        Reader { rest, alone: None }
    }
}

impl<'a> From<&'a Message> for Reader<'a> {
    fn from(message: &'a Message) -> Self {
        Reader { rest: message.bytes(), alone: message.alone() }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            fail!(Invalid, "the message ends where {len} bytes more are expected");
        };
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut number = [0; N];
        number.copy_from_slice(self.bytes(N)?);
        Ok(number)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn value(&mut self) -> Result<Value> {
        let [kind] = self.number()?;
        Ok(match kind {
            NONE => Value::None,
            INT => Value::Int(i64::from_le_bytes(self.number()?)),
            DOUBLE => Value::Double(f64::from_le_bytes(self.number()?)),
            BOOL => match self.number()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => fail!(Invalid, "{other} is no truth value"),
            },
            TEXT => Value::Text(text(self.sized()?)?.into()),
            BYTES => {
                let bytes = self.sized()?;
                Value::Bytes(match self.alone {
                    Some(message) if self.rest.is_empty() => Bytes::end_of(message, bytes),
                    _ => bytes.into(),
                })
            }
            OBJECT => Value::Object(u64::from_le_bytes(self.number()?)),
            other => fail!(Invalid, "{other} is no kind of a value"),
        })
    }

    fn sized(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()? as usize;
        self.bytes(len)
    }

    pub(super) fn values(&mut self) -> Result<Vec<Value>> {
        let count = self.u32()? as usize;
        // Each takes a byte at least: a hostile number makes room for no more than the message has.
        if count > MOST_VALUES || count > self.rest.len() {
            fail!(Invalid, "the message says that it has {count} values, which it cannot have");
        }
        let mut values = Vec::new();
        values
            .try_reserve_exact(count)
            .map_err(|_| Error::new(Status::NoMemory, "no memory for a message"))?;
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        if !self.rest.is_empty() {
            fail!(Invalid, "the message has {} bytes too many", self.rest.len());
        }
        Ok(())
    }
}
