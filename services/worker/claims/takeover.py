"""Entries that go from one worker to another: those whose lease ran out, and those that a stopping worker gives back."""

from collections.abc import Iterable
from typing import Any

import redis.asyncio
from prometheus_client import Counter
from redis.exceptions import ResponseError

from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.worker.claims import group
from services.worker.claims.claim import Claim
from services.worker.claims.opening import Opening

TAKEOVERS = Counter("primes_worker_takeovers_total", "Entries taken over after their lease ran out", ["lane"])
for _lane in Lane:
    TAKEOVERS.labels(_lane)

RETURNED = "returned"  # consumer that holds what a stopping worker gave back, until the next takeover


class Takeover:
    """Every method raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, lease: float, opening: Opening) -> None:
        """`lease`: seconds after which a claim that was not renewed is anybody's."""
        self._redis = redis
        self._consumer = consumer
        self._lease_ms = int(lease * 1000)
        self._opening = opening

    async def take_over(self, lane: Lane) -> Claim | None:
        """Claim the oldest entry whose lease ran out, if there is one."""
        stream = names.stream(lane)
        try:
            reply: Any = await self._redis.xautoclaim(stream, GROUP, self._consumer, self._lease_ms, count=1)
            entries = reply[1]
            if not entries:
                return None
            id = entries[0][0]
            held: Any = await self._redis.xpending_range(stream, GROUP, id, id, 1)
        except ResponseError as error:
            await group.make_missing(self._redis, lane, error)
            return None
        for claim in await self._opening.open(lane, entries, held[0]["times_delivered"]) if held else []:
            TAKEOVERS.labels(lane).inc()
            return claim
        return None

    async def give_back(self, claims: Iterable[Claim]) -> None:
        """Let another worker start these at once, as if this delivery had not been."""
        for claim in claims:
            await self._redis.xclaim(
                names.stream(claim.lane), GROUP, RETURNED, 0, [claim.id],
                idle=self._lease_ms + 1, retrycount=claim.deliveries - 1, justid=True,
            )  # fmt: skip
