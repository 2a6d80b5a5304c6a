"""Where dead letters lie: read a page at a time, put back into a lane, deleted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import redis.asyncio

from services.broker.script import Script
from services.dead.letter import Letter
from services.jobs import names
from services.jobs.messages import Job, encode

PAGE = 16  # letters in memory at once: one may have a megabyte where web processes take a million digits

RETRY = Script(Path(__file__).parent / "scripts" / "retry.lua")


class Shelf:
    """Every method raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def count(self) -> int:
        """How many there are."""
        return int(await self._redis.xlen(names.DEAD))

    async def letters(self, limit: int | None = None) -> AsyncIterator[Letter]:
        """The oldest `limit`, or all, oldest first."""
        start, left = b"-", limit
        while left is None or left > 0:
            page: Any = await self._redis.xrange(names.DEAD, min=start, count=PAGE if left is None else min(PAGE, left))
            for id, fields in page:
                yield Letter.read(id, fields)
            if not page:
                return
            start = b"(" + page[-1][0]  # after this one
            left = None if left is None else left - len(page)

    async def find(self, id: str) -> Letter | None:
        """One of them."""
        found: Any = await self._redis.xrange(names.DEAD, id, id)
        return Letter.read(*found[0]) if found else None

    async def retry(self, letter: Letter, jobs: list[Job], reply_to: str) -> bool:
        """Put these jobs into the letter's lane and delete it, in one step; whether it was still there."""
        stream, bell = names.stream(letter.retry_lane), names.bell(letter.retry_lane)
        return bool(await RETRY(self._redis, [names.DEAD, stream], letter.id, bell, reply_to, encode(jobs)))

    async def delete(self, id: str) -> bool:
        """Delete one of them; whether it was there."""
        return bool(await self._redis.xdel(names.DEAD, id))
