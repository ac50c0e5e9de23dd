//! Functions that a child shall find: by name where they were registered, else by module and offset.

use crate::error::{Result, fail};
use crate::sys::modules::{self, Place};
use crate::sys::published::List;
use serde::{Deserialize, Serialize};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

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

/// What has only a name in this process is told from others by the address of one of these bytes.
static STAND_INS: [AtomicU8; 1024] = [const { AtomicU8::new(0) }; 1024];
static STAND_INS_USED: AtomicUsize = AtomicUsize::new(0);

/// Without a lock: a child that the host forks meanwhile would find that taken for ever.
static NAMES: List<(Vec<u8>, usize)> = List::new();

/// Names a function. The same name again must mean the same function.
pub(crate) fn register(name: &[u8], address: usize) -> Result<()> {
    must_be_a_name(name)?;
    let named = NAMES.find_or_add(|(n, _)| n == name, || (name.to_vec(), address));
    if named.1 != address {
        fail!(State, "the name {} is another function's already", shown(name));
    }
    Ok(())
}

fn must_be_a_name(name: &[u8]) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        fail!(Invalid, "a name has 1 to {LONGEST_NAME} bytes, and this one has {}", name.len());
    }
    Ok(())
}

/// The function of this name: where it is, or what stands for it as long as only other executables have it.
pub(crate) fn named(name: &[u8]) -> Result<usize> {
    must_be_a_name(name)?;
    if let Some(&(_, address)) = NAMES.find(|(n, _)| n == name) {
        return Ok(address);
    }
    // Relaxed: only the number matters. Of two threads that ask at once one leaves its number unused.
    let number = STAND_INS_USED.fetch_add(1, Ordering::Relaxed);
    let Some(stand_in) = STAND_INS.get(number) else {
        STAND_INS_USED.fetch_sub(1, Ordering::Relaxed);
        fail!(NoMemory, "{} names of other executables' functions are in use", STAND_INS.len());
    };
    Ok(NAMES.find_or_add(|(n, _)| n == name, || (name.to_vec(), ptr::from_ref(stand_in) as usize)).1)
}

/// Fails for what only stands for a function: it cannot be called.
pub(crate) fn must_be_here(address: usize) -> Result<()> {
    if STAND_INS.as_ptr_range().contains(&(address as *const AtomicU8))
        && let Some((name, _)) = NAMES.find(|&(_, a)| a == address)
    {
        fail!(UnknownTarget, "this program has no function {}: spawn an executable that has it", shown(name));
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
                Some(&(_, address)) => must_be_here(address).map(|()| address),
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
    fn what_stands_for_a_name_is_not_called() {
        let stand_in = named(b"elsewhere").unwrap();
        assert_eq!(named(b"elsewhere").unwrap(), stand_in);
        assert_ne!(named(b"elsewhere, too").unwrap(), stand_in);
        let target = Target::of(stand_in).unwrap();
        assert_eq!(target, Target::Name(b"elsewhere".to_vec()));
        assert!(must_be_here(stand_in).is_err());
        assert!(target.address().is_err());
        assert!(register(b"elsewhere", names_have_a_length as fn() as usize).is_err());
        let address = what_stands_for_a_name_is_not_called as fn() as usize;
        register(b"here", address).unwrap();
        assert_eq!(named(b"here").unwrap(), address);
        must_be_here(address).unwrap();
    }

    #[test]
    fn names_have_a_length() {
        assert!(register(b"", 1).is_err());
        assert!(register(&[b'n'; LONGEST_NAME + 1], 1).is_err());
    }
}
