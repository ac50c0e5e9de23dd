//! Names, by which processes that are no relatives use the same object. One is given when the
//! object is made, in the options, which also say what to do where the name is there or is not.

use super::guard::{guard, joined};
use super::status::mp_status;
use crate::error::{Error, Result, Status, fail};
use crate::shm::{self, Kind, Naming, Object, Opening, Segment, Wanted, Words};
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
    /// file: see mp_name_unlink.
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
/// What is opened is as it was made: what it begins with (a value's or an array's initial items,
/// a semaphore's free slots where it has no bound) counts where it is created, and the rest must
/// be the same, or the call is MP_ERR_INVALID with a sentence that gives both: report_owner_death
/// of what has a lock, and whether it has one; a value's and an array's type; an array's length;
/// shared memory's size; how many items a list has, with how much room; bounded and give_back, and
/// with either of them the number of slots; a barrier's parties, timeout and action; a queue's
/// maxsize, maxbytes and ring. Of a queue that is there, memory says nothing.
///
/// Making an object with a name may also come to these:
/// MP_ERR_INVALID: the name, open or mode makes no sense, or the name leads to an object of
///     another type or made with other options, or to a file that is not libmp's, was damaged, or
///     is another user's.
/// MP_ERR_EXISTS, MP_ERR_NOT_FOUND: see mp_open.
/// MP_ERR_UNSUPPORTED: the object was made by another version of libmp.
/// MP_ERR_TIMEOUT, MP_ERR_OS: as above. /proc is needed, too.
/// MP_ERR_NO_MEMORY: /dev/shm is full, or RLIMIT_FSIZE or RLIMIT_AS allow no file of the size; or
///     1023 processes use the object; one that is larger has room for more.
///
/// SIGBUS: whoever may write the file may cut it, by truncate or by opening it with O_TRUNC: any
/// process of this user, and those that the mode lets. Linux has no means against that. Libmp
/// cuts no file that has a name. A file that was cut is refused by who opens the name, and by a
/// child that uses its parent's handle for the first time; its last handle is freed without
/// touching it. Any other call on an object whose file is cut before it or meanwhile, and any
/// access to what mp_array_data, mp_value_data or mp_shared_memory_data gave, gets a SIGBUS,
/// which ends the process unless it handles that. Taking a name away, by whatever means, cuts
/// nothing.
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

/// The three options that a noun with a name has: name, open and mode.
pub(super) type Options = (*const c_char, c_int, c_uint);

/// Whether nothing shall be created: then what says how large it shall be may be left out.
pub(super) fn attaches((name, how, _): Options) -> bool {
    !name.is_null() && how & !(mp_open::MP_OPEN_ANY_USER as c_int) == mp_open::MP_OPEN_ATTACH as c_int
}

/// For a call that makes things without a name.
pub(super) fn none((name, how, mode): Options) -> Result<()> {
    match (name.is_null(), how, mode) {
        (true, 0, 0) => Ok(()),
        (true, ..) => Err(no_name()),
        _ => fail!(Unsupported, "a copy has no name: make one with a name, and copy into that"),
    }
}

#[cold]
fn no_name() -> Error {
    Error::new(Status::Invalid, "open and mode are for objects with a name, and the name is NULL")
}

/// What a queue that has nothing said about it may take.
const USUAL: usize = 1 << 30;

/// How many bytes a queue with a name may take: what was asked for, or by default `more` than usual.
pub(super) fn memory(name: *const c_char, asked: usize, more: usize) -> Result<usize> {
    match (name.is_null(), asked) {
        (_, 0) => Ok(USUAL.saturating_add(more)),
        (false, asked) => Ok(asked),
        (true, _) => fail!(Invalid, "memory is for queues with a name, and the name is NULL"),
    }
}

/// What shall be where the name leads to: its kind and how many bytes it takes beside its block.
pub(super) type Shape = (Kind, usize);

/// Creates an object without a name in the tree's segment, or opens or creates one that has one. `fits` says whether
/// one that is there is as it was asked for.
///
/// # Safety
/// The name is NULL or ended by a zero.
pub(super) unsafe fn open<B: Words>(
    (name, how, mode): Options,
    (kind, data): Shape,
    make: impl Fn(&'static Segment) -> Result<Object>,
    fits: impl Fn(&B) -> Result<()>,
) -> Result<Object> {
    // SAFETY: the caller's promise.
    let Some(name) = (unsafe { text(name) }) else {
        if how != 0 || mode != 0 {
            return Err(no_name());
        }
        return make(&shm::TREE);
    };
    let any = mp_open::MP_OPEN_ANY_USER as c_int;
    let opening = match how & !any {
        0 => Opening::OrCreate,
        1 => Opening::Create,
        2 => Opening::Attach,
        _ => fail!(Invalid, "{how} is no way to open a name: see mp_open"),
    };
    let fits = |s, r| match shm::resolve_in::<B>(s, r, kind) {
        // What says that it is damaged was damaged before anybody here had it.
        Some(block) => fits(block).map_err(|e| match e.status {
            Status::State => e.with_status(Status::Invalid),
            _ => e,
        }),
        None => fail!(Invalid, "the name leads to a file that was overwritten: its object is not there"),
    };
    shm::open(Naming { name, opening, any_user: how & any != 0, mode }, Wanted { kind, data, make, fits })
}
