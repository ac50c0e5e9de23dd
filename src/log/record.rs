//! One record, and its form as a message between processes of one machine.

use super::{NAMES, name, now};
use std::borrow::Cow;
use std::ffi::{CStr, CString};

/// One record.
pub(crate) struct Record<'a> {
    pub(crate) level: u16,
    pub(crate) level_name: Cow<'static, CStr>,
    pub(crate) pid: i32,
    /// Nanoseconds since 1970.
    pub(crate) time: i64,
    pub(crate) process: Cow<'a, CStr>,
    pub(crate) message: Cow<'a, CStr>,
}

/// A message begins with level, pid and time; then there are the process's name and what it says, each with a zero.
const HEAD: usize = 16;

impl<'a> Record<'a> {
    /// One of this process's, made now.
    pub(super) fn new(level: u16, message: &'a CStr) -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let (process, message) = (Cow::Owned(name()), Cow::Borrowed(message));
        Record { level, level_name: level_name(level), pid, time: now(), process, message }
    }

    /// As a message; None: there is no memory for it.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let (process, message) = (self.process.to_bytes_with_nul(), self.message.to_bytes_with_nul());
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(HEAD + process.len() + message.len()).ok()?;
        bytes.extend_from_slice(&u32::from(self.level).to_ne_bytes());
        bytes.extend_from_slice(&self.pid.to_ne_bytes());
        bytes.extend_from_slice(&self.time.to_ne_bytes());
        bytes.extend_from_slice(process);
        bytes.extend_from_slice(message);
        Some(bytes)
    }

    /// From a message, which may be anything; None: it is no record.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (level, rest) = bytes.split_first_chunk::<4>()?;
        let (pid, rest) = rest.split_first_chunk::<4>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let level = u16::try_from(u32::from_ne_bytes(*level)).ok()?;
        let process = CStr::from_bytes_until_nul(rest).ok()?;
        let message = CStr::from_bytes_with_nul(rest.get(process.count_bytes() + 1..)?).ok()?;
        (1..super::OFF).contains(&level).then(|| Record {
            level,
            level_name: level_name(level),
            pid: i32::from_ne_bytes(*pid),
            time: i64::from_ne_bytes(*time),
            process: Cow::Borrowed(process),
            message: Cow::Borrowed(message),
        })
    }
}

fn level_name(level: u16) -> Cow<'static, CStr> {
    match NAMES.iter().find(|n| n.0 == level) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(CString::new(format!("Level {level}")).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_without_a_name_have_their_number() {
        assert_eq!(&*level_name(super::super::WARNING), c"WARNING");
        assert_eq!(&*level_name(15), c"Level 15");
    }

    #[test]
    fn a_record_comes_back_from_its_message() {
        let record = Record::new(super::super::ERROR, c"what went wrong");
        let bytes = record.encode().unwrap();
        let back = Record::decode(&bytes).unwrap();
        assert_eq!((back.level, back.pid, back.time), (record.level, record.pid, record.time));
        assert_eq!((&*back.process, &*back.message), (&*record.process, c"what went wrong"));
    }

    #[test]
    fn what_is_no_record() {
        let good = Record::new(7, c"x").encode().unwrap();
        assert!((0..good.len()).all(|cut| Record::decode(&good[..cut]).is_none()));
        let mut other = good.clone();
        other.push(0);
        assert!(Record::decode(&other).is_none());
        for level in [0, 1000, 70_000_u32] {
            other = good.clone();
            other[..4].copy_from_slice(&level.to_ne_bytes());
            assert!(Record::decode(&other).is_none(), "{level}");
        }
    }
}
