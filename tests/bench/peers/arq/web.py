"""The web process of the row `arq`: `python -m tests.bench.peers.arq.web PORT REDIS_PORT`."""

import sys

import uvloop
from arq import create_pool
from arq.connections import RedisSettings

from tests.bench.peers import sockets
from tests.bench.peers.arq.worker import POLL

PATIENCE = 60  # seconds


async def main(port: int, redis_port: int) -> None:
    pool = await create_pool(RedisSettings(port=redis_port))

    async def ask(number: int) -> bool:
        job = await pool.enqueue_job("is_prime", number)
        assert job is not None  # only a job whose id was given may be there before
        return await job.result(timeout=PATIENCE, poll_delay=POLL)

    await sockets.serve(port, ask)


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
