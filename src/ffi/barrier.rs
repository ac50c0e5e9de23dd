//! Barriers between processes: so many parties wait for each other, cycle after cycle. A party
//! is a call of mp_barrier_wait, by any thread of any process. A barrier breaks when one of its
//! parties is missing: the others are told, and do not wait for ever.

use super::guard::{guard, initialise, joined, options, out, write_to};
use super::status::mp_status;
use super::time::mp_timeout;
use super::{handle, name, text};
use crate::error::{Result, Status, fail};
use crate::park::Tree;
use crate::process::{self, Target};
use crate::shm::{BarrierBlock, Kind, ThisTree};
use crate::{sync, time};
use core::ffi::{c_char, c_int, c_uint, c_void};
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// A barrier.
pub struct mp_barrier {
    _private: [u8; 0],
}

/// What the last party runs, before any of them goes on. Anything but 0 breaks the barrier. No
/// lock is held meanwhile. An exception must not leave it.
pub type mp_barrier_fn =
    Option<unsafe extern "C-unwind" fn(barrier: *mut mp_barrier, user: *mut c_void) -> c_int>;

/// Options of mp_barrier_new.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_barrier_options {
    /// sizeof(mp_barrier_options).
    pub size: usize,
    /// Run by the party that comes last, once in each cycle; NULL for nothing. It is found in
    /// other processes as the function of an mp_process is.
    pub action: mp_barrier_fn,
    /// Handed to action as it is. As a pointer it means something only in the process that made
    /// the barrier, and in forks of it.
    pub user: *mut c_void,
    /// The most that any wait takes, in nanoseconds, whatever it asks for.
    pub timeout: mp_timeout,
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
// /* The defaults: mp_barrier_options o = MP_BARRIER_OPTIONS; */
// #define MP_BARRIER_OPTIONS { sizeof(mp_barrier_options), NULL, NULL, MP_FOREVER, NULL, 0, 0 }

const DEFAULTS: mp_barrier_options = mp_barrier_options {
    size: size_of::<mp_barrier_options>(),
    action: None,
    user: std::ptr::null_mut(),
    timeout: time::FOREVER,
    name: std::ptr::null(),
    open: 0,
    mode: 0,
};

/// MP_BARRIER_OPTIONS as a function.
///
/// options: where the defaults go; not NULL. size: sizeof(mp_barrier_options).
///
/// MP_ERR_INVALID: options is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_options_init(options: *mut mp_barrier_options, size: usize) -> mp_status {
    guard("mp_barrier_options_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(options, size, DEFAULTS) }
    })
}

/// Makes a barrier. It takes 128 bytes of shared memory, 16 more for each party, and no
/// descriptor.
///
/// barrier: where the handle goes.
/// parties: how many wait for each other, 1 to 32767. options: NULL for the defaults.
///
/// MP_ERR_INVALID: parties is something else.
/// MP_ERR_NO_MEMORY: the shared segment is full.
/// MP_ERR_INVALID, MP_ERR_EXISTS, MP_ERR_NOT_FOUND, MP_ERR_UNSUPPORTED, MP_ERR_TIMEOUT,
///     MP_ERR_OS: only with a name, see mp_name_unlink.
/// MP_ERR_UNKNOWN_TARGET: the action lies in no module, so that no other process could find it.
///
/// Fork: a child, also one that libmp did not make, uses the same barrier through the same
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_new(
    barrier: *mut *mut mp_barrier,
    parties: usize,
    options: *const mp_barrier_options,
) -> mp_status {
    guard("mp_barrier_new", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, options) = unsafe { (out(barrier, "barrier")?, self::options(options, DEFAULTS)?) };
        joined()?;
        let action = match options.action {
            Some(action) => process::encode(&Target::of(action as usize)?)?,
            None => Vec::new(),
        };
        let user = options.user.expose_provenance() as u64;
        let create = |s| sync::barrier::create(s, parties as u64, options.timeout, &action, user);
        // SAFETY: C's promise: a name is NULL or a text that is ended by a zero.
        let object = unsafe {
            let name = (options.name, options.open, options.mode);
            let fits = |block: &BarrierBlock| block.fits(parties as u64, options.timeout, &action);
            name::open(name, (Kind::Barrier, 0), create, fits)
        }?;
        place.write(handle::new_shared(object)?);
        Ok(Status::Ok)
    })
}

/// Waits until all parties have come; the last one runs the action first, if there is one. Then
/// the barrier is ready for the next cycle.
///
/// timeout: nanoseconds. Who tries once breaks the barrier unless it comes last.
/// index: how many parties came before this one in its cycle, 0 to parties - 1, goes here; may
///     be NULL.
///
/// MP_OK: all have come, and the action is done. What each stored before, all can see.
/// MP_ERR_BROKEN_BARRIER: the barrier was broken, or broke meanwhile: by one whose time was
///     over, this one included; by mp_barrier_abort or mp_barrier_reset; by an action that
///     failed; by a death.
/// MP_ERR_TASK_FAILED: this call ran the action, which failed; the barrier is broken.
/// MP_ERR_UNKNOWN_TARGET: this call came last, and this process does not have the action; the
///     barrier is broken.
/// MP_ERR_TIMEOUT: the parties were complete without this call, and their action ran all the
///     time. The barrier is not broken.
///
/// Kill: a process that dies while one of its threads waits, or runs the action, breaks the
/// barrier. So does one that took part in the last cycle and did not end by returning from its
/// function or by exit, while it held the barrier. Who has not come yet cannot be missed: use a
/// timeout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_wait(
    barrier: *mut mp_barrier,
    timeout: mp_timeout,
    index: *mut usize,
) -> mp_status {
    guard("mp_barrier_wait", || {
        let found = handle::find(barrier)?;
        let block = found.block();
        let came = block.wait(timeout, || run(barrier, block))?;
        // SAFETY: C's promise: index is NULL or a place for the number.
        unsafe { write_to(index, came as usize) };
        Ok(Status::Ok)
    })
}

/// Runs the barrier's action in this process.
fn run(barrier: *mut mp_barrier, block: &BarrierBlock) -> Result<()> {
    let address = address_of_action(barrier.addr(), block)?;
    // SAFETY: mp_barrier_new was given such a function, and this is where it is in this process.
    let action: mp_barrier_fn = unsafe { std::mem::transmute(address) };
    let user = std::ptr::with_exposed_provenance_mut(block.user.load(Ordering::Relaxed) as usize);
    // SAFETY: called with what its type promises.
    match action.map_or(0, |action| unsafe { action(barrier, user) }) {
        0 => Ok(()),
        code => fail!(TaskFailed, "the action answered {code}"),
    }
}

/// Looked up once for each handle: the loader's list is long.
fn address_of_action(handle: usize, block: &BarrierBlock) -> Result<usize> {
    thread_local! {
        static KNOWN: Cell<(usize, u32, usize)> = const { Cell::new((0, 0, 0)) };
    }
    let me = ThisTree.me().bits();
    let (of, here, known) = KNOWN.get();
    if (of, here) == (handle, me) {
        return Ok(known);
    }
    let target: Target =
        process::decode(&block.action()?).map_err(|e| e.with_status(Status::UnknownTarget))?;
    let address = target.address()?;
    KNOWN.set((handle, me, address));
    Ok(address)
}

/// Breaks the barrier, until mp_barrier_reset: all who wait are told, and all who come. Nothing
/// changes where it is broken. An action that runs goes on, and its cycle is broken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_abort(barrier: *mut mp_barrier) -> mp_status {
    guard("mp_barrier_abort", || {
        handle::with(barrier, BarrierBlock::abort)?;
        Ok(Status::Ok)
    })
}

/// Begins anew: the barrier is empty and not broken. All who wait are told that it broke.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_reset(barrier: *mut mp_barrier) -> mp_status {
    guard("mp_barrier_reset", || {
        handle::with(barrier, BarrierBlock::reset)?;
        Ok(Status::Ok)
    })
}

/// How many parties the barrier was made for.
///
/// parties: where the number goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_parties(barrier: *const mp_barrier, parties: *mut usize) -> mp_status {
    guard("mp_barrier_parties", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(parties, "parties") }?;
        place.write(handle::with(barrier, |block| block.parties.load(Ordering::Relaxed))? as usize);
        Ok(Status::Ok)
    })
}

/// How many parties wait, at some moment during the call. While the action runs it is all.
///
/// waiting: where the number goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_waiting(barrier: *const mp_barrier, waiting: *mut usize) -> mp_status {
    guard("mp_barrier_waiting", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(waiting, "waiting") }?;
        place.write(handle::with(barrier, BarrierBlock::waiting)? as usize);
        Ok(Status::Ok)
    })
}

/// Whether the barrier is broken.
///
/// broken: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_broken(barrier: *const mp_barrier, broken: *mut bool) -> mp_status {
    guard("mp_barrier_broken", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(broken, "broken") }?;
        place.write(handle::with(barrier, BarrierBlock::is_broken)?);
        Ok(Status::Ok)
    })
}

/// Tells about the barrier as Python does, for people to read:
/// `<Barrier at 0x108e28: waiters=0/5>`, or `<Barrier at 0x108e28: broken>`. The long number is
/// the handle.
///
/// text: where the text goes, ended by a zero; may be NULL where size is 0. size: bytes there.
/// needed: the bytes that it takes, the zero counted, go here; may be NULL.
///
/// MP_ERR_TOO_SMALL: it takes more than size; needed is written, and nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_describe(
    barrier: *const mp_barrier,
    text: *mut c_char,
    size: usize,
    needed: *mut usize,
) -> mp_status {
    guard("mp_barrier_describe", || {
        let found = handle::find(barrier)?;
        let block = found.block();
        let state = if block.is_broken() {
            "broken".into()
        } else {
            format!("waiters={}/{}", block.waiting(), block.parties.load(Ordering::Relaxed))
        };
        let line = format!("<Barrier at {:#x}: {state}>", barrier.addr());
        // SAFETY: C's promise for its arguments, as the header gives it.
        unsafe { text::write(text, size, needed, &line) }?;
        Ok(Status::Ok)
    })
}

/// Frees this handle. NULL is fine. The barrier goes with the last handle to it in any process.
/// Whoever has no handle left is not missed any more, however it ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_barrier_free(barrier: *mut mp_barrier) -> mp_status {
    guard("mp_barrier_free", || handle::free_shared(barrier))
}
