//! Requests and answers.
//!
//! | request | bytes | answer        | bytes |
//! |---------|-------|---------------|-------|
//! | what    | 1     | status        | 4     |
//! | 0       | 1     | count of values, or of a sentence's bytes where the status is below 0 | 4 |
//! | bytes of the name | 2 | they     |       |
//! | thread  | 4     |               |       |
//! | timeout | 8     |               |       |
//! | object  | 8     |               |       |
//! | name    |       |               |       |
//! | count of values | 4 |           |       |
//! | they    |       |               |       |

use super::bytes::Bytes;
use super::codec::{self, Reader, Value};
use super::outgoing::Outgoing;
use crate::error::{Error, Result, Status, fail};

/// What this library speaks. Another number is refused by the server with a sentence.
pub(super) const VERSION: i64 = 1;

/// Bytes before the name.
const HEAD: usize = 24;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum What {
    /// The first on each connection: values are the version and the session.
    Hello = 1,
    /// A method of an object.
    Call = 2,
    /// A new object of the type of this name.
    Create = 3,
    /// A lease of an object, by a ticket if there is one.
    Hold = 4,
    /// Leases of the objects that are the values end.
    Release = 5,
    /// A ticket for an object.
    Export = 6,
    /// Calls one after the other, nobody's call between them.
    Batch = 7,
    /// Something of the server itself.
    Info = 8,
}

impl What {
    const ALL: [What; 8] = [
        What::Hello,
        What::Call,
        What::Create,
        What::Hold,
        What::Release,
        What::Export,
        What::Batch,
        What::Info,
    ];
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) what: What,
    /// Of the client's, for what belongs to one thread.
    pub(super) thread: u32,
    /// Nanoseconds, for what has to wait: 0 and less not at all, i64::MAX without limit.
    pub(super) timeout: i64,
    pub(super) object: u64,
    pub(super) name: &'a str,
}

impl<'a> Request<'a> {
    /// Behind its length.
    pub(super) fn encode<T: AsRef<str>, B: AsRef<[u8]> + Clone>(
        &self,
        values: &[Value<T, B>],
    ) -> Result<Outgoing<B>> {
        if self.name.len() > 255 {
            fail!(Invalid, "a name has at most 255 bytes, and this one has {}", self.name.len());
        }
        let mut message = Outgoing::default();
        message.put(HEAD + self.name.len() + codec::copied(values), |to| {
            let mut head = [0; HEAD];
            head[0] = self.what as u8;
            head[2..4].copy_from_slice(&(self.name.len() as u16).to_le_bytes());
            head[4..8].copy_from_slice(&self.thread.to_le_bytes());
            head[8..16].copy_from_slice(&self.timeout.to_le_bytes());
            head[16..].copy_from_slice(&self.object.to_le_bytes());
            to.write(&head);
            to.write(self.name.as_bytes());
            codec::write_values(to, values);
        })?;
        Ok(message)
    }

    pub(super) fn decode(message: impl Into<Reader<'a>>) -> Result<(Self, Vec<Value>)> {
        let mut reader = message.into();
        let [what, zero] = reader.number()?;
        let Some(what) = What::ALL.into_iter().find(|&known| known as u8 == what) else {
            fail!(Unsupported, "{what} is no request that this server knows");
        };
        let name_len = u16::from_le_bytes(reader.number()?);
        let thread = reader.u32()?;
        let timeout = i64::from_le_bytes(reader.number()?);
        let object = u64::from_le_bytes(reader.number()?);
        if zero != 0 || name_len > 255 {
            fail!(Invalid, "the request's head is damaged");
        }
        let Ok(name) = std::str::from_utf8(reader.bytes(name_len.into())?) else {
            fail!(Invalid, "the request's name is not UTF-8");
        };
        let values = reader.values()?;
        reader.end()?;
        Ok((Request { what, thread, timeout, object, name }, values))
    }
}

/// What a request came to: the status is OK or OWNER_DIED.
pub(super) type Answer = Result<(Status, Vec<Value>)>;

/// Puts it behind what is to go.
pub(super) fn encode_answer(answer: &Answer, to: &mut Outgoing<Bytes>) -> Result<()> {
    match answer {
        Ok((status, values)) => to.put(4 + codec::copied(values), |to| {
            to.write(&(*status as i32).to_le_bytes());
            codec::write_values(to, values);
        }),
        Err(error) => {
            let text = error.to_string();
            to.put(8 + text.len(), |to| {
                to.write(&(error.status as i32).to_le_bytes());
                to.write(&(text.len() as u32).to_le_bytes());
                to.write(text.as_bytes());
            })
        }
    }
}

/// An answer, or why there is none that could be made out.
pub(super) fn decode_answer<'a>(message: impl Into<Reader<'a>>) -> Result<Answer> {
    let mut reader = message.into();
    let number = i32::from_le_bytes(reader.number()?);
    let Some(status) = Status::from_number(number) else {
        fail!(Remote, "the manager's server answers with {number}, which is no status");
    };
    if number < 0 {
        let len = reader.u32()? as usize;
        let text = String::from_utf8_lossy(reader.bytes(len)?).into_owned();
        reader.end()?;
        return Ok(Err(Error::new(status, text)));
    }
    let values = reader.values()?;
    reader.end()?;
    Ok(Ok((status, values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<Value> {
        vec![
            Value::None,
            Value::Int(-2),
            Value::Double(0.25),
            Value::Bool(true),
            Value::Text("grün".into()),
            Value::Bytes([0, 255][..].into()),
            Value::Object(7),
        ]
    }

    /// Without its length.
    fn flat(message: Outgoing<Bytes>) -> Vec<u8> {
        let all = message.into_vec();
        assert_eq!(all[..4], (all.len() as u32 - 4).to_be_bytes());
        all[4..].to_vec()
    }

    fn request() -> Vec<u8> {
        let request = Request { what: What::Call, thread: 3, timeout: -1, object: 9, name: "append" };
        flat(request.encode(&values()).unwrap())
    }

    #[test]
    fn requests_come_back() {
        let bytes = request();
        let (got, found) = Request::decode(&bytes[..]).unwrap();
        assert_eq!(
            (got.what, got.thread, got.timeout, got.object, got.name),
            (What::Call, 3, -1, 9, "append")
        );
        assert_eq!(found, values());
    }

    #[test]
    fn answers_come_back() {
        let encoded = |answer: &Answer| {
            let mut message = Outgoing::default();
            encode_answer(answer, &mut message).unwrap();
            flat(message)
        };
        let good: Answer = Ok((Status::OwnerDied, values()));
        assert_eq!(decode_answer(&encoded(&good)[..]).unwrap().unwrap(), (Status::OwnerDied, values()));
        let bad: Answer = Err(Error::new(Status::NotFound, "no such key"));
        let error = decode_answer(&encoded(&bad)[..]).unwrap().unwrap_err();
        assert_eq!((error.status, error.to_string()), (Status::NotFound, "no such key".to_owned()));
    }

    #[test]
    fn every_damage_is_an_error_or_something_valid() {
        let bytes = request();
        for at in 0..bytes.len() {
            assert!(Request::decode(&bytes[..at]).is_err(), "cut at {at}");
            for flip in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let _ = Request::decode(&damaged[..]);
                let _ = decode_answer(&damaged[..]);
            }
        }
        assert!(Request::decode(&[&bytes[..], &[0]].concat()[..]).is_err());
    }

    #[test]
    fn a_hostile_count_allocates_nothing() {
        let request = Request { what: What::Call, thread: 0, timeout: 0, object: 0, name: "" };
        let mut bytes = flat(request.encode::<Box<str>, _>(&[]).unwrap());
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Request::decode(&bytes[..]).is_err());
    }
}
