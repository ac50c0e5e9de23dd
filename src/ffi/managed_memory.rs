//! Shared memory and shareable lists that a manager's server makes, and that go with it or with the
//! last proxy, for processes that need not be relatives. A proxy keeps the memory, and can be handed
//! on like any other; by it each process gets a handle, with which bytes and items are read and
//! written in place, without the server.
//!
//! ```text
//!   with SharedMemoryManager() as smm:    MP_WITH_MANAGER(manager) {
//!       m = smm.SharedMemory(2000)            mp_item size = mp_item_int(2000);
//!                                             mp_manager_create(manager, &proxy, "SharedMemory",
//!                                                               &size, 1);
//!                                             mp_proxy_shared_memory(proxy, &m);
//!       l = smm.ShareableList(range(8))       mp_manager_create(manager, &other, "ShareableList",
//!                                                               items, 8);
//!                                             mp_proxy_shareable_list(other, &l);
//!                                         }
//! ```
//!
//! The memory has no name that anybody could find, guess or leave behind. When the server lets it go,
//! because its last proxy was freed, at its shutdown or at its death, those who have handles go on
//! with it; it is gone with the last of them, whatever ends them.

use super::guard::{guard, out};
use super::handle::{self, Shared};
use super::managed::{Method, answered, boxed, end, kind};
use super::manager::mp_proxy;
use super::object_type::mp_call;
use super::shareable_list::mp_shareable_list;
use super::shared_memory::mp_shared_memory;
use super::status::mp_status;
use crate::error::{Result, Status, fail};
use crate::manager::{Call, Charge, Kind, Value};
use crate::shared::list::{self, List};
use crate::shared::memory;
use crate::shm::{self, MemoryBlock, Object};
use crate::sys::fd::Identity;
use core::ffi::c_void;
use std::ptr::null_mut;

/// Asks the server where the memory is; answers it in this process.
fn visit<T>(proxy: *const mp_proxy) -> Result<*mut T>
where
    T: Shared<Block = MemoryBlock>,
{
    let proxy = handle::object(proxy)?;
    if !proxy.is_here() {
        fail!(
            Unsupported,
            "memory is shared on one machine only, and the way to the manager leads over a network"
        );
    }
    let [Value::Int(process), Value::Int(fd), Value::Int(device), Value::Int(inode)] =
        proxy.call("place", &[], 0)?.values[..]
    else {
        fail!(Remote, "the server answers with something else than the memory's place");
    };
    let (Ok(process), Ok(fd)) = (u32::try_from(process), i32::try_from(fd)) else {
        fail!(Remote, "the server answers with no place of memory");
    };
    let file = Identity { device: device as u64, inode: inode as u64 };
    let found = shm::visit(process, fd, file, shm::Kind::Memory);
    // A server that has died meanwhile says so, in place of what its absence looks like.
    handle::new_shared(found.or_else(|e| proxy.call("place", &[], 0).and(Err(e)))?)
}

/// A handle for the memory behind a proxy of a SharedMemory, or for that of a ShareableList.
///
/// memory: where the handle goes, to be freed by mp_shared_memory_free. It is good also when the
///     proxy is not there any more, and can be handed to children.
///
/// MP_ERR_UNSUPPORTED: the object is none of the two; or the memory cannot be reached from here,
///     since the server is on another machine (which is assumed of a network address), in another
///     container, another user's, or uses another version of libmp.
/// MP_ERR_NO_MEMORY: there is no room for one more handle, or for the memory in this process; or
///     1023 processes use the memory; one that is larger has room for more.
/// MP_ERR_REMOTE: the object is of a registered type, and has a method "place" of its own.
/// MP_ERR_CLOSED, MP_ERR_EOF, MP_ERR_TIMEOUT, MP_ERR_AUTH, MP_ERR_OS: as mp_proxy_call.
///
/// Fork: a child uses the same memory through the same handle.
/// Kill: what a killed process has written stays as it is. A killed server takes nothing from those
/// who have handles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_shared_memory(
    proxy: *const mp_proxy,
    memory: *mut *mut mp_shared_memory,
) -> mp_status {
    guard("mp_proxy_shared_memory", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(memory, "memory") }?;
        place.write(visit(proxy)?);
        Ok(Status::Ok)
    })
}

/// A handle for the list behind a proxy of a ShareableList.
///
/// list: where the handle goes, to be freed by mp_shareable_list_free. It is good also when the
///     proxy is not there any more, and can be handed to children.
///
/// MP_ERR_STATE: the object is a SharedMemory, or somebody has damaged the list.
/// Others: as mp_proxy_shared_memory.
///
/// Fork: a child uses the same list through the same handle.
/// Kill: as mp_proxy_shared_memory; a process that is killed while it stores text or bytes leaves
/// the item half written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_proxy_shareable_list(
    proxy: *const mp_proxy,
    list: *mut *mut mp_shareable_list,
) -> mp_status {
    guard("mp_proxy_shareable_list", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(list, "list") }?;
        let found: *mut mp_shareable_list = visit(proxy)?;
        if let Err(e) = list_of(found) {
            handle::free_shared(found)?;
            return Err(e);
        }
        place.write(found);
        Ok(Status::Ok)
    })
}

fn list_of(list: *const mp_shareable_list) -> Result<List> {
    List::of(handle::block(list)?.data()?)
}

/// In the server: what stands for an object.
struct Kept<T: Shared> {
    handle: *mut T,
    _charge: Charge,
}

impl<T: Shared> Drop for Kept<T> {
    fn drop(&mut self) {
        // Nobody is there any more who could be told.
        let _ = handle::free_shared(self.handle);
    }
}

fn keep<T: Shared>(call: &Call, size: usize, make: impl FnOnce() -> Result<Object>) -> Result<*mut c_void> {
    let charge = call.charge(size)?;
    shm::join()?;
    Ok(boxed(Kept { handle: handle::new_shared::<T>(make()?)?, _charge: charge }))
}

/// # Safety
/// `object` is one of [`keep`], of the same type, which was not ended yet.
unsafe fn handle_of<T: Shared>(object: *mut c_void) -> *mut T {
    // SAFETY: the caller's promise.
    unsafe { (*object.cast::<Kept<T>>()).handle }
}

unsafe extern "C-unwind" fn make_memory(call: *mut mp_call) -> *mut c_void {
    answered(call, null_mut(), |call| match *call.args() {
        [Value::Int(size)] if size > 0 => {
            let size = size as usize;
            let make = || shm::create_nameless(size, |s| memory::create(s, size));
            keep::<mp_shared_memory>(call, size, make)
        }
        _ => fail!(Invalid, "a SharedMemory is made of its size: a number of bytes, at least 1"),
    })
}

fn item(value: &Value) -> Result<list::Value<'_>> {
    Ok(match value {
        Value::None => list::Value::None,
        Value::Int(i) => list::Value::Int(*i),
        Value::Double(d) => list::Value::Double(*d),
        Value::Bool(b) => list::Value::Bool(*b),
        Value::Text(text) => list::Value::Text(text.strip_suffix('\0').unwrap_or(text).as_bytes()),
        Value::Bytes(bytes) => list::Value::Bytes(bytes),
        Value::Object(_) => fail!(Invalid, "a managed object cannot be in a ShareableList"),
    })
}

unsafe extern "C-unwind" fn make_list(call: *mut mp_call) -> *mut c_void {
    answered(call, null_mut(), |call| {
        let items = call.args().iter().map(item).collect::<Result<Vec<_>>>()?;
        let size = list::takes(&items)?;
        let make = || shm::create_nameless(size, |s| list::create(s, &items));
        keep::<mp_shareable_list>(call, size, make)
    })
}

/// Answers the process, its descriptor, and the device and the inode that this leads to.
unsafe extern "C-unwind" fn place<T: Shared>(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        // SAFETY: the server calls it with such an object.
        let handle = unsafe { handle_of::<T>(object) };
        let (fd, file) = shm::passport(handle::find(handle)?.entry())?;
        let process = i64::from(std::process::id());
        for number in [process, i64::from(fd), file.device as i64, file.inode as i64] {
            call.give(Value::Int(number));
        }
        Ok(())
    });
}

unsafe extern "C-unwind" fn memory_size(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        // SAFETY: as above.
        let handle = unsafe { handle_of::<mp_shared_memory>(object) };
        call.give(Value::Int(handle::block(handle)?.data()?.len() as i64));
        Ok(())
    });
}

unsafe extern "C-unwind" fn list_len(call: *mut mp_call, object: *mut c_void) {
    answered(call, (), |call| {
        // SAFETY: as above.
        let handle = unsafe { handle_of(object) };
        call.give(Value::Int(list_of(handle)?.len() as i64));
        Ok(())
    });
}

pub(super) fn kinds() -> Vec<Kind<usize>> {
    let memory: &[(&str, Method)] = &[("size", memory_size), ("place", place::<mp_shared_memory>)];
    let list: &[(&str, Method)] = &[("len", list_len), ("place", place::<mp_shareable_list>)];
    vec![
        kind("SharedMemory", Some(make_memory), end::<Kept<mp_shared_memory>>, memory),
        kind("ShareableList", Some(make_list), end::<Kept<mp_shareable_list>>, list),
    ]
}
