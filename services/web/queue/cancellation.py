"""Ends jobs before a worker answers them: nobody waits any more, a client cancels, the time is over."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import Counter
from redis.exceptions import ConnectionError

from services.broker.connection import PASSING
from services.broker.pulse import INTERVAL
from services.jobs.messages import Answer, Fault, Verdict
from services.jobs.names import Lane
from services.web.queue.answers import Answers
from services.web.queue.cleanup import Cleanup
from services.web.queue.ledger import Ledger, Pending
from services.web.queue.writer import Writer

log = logging.getLogger(__name__)

CANCELLED = Counter("primes_web_jobs_cancelled_total", "Jobs that nobody waited for any more")


class Requests(Protocol):
    """The sessions' requests, as Redis has them."""

    async def end(self, token: str, request: str, fault: Fault) -> bool:
        """Answer a request with this fault, wherever its job is; returns whether it had no other answer."""


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
        """Answer a session's request with the fault CANCELLED; returns whether it had no other answer."""
        pending = self._ledger.get(job) if job is not None else None
        if pending is not None:
            return await self._end(pending, Fault.CANCELLED)
        return await self._requests.end(session, request, Fault.CANCELLED)

    async def _end(self, pending: Pending, fault: Fault) -> bool:
        """Answer a session's job with this fault; returns whether it had no other answer.

        What Redis may have is answered there alone: it is written again first, so that its mark is sure to be found. Until then
        nobody can say anything of it, and ConnectionError is raised.
        """
        if pending.entry is not None and not pending.entry.id:
            await self._writers[pending.lane].known()
        if pending.entry is not None:
            return await self._requests.end(pending.job.session, pending.job.request, fault)
        if pending.doubtful:
            raise ConnectionError("it is not known whether Redis has the request")
        self._answers.give_up([Answer(pending.job.id, Verdict.UNKNOWN, fault=fault)])
        return True

    async def run(self) -> None:
        """Every second, answer sessions' jobs whose time is over before a worker did, and forget others', until cancelled."""
        while True:
            try:
                for pending in self._ledger.expired():
                    if pending.job.session:
                        if pending.entry is not None or not pending.doubtful:  # else a second later again
                            await self._end(pending, Fault.DEADLINE)
                    else:  # whoever waited for it had a clock of his own
                        self.forsake([pending.job.id])
            except PASSING as error:
                log.warning("could not answer jobs whose time is over, will try again: %s", error)
            await asyncio.sleep(INTERVAL)
