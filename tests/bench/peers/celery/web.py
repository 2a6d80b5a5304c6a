"""The web process of the row `celery`: `REDIS_PORT=… python -m tests.bench.peers.celery.web PORT`.

Celery has no interface for asyncio: a call and the wait for its result hold a thread.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import uvloop

from tests.bench.peers import sockets
from tests.bench.peers.celery.tasks import is_prime

THREADS = 128  # as many numbers as a process has in flight in the benchmark
PATIENCE = 60  # seconds


def compute(number: int) -> bool:
    return bool(is_prime.delay(number).get(timeout=PATIENCE))


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as threads:
        await sockets.serve(port, lambda number: loop.run_in_executor(threads, compute, number))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
