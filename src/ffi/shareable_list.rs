//! Shareable lists: a fixed number of items of mixed types in shared memory. No lock goes with
//! a list: who changes its text and bytes while others read them guards it with one.

use super::guard::{self, guard, initialise, joined, options, out};
use super::handle;
use super::name;
use super::shared_memory::mp_shared_memory;
use super::slots;
use super::status::mp_status;
use super::text;
use crate::error::{Error, Result, Status, fail};
use crate::shared::list::{self, Found, List, Value};
use crate::shm::{Kind, MemoryBlock, Object};
use core::ffi::{c_char, c_int, c_uint, c_void};

/// A shareable list.
pub struct mp_shareable_list {
    _private: [u8; 0],
}

/// What an item of a shareable list can be.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_item_type {
    /// Nothing.
    MP_ITEM_NONE = 0,
    /// An integer of 64 bits.
    MP_ITEM_INT = 1,
    /// A double.
    MP_ITEM_DOUBLE = 2,
    /// True or false.
    MP_ITEM_BOOL = 3,
    /// Text, with no zero in it; less than 10 MiB.
    MP_ITEM_TEXT = 4,
    /// Bytes; less than 10 MiB.
    MP_ITEM_BYTES = 5,
    /// A managed object: not in a shareable list.
    MP_ITEM_PROXY = 6,
}

/// An item of a shareable list. Members that its type has no use for may be anything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_item {
    /// An mp_item_type.
    pub kind: c_int,
    /// Of MP_ITEM_BOOL.
    pub boolean: bool,
    /// Of MP_ITEM_INT.
    pub integer: i64,
    /// Of MP_ITEM_DOUBLE.
    pub number: f64,
    /// Of MP_ITEM_TEXT and MP_ITEM_BYTES: where they are; of MP_ITEM_PROXY the mp_proxy.
    pub data: *const c_void,
    /// And how many bytes they have, the zero at a text's end not counted.
    pub data_size: usize,
}

/// Options of mp_shareable_list_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_shareable_list_options {
    /// sizeof(mp_shareable_list_options).
    pub size: usize,
    /// The name by which other processes, relatives or not, open the same object: see
    /// mp_name_unlink. NULL for none: the object goes with its last handle.
    pub name: *const c_char,
    /// Where there is a name: whether to create the object or to open it, an mp_open.
    pub open: c_int,
    /// Where an object with a name is created: who may open it, as for chmod. 0600, and what is
    /// given here besides; 0 for this user alone.
    pub mode: c_uint,
}

// mp.h:
// /* The defaults: mp_shareable_list_options o = MP_SHAREABLE_LIST_OPTIONS; */
// #define MP_SHAREABLE_LIST_OPTIONS { sizeof(mp_shareable_list_options), NULL, 0, 0 }

const DEFAULTS: mp_shareable_list_options = mp_shareable_list_options {
    size: size_of::<mp_shareable_list_options>(),
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_SHAREABLE_LIST_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_shareable_list_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_options_init(
    options: *mut mp_shareable_list_options,
    size: usize,
) -> mp_status {
    guard("mp_shareable_list_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// An item as C passes it.
///
/// # Safety
/// Where it is text or bytes, `data` points to `data_size` bytes, which stay for as long as the answer.
unsafe fn value<'a>(item: &mp_item) -> Result<Value<'a>> {
    // SAFETY: the caller's promise.
    let bytes = || unsafe { guard::bytes(item.data, item.data_size) };
    Ok(match item.kind {
        0 => Value::None,
        1 => Value::Int(item.integer),
        2 => Value::Double(item.number),
        3 => Value::Bool(item.boolean),
        4 => Value::Text(bytes()?),
        5 => Value::Bytes(bytes()?),
        other => fail!(Invalid, "{other} is no type of an item: MP_ITEM_NONE to MP_ITEM_BYTES are"),
    })
}

fn list_of(list: *const mp_shareable_list) -> Result<List> {
    List::of(handle::block(list)?.data()?)
}

/// Makes a list of these items. Text and bytes get as much room as they need, rounded up to
/// the next multiple of 8 bytes beyond that; the others have 8 bytes.
///
/// list: where the handle goes.
/// items: count items. count: how many; 0 is fine. A list that has its name already stays as it
///     is, and must have as many with as much room; with MP_OPEN_ATTACH a count of 0 stands for
///     any list.
/// options: NULL for the defaults.
///
/// MP_ERR_INVALID: items is NULL and count is not 0; or an item's type is none, its text has a
///     zero in it, or its text or bytes have 10 MiB or more.
/// MP_ERR_NO_MEMORY: the shared segment, or the machine, has no room for so much.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
///
/// Fork: a child uses the same list through the same handle.
/// Kill: a process that is killed while it stores text or bytes leaves the item half written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_new(
    list: *mut *mut mp_shareable_list,
    items: *const mp_item,
    count: usize,
    options: *const mp_shareable_list_options,
) -> mp_status {
    guard("mp_shareable_list_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(list, "list")?, self::options(options, DEFAULTS)?) };
        let mut values = Vec::new();
        if count > 0 {
            if items.is_null() {
                fail!(Invalid, "items is NULL, and count is {count}");
            }
            if values.try_reserve_exact(count).is_err() {
                fail!(NoMemory, "no memory for {count} items");
            }
            for index in 0..count {
                // SAFETY: C's promise: count items, and what they point to.
                values.push(unsafe { value(&*items.add(index)) }?);
            }
        }
        joined()?;
        let name = (options.name, options.open, options.mode);
        let wanted = if count == 0 && name::attaches(name) { None } else { Some(&values[..]) };
        let create = |s| list::create(s, &values);
        let fits = |block: &MemoryBlock| List::of(block.data()?)?.fits(wanted);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe { name::open(name, (Kind::Memory, list::takes(&values)?), create, fits) }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// The list that is in shared memory: one that mp_shareable_list_new made there.
///
/// list: where the handle goes.
/// memory: what mp_shareable_list_memory gave, in this process or another.
///
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_open(
    list: *mut *mut mp_shareable_list,
    memory: *mut mp_shared_memory,
) -> mp_status {
    guard("mp_shareable_list_open", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(list, "list") }?;
        List::of(handle::block(memory)?.data()?)?;
        place.write(handle::new_shared(hold(memory.addr())?)?);
        Ok(Status::Ok)
    })
}

/// The memory that the list is in, as a handle of its own.
///
/// memory: where the handle goes, to be freed by mp_shared_memory_free.
///
/// MP_ERR_NO_MEMORY: there is no room for one more handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_memory(
    list: *const mp_shareable_list,
    memory: *mut *mut mp_shared_memory,
) -> mp_status {
    guard("mp_shareable_list_memory", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(memory, "memory") }?;
        handle::block(list)?;
        place.write(handle::new_shared(hold(list.addr())?)?);
        Ok(Status::Ok)
    })
}

/// Holds the block behind a good handle once more.
fn hold(handle: usize) -> Result<Object> {
    let known = slots::known(handle as u64)?;
    Ok(Object { r: known.r, entry: handle::hold_beside(known.entry, known.r, known.kind)? })
}

/// How many items the list has.
///
/// length: where the number goes.
///
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_length(
    list: *const mp_shareable_list,
    length: *mut usize,
) -> mp_status {
    guard("mp_shareable_list_length", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(length, "length") }?;
        place.write(list_of(list)?.len());
        Ok(Status::Ok)
    })
}

/// Reads an item.
///
/// index: from 0.
/// item: where it goes. Text and bytes go into the buffer, which its data then points to; the
///     members that its type has no use for are zero.
/// buffer: room for text with a zero at its end, or for bytes; may be NULL where the item is
///     neither. size: bytes of that.
///
/// MP_ERR_INVALID: there is no such item; or item is NULL, or buffer is and size is not 0.
/// MP_ERR_TOO_SMALL: it takes more than size, a text with its zero. How much is in
///     item->data_size, its type in item->kind, and nothing else is written.
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_get(
    list: *const mp_shareable_list,
    index: usize,
    item: *mut mp_item,
    buffer: *mut c_void,
    size: usize,
) -> mp_status {
    guard("mp_shareable_list_get", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, room) = unsafe { (guard::inout(item, "item")?, guard::bytes_out(buffer, size)?) };
        let mut found = mp_item {
            kind: 0,
            boolean: false,
            integer: 0,
            number: 0.0,
            data: std::ptr::null(),
            data_size: 0,
        };
        let (bytes, zero) = match list_of(list)?.get(index)? {
            Found::None => (None, 0),
            Found::Int(integer) => {
                (found.kind, found.integer) = (1, integer);
                (None, 0)
            }
            Found::Double(number) => {
                (found.kind, found.number) = (2, number);
                (None, 0)
            }
            Found::Bool(boolean) => {
                (found.kind, found.boolean) = (3, boolean);
                (None, 0)
            }
            Found::Text(bytes) => {
                found.kind = 4;
                (Some(bytes), 1)
            }
            Found::Bytes(bytes) => {
                found.kind = 5;
                (Some(bytes), 0)
            }
        };
        if let Some(bytes) = bytes {
            let takes = bytes.len() + zero;
            if takes > room.len() {
                (place.kind, place.data_size) = (found.kind, takes);
                return Err(text::too_small(takes, size));
            }
            bytes.read(0, &mut room[..bytes.len()]);
            room[bytes.len()..takes].fill(0);
            (found.data, found.data_size) = (buffer, bytes.len());
        }
        *place = found;
        Ok(Status::Ok)
    })
}

/// Stores an item, of whatever type, in the room that the one at this index was made with.
///
/// index: from 0.
/// item: what is stored.
///
/// MP_ERR_INVALID: there is no such index; or item is NULL, has no item's type, or has more text
///     or bytes than there is room for.
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_set(
    list: *mut mp_shareable_list,
    index: usize,
    item: *const mp_item,
) -> mp_status {
    guard("mp_shareable_list_set", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        list_of(list)?.set(index, unsafe { given(item) }?)?;
        Ok(Status::Ok)
    })
}

/// # Safety
/// `item` is NULL or points to an item, and that to its data.
unsafe fn given<'a>(item: *const mp_item) -> Result<Value<'a>> {
    // SAFETY: the caller's promise.
    match unsafe { item.as_ref() } {
        // SAFETY: as above.
        Some(item) => unsafe { value(item) },
        None => Err(Error::new(Status::Invalid, "item is NULL")),
    }
}

/// Looks for an item of the same type and the same value.
///
/// item: what to look for.
/// from: the first index that is looked at.
/// index: where the item is goes here.
///
/// MP_ERR_INVALID: there is none; or item is NULL, or has no item's type.
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_index(
    list: *const mp_shareable_list,
    item: *const mp_item,
    from: usize,
    index: *mut usize,
) -> mp_status {
    guard("mp_shareable_list_index", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, item) = unsafe { (out(index, "index")?, given(item)?) };
        match list_of(list)?.index(item, from)? {
            Some(found) => place.write(found),
            None => fail!(Invalid, "there is no such item from index {from} on"),
        };
        Ok(Status::Ok)
    })
}

/// Counts the items of the same type and the same value.
///
/// item: what to look for.
/// count: how many there are goes here.
///
/// MP_ERR_INVALID: item or count is NULL, or item has no item's type.
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_count(
    list: *const mp_shareable_list,
    item: *const mp_item,
    count: *mut usize,
) -> mp_status {
    guard("mp_shareable_list_count", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, item) = unsafe { (out(count, "count")?, given(item)?) };
        place.write(list_of(list)?.count(item)?);
        Ok(Status::Ok)
    })
}

/// Writes what an item is and has room for, as Python's struct module does: "q" an integer, "d" a
/// double, "xxxxxxx?" true or false, "xxxxxx?x" nothing, "24s" text or bytes with room for 24.
///
/// index: from 0.
/// text: where it goes, with a zero at its end. size: bytes of that.
/// needed: how many bytes it takes, with the zero, goes here; may be NULL.
///
/// MP_ERR_INVALID: there is no such item; or text is NULL, and size is not 0.
/// MP_ERR_TOO_SMALL: it takes more than size. Only needed is written.
/// MP_ERR_STATE: the memory holds no list, or a damaged one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_format(
    list: *const mp_shareable_list,
    index: usize,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_shareable_list_format", || {
        let format = list_of(list)?.format(index)?;
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &format) }?;
        Ok(Status::Ok)
    })
}

/// Frees this handle. NULL is fine. The list goes with the last handle to it, or to its memory,
/// in any process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_shareable_list_free(list: *mut mp_shareable_list) -> mp_status {
    guard("mp_shareable_list_free", || handle::free_shared(list))
}
