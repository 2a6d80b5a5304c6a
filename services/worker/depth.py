"""How much waits in Redis, as metrics: every worker reports the same figures."""

import time
from typing import Any

import redis.asyncio
from prometheus_client import Gauge
from redis.exceptions import ResponseError

from services.jobs import backlog, names
from services.jobs.names import Lane

WAITING = Gauge("primes_queue_waiting", "Stream entries not yet claimed", ["lane"])
CLAIMED = Gauge("primes_queue_pending", "Stream entries claimed and not yet answered", ["lane"])
OLDEST = Gauge("primes_queue_oldest_seconds", "Age of the oldest unanswered stream entry; 0 if there is none", ["lane"])
DEAD_LETTERS = Gauge("primes_dead_letters", "Length of the dead-letter stream")
for _lane in Lane:
    for _gauge in (WAITING, CLAIMED, OLDEST):
        _gauge.labels(_lane)


async def measure(redis: redis.asyncio.Redis) -> None:
    """Read the depth of every lane; raises what the Redis client raises."""
    for lane in Lane:
        stream = names.stream(lane)
        try:
            groups = await redis.xinfo_groups(stream)
        except ResponseError:  # no stream yet
            groups = []
        oldest: Any = await redis.xrange(stream, count=1)  # redis-py leaves the reply's shape open
        WAITING.labels(lane).set(backlog.waiting(await redis.xlen(stream), groups))
        CLAIMED.labels(lane).set(backlog.claimed(groups))
        OLDEST.labels(lane).set(max(0.0, time.time() - int(oldest[0][0].partition(b"-")[0]) / 1000) if oldest else 0)
    DEAD_LETTERS.set(await redis.xlen(names.DEAD))
