"""The worker of the row `arq`: `REDIS_PORT=… arq tests.bench.peers.arq.worker.WorkerSettings`."""

import os
from typing import Any

from arq.connections import RedisSettings
from flint import fmpz

POLL = 0.05  # seconds; by default arq looks every half second for jobs, and for results, and one number would take as long


async def is_prime(_: dict[Any, Any], number: int) -> bool:
    return bool(fmpz(number).is_prime())


class WorkerSettings:
    functions = [is_prime]  # noqa: RUF012  # as arq reads it
    redis_settings = RedisSettings(port=int(os.environ.get("REDIS_PORT", "6379")))
    poll_delay = POLL
    keep_result = 60  # seconds
    max_jobs = 64  # at a time; 10 by default
