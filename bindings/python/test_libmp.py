"""test_libmp.py PEER NAME: the binding's test, with bindings/peer.c at the other end and names that begin so."""
import asyncio
import gc
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time

import libmp

peer, prefix = sys.argv[1:]


def raises(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{call} did not raise {kind}")


def run(*arguments):
    return subprocess.Popen([peer, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ends(process, code=0):
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == code


def test_queue():
    """A program in C answers what is put, whatever its length."""
    messages = [os.urandom(size) for size in [0, 1, 7, 1000, 100_000, 3_000_000]] + [b"%d" % i for i in range(1000)]
    echo = run("echo", f"{prefix}-queue")
    with libmp.Queue(f"{prefix}-queue-in") as there, libmp.Queue(f"{prefix}-queue-out") as back:
        raises(queue.Empty, back.get, timeout=0)
        for message in messages:
            there.put(message)
        for message in messages:
            assert back.get(timeout=30) == message[::-1]
        for kind in bytearray, memoryview:
            there.put(kind(b"abc"), timeout=1)
            assert back.get(timeout=30) == b"cba"

        async def answers():
            empty = asyncio.ensure_future(back.get_async())
            other = asyncio.ensure_future(back.get_async())
            await asyncio.sleep(0)
            there.put(b"1")
            there.put(b"2")
            return {await asyncio.wait_for(empty, 30), await asyncio.wait_for(other, 30)}

        assert asyncio.run(answers()) == {b"1", b"2"}
        there.put(None)
        assert back.get(timeout=30) is None
        assert len(back) == 0
        back.shutdown()
        error = raises(libmp.Closed, back.put, b"")
        assert error.name == "MP_ERR_CLOSED" and error.status == -13
    ends(echo)
    error = raises(libmp.Error, back.get)
    assert error.name == "MP_ERR_BAD_HANDLE", error
    with libmp.Queue(maxsize=1) as small:
        small.put(b"1")
        raises(queue.Full, small.put, b"2", timeout=0.01)
        threading.Timer(0.05, small.get).start()
        small.put(b"2")
        assert small.get(timeout=float("inf")) == b"2"
        small.put(b"3", timeout=10**30)
        assert small.get(timeout=1e300) == b"3"
    libmp.unlink(f"{prefix}-queue-in")
    libmp.unlink(f"{prefix}-queue-out")
    assert raises(libmp.Error, libmp.unlink, f"{prefix}-queue-in").name == "MP_ERR_NOT_FOUND"
    raises(ValueError, libmp.Queue, prefix + "\0")


def test_lock():
    """A killed holder's lock goes on, and its next holder knows."""
    with libmp.Lock() as anonymous:
        assert anonymous.locked and not anonymous.acquire(timeout=0.01)
    assert not anonymous.locked
    lock = libmp.Lock(f"{prefix}-lock")
    holder = run("lock", f"{prefix}-lock")
    assert holder.stdout.readline() == "held\n"
    assert lock.locked and not lock.acquire(timeout=0.05)
    holder.kill()
    ends(holder, -signal.SIGKILL)
    assert lock.acquire(timeout=30)
    assert lock.recovered
    lock.release()
    assert not lock.recovered
    raises(libmp.Error, lock.release)

    async def in_turn():
        await lock.acquire_async()
        waits = asyncio.ensure_future(lock.acquire_async())
        await asyncio.sleep(0)
        assert not waits.done()
        lock.release()
        await asyncio.wait_for(waits, 30)
        lock.release()

    async def closed():
        other = libmp.Lock()
        other.acquire()
        waits = asyncio.ensure_future(other.acquire_async())
        await asyncio.sleep(0)
        other.close()
        try:
            await asyncio.wait_for(waits, 30)
        except libmp.Error as error:
            assert error.name == "MP_ERR_BAD_HANDLE"
        else:
            raise AssertionError("a closed lock was acquired")

    asyncio.run(in_turn())
    asyncio.run(closed())
    lock.close()
    libmp.unlink(f"{prefix}-lock")


def test_event():
    """asyncio goes on while a coroutine waits for what a program in C sets."""
    event = libmp.Event(f"{prefix}-event")
    assert not event.wait(timeout=0.01) and not event.is_set()
    setter = run("event", f"{prefix}-event")

    async def waits():
        waiting = [asyncio.ensure_future(event.wait_async()) for _ in range(3)]
        given_up = asyncio.ensure_future(event.wait_async())
        await asyncio.sleep(0)
        given_up.cancel()
        assert not any(one.done() for one in waiting)
        setter.stdin.write("\n")
        setter.stdin.flush()
        await asyncio.wait_for(asyncio.gather(*waiting), 30)

    asyncio.run(waits())
    ends(setter)
    assert event.is_set() and event.wait()
    event.clear()
    assert not event.is_set()
    event.close()
    libmp.unlink(f"{prefix}-event")


def test_pool():
    """The workers are a program in C."""
    numbers = [struct.pack("=q", i) for i in range(200)]
    cubes = [struct.pack("=q", i**3) for i in range(200)]
    with libmp.Pool(peer, workers=2) as pool:
        assert pool.map("cube", numbers) == cubes
        assert pool.map("cube", []) == []
        assert pool.apply("cube", numbers[3]) == cubes[3]
        assert "cube takes 8 bytes" in str(raises(libmp.TaskFailed, pool.apply, "cube", b"7"))
        assert "SIGKILL" in str(raises(libmp.WorkerDied, pool.apply, "die", b""))
        assert raises(libmp.Error, pool.apply, "unheard of", b"").name == "MP_ERR_UNKNOWN_TARGET"
        raises(TimeoutError, pool.apply, "sleeps", b"", timeout=0.01)
        assert pool.map("cube", numbers) == cubes

        async def in_a_loop():
            ticks = 0
            both = asyncio.gather(pool.map_async("cube", numbers), pool.apply_async("cube", numbers[2]))
            while not both.done():
                await asyncio.sleep(0)
                ticks += 1
            assert await both == [cubes, cubes[2]] and ticks > 0
            endless = asyncio.ensure_future(pool.apply_async("sleeps", b""))
            await asyncio.sleep(0.01)
            endless.cancel()
            await asyncio.wait([endless])
            assert endless.cancelled()
            assert await pool.apply_async("cube", numbers[5]) == cubes[5]

        asyncio.run(in_a_loop())
    raises(libmp.Error, libmp.Pool, "/nowhere/at/all")
    raises(libmp.Error, libmp.Pool, ["/bin/true"])


def test_ctrl_c():
    """Python's signal handlers run during any wait."""
    event, lock, messages, pool = libmp.Event(), libmp.Lock(), libmp.Queue(), libmp.Pool(peer, workers=1)
    lock.acquire()
    for wait in event.wait, lock.acquire, messages.get, lambda: pool.apply("sleeps", b""):

        def interrupted():
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            wait()

        raises(KeyboardInterrupt, interrupted)
    pool.close()


def test_ends():
    """What is not closed goes with its last reference, and a fork has it too."""
    event = libmp.Event()
    if os.fork() == 0:
        event.set()
        del event
        gc.collect()
        os._exit(0)
    assert event.wait(timeout=30)
    os.wait()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        event = libmp.Event()
        event.fileno()
    del event
    gc.collect()
    deadline = time.monotonic() + 30
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print(name, flush=True)
