"""Claims new entries of a lane: quick ones the oldest first, costly ones by turns of clients."""

import asyncio
from collections.abc import Awaitable, Container
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

from services.broker.client import BrokerClient
from services.broker.connection import PASSING
from services.broker.script import TRY, TURNS, WAITING, Script
from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.worker.claims import group
from services.worker.claims.claim import Claim
from services.worker.claims.opening import Opening, RawEntry

WAIT = 1.0  # seconds that a read waits for a quick entry; so long may a worker that is stopped claim some

CLAIM = Script(TRY, WAITING, TURNS, Path(__file__).parent / "scripts" / "claim.lua")
PAGE, PAGES = 100, 10  # entries read at once, and how often in one claim, in search of those that wait for no turn


class Reader:
    """Every method raises what the Redis client raises; the next read finds what Redis gave us when one failed."""

    def __init__(self, redis: redis.asyncio.Redis, broker: BrokerClient, consumer: str, opening: Opening) -> None:
        """`broker`: reads of the quick lane wait on it, and hold up what else is sent there."""
        self._redis = redis
        self._broker = broker
        self._consumer = consumer
        self._opening = opening
        self._taking = {lane: asyncio.Lock() for lane in Lane}
        self._unsure: set[Lane] = set()  # lanes whose last read failed: Redis may have given us entries that we never saw

    async def take(self, lane: Lane, held: Container[bytes], *, sweeping: bool, most: int = 0) -> Claim | None:
        """Claim the entry of a costly lane whose turn it is; `most`: of those whose estimate is so many µs at most, 0: of all.

        After a read that failed, first what Redis gave us then: it is ours, and not among the ids `held`. `sweeping`: look too for
        entries that wait for no turn.
        """
        async with self._taking[lane]:  # else one would take for lost what Redis is giving the other
            if claims := await self._recover(lane, 1, held):
                return claims[0]
            keys, arguments = claim_call(lane, self._consumer, sweeping=sweeping, most=most)
            while (found := await self._receive(lane, CLAIM(self._redis, keys, *arguments))) is not None:
                if claims := await self._opening.open(lane, [_entry(found)], deliveries=1):
                    return claims[0]
            return None

    async def wait(self, count: int, held: Container[bytes]) -> list[Claim]:
        """Claim up to `count` entries of the quick lane that nobody was given yet, the oldest first; waits up to a second for one.

        Redis gives an entry to the one that waits for the longest time, and wakes no other. After a read that failed, first what
        Redis gave us then, as `take`.
        """
        lane = Lane.QUICK
        if claims := await self._recover(lane, count, held):
            return claims
        stream = names.stream(lane)
        consumer, block = ("GROUP", GROUP, self._consumer), int(WAIT * 1000)
        reading = "XREADGROUP", *consumer, "COUNT", count, "BLOCK", block, "STREAMS", stream, ">"
        reply = await self._receive(lane, self._broker.run(*reading, blocking=WAIT))
        return await self._opening.open(lane, map(_entry, reply[0][1]), deliveries=1) if reply else []

    async def _recover(self, lane: Lane, count: int, held: Container[bytes]) -> list[Claim]:
        """What Redis gave us in a read of this lane whose reply we did not get."""
        if lane not in self._unsure:
            return []
        reading = self._redis.xreadgroup(GROUP, self._consumer, {names.stream(lane): "0"})
        reply = await self._receive(lane, reading)
        # An entry that was deleted while it was pending has no fields.
        unknown = [entry for entry in reply[0][1] if entry[1] and entry[0] not in held] if reply else []
        if len(unknown) <= count:
            self._unsure.discard(lane)
        return await self._opening.open(lane, unknown[:count], deliveries=1)

    async def _receive(self, lane: Lane, reading: Awaitable[Any]) -> Any:
        """What a read of the lane gives; None where there was no group, which is made."""
        try:
            return await reading
        except PASSING:
            self._unsure.add(lane)
            raise
        except ResponseError as error:
            await group.make_missing(self._redis, lane, error)
            return None


def _entry(raw: Any) -> RawEntry:
    """Id and fields of an entry as Redis lists them."""
    id, fields = raw
    return id, dict(zip(fields[::2], fields[1::2], strict=True))


def claim_call(lane: Lane, consumer: str, *, sweeping: bool, most: int = 0) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of claim.lua."""
    return [names.stream(lane)], [GROUP, consumer, PAGE, PAGES, int(sweeping), most]
