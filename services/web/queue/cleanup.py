"""Deletes entries that nobody wants any more, and has their computation stopped."""

import asyncio
import logging
from collections import deque
from itertools import islice
from pathlib import Path

import redis.asyncio

from services.broker.connection import PASSING, Backoff
from services.broker.finish import finish
from services.broker.script import LEAVE_RUN, TRY, TURNS, Script
from services.jobs import names
from services.jobs.names import Lane
from services.web.queue.ledger import Entry

log = logging.getLogger(__name__)

UNWANTED = 10_000  # entries to be deleted that wait for Redis at most; what is forgotten is computed in vain
DELETED = 100  # entries deleted in one step: bounds how long Redis serves nobody else

_leave_runs = Script(TRY, TURNS, LEAVE_RUN, Path(__file__).parent / "scripts" / "leave_runs.lua")


class Cleanup:
    """It only saves work, so it is bounded and in no hurry: an entry that it forgets is computed, and its answer dropped."""

    def __init__(self, redis: redis.asyncio.Redis, web: str) -> None:
        """`web`: the name by which this process asks."""
        self._redis = redis
        self._web = web
        self._unwanted: deque[Entry] = deque()
        self._filled = asyncio.Event()  # set when there are some

    @property
    def done(self) -> bool:
        """Whether nothing waits to be deleted."""
        return not self._unwanted

    def discard(self, entries: list[Entry]) -> None:
        """Delete these entries soon."""
        if entries:
            self._unwanted += entries[: UNWANTED - len(self._unwanted)]
            self._filled.set()

    async def run(self) -> None:
        """Delete until cancelled."""
        backoff = Backoff()
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._unwanted:
                some = list(islice(self._unwanted, DELETED))
                try:
                    await self._delete(some)
                    backoff.reset()
                except PASSING as error:
                    log.warning("could not delete %d unwanted entries, will try again: %s", len(some), error)
                    await asyncio.sleep(backoff.next())

    async def _delete(self, some: list[Entry]) -> None:
        """Delete the oldest; they stay listed until all of them are deleted."""
        for lane in {entry.lane for entry in some}:
            await self._delete_from(lane, [entry for entry in some if entry.lane is lane])
        for _ in some:
            self._unwanted.popleft()

    async def _delete_from(self, lane: Lane, entries: list[Entry]) -> None:
        """Delete quick entries; leave the runs of costly ones, which go on if others wait for them."""
        if lane is Lane.QUICK:
            await finish(self._redis, lane, [entry.id for entry in entries])
        else:
            keys, arguments = arrange(lane, [(entry.id, entry.jobs[0].id) for entry in entries], self._web)
            await _leave_runs(self._redis, keys, *arguments)


def arrange(lane: Lane, leaving: list[tuple[bytes, int]], web: str) -> tuple[list[str], list[str | bytes]]:
    """Keys and arguments of leave_runs.lua; `leaving`: runs, and which job of ours leaves each."""
    askers = [names.askers(lane, entry.decode()) for entry, _ in leaving]
    runs = [part for entry, job in leaving for part in (entry, names.asker(web, job))]
    return [names.stream(lane), *askers], [names.GROUP, names.CANCELLATIONS, lane, names.question(""), *runs]
