"""CPython's multiprocessing as a peer: does one thing, and prints how many nanoseconds each took, or how many KiB."""
import multiprocessing as mp
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

what, place = sys.argv[1], sys.argv[2]
context = mp.get_context("fork")


def pin(index):
    cpus = sorted(os.sched_getaffinity(0))
    if place != "anywhere":
        os.sched_setaffinity(0, {cpus[index % len(cpus) if place == "apart" else 0]})


def race(processes, work):
    """The time of each process's work, which begins when all are there."""
    ready, go = context.Semaphore(0), context.Event()

    def run(index):
        pin(index)
        ready.release()
        go.wait()
        work(index)

    children = [context.Process(target=run, args=(index,)) for index in range(processes)]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    began = time.monotonic_ns()
    go.set()
    for child in children:
        child.join()
        if child.exitcode != 0:
            sys.exit(1)
    return time.monotonic_ns() - began


def alone(times, work):
    began = time.monotonic_ns()
    for _ in range(times):
        work()
    return (time.monotonic_ns() - began) / times


def pairs(lock):
    def pair():
        lock.acquire()
        lock.release()

    return alone(100000, pair)


def contended(processes):
    turns, lock, number = 20000, context.Lock(), context.RawValue("q", 0)

    def work(index):
        for _ in range(turns):
            with lock:
                number.value += 1

    took = race(processes, work)
    assert number.value == turns * processes
    return took / number.value


def semaphore():
    turns, there, back = 2000, context.Semaphore(0), context.Semaphore(0)

    def work(index):
        for _ in range(turns):
            if index == 0:
                there.release()
                back.acquire()
            else:
                there.acquire()
                back.release()

    return race(2, work) / turns


def condition():
    turns, turn = 1000, context.RawValue("i", 0)
    theirs = context.Condition(context.Lock())

    def work(index):
        with theirs:
            for _ in range(turns):
                while turn.value != index:
                    theirs.wait()
                turn.value = 1 - index
                theirs.notify()

    return race(2, work) / turns


def barrier(parties):
    cycles, theirs = 500, context.Barrier(parties)

    def work(index):
        for _ in range(cycles):
            theirs.wait()

    return race(parties, work) / cycles


def event():
    turns, events = 1000, (context.Event(), context.Event())

    def work(index):
        for _ in range(turns):
            if index == 0:
                events[0].set()
            events[1 - index].wait()
            events[1 - index].clear()
            if index == 1:
                events[1].set()

    return race(2, work) / turns


def fetch_add():
    turns, value = 20000, context.Value("q", 0)

    def work(index):
        for _ in range(turns):
            with value.get_lock():
                value.value += 1

    took = race(2, work)
    assert value.value == 2 * turns
    return took / value.value


def manager(method, clients):
    turns = 2000 // clients + 100
    with context.Manager() as server:
        shared = server.dict()

        def work(index):
            for _ in range(turns):
                if method == "set":
                    shared[index] = b"8 bytes."
                else:
                    shared.get(index)

        return race(clients, work) / turns / clients


def own_memory(_):
    """KiB that this process has alone."""
    with open("/proc/self/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


def worker_memory(method):
    with mp.get_context(method).Pool(4) as workers:
        workers.map(abs, range(10000), 1)
        each = workers.map(own_memory, range(64), 1)
    return sum(each) / len(each)


def executor(calls, work):
    """The median of three rounds: the time of each call to an executor of two workers."""
    with ProcessPoolExecutor(2, context) as workers:
        workers.submit(abs, 1).result()
        rounds = []
        for _ in range(3):
            begun = time.perf_counter_ns()
            work(workers, range(calls))
            rounds.append(time.perf_counter_ns() - begun)
    return statistics.median(rounds) / calls


def do():
    return {
        "lock": lambda: pairs(context.Lock()),
        "rlock": lambda: pairs(context.RLock()),
        "contended-2": lambda: contended(2),
        "contended-8": lambda: contended(8),
        "semaphore-alone": lambda: pairs(context.Semaphore(2)),
        "semaphore": semaphore,
        "condition": condition,
        "barrier-2": lambda: barrier(2),
        "barrier-4": lambda: barrier(4),
        "event": event,
        "fetch-add": fetch_add,
        **{
            f"manager-{method}-{clients}": lambda m=method, c=clients: manager(m, c)
            for method in ("get", "set")
            for clients in (1, 4, 50)
        },
        "worker-memory-fork": lambda: worker_memory("fork"),
        "worker-memory-spawn": lambda: worker_memory("spawn"),
        "executor-submit": lambda: executor(2000, lambda e, n: [f.result() for f in [e.submit(abs, i) for i in n]]),
        "executor-map": lambda: executor(2000, lambda e, n: list(e.map(abs, n))),
    }[what]()


if __name__ == "__main__":
    print(do())
