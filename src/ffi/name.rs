//! Names, by which processes that are no relatives use the same object. One is given when the
//! object is made, in the options, which also say what to do where the name is there or is not.

use super::guard::{guard, joined};
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::shm::{self, Kind, Naming, Object, Opening, Segment};
use core::ffi::{CStr, c_char, c_int, c_uint};

/// What to do with a name.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_open {
    /// Opens what has the name, and creates it where nothing has.
    MP_OPEN_OR_CREATE = 0,
    /// Creates it: MP_ERR_EXISTS where something has the name.
    MP_OPEN_CREATE = 1,
    /// Opens it: MP_ERR_NOT_FOUND where nothing has the name.
    MP_OPEN_ATTACH = 2,
    /// Added to one of the others: where this user has no such name, that of another user will
    /// do if its mode lets this one. Whoever may open an object may also damage it, and cut its
    /// file short, which kills all of its users.
    MP_OPEN_ANY_USER = 256,
}

/// Takes a name away. Whoever has the object open goes on with it, and may hand it to children;
/// who opens the name next gets another object.
///
/// name: 1 to 200 bytes without a slash. Each user has names of their own.
///
/// MP_ERR_NOT_FOUND: nothing has the name.
/// MP_ERR_INVALID: it is no name, or leads to something that is no file of this user's.
/// MP_ERR_TIMEOUT: a stopped process, or a stranger, has kept the file locked for seconds.
/// MP_ERR_OS: there is no /dev/shm, or it does not let us.
///
/// An object with a name is a file there, of 32 KiB and what it holds. Freeing the last handle
/// leaves it, as it is with the names of POSIX; the next to open it finds it as it was. What a
/// process held when it freed its last handle to the object, or died, others take over as from
/// the dead. Where the last users died without having freed their handles, also by exit, the
/// next to open the name finds nothing, and the name is gone: see mp_names_reap.
///
/// Making an object with a name may also come to these:
/// MP_ERR_INVALID: the name, open or mode makes no sense, or the name leads to an object of
///     another type, or to a file that is not libmp's, was damaged, or is another user's.
/// MP_ERR_EXISTS, MP_ERR_NOT_FOUND: see mp_open.
/// MP_ERR_UNSUPPORTED: the object was made by another version of libmp.
/// MP_ERR_TIMEOUT, MP_ERR_OS: as above. /proc is needed, too.
/// MP_ERR_NO_MEMORY: /dev/shm is full, or 1023 processes use the object.
/// The options beside name, open and mode are those of whoever created it.
///
/// Fork: a child uses an object with a name through its parent's handle, and is a user of its
/// own from then on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_name_unlink(name: *const c_char) -> mp_status {
    guard("mp_name_unlink", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let Some(name) = (unsafe { text(name) }) else { fail!(Invalid, "name is NULL") };
        joined()?;
        shm::unlink(name)?;
        Ok(Status::Ok)
    })
}

/// Takes away the names of this user whose objects' users are all dead and did not all free their
/// handles.
///
/// count: how many these were goes here; may be NULL.
///
/// MP_ERR_OS: /dev/shm cannot be listed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_names_reap(count: *mut usize) -> mp_status {
    guard("mp_names_reap", || {
        joined()?;
        let reaped = shm::reap_all()?;
        // SAFETY: C's promise for its argument, as the header gives it.
        unsafe { super::guard::write_to(count, reaped as usize) };
        Ok(Status::Ok)
    })
}

/// # Safety
/// `text` is NULL or ended by a zero.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Creates an object without a name in the tree's segment, or opens or creates one that has one.
///
/// # Safety
/// `name` is NULL or ended by a zero.
pub(super) unsafe fn open(
    name: *const c_char,
    how: c_int,
    mode: c_uint,
    kind: Kind,
    create: impl Fn(&'static Segment) -> Result<Object>,
) -> Result<Object> {
    // SAFETY: the caller's promise.
    let Some(name) = (unsafe { text(name) }) else {
        if how != 0 || mode != 0 {
            fail!(Invalid, "open and mode are for objects with a name, and the name is NULL");
        }
        return create(&shm::TREE);
    };
    let any = mp_open::MP_OPEN_ANY_USER as c_int;
    let opening = match how & !any {
        0 => Opening::OrCreate,
        1 => Opening::Create,
        2 => Opening::Attach,
        _ => fail!(Invalid, "{how} is no way to open a name: see mp_open"),
    };
    shm::open(Naming { name, opening, any_user: how & any != 0, mode }, kind, 0, create)
}
