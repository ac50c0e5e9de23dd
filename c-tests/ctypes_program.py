"""A process, a queue and a pool from Python: libmp.so by ctypes, C targets registered by name, spawn.

ctypes_program.py LIBMP TARGETS EXECUTABLE
"""
import ctypes
import sys

libmp_path, targets_path, executable = sys.argv[1:]
mp = ctypes.CDLL(libmp_path)
targets = ctypes.CDLL(targets_path)
mp.mp_last_error.restype = ctypes.c_char_p
mp.mp_process_name.restype = ctypes.c_char_p
SPAWN, FOREVER = 2, (1 << 63) - 1


def check(name, *args):
    status = getattr(mp, name)(*args)
    if status < 0:
        sys.exit(f"{name}: {mp.mp_last_error().decode()}")


def address(function):
    return ctypes.cast(getattr(targets, function), ctypes.c_void_p)


def numbers(*values):
    return (ctypes.c_int64 * len(values))(*values)


check("mp_set_start_method", SPAWN, False)
check("mp_set_executable", executable.encode(), None)
if targets.register_all() < 0:
    sys.exit(mp.mp_last_error().decode())

queue, process = ctypes.c_void_p(), ctypes.c_void_p()
check("mp_queue_new", ctypes.byref(queue), None)
check("mp_process_new", ctypes.byref(process), address("puts_sum"), None, None)
given = numbers(*range(101))
check("mp_process_add_handle", process, queue)
check("mp_process_add_bytes", process, given, ctypes.c_size_t(ctypes.sizeof(given)))
check("mp_process_start", process)
got, size = ctypes.c_int64(), ctypes.c_size_t()
check("mp_queue_get", queue, ctypes.byref(got), ctypes.c_size_t(8), ctypes.byref(size),
      None, ctypes.c_int64(30 * 10**9))
check("mp_process_join", process, ctypes.c_int64(FOREVER))
code = ctypes.c_int()
check("mp_process_exitcode", process, ctypes.byref(code))
print(mp.mp_process_name(process).decode(), got.value, code.value)
check("mp_process_free", process)
check("mp_queue_free", queue)

pool = ctypes.c_void_p()
check("mp_pool_new", ctypes.byref(pool), None)
into, out = numbers(1, 2, 3, 4, 5), numbers(0, 0, 0, 0, 0)
eight = ctypes.c_size_t(8)
check("mp_pool_map_array", pool, address("cube"), None, into, eight, ctypes.c_size_t(5), out, eight, None)
check("mp_pool_free", pool)
print(list(out))
