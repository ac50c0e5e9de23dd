//! What an asynchronous call comes to. A result belongs to the process that began the call.
//!
//! A pool is an executor, too, and a result is its future:
//!
//!   max_workers, initializer                workers, initializer in mp_pool_options
//!   max_tasks_per_child                     max_tasks in mp_pool_options
//!   submit(f, x)                            mp_pool_apply_async
//!   map(f, xs, timeout, chunksize)          mp_pool_map, mp_pool_imap, mp_pool_map_async
//!   shutdown(wait, cancel_futures)          mp_pool_shutdown; MP_NO_WAIT for no wait
//!   terminate_workers, kill_workers         mp_pool_terminate
//!   result(timeout), exception(timeout)     mp_result_get; mp_last_error()
//!   running, done, cancelled                mp_result_state
//!   cancel                                  mp_result_cancel, which also stops what runs
//!   add_done_callback                       done and failed in mp_async_options
//!   wait(futures, timeout, return_when)     mp_result_wait_many; mp_wait
//!   as_completed(futures, timeout)          mp_result_next
//!
//! No worker's death breaks an executor: it fails what the worker ran. A failing initializer does.

use super::buffer::{self, mp_buffer};
use super::guard::{guard, out};
use super::handle::{self, Pinned};
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::pool::{Answer, Until, Value, earliest, wait_for};
use crate::time::Deadline;
use core::ffi::c_int;
use std::time::Duration;

/// What an asynchronous call comes to.
pub struct mp_result {
    _private: [u8; 0],
}

/// For what of several results to wait.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_wait_for {
    /// All of them are ready.
    MP_WAIT_ALL = 0,
    /// One of them is.
    MP_WAIT_FIRST = 1,
    /// One of them has failed, or all are ready.
    MP_WAIT_FIRST_ERROR = 2,
}

/// How far a call is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mp_call_state {
    /// No worker has begun anything of it.
    MP_CALL_PENDING = 0,
    /// A worker has.
    MP_CALL_RUNNING = 1,
    /// It is over, and all is well.
    MP_CALL_DONE = 2,
    /// It is over, and failed.
    MP_CALL_FAILED = 3,
    /// It is over: it was cancelled, or the pool was ended.
    MP_CALL_CANCELLED = 4,
}

/// Waits for a result and gives it, as often as it is asked for.
///
/// timeout: nanoseconds; the call goes on all the same.
/// value: where the handle of a copy goes, to be freed with mp_buffer_free: what the function
///     returned, or for mp_pool_map_array_async all results side by side. NULL: not wanted. NULL
///     goes there where the call failed; but with run_all the results of mp_pool_map_array_async
///     go there also then, those of the items that failed all zeros.
///
/// MP_ERR_TIMEOUT: it is not ready; or the call's own time was over, or a task ran for longer than
///     time_limit, as mp_result_ready and mp_last_error() tell.
/// MP_ERR_TASK_FAILED, MP_ERR_WORKER_DIED, MP_ERR_UNKNOWN_TARGET: the call failed, as in
///     mp_pool_map; mp_last_error() has the worker's sentence.
/// MP_ERR_CANCELLED: it was cancelled, or the pool was ended.
/// MP_ERR_NO_MEMORY: there was none for a task or its result, or is none for the copy.
/// MP_ERR_INVALID: it is of mp_pool_map_async: see mp_result_get_each.
/// What the initializer came to: see mp_pool_options.
///
/// Threads: any, at the same time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_get(
    result: *const mp_result,
    timeout: mp_timeout,
    value: *mut *mut mp_buffer,
) -> mp_status {
    guard("mp_result_get", || {
        let settled = handle::object(result)?.wait(Deadline::after(timeout))?;
        let bytes = match &settled.value {
            Value::Array(bytes) if settled.error.is_none() || settled.run_all => Some(bytes.as_slice()),
            Value::Each(each) if each.len() == 1 => each[0].as_deref(),
            Value::Each(each) if settled.error.is_none() && !value.is_null() => {
                fail!(Invalid, "this is a map's, which has {} results: see mp_result_get_each", each.len())
            }
            _ => None,
        };
        if !value.is_null() {
            let handle = bytes.map_or(Ok(std::ptr::null_mut()), buffer::copy)?;
            // SAFETY: C's promise: NULL, or a place for a handle.
            unsafe { value.write(handle) };
        }
        match &settled.error {
            Some(error) => Err(error.clone()),
            None => Ok(Status::Ok),
        }
    })
}

/// The same for a map over byte strings: waits for its results and gives all of them.
///
/// timeout: nanoseconds; the call goes on all the same.
/// out: n places for handles of copies, each to be freed with mp_buffer_free. NULL goes where no
///     result had come in when the call failed. May be NULL where n is 0.
/// n: how many items there are.
///
/// MP_ERR_INVALID: it has not n results, or is of mp_pool_map_array_async; or out is NULL.
/// The rest as mp_result_get.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_get_each(
    result: *const mp_result,
    timeout: mp_timeout,
    out: *mut *mut mp_buffer,
    n: usize,
) -> mp_status {
    guard("mp_result_get_each", || {
        let answer = handle::object(result)?;
        if n > 0 && out.is_null() {
            fail!(Invalid, "out is NULL, and n is {n}");
        }
        if answer.progress().1 != n {
            fail!(Invalid, "the call has {} results, not {n}", answer.progress().1);
        }
        let settled = answer.wait(Deadline::after(timeout))?;
        let Value::Each(each) = &settled.value else {
            fail!(Invalid, "the results are of one size: see mp_result_get");
        };
        for i in 0..n {
            // SAFETY: C's promise: n places.
            unsafe { out.add(i).write(std::ptr::null_mut()) };
        }
        for (i, bytes) in each.iter().enumerate().take(n) {
            let handle = bytes.as_deref().map_or(Ok(std::ptr::null_mut()), buffer::copy)?;
            // SAFETY: as above.
            unsafe { out.add(i).write(handle) };
        }
        match &settled.error {
            Some(error) => Err(error.clone()),
            None => Ok(Status::Ok),
        }
    })
}

/// Waits until a result is ready, whatever it is.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: it is not ready.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_wait(result: *const mp_result, timeout: mp_timeout) -> mp_status {
    guard("mp_result_wait", || {
        handle::object(result)?.wait(Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Whether a result is ready: mp_result_get does not wait for it.
///
/// ready: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_ready(result: *const mp_result, ready: *mut bool) -> mp_status {
    guard("mp_result_ready", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(ready, "ready") }?;
        place.write(handle::object(result)?.settled().is_some());
        Ok(Status::Ok)
    })
}

/// How far the call is, at this moment.
///
/// state: where an mp_call_state goes.
///
/// MP_ERR_INVALID: state is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_state(result: *const mp_result, state: *mut c_int) -> mp_status {
    guard("mp_result_state", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(state, "state") }?;
        let answer = handle::object(result)?;
        let has_begun = answer.has_begun();
        let state = match answer.settled().as_deref().map(|settled| settled.error.as_ref()) {
            None if has_begun => mp_call_state::MP_CALL_RUNNING,
            None => mp_call_state::MP_CALL_PENDING,
            Some(None) => mp_call_state::MP_CALL_DONE,
            Some(Some(e)) if e.status == Status::Cancelled => mp_call_state::MP_CALL_CANCELLED,
            Some(Some(_)) => mp_call_state::MP_CALL_FAILED,
        };
        place.write(state as c_int);
        Ok(Status::Ok)
    })
}

/// Whether the call came to a good end.
///
/// successful: where the answer goes.
///
/// MP_ERR_STATE: it is not ready.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_successful(result: *const mp_result, successful: *mut bool) -> mp_status {
    guard("mp_result_successful", || {
        // SAFETY: C's promise for its argument, as the header gives it.
        let place = unsafe { out(successful, "successful") }?;
        let Some(settled) = handle::object(result)?.settled() else {
            fail!(State, "the result is not ready")
        };
        place.write(settled.error.is_none());
        Ok(Status::Ok)
    })
}

/// Waits for a result and tells what each item came to, whatever that is.
///
/// timeout: nanoseconds; the call goes on all the same.
/// statuses: n places. What mp_pool_map has in its statuses goes there: an item that was not done
///     has MP_ERR_CANCELLED. May be NULL where n is 0.
/// n: how many items there are; 1 for mp_pool_apply_async.
///
/// MP_ERR_TIMEOUT: it is not ready.
/// MP_ERR_INVALID: it has not n items, or statuses is NULL.
///
/// Threads: any, at the same time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_statuses(
    result: *const mp_result,
    timeout: mp_timeout,
    statuses: *mut mp_status,
    n: usize,
) -> mp_status {
    guard("mp_result_statuses", || {
        let answer = handle::object(result)?;
        if n > 0 && statuses.is_null() {
            fail!(Invalid, "statuses is NULL, and n is {n}");
        }
        if answer.progress().1 != n {
            fail!(Invalid, "the call has {} items, not {n}", answer.progress().1);
        }
        let settled = answer.wait(Deadline::after(timeout))?;
        for (i, &status) in settled.statuses.iter().enumerate().take(n) {
            // SAFETY: C's promise: n places.
            unsafe { statuses.add(i).write(status.into()) };
        }
        Ok(Status::Ok)
    })
}

/// How far the call is.
///
/// done: how many items came back, with a result or without; may be NULL.
/// total: how many there are; may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_progress(
    result: *const mp_result,
    done: *mut usize,
    total: *mut usize,
) -> mp_status {
    guard("mp_result_progress", || {
        let (some, all) = handle::object(result)?.progress();
        // SAFETY: C's promise: NULL, or places for numbers.
        unsafe {
            super::guard::write_to(done, some);
            super::guard::write_to(total, all);
        }
        Ok(Status::Ok)
    })
}

/// Cancels a call: its result is MP_ERR_CANCELLED. What no worker has begun is never begun. A
/// function that runs is asked to stop, see mp_task_cancelled; its worker gets SIGTERM when grace
/// is over, and SIGKILL when it is over again, and is replaced. The call does not wait for that,
/// the result does.
///
/// grace: nanoseconds.
///
/// MP_ERR_STATE: too late, it is over; or it belongs to another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_cancel(result: *mut mp_result, grace: mp_timeout) -> mp_status {
    guard("mp_result_cancel", || {
        let grace = Duration::from_nanos(grace.max(0) as u64);
        if !handle::object(result)?.cancel(grace)? {
            fail!(State, "the call is over: there is nothing to cancel");
        }
        Ok(Status::Ok)
    })
}

/// Frees a result, ready or not: the call goes on. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_free(result: *mut mp_result) -> mp_status {
    guard("mp_result_free", || handle::free_boxed(result))
}

/// The answers behind handles, of which some may be NULL.
///
/// # Safety
/// There are n handles, or n is 0.
unsafe fn pinned(results: *const *mut mp_result, n: usize) -> Result<Vec<Option<Pinned<mp_result>>>> {
    if n > 0 && results.is_null() {
        fail!(Invalid, "results is NULL, and n is {n}");
    }
    let mut pinned = Vec::new();
    if pinned.try_reserve_exact(n).is_err() {
        fail!(NoMemory, "no memory to wait for {n} results");
    }
    for i in 0..n {
        // SAFETY: the caller's promise.
        let handle = unsafe { *results.add(i) };
        pinned.push(if handle.is_null() { None } else { Some(handle::object(handle)?) });
    }
    Ok(pinned)
}

fn answers(pinned: &[Option<Pinned<mp_result>>]) -> Vec<Option<&Answer>> {
    pinned.iter().map(|p| p.as_ref().map(|p| &***p)).collect()
}

/// Waits for several results, of one pool or of many.
///
/// results: n handles; NULL among them counts for nothing. n: may be 0.
/// what: an mp_wait_for. timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: the time is over.
/// MP_ERR_INVALID: results is NULL and n is not 0, or what is no mp_wait_for.
/// MP_ERR_BAD_HANDLE: one of them is neither NULL nor a result.
/// MP_ERR_NO_MEMORY: there is none to wait for so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_wait_many(
    results: *const *mut mp_result,
    n: usize,
    what: c_int,
    timeout: mp_timeout,
) -> mp_status {
    guard("mp_result_wait_many", || {
        let until = match what {
            0 => Until::All,
            1 => Until::First,
            2 => Until::FirstError,
            _ => fail!(Invalid, "{what} is no mp_wait_for"),
        };
        // SAFETY: C's promise for its arguments, as the header gives it.
        let pinned = unsafe { pinned(results, n) }?;
        wait_for(&answers(&pinned), until, Deadline::after(timeout))?;
        Ok(Status::Ok)
    })
}

/// Waits until one of several results is ready, and tells which was so first. To take all of them
/// as they come, put NULL in its place and ask again.
///
/// results: n handles; NULL among them counts for nothing. n: may be 0.
/// timeout: nanoseconds. index: where its place goes.
///
/// MP_ERR_EOF: all of them are NULL.
/// MP_ERR_TIMEOUT: none is ready.
/// MP_ERR_INVALID: index is NULL, or results is and n is not 0.
/// MP_ERR_BAD_HANDLE: one of them is neither NULL nor a result.
/// MP_ERR_NO_MEMORY: there is none to wait for so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_result_next(
    results: *const *mut mp_result,
    n: usize,
    timeout: mp_timeout,
    index: *mut usize,
) -> mp_status {
    guard("mp_result_next", || {
        // SAFETY: C's promise for its arguments, as the header gives it.
        let (place, pinned) = unsafe { (out(index, "index")?, pinned(results, n)?) };
        let answers = answers(&pinned);
        if answers.iter().all(Option::is_none) {
            fail!(Eof, "all results were taken");
        }
        if earliest(&answers).is_none() {
            wait_for(&answers, Until::First, Deadline::after(timeout))?;
        }
        let Some(at) = earliest(&answers) else { fail!(State, "a callback waits for its own result") };
        place.write(at);
        Ok(Status::Ok)
    })
}
