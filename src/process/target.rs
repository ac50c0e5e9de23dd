//! Functions that a child shall find: by name where they were registered, else by module and offset.

use crate::error::{Result, fail};
use crate::sys::modules::{self, Place};
use crate::sys::published::List;
use serde::{Deserialize, Serialize};

/// Names are not longer than this.
const LONGEST_NAME: usize = 255;

/// Which function is meant, in words that another process understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Bytes, as C has them: in whatever encoding.
    Name(Vec<u8>),
    /// The module's identity, its file, and the function's offset in it.
    Place { module: Vec<u8>, path: Vec<u8>, offset: u64 },
}

/// Without a lock: a child that the host forks meanwhile would find that taken for ever.
static NAMES: List<(Vec<u8>, usize)> = List::new();

/// Names a function. The same name again must mean the same function.
pub(crate) fn register(name: &[u8], address: usize) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        fail!(Invalid, "a name has 1 to {LONGEST_NAME} bytes, and this one has {}", name.len());
    }
    let named = NAMES.find_or_add(|(n, _)| n == name, || (name.to_vec(), address));
    if named.1 != address {
        fail!(State, "the name {} is another function's already", shown(name));
    }
    Ok(())
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl Target {
    /// In the parent.
    pub(crate) fn of(address: usize) -> Result<Self> {
        if let Some((name, _)) = NAMES.find(|&(_, a)| a == address) {
            return Ok(Target::Name(name.clone()));
        }
        match modules::place_of(address) {
            Some(Place { module, path, offset }) => Ok(Target::Place { module, path, offset }),
            None => fail!(
                UnknownTarget,
                "the function at {address:#x} lies in no module, so that a fresh image cannot find it: start by fork"
            ),
        }
    }

    /// In the child.
    pub(crate) fn address(&self) -> Result<usize> {
        match self {
            Target::Name(name) => match NAMES.find(|(n, _)| n == name) {
                Some(&(_, address)) => Ok(address),
                None => {
                    let name = shown(name);
                    fail!(UnknownTarget, "the child has registered no function {name} before mp_bootstrap")
                }
            },
            Target::Place { module, path, offset } => {
                let place = Place { module: module.clone(), path: path.clone(), offset: *offset };
                match modules::address_of(&place) {
                    Ok(address) => Ok(address),
                    Err(why) => fail!(UnknownTarget, "{why}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_before_a_place() {
        let address = a_name_goes_before_a_place as fn() as usize;
        assert!(matches!(Target::of(address), Ok(Target::Place { .. })));
        register(b"a name", address).unwrap();
        register(b"a name", address).unwrap();
        assert!(register(b"a name", address + 1).is_err());
        let target = Target::of(address).unwrap();
        assert_eq!(target, Target::Name(b"a name".to_vec()));
        assert_eq!(target.address().unwrap(), address);
        assert!(Target::Name(b"no such name".to_vec()).address().is_err());
    }

    #[test]
    fn names_have_a_length() {
        assert!(register(b"", 1).is_err());
        assert!(register(&[b'n'; LONGEST_NAME + 1], 1).is_err());
    }
}
