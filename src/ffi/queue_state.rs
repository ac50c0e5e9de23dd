//! Queues as a whole: how much is in them, whether all is done, and how they end.

use super::guard::{self, guard, initialise, out};
use super::handle;
use super::queue::mp_queue;
use super::status::mp_status;
use super::time::mp_timeout;
use crate::error::{Result, Status, fail};
use crate::time::Deadline;

/// How many messages are in the queue, at some moment during the call: others may put and get
/// at any time.
///
/// size: where the number goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_size(queue: *const mp_queue, size: *mut usize) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_size", || unsafe { put(size, "size", || handle::with(queue, |q| q.count())) })
}

/// Whether the queue has no message, as mp_queue_size.
///
/// empty: where the answer goes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_empty(queue: *const mp_queue, empty: *mut bool) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_empty", || unsafe { put(empty, "empty", || handle::with(queue, |q| q.count() == 0)) })
}

/// Whether the queue has no room even for an empty message, or as many bytes as its maxbytes; at
/// some moment, as mp_queue_size. Where it has, there may still be none for a longer one.
///
/// full: where the answer goes.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_full(queue: *const mp_queue, full: *mut bool) -> mp_status {
    // SAFETY: C's promise for its argument, as the header gives it.
    guard("mp_queue_full", || unsafe { put(full, "full", || handle::with(queue, |q| q.is_full())?) })
}

/// Writes an answer to where the caller wants it.
///
/// # Safety `place` is NULL or points to memory that a `T` may be written to.
unsafe fn put<T>(place: *mut T, name: &str, answer: impl FnOnce() -> Result<T>) -> Result<Status> {
    // SAFETY: the caller's promise.
    let place = unsafe { out(place, name) }?;
    place.write(answer()?);
    Ok(Status::Ok)
}

/// What can be known of a queue, at some moment during the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_queue_stats {
    /// sizeof(mp_queue_stats), set before the call.
    pub size: usize,
    /// Messages in the queue.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The most that consumers, whenever they looked for more, found in it; and not less than is
    /// in it now.
    pub most_messages: u64,
    /// The same of bytes.
    pub most_bytes: u64,
    /// All that was ever put.
    pub put_messages: u64,
    /// Their bytes.
    pub put_bytes: u64,
    /// All that ever left it, dropped ones included.
    pub got_messages: u64,
    /// Their bytes.
    pub got_bytes: u64,
    /// How many of these were dropped by mp_queue_shutdown.
    pub dropped: u64,
    /// See mp_queue_join.
    pub unfinished: u64,
    /// How often a put had to sleep until there was room.
    pub put_waits: u64,
    /// How often a get had to sleep until there was a message.
    pub get_waits: u64,
    /// Bytes of shared memory that the queue takes.
    pub memory: u64,
}

// mp.h:
// /* mp_queue_stats s = MP_QUEUE_STATS; */
// #define MP_QUEUE_STATS { sizeof(mp_queue_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

const NOTHING: mp_queue_stats = mp_queue_stats {
    size: size_of::<mp_queue_stats>(),
    messages: 0,
    bytes: 0,
    most_messages: 0,
    most_bytes: 0,
    put_messages: 0,
    put_bytes: 0,
    got_messages: 0,
    got_bytes: 0,
    dropped: 0,
    unfinished: 0,
    put_waits: 0,
    get_waits: 0,
    memory: 0,
};

/// MP_QUEUE_STATS as a function.
///
/// stats: where the defaults go; not NULL. size: sizeof(mp_queue_stats).
///
/// MP_ERR_INVALID: stats is NULL, or size is that of no version of the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_stats_init(stats: *mut mp_queue_stats, size: usize) -> mp_status {
    guard("mp_queue_stats_init", || {
        // SAFETY: C\'s promise for its argument, as the header gives it.
        unsafe { initialise(stats, size, NOTHING) }
    })
}

/// Tells what is to be known of a queue. The numbers of messages and bytes are exact, also where
/// processes were killed in the middle of a put or get.
///
/// stats: where the numbers go, as far as its size says; begun with MP_QUEUE_STATS.
///
/// MP_ERR_INVALID: stats is NULL, or its size is less than that of a size.
/// MP_ERR_CLOSED: this handle was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_stats_get(queue: *const mp_queue, stats: *mut mp_queue_stats) -> mp_status {
    guard("mp_queue_stats_get", || {
        // SAFETY: C's promise: stats is NULL, or its first member is there and says how much else is.
        let size = *unsafe { guard::inout(stats.cast::<usize>(), "stats") }?;
        if size < size_of::<usize>() || size > 4096 {
            fail!(Invalid, "the size in stats is {size}: begin it with MP_QUEUE_STATS");
        }
        let now = handle::find(queue)?.block().stats();
        let full = mp_queue_stats {
            size,
            messages: now.messages,
            bytes: now.bytes,
            most_messages: now.most_messages,
            most_bytes: now.most_bytes,
            put_messages: now.put.messages,
            put_bytes: now.put.bytes,
            got_messages: now.got.messages,
            got_bytes: now.got.bytes,
            dropped: now.dropped,
            unfinished: now.unfinished,
            put_waits: now.put_waits,
            get_waits: now.get_waits,
            memory: now.memory,
        };
        let known = size.min(size_of::<mp_queue_stats>());
        // SAFETY: as above; what the caller's version does not have is not written.
        unsafe { std::ptr::copy_nonoverlapping((&raw const full).cast::<u8>(), stats.cast(), known) };
        Ok(Status::Ok)
    })
}

/// Says that a message that was got is worked off: see mp_queue_join. Any queue is joinable in
/// CPython's sense; who never joins it need not call this.
///
/// MP_ERR_OVER_RELEASE: all that was put is done already.
/// MP_ERR_CLOSED: this handle was closed.
///
/// Threads: any thread of any process, for any message.
/// Kill: a process killed in here has said so or not. What it had got and not said to be done
/// stays unfinished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_task_done(queue: *mut mp_queue) -> mp_status {
    guard("mp_queue_task_done", || {
        let found = handle::find(queue)?;
        found.block().task_done(&found.tree())?;
        Ok(Status::Ok)
    })
}

/// Waits until as many messages are done (mp_queue_task_done) or dropped (mp_queue_shutdown) as
/// were put, "none" included; at once where there are none. CPython's join takes no timeout.
///
/// timeout: nanoseconds.
///
/// MP_ERR_TIMEOUT: something was unfinished all the time.
/// MP_ERR_CLOSED: this handle was closed, before or meanwhile.
///
/// Kill: what a killed process had got and not said to be done stays unfinished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_join(queue: *mut mp_queue, timeout: mp_timeout) -> mp_status {
    guard("mp_queue_join", || {
        let found = handle::find(queue)?;
        found.block().join(&found.tree(), Deadline::after(timeout), || found.check())?;
        Ok(Status::Ok)
    })
}

/// Ends the queue for all processes: nothing is put any more. What is in it can still be got;
/// then gets are MP_ERR_CLOSED. Who waits in a put, or in a get with nothing left, wakes up and
/// is told the same. There is no way back; once more does no harm.
///
/// immediate: nor can what is in it be got: it is dropped, and counts as done for mp_queue_join.
///
/// MP_ERR_STATE: the queue's block was overwritten by a stray pointer.
///
/// Threads: a put that has returned before is in the queue, one that begins after this has
/// returned is not.
/// Kill: a process killed in here has shut the queue down or not. If it had, whoever comes next
/// drops what is to be dropped, and who sleeps wakes up within 750 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_shutdown(queue: *mut mp_queue, immediate: bool) -> mp_status {
    guard("mp_queue_shutdown", || {
        let found = handle::find(queue)?;
        found.block().shut_down(&found.tree(), immediate)?;
        Ok(Status::Ok)
    })
}

/// Closes this handle: whatever is done with it from now on, other than freeing it, is
/// MP_ERR_CLOSED, and who waits by it in a put or get wakes up to that. Other handles to the
/// queue, also those of other processes, stay as they are. What was put by it is in the queue.
/// Once more does no harm.
///
/// Fork: of a handle that its parent has closed a child has a closed one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_close(queue: *mut mp_queue) -> mp_status {
    guard("mp_queue_close", || {
        let found = match handle::find(queue) {
            Err(e) if e.status == Status::Closed => return Ok(Status::Ok),
            found => found?,
        };
        found.block().part(&found.tree());
        found.close()?;
        found.block().wake_all(&found.tree());
        Ok(Status::Ok)
    })
}

/// Frees this handle. NULL is fine. The queue, and what is in it, goes with the last handle to
/// it in any process. Whoever has got a message may free the queue through which it came: the
/// put of it may still be returning. Who waits by this handle in a put or get wakes up to
/// MP_ERR_BAD_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_queue_free(queue: *mut mp_queue) -> mp_status {
    guard("mp_queue_free", || {
        if queue.is_null() {
            return Ok(Status::Ok);
        }
        let found = match handle::find(queue) {
            Err(e) if e.status == Status::Closed => return handle::free_shared(queue),
            found => found?,
        };
        found.block().part(&found.tree());
        let freed = handle::free_shared(queue)?;
        found.block().wake_all(&found.tree());
        Ok(freed)
    })
}
