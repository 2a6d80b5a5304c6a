"""Ends jobs before a worker answers them: nobody waits any more, a client cancels, the time is over."""

import asyncio
import contextlib
import enum
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import Counter
from redis.exceptions import ConnectionError

from services.broker.connection import PASSING, Backoff
from services.broker.pulse import INTERVAL
from services.jobs.messages import Fault
from services.jobs.names import Lane
from services.web.queue.answers import Answers
from services.web.queue.audit import RESENT
from services.web.queue.cleanup import Cleanup
from services.web.queue.ledger import Entry, Ledger, Pending
from services.web.queue.writer import Writer

log = logging.getLogger(__name__)

CANCELLED = Counter("primes_web_jobs_cancelled_total", "Jobs that nobody waited for any more")

PATIENCE = 2.0  # seconds that a cancellation is tried for, and once more until Redis' own timeout: its socket is not read meanwhile


class Ending(enum.Enum):
    """What became of the attempt to end a request."""

    ENDED = enum.auto()  # its answer is the fault
    ANSWERED = enum.auto()  # it has another answer, or is sure to get one
    UNKNOWN = enum.auto()  # Redis has neither a mark nor an answer of it


class Requests(Protocol):
    """The sessions' requests, as Redis has them."""

    async def end(self, token: str, request: str, fault: Fault, *, again: bool) -> Ending:
        """Answer a request with this fault, wherever its job is. `again`: an earlier attempt may have done so."""


class Unclear(ConnectionError):
    """It is not known whether Redis has the request."""


class Cancellation:
    """A session's request is answered in Redis, which alone knows whether it has an answer; of others this process decides."""

    def __init__(
        self, ledger: Ledger, writers: Mapping[Lane, Writer], answers: Answers, requests: Requests, cleanup: Cleanup
    ) -> None:
        self._ledger = ledger
        self._writers = writers
        self._answers = answers
        self._requests = requests
        self._cleanup = cleanup

    def forsake(self, jobs: Iterable[int]) -> None:
        """Nobody waits for these jobs any more: those that wait are not begun, a costly one that runs is stopped."""
        before = len(self._ledger)
        self._cleanup.discard(self._ledger.cancel(jobs))
        CANCELLED.inc(before - len(self._ledger))

    async def cancel(self, session: str, request: str, job: int | None) -> bool:
        """Answer a session's request with the fault CANCELLED; returns whether it had no other answer.

        Tries again for PATIENCE, since an attempt whose reply was lost may have done it. Raises what the Redis client raises: then
        that remains unknown, and the request's own answer will tell.
        """
        until = time.monotonic() + PATIENCE
        backoff, again = Backoff(), False
        while True:
            pending = self._ledger.get(job) if job is not None else None
            try:
                if pending is not None:
                    await self._written(pending, until)
                    return await self._end(pending, Fault.CANCELLED, again=again)
                return await self._requests.end(session, request, Fault.CANCELLED, again=again) is Ending.ENDED
            except PASSING as error:
                if time.monotonic() > until:
                    raise
                log.warning("could not cancel a job, will try again: %s", error)
                again = True
            await asyncio.sleep(backoff.next())

    async def _written(self, pending: Pending, until: float) -> None:
        """Have a job written that is not in Redis, and wait for that; `until` (time.monotonic()) at most."""
        if _entry(pending) is None:
            self._ledger.hurry(pending)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._writers[pending.lane].written()

    async def _end(self, pending: Pending, fault: Fault, *, again: bool = False) -> bool:
        """Answer a session's job with this fault; returns whether it had no other answer. Raises Unclear, and what the Redis client
        raises.

        It is answered in Redis alone, over whatever socket its request comes again: what is not there, or is lost there, is written
        first.
        """
        entry = _entry(pending)
        if entry is None:
            raise Unclear("the request is not in Redis yet")
        ending = await self._requests.end(pending.job.session, pending.job.request, fault, again=again)
        if ending is not Ending.UNKNOWN:
            return ending is Ending.ENDED
        resent, given_up = self._ledger.rewrite(pending, entry)
        RESENT.labels(pending.lane).inc(resent)
        self._answers.give_up(given_up)
        raise Unclear("Redis has lost the request")

    async def run(self) -> None:
        """Every second, answer sessions' jobs whose time is over before a worker did, and forget others', until cancelled."""
        overdue: dict[int, None] = {}  # jobs of sessions, in the order in which they are to be ended
        while True:
            for pending in self._ledger.expired():  # again a second later, as long as it is not answered
                if pending.job.session:
                    overdue.setdefault(pending.job.id)
                else:  # whoever waited for it had a clock of his own
                    self.forsake([pending.job.id])
            await self._end_all(overdue)
            await asyncio.sleep(INTERVAL)

    async def _end_all(self, overdue: dict[int, None]) -> None:
        """End these jobs, and let go of those that are ended or unclear. The first one that Redis fails to end goes last, and the
        others wait for the next round: a Redis that is away costs one timeout a round, and no job those behind it.
        """
        for id in list(overdue):
            del overdue[id]
            pending = self._ledger.get(id)
            if pending is None:
                continue
            if _entry(pending) is None:
                self._ledger.hurry(pending)
                continue
            try:
                await self._end(pending, Fault.DEADLINE)
            except Unclear:
                continue
            except PASSING as error:
                log.warning("could not answer a job whose time is over, will try again: %s", error)
                overdue[id] = None
                break


def _entry(pending: Pending) -> Entry | None:
    """The job's entry in Redis; None while it has none."""
    return pending.entry if pending.entry is not None and pending.entry.id else None
