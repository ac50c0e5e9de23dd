-- Queues, locks, events and pools of libmp, whose other ends may be programs in C. For LuaJIT.
--
--     local mp = require "libmp"
--     local queue, pool = mp.queue { name = "jobs" }, mp.pool { executable = "./worker" }
--     for message in queue:messages() do print(pool:apply("cube", message)) end
--
-- Messages are strings. A timeout is in seconds, nil for no limit. What the time ran out for, or what was shut down,
-- comes back as nil and the status's name; other failures are errors, with the members status, name and message.
-- What is not closed is freed when it is collected. A loop that polls :descriptor() need not wait in a call.
-- libmp.so.0 is loaded, or what LIBMP in the environment names.
local ffi = require "ffi"

ffi.cdef [[
typedef int mp_status;
typedef int64_t mp_timeout;
typedef void (*mp_function)(void);
typedef struct mp_context mp_context;
typedef struct mp_buffer mp_buffer;
typedef struct mp_lock mp_lock;
typedef struct mp_event mp_event;
typedef struct mp_queue mp_queue;
typedef struct mp_pool mp_pool;
typedef struct mp_task mp_task;
typedef struct mp_result mp_result;
typedef struct mp_map_options mp_map_options;
typedef struct mp_async_options mp_async_options;
typedef void (*mp_task_fn)(mp_task *task, void *user);
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
mp_status mp_result_get_each(const mp_result *result, mp_timeout timeout, mp_buffer **out, size_t n);
mp_status mp_result_wait(const mp_result *result, mp_timeout timeout);
mp_status mp_result_cancel(mp_result *result, mp_timeout grace);
mp_status mp_result_free(mp_result *result);
mp_status mp_pool_map_async(mp_pool *pool, mp_task_fn function, void *user, const mp_bytes *in, size_t n,
                            const mp_map_options *map, const mp_async_options *options, mp_result **result);
/* end */
]]
local C = ffi.load(os.getenv "LIBMP" or "libmp.so.0")

local mp = { none = setmetatable({}, { __tostring = function() return "none" end }) }

-- ---- statuses, times, strings ----

local failure = { __tostring = function(self) return self.message end }
local expected = { [-9] = true, [-10] = true, [-11] = true, [-13] = true } -- TIMEOUT, EMPTY, FULL, CLOSED

-- True, or nil and a name.
local function check(status)
    if status >= 0 then return true end
    local name = ffi.string(C.mp_status_name(status))
    if expected[status] then return nil, name end
    error(setmetatable({ status = status, name = name, message = ffi.string(C.mp_last_error()) }, failure), 3)
end

local FOREVER = 0x7fffffffffffffffLL

local function nanoseconds(timeout)
    if timeout == nil or timeout >= 9e9 then return FOREVER end
    return ffi.cast("int64_t", math.max(timeout, 0) * 1e9)
end

-- A string as C has them.
local function text(string)
    if string:find("\0", 1, true) then error("string contains zeros", 3) end
    return string
end

-- The string in a buffer, which is freed.
local function taken(buffer)
    if buffer == nil then return nil end
    local size = ffi.new "size_t[1]"
    local data = C.mp_buffer_data(buffer, size)
    local bytes = size[0] == 0 and "" or ffi.string(data, size[0])
    C.mp_buffer_free(buffer)
    return bytes
end

-- ---- objects ----

-- A class of handles: what makes, frees and asks them begins with mp_noun_.
local function class(noun)
    local methods = {}
    local kind = { __index = methods }

    -- The object has the handle alone, which is freed when it is collected.
    function kind.own(handle)
        return setmetatable({ handle = ffi.gc(handle, C["mp_" .. noun .. "_free"]) }, kind)
    end

    function kind.new(options)
        local place = ffi.new("mp_" .. noun .. " *[1]")
        check(C["mp_" .. noun .. "_new"](place, options))
        return kind.own(place[0])
    end

    -- The library's defaults, and members that are given.
    function kind.options(members)
        local options = ffi.new("mp_" .. noun .. "_options")
        check(C["mp_" .. noun .. "_options_init"](options, ffi.sizeof(options)))
        for name, value in pairs(members or {}) do
            options[name] = type(value) == "string" and text(value) or value
        end
        return options
    end

    function kind.ask(object, what, type)
        local answer = ffi.new(type .. "[1]")
        check(C["mp_" .. noun .. "_" .. what](object.handle, answer))
        return answer[0]
    end

    -- Frees it now. Whoever uses it after that gets an error, MP_ERR_BAD_HANDLE.
    function methods:close()
        if self.handle ~= nil then C["mp_" .. noun .. "_free"](ffi.gc(self.handle, nil)) end
        self.handle = nil
    end

    -- A descriptor for a loop: readable while the object is ready. Only poll it; the handle closes it.
    function methods:descriptor()
        local fd = ffi.new "int[1]"
        check(C.mp_descriptor(self.handle, fd))
        return fd[0]
    end

    return methods, kind
end

-- ---- queues ----

local queue, queues = class "queue"

-- name, maxsize: see mp_queue_options.
function mp.queue(options)
    return queues.new(queues.options(options))
end

-- Puts a copy of a string, or mp.none: the consumer's sign to stop.
function queue:put(message, timeout)
    if message == mp.none then return check(C.mp_queue_put_none(self.handle, nanoseconds(timeout))) end
    return check(C.mp_queue_put(self.handle, message, #message, nanoseconds(timeout)))
end

-- The oldest message: a string, or mp.none.
function queue:get(timeout)
    local buffer = ffi.new "mp_buffer *[1]"
    local good, name = check(C.mp_queue_get_buffer(self.handle, buffer, nanoseconds(timeout)))
    if not good then return nil, name end
    return taken(buffer[0]) or mp.none
end

-- for message in queue:messages() do: until mp.none comes, or the queue is shut down and empty.
function queue:messages()
    return function()
        local message = self:get()
        if message ~= mp.none then return message end
    end
end

function queue:size()
    return tonumber(queues.ask(self, "size", "size_t"))
end

-- Nobody may put any more; what is there can be got, unless immediate is true.
function queue:shutdown(immediate)
    check(C.mp_queue_shutdown(self.handle, immediate or false))
end

-- ---- locks ----

local lock, locks = class "lock"

function mp.lock(options)
    return locks.new(locks.options(options))
end

-- True, or nil and a name.
function lock:acquire(timeout)
    return check(C.mp_lock_acquire(self.handle, nanoseconds(timeout)))
end

function lock:release()
    check(C.mp_lock_release(self.handle))
end

-- Calls a function with the lock held, and gives what it gives. It is told whether the last holder died.
function lock:with(call)
    self:acquire()
    local function done(good, ...)
        self:release()
        if not good then error((...), 0) end
        return ...
    end
    return done(pcall(call, self:recovered()))
end

function lock:locked()
    return locks.ask(self, "locked", "bool")
end

-- Whether this process holds the lock and got it from a holder that died.
function lock:recovered()
    return locks.ask(self, "recovered", "bool")
end

-- ---- events ----

local event, events = class "event"

function mp.event(options)
    return events.new(events.options(options))
end

function event:set()
    check(C.mp_event_set(self.handle))
end

function event:clear()
    check(C.mp_event_clear(self.handle))
end

function event:is_set()
    return events.ask(self, "is_set", "bool")
end

-- True, or nil and a name.
function event:wait(timeout)
    return check(C.mp_event_wait(self.handle, nanoseconds(timeout)))
end

-- ---- pools ----

local call, calls = class "result"
local pool, pools = class "pool"

-- Workers that run a program in C, whose functions have names there: mp_register_target. executable: a path, or its
-- arguments as a table whose first is the path. workers: 0 for as many as there are CPUs.
function mp.pool(options)
    local arguments = options.executable
    if type(arguments) == "string" then arguments = { arguments } end
    -- One by one: a table of one value would fill the whole array.
    local argv = ffi.new("const char *[?]", #arguments + 1)
    for i, argument in ipairs(arguments) do argv[i - 1] = text(argument) end
    local context = ffi.new "mp_context *[1]"
    check(C.mp_context_new_executable(context, arguments[1], argv))
    local made, result = pcall(pools.new, pools.options { workers = options.workers or 0, context = context[0] })
    C.mp_context_free(context[0])
    if not made then error(result, 2) end
    return result
end

-- Hands the items to the workers, and gives what they come back by.
function pool:start(name, items)
    local target, result = ffi.new "mp_function[1]", ffi.new "mp_result *[1]"
    local passed = ffi.new("mp_bytes[?]", #items)
    for i, item in ipairs(items) do
        passed[i - 1].data = ffi.cast("const char *", item)
        passed[i - 1].len = #item
    end
    check(C.mp_get_target(text(name), target))
    check(C.mp_pool_map_async(self.handle, ffi.cast("mp_task_fn", target[0]), nil, passed, #items, nil, nil, result))
    local started = calls.own(result[0])
    started.count = #items
    return started
end

-- The results, in the items' order; an error for the first failure.
function call:get(timeout)
    local good, name = check(C.mp_result_wait(self.handle, nanoseconds(timeout)))
    if not good then return nil, name end
    local buffers = ffi.new("mp_buffer *[?]", self.count)
    local status = C.mp_result_get_each(self.handle, 0, buffers, self.count)
    local values = {}
    for i = 1, self.count do values[i] = taken(buffers[i - 1]) end
    good, name = check(status)
    if not good then return nil, name end
    return values
end

-- What is not done never will be, and get is an error.
function call:cancel()
    C.mp_result_cancel(self.handle, nanoseconds(0.1))
end

-- All at once. What is not done when the time is over is cancelled.
function pool:map(name, items, timeout)
    local started = self:start(name, items)
    local values, why = started:get(timeout)
    if not values then started:cancel() end
    return values, why
end

function pool:apply(name, item, timeout)
    local values, why = self:map(name, { item }, timeout)
    return values and values[1], why
end

-- ---- names ----

-- Takes a name away. Whoever has the object open goes on with it.
function mp.unlink(name)
    check(C.mp_name_unlink(text(name)))
end

-- Takes away the names whose users are all dead; how many these were.
function mp.reap()
    local count = ffi.new "size_t[1]"
    check(C.mp_names_reap(count))
    return tonumber(count[0])
end

return mp
