"""How much waits in Redis, as metrics: every worker reports the same figures."""

import time
from typing import Any

import redis.asyncio
from prometheus_client import Gauge
from redis.exceptions import ResponseError

from services.broker import backlog
from services.jobs import names
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
    async with redis.pipeline(transaction=False) as look:
        for lane in Lane:
            look.xinfo_groups(names.stream(lane))
            look.xlen(names.stream(lane))
            look.xrange(names.stream(lane), count=1)
        look.xlen(names.DEAD)
        replies: list[Any] = await look.execute(raise_on_error=False)  # redis-py leaves the replies' shape open
    for number, lane in enumerate(Lane):
        groups, length, oldest = replies[3 * number : 3 * number + 3]
        groups = [] if isinstance(groups, ResponseError) else groups  # no stream yet
        for reply in (groups, length, oldest):
            if isinstance(reply, Exception):
                raise reply
        WAITING.labels(lane).set(backlog.waiting(length, groups))
        CLAIMED.labels(lane).set(backlog.claimed(groups))
        OLDEST.labels(lane).set(max(0.0, time.time() - int(oldest[0][0].partition(b"-")[0]) / 1000) if oldest else 0)
    DEAD_LETTERS.set(replies[-1])
