"""Claims new entries of a lane, the oldest first."""

from collections.abc import Awaitable, Container
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

from services.broker.client import BrokerClient
from services.broker.connection import PASSING
from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.worker.claims import group
from services.worker.claims.claim import Claim
from services.worker.claims.opening import Opening, RawEntry

WAIT = 1.0  # seconds that a read waits for a quick entry; so long may a worker that is stopped claim some


class Reader:
    """Every method raises what the Redis client raises; the next read finds what Redis gave us when one failed."""

    def __init__(self, redis: redis.asyncio.Redis, broker: BrokerClient, consumer: str, opening: Opening) -> None:
        """`broker`: reads of the quick lane wait on it, and hold up what else is sent there."""
        self._redis = redis
        self._broker = broker
        self._consumer = consumer
        self._opening = opening
        self._unsure: set[Lane] = set()  # lanes whose last read failed: Redis may have given us entries that we never saw

    async def read(self, lane: Lane, count: int, held: Container[bytes]) -> list[Claim]:
        """Claim up to `count` entries that nobody was given yet.

        After a read that failed, first those that Redis gave us then: they are ours, and not among the ids `held`.
        """
        if lane in self._unsure:
            unknown = [entry for entry in await self._read(lane, "0", None) if entry[0] not in held]
            if len(unknown) <= count:
                self._unsure.discard(lane)
            if unknown:
                return await self._opening.open(lane, unknown[:count], deliveries=1)
        while entries := await self._read(lane, ">", count):
            if claims := await self._opening.open(lane, entries, deliveries=1):
                return claims
        return []

    async def wait(self, count: int, held: Container[bytes]) -> list[Claim]:
        """`read` of the quick lane, which waits up to a second for the first entry.

        Redis gives an entry to the one that waits for the longest time, and wakes no other.
        """
        lane = Lane.QUICK
        if lane in self._unsure:
            return await self.read(lane, count, held)
        stream = names.stream(lane)
        consumer, block = ("GROUP", GROUP, self._consumer), int(WAIT * 1000)
        reading = "XREADGROUP", *consumer, "COUNT", count, "BLOCK", block, "STREAMS", stream, ">"
        reply = await self._receive(lane, self._broker.run(*reading, blocking=WAIT))
        entries = [(id, dict(zip(fields[::2], fields[1::2], strict=True))) for id, fields in reply[0][1]] if reply else []
        return await self._opening.open(lane, entries, deliveries=1)

    async def _read(self, lane: Lane, after: str, count: int | None) -> list[RawEntry]:
        """New entries (`after` is ">") or our own pending ones."""
        reading = self._redis.xreadgroup(GROUP, self._consumer, {names.stream(lane): after}, count=count)
        reply = await self._receive(lane, reading)
        # An entry that was deleted while it was pending has no fields.
        return [entry for entry in reply[0][1] if entry[1]] if reply else []

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
