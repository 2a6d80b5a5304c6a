"""Turns entries that Redis gave this worker into claims, and sets aside those that nobody can read."""

import logging
import time
from collections.abc import Iterable

import redis.asyncio

from services.broker.finish import DeadLetter, finish
from services.jobs import messages
from services.jobs.names import Lane
from services.worker.claims.claim import Claim
from services.worker.claims.entries import Fields, ReadJobs, Unreadable, decode, payload
from services.worker.claims.tally import DEAD_LETTERS

log = logging.getLogger(__name__)

RawEntry = tuple[bytes, Fields]  # id and fields, as Redis tells them


class Opening:
    """An entry that cannot be read is set aside whole, and its clients are not told: it is not known who they are.

    Their web process finds the entry gone, sends the jobs again, and at last tells that they are lost.
    """

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, read_jobs: ReadJobs = messages.decode_jobs) -> None:
        self._redis = redis
        self._consumer = consumer
        self._read_jobs = read_jobs

    async def open(self, lane: Lane, entries: Iterable[RawEntry], deliveries: int) -> list[Claim]:
        """Claims on those that can be read. Raises what the Redis client raises."""
        now = time.time() * 1000
        claims: list[Claim] = []
        for id, fields in entries:
            try:
                claims.append(decode(lane, id, fields, deliveries, now, read_jobs=self._read_jobs))
            except Unreadable as error:
                await self._set_aside(lane, id, payload(fields), str(error))
        return claims

    async def _set_aside(self, lane: Lane, id: bytes, payload: bytes, reason: str) -> None:
        log.error("entry %s of the %s lane set aside: %s", id.decode(), lane, reason)
        await finish(self._redis, lane, [id], dead=[DeadLetter(payload, reason, self._consumer)])
        DEAD_LETTERS.labels(lane).inc()
