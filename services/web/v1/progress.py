"""Clients are told what becomes of requests that take long."""

import asyncio
import logging
import time

import redis.asyncio
from msgspec import Raw

from services.broker import backlog
from services.broker.connection import PASSING
from services.jobs import names
from services.jobs.messages import Verdict
from services.jobs.names import Lane, Mark
from services.web.v1.marks import read_mark
from services.web.v1.responses import Progress
from services.web.v1.seats import Seat, Seats

log = logging.getLogger(__name__)

REPORTS = 2.0  # seconds between two reports of progress, and until the first
REPORTED = 200  # sessions looked at in one pipeline: bounds how long Redis serves nobody else


class Reports:
    """Progress is looked up rather than pushed: what nobody waits for long costs nothing."""

    def __init__(self, redis: redis.asyncio.Redis, seats: Seats) -> None:
        self._redis = redis
        self._seats = seats

    async def run(self) -> None:
        """Every two seconds, tell clients what becomes of requests that take longer than that, until cancelled."""
        while True:
            await asyncio.sleep(REPORTS)
            due = [(seat, waiting) for seat in self._seats if (waiting := seat.session.waiting(REPORTS))]
            try:
                for start in range(0, len(due), REPORTED):
                    await self._report(due[start : start + REPORTED])
            except PASSING as error:
                log.warning("could not look for the progress of jobs: %s", error)

    async def _report(self, due: list[tuple[Seat, list[str]]]) -> None:
        """Tell these clients of these requests."""
        depths, found = await self._look(due)
        for (seat, waiting), marks in zip(due, found, strict=True):
            if self._seats.of(seat.session) is not None:
                now = time.time() * 1000
                jobs = [read(request, mark, depths, now) for request, mark in zip(waiting, marks, strict=True)]
                seat.holder.tell_progress(jobs)

    async def _look(self, due: list[tuple[Seat, list[str]]]) -> tuple[dict[Lane, int], list[list[bytes | None]]]:
        """How many entries wait in each lane, and of each session what stands for these requests."""
        async with self._redis.pipeline(transaction=False) as look:
            for lane in Lane:
                look.xlen(names.stream(lane))
                look.xinfo_groups(names.stream(lane))
            for seat, waiting in due:
                look.hmget(names.session(seat.session.token), [f"?{request}" for request in waiting])
            replies = await look.execute(raise_on_error=False)
        if passing := next((reply for reply in replies if isinstance(reply, PASSING)), None):
            raise passing
        depths: dict[Lane, int] = {}
        for lane, length, groups in zip(Lane, replies[::2], replies[1::2], strict=False):
            # an error where no stream is yet
            depths[lane] = backlog.waiting(length, groups if isinstance(groups, list) else [])
        # an error where a session cannot be read: the audit finds it
        found = zip(replies[2 * len(Lane) :], due, strict=True)
        return depths, [marks if isinstance(marks, list) else [None] * len(waiting) for marks, (_, waiting) in found]


def read(request: str, text: bytes | None, depths: dict[Lane, int], now: float) -> Progress:
    """What stands for a request in its session's hash says what becomes of it; `now` in ms since 1970."""
    id = Raw(request.encode())
    mark = read_mark(text)
    if not isinstance(mark, Mark):  # it waits to be written, or its answer comes
        return Progress(id, "queued")
    verdict = Verdict.PROBABLY_PRIME.value if mark.lane is Lane.PROOF else None
    if mark.started:
        return Progress(id, "running", seconds=round(max(0.0, now - mark.started) / 1000, 1), verdict=verdict)
    return Progress(id, "queued", depth=depths[mark.lane], verdict=verdict)
