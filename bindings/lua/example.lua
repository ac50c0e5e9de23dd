-- example.lua WORKER: cubes of numbers, by workers in C. WORKER is build/check/bindings/peer.
local ffi = require "ffi"
local mp = require "libmp"

local pool = mp.pool { executable = arg[1], workers = 2 }
local numbers = {}
for i = 1, 5 do numbers[i] = ffi.string(ffi.new("int64_t[1]", i), 8) end

local cubes = {}
for i, text in ipairs(pool:map("cube", numbers)) do
    local cube = ffi.new "int64_t[1]"
    ffi.copy(cube, text, 8)
    cubes[i] = tonumber(cube[0])
end
print("[" .. table.concat(cubes, ", ") .. "]")
