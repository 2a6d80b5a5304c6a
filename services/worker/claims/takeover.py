"""Entries that go from one worker to another: those whose lease ran out, and those that a stopping worker gives back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
from prometheus_client import Counter
from redis.exceptions import ResponseError

from services.broker.script import HELD, TRY, TURNS, Script
from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.worker.claims import group
from services.worker.claims.claim import Claim
from services.worker.claims.opening import Opening

TAKEOVERS = Counter("primes_worker_takeovers_total", "Entries taken over after their lease ran out", ["lane"])
for _lane in Lane:
    TAKEOVERS.labels(_lane)

LOOKS = 1_000  # pending entries of a lane that are looked at; a worker holds some ten
RETURNED = "returned"  # consumer that holds what a stopping worker gave back, until the next takeover

_scripts = Path(__file__).parent / "scripts"
TAKE_OVER = Script(TRY, TURNS, _scripts / "take_over.lua")
GIVE_BACK = Script(HELD, _scripts / "give_back.lua")


class Takeover:
    """Every method raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, lease: float, opening: Opening) -> None:
        """`lease`: seconds after which a claim that was not renewed is anybody's."""
        self._redis = redis
        self._consumer = consumer
        self._lease_ms = int(lease * 1000)
        self._opening = opening

    async def take_over(self, lane: Lane, *, most: int = 0) -> Claim | None:
        """Claim the oldest entry whose lease ran out, if there is one; `most`: of those whose estimate is so many µs at most, 0: of
        all.

        Not by XAUTOCLAIM, which looks at no more than ten pending entries for each that it shall claim, the same ones each time:
        behind ten long jobs of living workers nobody would find what a dead one left.
        """
        keys, arguments = take_over_call(lane, self._consumer, self._lease_ms, most)
        try:
            while (found := await TAKE_OVER(self._redis, keys, *arguments)) is not None:
                if (claim := await self._open(lane, *found)) is not None:
                    TAKEOVERS.labels(lane).inc()
                    return claim
        except ResponseError as error:
            await group.make_missing(self._redis, lane, error)
        return None

    async def _open(self, lane: Lane, delivered: int, entry: Any) -> Claim | None:
        """The claim on what the script gave; None where nobody can read it, and it was set aside."""
        id, fields = entry
        claims = await self._opening.open(lane, [(id, dict(zip(fields[::2], fields[1::2], strict=True)))], delivered + 1)
        return claims[0] if claims else None

    async def give_back(self, claims: Iterable[Claim]) -> None:
        """Let another worker start these at once, as if this delivery had not been; not those that are another's by now."""
        by_lane: dict[Lane, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_lane[claim.lane].append(claim)
        for lane, held in by_lane.items():
            keys, arguments = give_back_call(lane, self._consumer, held, self._lease_ms + 1)
            await GIVE_BACK(self._redis, keys, *arguments)


def take_over_call(lane: Lane, consumer: str, lease_ms: int, most: int = 0) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of take_over.lua."""
    return [names.stream(lane)], [GROUP, consumer, lease_ms, LOOKS, most]


def give_back_call(lane: Lane, consumer: str, claims: Sequence[Claim], idle_ms: int) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of give_back.lua."""
    entries = [part for claim in claims for part in (claim.id, claim.deliveries - 1)]
    return [names.stream(lane)], [GROUP, consumer, RETURNED, idle_ms, *entries]
