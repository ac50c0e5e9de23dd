"""example.py WORKER: cubes of numbers, by workers in C that asyncio waits for. WORKER is build/check/bindings/peer."""
import asyncio
import struct
import sys

import libmp


async def main():
    with libmp.Pool(sys.argv[1], workers=2) as pool, libmp.Queue() as queue:

        async def cube(number):
            result = await pool.apply_async("cube", struct.pack("=q", number))
            queue.put(result)

        await asyncio.gather(*(cube(number) for number in range(1, 6)))
        cubes = [struct.unpack("=q", queue.get(timeout=1))[0] for _ in range(5)]
        print(sorted(cubes))


asyncio.run(main())
