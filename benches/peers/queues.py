"""CPython's own ways to hand bytes to another process, and faster-fifo.

queues.py KIND rate|trip SIZE PRODUCERS CONSUMERS WARM_MS WINDOW_MS prints messages a second, or the median
of round trips in microseconds. A message is made anew before it is put, and compared with what it should be,
every byte, after it was got. What is not installed, or cannot be, prints nothing.
"""

import multiprocessing
import os
import sys
import time



def byte(number):
    return (number * 7 + 1) & 255


class Pipe:
    def __init__(self, context):
        self.reader, self.writer = context.Pipe(duplex=False)
        self.put = self.writer.send_bytes
        self.get = self.reader.recv_bytes


def fifo(context):
    try:
        from faster_fifo import Queue
    except ImportError:
        sys.exit(0)
    return Queue(max_size_bytes=max(65536, 4 * SIZE))


KINDS = {
    "queue": lambda context: context.Queue(DEPTH),
    "simple_queue": lambda context: context.SimpleQueue(),
    "pipe": Pipe,
    "faster_fifo": fifo,
}


def produce(channel):
    number = 0
    while True:
        channel.put(bytes([byte(number)]) * SIZE)
        number += 1


def consume(channel, counts, index, ordered):
    number = 0
    while True:
        message = channel.get()
        assert message == PAYLOADS[byte(number) if ordered else message[0]]
        number += 1
        counts[index * 32] = number


def answer(there, back):
    while True:
        back.put(there.get())


def rate(context, producers, consumers, warm, window):
    channel = KINDS[KIND](context)
    counts = context.Array("Q", 32 * consumers, lock=False)
    others = [context.Process(target=produce, args=(channel,), daemon=True) for _ in range(producers)]
    others += [
        context.Process(target=consume, args=(channel, counts, i, producers == 1), daemon=True)
        for i in range(consumers)
    ]
    for other in others:
        other.start()
    began = time.monotonic()
    while sum(counts) == 0 and time.monotonic() < began + 5:
        time.sleep(0.001)
    time.sleep(warm)
    before, began = sum(counts), time.monotonic()
    time.sleep(window)
    got, took = sum(counts) - before, time.monotonic() - began
    for other in others:
        other.kill()
    for other in others:
        other.join()
    return got / took


def trip(context, warm, window):
    there, back = KINDS[KIND](context), KINDS[KIND](context)
    other = context.Process(target=answer, args=(there, back), daemon=True)
    other.start()
    took = []
    stop = time.monotonic() + warm + window
    while time.monotonic() < stop or len(took) < 200:
        began = time.perf_counter()
        there.put(PAYLOADS[len(took) & 255])
        back.get()
        took.append(time.perf_counter() - began)
    other.kill()
    other.join()
    took = sorted(took[100:])
    return took[len(took) // 2] * 1e6


if __name__ == "__main__":
    KIND, what = sys.argv[1:3]
    SIZE, producers, consumers, warm, window = map(int, sys.argv[3:])
    DEPTH = min(1024, max(16, 65536 // SIZE))
    PAYLOADS = [bytes([byte]) * SIZE for byte in range(256)]
    context = multiprocessing.get_context("fork")
    if what == "rate":
        print(rate(context, producers, consumers, warm / 1000, window / 1000))
    else:
        print(trip(context, warm / 1000, window / 1000))
    sys.stdout.flush()
    # Threads that still wait to write to who was killed.
    os._exit(0)
