//! The bytes of a value, which never change: those who have the value have them together.

use super::channel::LARGE;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// So many fit where an allocation's address would be, with a value no larger for it.
const FEW: usize = 22;
/// So many others at most a message keeps for its last value's sake.
const SPARE: usize = 1 << 10;

#[derive(Clone)]
pub(crate) struct Bytes(Place);

#[derive(Clone)]
enum Place {
    Here(u8, [u8; FEW]),
    There(Arc<[u8]>),
    /// In the message that they came in, from here to its end.
    Came(Arc<Vec<u8>>, u32),
}

impl Bytes {
    /// Bytes that came at the end of a message: a copy, unless they are about all of it, and many.
    pub(super) fn end_of(message: &Arc<Vec<u8>>, bytes: &[u8]) -> Self {
        let before = message.len() - bytes.len();
        match u32::try_from(before) {
            Ok(from) if bytes.len() >= LARGE && before <= SPARE => {
                Bytes(Place::Came(Arc::clone(message), from))
            }
            _ => bytes.into(),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Here(len, bytes) => &bytes[..usize::from(*len)],
            Place::There(bytes) => bytes,
            Place::Came(message, from) => &message[*from as usize..],
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        let mut few = [0; FEW];
        match few.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Bytes(Place::Here(bytes.len() as u8, few))
            }
            None => Bytes(Place::There(bytes.into())),
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, to: &mut H) {
        (**self).hash(to);
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::codec::Value;

    #[test]
    fn a_value_is_no_larger_for_the_few_bytes_in_it() {
        assert_eq!(size_of::<Value>(), 24);
    }

    #[test]
    fn bytes_are_the_same_wherever_they_lie() {
        for len in [0, 1, FEW, FEW + 1, LARGE - 1, LARGE] {
            for before in [0, SPARE, SPARE + 1] {
                let message = Arc::new(vec![7; before + len]);
                let (came, copy) =
                    (Bytes::end_of(&message, &message[before..]), Bytes::from(&message[before..]));
                assert_eq!(came, copy);
                assert_eq!(came.len(), len);
                assert_eq!(
                    Arc::strong_count(&message) == 2,
                    len >= LARGE && before <= SPARE,
                    "{before} {len}"
                );
            }
        }
    }
}
