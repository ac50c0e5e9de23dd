-- test_libmp.lua PEER NAME: the binding's test, with bindings/peer.c at the other end and names that begin so.
local ffi = require "ffi"
local mp = require "libmp"
local uv = require "luv"

local peer, prefix = arg[1], arg[2]

local function number(text)
    local place = ffi.new "int64_t[1]"
    ffi.copy(place, text, 8)
    return tonumber(place[0])
end

local function bytes(n)
    return ffi.string(ffi.new("int64_t[1]", n), 8)
end

local function fails(name, call, ...)
    local good, why = pcall(call, ...)
    assert(not good and type(why) == "table", why)
    assert(why.name == name, tostring(why))
    return why
end

-- A peer, what it prints, and a function that waits for its end.
local function run(role, name)
    local stdin, stdout = uv.new_pipe(), uv.new_pipe()
    local ended, printed = nil, ""
    local process = assert(uv.spawn(peer, { args = { role, name }, stdio = { stdin, stdout, 2 } },
        function(code, signal) ended = signal ~= 0 and -signal or code end))
    stdout:read_start(function(_, text) printed = printed .. (text or "") end)
    return {
        says = function(_, line)
            while not printed:find(line, 1, true) do uv.run "once" end
        end,
        write = function(_, text) stdin:write(text) end,
        kill = function() process:kill "sigkill" end,
        ends = function(_, code)
            while ended == nil do uv.run "once" end
            assert(ended == code, ended)
            for _, handle in ipairs { stdin, stdout, process } do handle:close() end
            uv.run "nowait"
        end,
    }
end

-- Runs the loop until the descriptor is readable.
local function in_loop(object)
    local ready, ticks = false, 0
    local poll, timer = uv.new_poll(object:descriptor()), uv.new_timer()
    poll:start("r", function() ready = true end)
    timer:start(0, 1, function() ticks = ticks + 1 end)
    while not ready do uv.run "once" end
    poll:close()
    timer:close()
    uv.run "nowait"
    return ticks
end

local tests = {}

function tests.queue()
    local echo = run("echo", prefix .. "-queue")
    local there, back = mp.queue { name = prefix .. "-queue-in" }, mp.queue { name = prefix .. "-queue-out" }
    local none, why = back:get(0)
    assert(none == nil and why == "MP_ERR_EMPTY")
    local messages = { "", "a", "\0\1\255", ("long"):rep(100000) }
    for i = 1, 1000 do messages[#messages + 1] = "message " .. i end
    for _, message in ipairs(messages) do assert(there:put(message, 30)) end
    for _, message in ipairs(messages) do assert(back:get(30) == message:reverse()) end
    there:put "abc"
    in_loop(back)
    assert(back:get(0) == "cba")
    there:put "1"
    there:put "2"
    there:put(mp.none)
    local got = {}
    for message in back:messages() do got[#got + 1] = message end
    assert(table.concat(got, " ") == "1 2")
    echo:ends(0)
    assert(back:size() == 0)
    back:shutdown()
    assert(select(2, back:put "") == "MP_ERR_CLOSED")
    assert(select(2, back:get()) == "MP_ERR_CLOSED")
    back:close()
    there:close()
    back:close()
    fails("MP_ERR_BAD_HANDLE", back.get, back)
    local small = mp.queue { maxsize = 1 }
    assert(small:put "1")
    assert(select(2, small:put("2", 0.01)) == "MP_ERR_FULL")
    mp.unlink(prefix .. "-queue-in")
    mp.unlink(prefix .. "-queue-out")
    fails("MP_ERR_NOT_FOUND", mp.unlink, prefix .. "-queue-in")
    assert(not pcall(mp.queue, { name = prefix .. "\0" }))
end

function tests.lock()
    local lock = mp.lock { name = prefix .. "-lock" }
    local holder = run("lock", prefix .. "-lock")
    holder:says "held"
    assert(lock:locked() and select(2, lock:acquire(0.05)) == "MP_ERR_TIMEOUT")
    holder:kill()
    holder:ends(-9)
    -- The next holder is told, and it is over when that one releases it.
    assert(lock:with(function(died) return died and "told" end) == "told")
    assert(lock:with(function(died) return tostring(died) end) == "false")
    local good, why = pcall(lock.with, lock, function() error "mine" end)
    assert(not good and tostring(why):find "mine" and not lock:locked())
    fails("MP_ERR_OVER_RELEASE", lock.release, lock)
    lock:close()
    mp.unlink(prefix .. "-lock")
end

function tests.event()
    local event = mp.event { name = prefix .. "-event" }
    assert(not event:is_set() and select(2, event:wait(0.01)) == "MP_ERR_TIMEOUT")
    local setter = run("event", prefix .. "-event")
    local timer = uv.new_timer()
    timer:start(20, 0, function() setter:write "\n" end)
    assert(in_loop(event) > 0)
    timer:close()
    setter:ends(0)
    assert(event:is_set() and event:wait())
    event:clear()
    assert(not event:is_set())
    event:close()
    mp.unlink(prefix .. "-event")
end

function tests.pool()
    local pool = mp.pool { executable = peer, workers = 2 }
    local items = {}
    for i = 1, 200 do items[i] = bytes(i) end
    local function all_well()
        local cubes = assert(pool:map("cube", items))
        for i = 1, 200 do assert(number(cubes[i]) == i ^ 3) end
    end
    all_well()
    assert(#pool:map("cube", {}) == 0)
    assert(number(pool:apply("cube", bytes(-3))) == -27)
    assert(fails("MP_ERR_TASK_FAILED", pool.apply, pool, "cube", "7").message:find "cube takes 8 bytes")
    assert(fails("MP_ERR_WORKER_DIED", pool.apply, pool, "die", "").message:find "SIGKILL")
    fails("MP_ERR_UNKNOWN_TARGET", pool.apply, pool, "unheard of", "")
    assert(select(2, pool:apply("sleeps", "", 0.01)) == "MP_ERR_TIMEOUT")
    local started = pool:start("cube", items)
    in_loop(started)
    assert(number(started:get(0)[200]) == 200 ^ 3)
    all_well()
    pool:close()
    fails("MP_ERR_OS", mp.pool, { executable = "/nowhere/at/all" })
    fails("MP_ERR_NOT_INITIALIZED", mp.pool, { executable = { "/bin/true" } })
end

local function descriptors()
    local count, folder = 0, uv.fs_scandir "/proc/self/fd"
    while uv.fs_scandir_next(folder) do count = count + 1 end
    return count
end

function tests.collected()
    mp.event():descriptor()
    collectgarbage()
    collectgarbage()
    local before = descriptors()
    for _ = 1, 200 do mp.event():descriptor() end
    collectgarbage()
    collectgarbage()
    while descriptors() > before do uv.sleep(1) end
end

for _, name in ipairs { "queue", "lock", "event", "pool", "collected" } do
    tests[name]()
    print(name)
end
