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

TRIES = 16  # overdue entries looked at for one that can be had: others were deleted, or another worker was faster
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
        """Claim the oldest entry whose lease ran out, if there is one.

        Not by XAUTOCLAIM, which looks at no more than ten pending entries for each that it shall claim, the same ones each time:
        behind ten long jobs of living workers nobody would find what a dead one left.
        """
        try:
            for _ in range(TRIES):
                found: Any = await self._redis.xpending_range(names.stream(lane), GROUP, "-", "+", 1, idle=self._lease_ms)
                if not found:
                    return None
                if (claim := await self._claim(lane, found[0]["message_id"], found[0]["times_delivered"] + 1)) is not None:
                    TAKEOVERS.labels(lane).inc()
                    return claim
        except ResponseError as error:
            await group.make_missing(self._redis, lane, error)
        return None

    async def _claim(self, lane: Lane, id: bytes, deliveries: int) -> Claim | None:
        """Take this entry; None where another worker was faster, or it was deleted, or nobody can read it."""
        entries: Any = await self._redis.xclaim(names.stream(lane), GROUP, self._consumer, self._lease_ms, [id])
        claims = await self._opening.open(lane, entries, deliveries)
        return claims[0] if claims else None

    async def give_back(self, claims: Iterable[Claim]) -> None:
        """Let another worker start these at once, as if this delivery had not been."""
        for claim in claims:
            await self._redis.xclaim(
                names.stream(claim.lane), GROUP, RETURNED, 0, [claim.id],
                idle=self._lease_ms + 1, retrycount=claim.deliveries - 1, justid=True,
            )  # fmt: skip
