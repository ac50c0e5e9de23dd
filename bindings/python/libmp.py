"""Queues, locks, events and pools of libmp, whose other ends may be programs in C.

    with libmp.Queue(name="jobs") as queue, libmp.Pool("./worker") as pool:
        queue.put(pool.apply("cube", queue.get(timeout=5)))

Messages are bytes. A timeout is in seconds, None for no limit. A coroutine waits in its event loop,
with asyncio.wait_for where it has no time to lose. Ctrl-C ends every wait. What is not closed is
freed with its last reference. libmp.so.0 is loaded, or what LIBMP in the environment names.
"""
import asyncio
import ctypes
import os
import queue as _queue
import re
import threading
import time
import weakref
from ctypes import byref, c_bool, c_int, c_size_t, c_void_p, sizeof

__all__ = ["Closed", "Empty", "Error", "Event", "Full", "Lock", "Pool", "Queue", "TaskFailed", "Timeout",
           "WorkerDied", "reap", "unlink"]

# As they are in mp.h: a check compares them.
_DECLARATIONS = """
/* from mp.h */
const char *mp_status_name(int status);
const char *mp_last_error(void);
mp_status mp_get_target(const char *name, mp_function *function);
mp_status mp_context_new_executable(mp_context **context, const char *path, const char *const *argv);
mp_status mp_context_free(mp_context *context);
const void *mp_buffer_data(const mp_buffer *buffer, size_t *len);
mp_status mp_buffer_free(mp_buffer *buffer);
mp_status mp_name_unlink(const char *name);
mp_status mp_names_reap(size_t *count);
mp_status mp_descriptor(const void *handle, int *descriptor);
typedef struct mp_lock_options {
    size_t size;
    bool report_owner_death;
    const char *name;
    int open;
    unsigned int mode;
} mp_lock_options;
mp_status mp_lock_options_init(mp_lock_options *options, size_t size);
mp_status mp_lock_new(mp_lock **lock, const mp_lock_options *options);
mp_status mp_lock_acquire(mp_lock *lock, mp_timeout timeout);
mp_status mp_lock_release(mp_lock *lock);
mp_status mp_lock_locked(const mp_lock *lock, bool *locked);
mp_status mp_lock_recovered(const mp_lock *lock, bool *recovered);
mp_status mp_lock_free(mp_lock *lock);
typedef struct mp_event_options {
    size_t size;
    const char *name;
    int open;
    unsigned int mode;
} mp_event_options;
mp_status mp_event_options_init(mp_event_options *options, size_t size);
mp_status mp_event_new(mp_event **event, const mp_event_options *options);
mp_status mp_event_set(mp_event *event);
mp_status mp_event_clear(mp_event *event);
mp_status mp_event_is_set(const mp_event *event, bool *set);
mp_status mp_event_wait(mp_event *event, mp_timeout timeout);
mp_status mp_event_free(mp_event *event);
typedef struct mp_queue_options {
    size_t size;
    size_t maxsize;
    size_t maxbytes;
    size_t ring;
    const char *name;
    int open;
    unsigned int mode;
    size_t memory;
} mp_queue_options;
mp_status mp_queue_options_init(mp_queue_options *options, size_t size);
mp_status mp_queue_new(mp_queue **queue, const mp_queue_options *options);
mp_status mp_queue_put(mp_queue *queue, const void *data, size_t len, mp_timeout timeout);
mp_status mp_queue_put_none(mp_queue *queue, mp_timeout timeout);
mp_status mp_queue_get_buffer(mp_queue *queue, mp_buffer **buffer, mp_timeout timeout);
mp_status mp_queue_size(const mp_queue *queue, size_t *size);
mp_status mp_queue_shutdown(mp_queue *queue, bool immediate);
mp_status mp_queue_free(mp_queue *queue);
typedef struct mp_bytes {
    const void *data;
    size_t len;
} mp_bytes;
typedef struct mp_pool_options {
    size_t size;
    size_t workers;
    int start_method;
    const mp_context *context;
    mp_task_fn initializer;
    void *initializer_user;
    const void *initializer_data;
    size_t initializer_len;
    size_t max_tasks;
    size_t max_memory;
    const char *name;
    bool watch;
    const char *trace;
    const size_t *cpus;
    size_t cpu_count;
    bool tag_stderr;
} mp_pool_options;
mp_status mp_pool_options_init(mp_pool_options *options, size_t size);
mp_status mp_pool_new(mp_pool **pool, const mp_pool_options *options);
mp_status mp_pool_free(mp_pool *pool);
typedef struct mp_map_options {
    size_t size;
    size_t chunk;
    mp_timeout timeout;
    bool run_all;
    mp_progress_fn progress;
    void *progress_user;
    unsigned int retries;
    mp_timeout time_limit;
    mp_timeout grace;
    mp_status *statuses;
} mp_map_options;
mp_status mp_map_options_init(mp_map_options *options, size_t size);
mp_status mp_result_get_each(const mp_result *result, mp_timeout timeout, mp_buffer **out, size_t n);
mp_status mp_result_wait(const mp_result *result, mp_timeout timeout);
mp_status mp_result_cancel(mp_result *result, mp_timeout grace);
mp_status mp_result_free(mp_result *result);
mp_status mp_pool_map_async(mp_pool *pool, mp_task_fn function, void *user, const mp_bytes *in, size_t n,
                            const mp_map_options *map, const mp_async_options *options, mp_result **result);
/* end */
"""
_TYPES = {"void": None, "bool": c_bool, "int": c_int, "unsigned int": ctypes.c_uint, "size_t": c_size_t,
          "mp_status": c_int, "mp_timeout": ctypes.c_int64}
_NS = 10**9
_FOREVER = (1 << 63) - 1


def _type(text):
    """What ctypes calls a type of C; text is all that stands before the name."""
    if re.fullmatch(r"const char ?\*", text):
        return ctypes.c_char_p
    if text.endswith(("*", "_fn", "mp_function")):
        return c_void_p
    return _TYPES[text]


def _members(text):
    """What stands before and in each name of "T a; U *b" and the like."""
    for part in re.split(r"[;,]", text):
        if part.strip() not in ("", "void"):
            before, name = re.fullmatch(r"\s*(.*?)\s*(\w+)\s*", part, re.S).groups()
            yield name, _type(before)


def _load():
    library = ctypes.CDLL(os.environ.get("LIBMP", "libmp.so.0"))
    structs = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", _DECLARATIONS, re.S):
        structs[name] = type(name, (ctypes.Structure,), {"_fields_": list(_members(body))})
    functions = re.sub(r"typedef struct.*?\} \w+;|/\*.*?\*/", "", _DECLARATIONS, flags=re.S)
    for result, name, arguments in re.findall(r"([\w ]+?[ *]+)(mp_\w+)\((.*?)\);", functions, re.S):
        function = getattr(library, name)
        function.restype = _type(result.strip())
        function.argtypes = [kind for _, kind in _members(arguments)]
    return library, structs


_mp, _structs = _load()


class Error(Exception):
    """A call failed: its sentence; status is its number, an mp_status, and name that number's name."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status
        self.name = _mp.mp_status_name(status).decode()


class Timeout(Error, TimeoutError):
    """The time ran out."""


class Empty(Error, _queue.Empty):
    """Nothing was in the queue."""


class Full(Error, _queue.Full):
    """No room was in the queue."""


class Closed(Error):
    """The queue was shut down."""


class TaskFailed(Error):
    """A task's function said that it failed."""


class WorkerDied(Error):
    """A worker died while it ran a task."""


_ERR_TIMEOUT, _ERR_EMPTY, _ERR_FULL = -9, -10, -11
_ERRORS = {_ERR_TIMEOUT: Timeout, _ERR_EMPTY: Empty, _ERR_FULL: Full, -13: Closed, -20: TaskFailed, -21: WorkerDied}


def _check(status):
    if status < 0:
        raise _ERRORS.get(status, Error)(status, os.fsdecode(_mp.mp_last_error()))
    return status


def _nanoseconds(timeout):
    if timeout is None or timeout >= _FOREVER / _NS:
        return _FOREVER
    return max(int(timeout * _NS), 0)


def _patiently(call, timeout):
    """Makes a call with a timeout. Python's signal handlers run between two calls, in the main thread alone."""
    limit = _nanoseconds(timeout)
    if threading.current_thread() is not threading.main_thread():
        return _check(call(limit))
    deadline = time.monotonic_ns() + limit
    while True:
        left = max(deadline - time.monotonic_ns(), 0)
        status = call(min(left, _NS // 10))
        if status not in (_ERR_TIMEOUT, _ERR_EMPTY, _ERR_FULL) or left <= _NS // 10:
            return _check(status)


def _bytes_of(data):
    """Something to pass as const void *, and its length. It must live until the call returns."""
    if not isinstance(data, bytes):
        view = memoryview(data).cast("B")
        data = bytes(view) if view.readonly else (ctypes.c_char * len(view)).from_buffer(view)
    return data, len(data)


def _taken(buffer):
    """The bytes of an mp_buffer, which is freed; None for no buffer."""
    if not buffer.value:
        return None
    try:
        size = c_size_t()
        data = _mp.mp_buffer_data(buffer, byref(size))
        return ctypes.string_at(data, size.value) if size.value else b""
    finally:
        _mp.mp_buffer_free(buffer)


def _text(text):
    """A string as C has them."""
    text = os.fsencode(text)
    if b"\0" in text:
        raise ValueError("embedded null byte")
    return text


def _options(noun, name=None, **members):
    """Options with the library's defaults, and what is given. They refer to what they were given."""
    options = _structs[f"mp_{noun}_options"]()
    _check(getattr(_mp, f"mp_{noun}_options_init")(byref(options), sizeof(options)))
    if name is not None:
        options.name = _text(name)
    for member, value in members.items():
        setattr(options, member, value)
    return options


class _Handle:
    """A handle of libmp's, freed once: by close, or with the last reference to it."""

    _noun = ""

    def __init__(self, *arguments):
        self._handle = c_void_p()
        self._waiting = {}
        _check(getattr(_mp, f"mp_{self._noun}_new")(byref(self._handle), *arguments))
        self._own()

    def _own(self):
        free = getattr(_mp, f"mp_{self._noun}_free")
        # A copy of the number: the finalizer must not keep the object.
        self._free = weakref.finalize(self, free, c_void_p(self._handle.value))

    def close(self):
        """Frees the handle. Whoever uses the object after that, or waits for it, is told MP_ERR_BAD_HANDLE.

        What coroutines wait for is closed in their event loop's thread.
        """
        for loop in list(self._waiting):
            self._wake(loop, self.fileno())
        self._free()
        self._handle = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, what, kind):
        answer = kind()
        _check(getattr(_mp, f"mp_{self._noun}_{what}")(self._handle, byref(answer)))
        return answer.value

    def fileno(self):
        """A descriptor that is readable while the object is ready. Only poll it; the handle closes it."""
        fd = c_int()
        _check(_mp.mp_descriptor(self._handle, byref(fd)))
        return fd.value

    def _wake(self, loop, fd):
        loop.remove_reader(fd)
        for future in self._waiting.pop(loop, ()):
            if not future.done():
                future.set_result(None)

    async def _ready(self):
        """Waits in the event loop until the object may be ready."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        fd = self.fileno()
        waiting = self._waiting.setdefault(loop, [])
        waiting.append(future)

        # A loop has one reader for each descriptor, however many wait.
        loop.add_reader(fd, self._wake, loop, fd)
        try:
            await future
        finally:
            if future in waiting:
                waiting.remove(future)
                if not waiting and self._waiting.get(loop) is waiting:
                    del self._waiting[loop]
                    loop.remove_reader(fd)

    async def _eventually(self, call):
        """Makes a call without waiting, whenever the object is ready, until it succeeds."""
        while True:
            status = call(0)
            if status not in (_ERR_TIMEOUT, _ERR_EMPTY):
                return _check(status)
            await self._ready()


class Queue(_Handle):
    """A queue of messages, which are bytes, or None: the consumer's sign to stop."""

    _noun = "queue"

    def __init__(self, name=None, maxsize=0):
        super().__init__(byref(_options("queue", name, maxsize=maxsize)))

    def put(self, data, timeout=None):
        """Puts a copy; when this returns, consumers have it. Raises Full, and Closed after a shutdown."""
        if data is None:
            _patiently(lambda limit: _mp.mp_queue_put_none(self._handle, limit), timeout)
            return
        data, size = _bytes_of(data)
        _patiently(lambda limit: _mp.mp_queue_put(self._handle, data, size, limit), timeout)

    def get(self, timeout=None):
        """The oldest message. Raises Empty, and Closed after a shutdown."""
        buffer = c_void_p()
        _patiently(lambda limit: _mp.mp_queue_get_buffer(self._handle, byref(buffer), limit), timeout)
        return _taken(buffer)

    async def get_async(self):
        """The same in a coroutine."""
        buffer = c_void_p()
        await self._eventually(lambda limit: _mp.mp_queue_get_buffer(self._handle, byref(buffer), limit))
        return _taken(buffer)

    def shutdown(self, immediate=False):
        """Nobody may put any more; what is there can be got unless immediate is true."""
        _check(_mp.mp_queue_shutdown(self._handle, immediate))

    def __len__(self):
        return self._ask("size", c_size_t)

    def __bool__(self):
        return True


class Lock(_Handle):
    """A lock between processes. It goes on when its holder is killed: see recovered."""

    _noun = "lock"

    def __init__(self, name=None):
        super().__init__(byref(_options("lock", name)))

    def acquire(self, timeout=None):
        """Whether it was acquired in time."""
        try:
            _patiently(lambda limit: _mp.mp_lock_acquire(self._handle, limit), timeout)
        except Timeout:
            return False
        return True

    async def acquire_async(self):
        """The same in a coroutine, without a limit."""
        await self._eventually(lambda limit: _mp.mp_lock_acquire(self._handle, limit))

    def release(self):
        _check(_mp.mp_lock_release(self._handle))

    @property
    def recovered(self):
        """Whether this process holds the lock and got it from a holder that died: look at what it guards."""
        return self._ask("recovered", c_bool)

    @property
    def locked(self):
        return self._ask("locked", c_bool)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()


class Event(_Handle):
    """A flag that processes set, clear and wait for."""

    _noun = "event"

    def __init__(self, name=None):
        super().__init__(byref(_options("event", name)))

    def set(self):
        _check(_mp.mp_event_set(self._handle))

    def clear(self):
        _check(_mp.mp_event_clear(self._handle))

    def is_set(self):
        return self._ask("is_set", c_bool)

    def wait(self, timeout=None):
        """Whether it was set in time."""
        try:
            _patiently(lambda limit: _mp.mp_event_wait(self._handle, limit), timeout)
        except Timeout:
            return False
        return True

    async def wait_async(self):
        await self._eventually(lambda limit: _mp.mp_event_wait(self._handle, limit))


class _Call(_Handle):
    """A map that is on its way."""

    _noun = "result"

    def __init__(self, handle, count):
        self._handle = handle
        self._waiting = {}
        self._count = count
        self._own()

    def _wait(self, limit):
        return _mp.mp_result_wait(self._handle, limit)

    def cancel(self):
        # Too late is fine.
        _mp.mp_result_cancel(self._handle, _NS // 10)

    def values(self):
        buffers = (c_void_p * self._count)()
        status = _mp.mp_result_get_each(self._handle, 0, buffers, self._count)
        values = [_taken(c_void_p(buffer)) for buffer in buffers]
        _check(status)
        return values

    def __exit__(self, kind, *rest):
        if kind is not None:
            self.cancel()
        super().__exit__(kind, *rest)


class Pool(_Handle):
    """Worker processes that run an executable of C, whose functions have names there: mp_register_target.

    executable is its path, or its arguments as a list whose first is the path. workers: 0 for as many
    as there are CPUs. No Python runs in a worker.
    """

    _noun = "pool"

    def __init__(self, executable, workers=0, name=None):
        argv = [executable] if isinstance(executable, (str, bytes, os.PathLike)) else list(executable)
        argv = [_text(argument) for argument in argv]
        context = c_void_p()
        _check(_mp.mp_context_new_executable(
            byref(context), argv[0], (ctypes.c_char_p * (len(argv) + 1))(*argv, None)))
        try:
            super().__init__(byref(_options("pool", name, workers=workers, context=context)))
        finally:
            _mp.mp_context_free(context)

    def _begin(self, function, items, retries):
        items = [_bytes_of(item) for item in items]
        passed = (_structs["mp_bytes"] * len(items))()
        for place, (data, size) in zip(passed, items):
            place.data = ctypes.cast(data, c_void_p)
            place.len = size
        target, result = c_void_p(), c_void_p()
        _check(_mp.mp_get_target(_text(function), byref(target)))
        options = _options("map", retries=retries)
        _check(_mp.mp_pool_map_async(self._handle, target, None, passed, len(items), byref(options), None,
                                     byref(result)))
        return _Call(result, len(items))

    def map(self, function, items, timeout=None, retries=0):
        """The function's result for each item, in their order. The first failure is raised.

        What is not done when the time is over, or at Ctrl-C, is cancelled. retries: how often an item
        is begun again whose worker died.
        """
        with self._begin(function, items, retries) as call:
            _patiently(call._wait, timeout)
            return call.values()

    async def map_async(self, function, items, retries=0):
        """The same in a coroutine: to cancel it cancels what is not done."""
        with self._begin(function, items, retries) as call:
            await call._eventually(call._wait)
            return call.values()

    def apply(self, function, data, timeout=None, retries=0):
        """The function's result for one item."""
        return self.map(function, [data], timeout, retries)[0]

    async def apply_async(self, function, data, retries=0):
        """The same in a coroutine."""
        return (await self.map_async(function, [data], retries))[0]


def unlink(name):
    """Takes a name away. Whoever has the object open goes on with it."""
    _check(_mp.mp_name_unlink(_text(name)))


def reap():
    """Takes away the names whose users are all dead; how many these were."""
    count = c_size_t()
    _check(_mp.mp_names_reap(byref(count)))
    return count.value
