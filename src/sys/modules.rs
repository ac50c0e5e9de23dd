//! The program's modules: which one a function lies in, and where the same one lies in another process.

use std::ffi::{CStr, CString, OsStr};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;

/// A function's place, the same in every process that has the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What tells the module from all others: its build-id, or a hash of its text's beginning.
    pub(crate) module: Vec<u8>,
    /// Where its file was; empty for the executable.
    pub(crate) path: Vec<u8>,
    pub(crate) offset: u64,
}

/// Where a function lies; None when the address is in no module's text.
pub(crate) fn place_of(address: usize) -> Option<Place> {
    search(|module| {
        let inside = |p: &libc::Elf64_Phdr| {
            let from = module.base.wrapping_add(p.p_vaddr as usize);
            p.p_type == libc::PT_LOAD
                && p.p_flags & libc::PF_X != 0
                && (from..from.wrapping_add(p.p_memsz as usize)).contains(&address)
        };
        module.headers.iter().any(inside).then(|| Place {
            module: module.identity(),
            path: absolute(module.path.to_bytes(), address),
            offset: address.wrapping_sub(module.base) as u64,
        })
    })
}

/// A library may have been loaded by a path that leads elsewhere once the working directory changes; the
/// kernel knows where the file is.
fn absolute(path: &[u8], address: usize) -> Vec<u8> {
    if path.starts_with(b"/") || !path.contains(&b'/') {
        return path.to_vec();
    }
    super::code::file_at(address).unwrap_or_else(|| path.to_vec())
}

/// The address of that place in this process, loading the module's file if need be. The error is a sentence.
pub(crate) fn address_of(place: &Place) -> Result<usize, String> {
    if let Some(base) = base_of(&place.module) {
        return Ok(base.wrapping_add(place.offset as usize));
    }
    if place.path.is_empty() {
        return Err("the child runs another executable, or another build of it".into());
    }
    let file = OsStr::from_bytes(&place.path).to_string_lossy().into_owned();
    let Ok(path) = CString::new(place.path.clone()) else { return Err(format!("{file} is no path")) };
    // SAFETY: the parent runs this module's code as well, so its constructors are the program's own.
    if unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) }.is_null() {
        return Err(format!("the child cannot load {file}"));
    }
    match base_of(&place.module) {
        Some(base) => Ok(base.wrapping_add(place.offset as usize)),
        None => Err(format!("{file} is not what the parent has loaded: it was replaced meanwhile")),
    }
}

fn base_of(identity: &[u8]) -> Option<usize> {
    search(|module| (module.identity() == identity).then_some(module.base))
}

/// A module while the loader's list holds still.
struct Module<'a> {
    base: usize,
    path: &'a CStr,
    headers: &'a [libc::Elf64_Phdr],
}

impl Module<'_> {
    /// Its bytes from `vaddr` on, as far as one loaded segment holds them.
    fn bytes(&self, vaddr: u64, len: u64) -> &[u8] {
        let holds = |p: &&libc::Elf64_Phdr| {
            p.p_type == libc::PT_LOAD
                && p.p_flags & libc::PF_R != 0
                && vaddr >= p.p_vaddr
                && vaddr.saturating_add(len) <= p.p_vaddr.saturating_add(p.p_memsz)
        };
        if !self.headers.iter().any(|p| holds(&p)) {
            return &[];
        }
        // SAFETY: the range lies in a readable segment that the loader has mapped.
        unsafe { std::slice::from_raw_parts((self.base + vaddr as usize) as *const u8, len as usize) }
    }

    fn identity(&self) -> Vec<u8> {
        let notes = self.headers.iter().filter(|p| p.p_type == libc::PT_NOTE);
        if let Some(id) = notes.filter_map(|p| build_id(self.bytes(p.p_vaddr, p.p_memsz))).next() {
            return [b"build-id:", id].concat();
        }
        // No build-id: what the linker laid out, and where the code begins.
        let mut hash = DefaultHasher::new();
        for p in self.headers {
            (p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz).hash(&mut hash);
        }
        let text = self.headers.iter().find(|p| p.p_type == libc::PT_LOAD && p.p_flags & libc::PF_X != 0);
        let text = text.map_or(&[][..], |p| self.bytes(p.p_vaddr, p.p_memsz.min(4096)));
        text.hash(&mut hash);
        [&b"text:"[..], &hash.finish().to_le_bytes()].concat()
    }
}

/// The GNU build-id among a segment's notes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    while notes.len() >= 12 {
        let number = |at: usize| u32::from_le_bytes([notes[at], notes[at + 1], notes[at + 2], notes[at + 3]]);
        let (name_len, desc_len, kind) = (number(0) as usize, number(4) as usize, number(8));
        let desc_at = 12 + name_len.next_multiple_of(4);
        let next = desc_at.checked_add(desc_len.checked_next_multiple_of(4)?)?;
        let desc = notes.get(desc_at..desc_at.checked_add(desc_len)?)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + name_len) == Some(b"GNU\0") && !desc.is_empty() {
            return Some(desc);
        }
        notes = notes.get(next..)?;
    }
    None
}

/// The first answer that a module gives.
fn search<T>(look: impl FnMut(&Module<'_>) -> Option<T>) -> Option<T> {
    struct Search<F, T>(F, Option<T>);
    unsafe extern "C" fn each<F: FnMut(&Module<'_>) -> Option<T>, T>(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        data: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid description, and data is the Search below.
        let (info, search) = unsafe { (&*info, &mut *data.cast::<Search<F, T>>()) };
        let path = match info.dlpi_name.is_null() {
            true => c"",
            // SAFETY: a string of the loader's.
            false => unsafe { CStr::from_ptr(info.dlpi_name) },
        };
        // SAFETY: the loader's table of program headers, which lives as long as the module.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        search.1 = (search.0)(&Module { base: info.dlpi_addr as usize, path, headers });
        libc::c_int::from(search.1.is_some())
    }
    fn callback<F: FnMut(&Module<'_>) -> Option<T>, T>(
        _: &F,
    ) -> unsafe extern "C" fn(*mut libc::dl_phdr_info, libc::size_t, *mut libc::c_void) -> libc::c_int {
        each::<F, T>
    }
    let each = callback(&look);
    let mut search = Search(look, None);
    // SAFETY: the callback gets our Search and nothing else.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
    search.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_comes_back_from_its_place() {
        let address = place_of as fn(usize) -> Option<Place> as usize;
        let place = place_of(address).unwrap();
        assert_eq!(address_of(&place), Ok(address));
        assert!(place.path.is_empty(), "the executable");
        let libc = place_of(libc::getpid as *const () as usize).unwrap();
        assert_eq!(address_of(&libc), Ok(libc::getpid as *const () as usize));
        assert!(!libc.path.is_empty());
    }

    #[test]
    fn data_is_no_function() {
        static DATA: u64 = 7;
        assert_eq!(place_of(&raw const DATA as usize), None);
        assert_eq!(place_of(0), None);
        assert_eq!(place_of(usize::MAX), None);
    }

    #[test]
    fn a_module_that_is_not_there_is_a_sentence() {
        let gone = |path: &[u8]| Place { module: b"text:x".to_vec(), path: path.to_vec(), offset: 0 };
        assert!(address_of(&gone(b"")).unwrap_err().contains("another executable"));
        assert!(address_of(&gone(b"/nowhere/libx.so")).unwrap_err().contains("cannot load /nowhere/libx.so"));
    }

    #[test]
    fn notes_that_are_garbage_hold_no_id() {
        for garbage in [&b""[..], &[0; 11], &[0xFF; 64], &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0]] {
            assert_eq!(build_id(garbage), None);
        }
        let mut note = Vec::new();
        for n in [4_u32, 3, 3] {
            note.extend(n.to_le_bytes());
        }
        note.extend(b"GNU\0abc\0");
        assert_eq!(build_id(&note), Some(&b"abc"[..]));
    }
}
