"""Quick entries, computed in the worker's own process, many to a turn."""

import asyncio
import logging

from services.jobs.connection import PASSING, Backoff
from services.jobs.messages import Answer
from services.jobs.names import Lane
from services.worker.bell import Bell
from services.worker.child import compute
from services.worker.consumer import Claim, Consumer
from services.worker.desk import Desk

log = logging.getLogger(__name__)

READ = 8  # entries claimed at once: a few milliseconds of work at most, so that another worker gets its share


class Inline:
    """Claims new entries of the quick lane as long as there are any, then sleeps until the bell."""

    def __init__(self, consumer: Consumer, desk: Desk) -> None:
        self._consumer = consumer
        self._desk = desk
        self.bell = Bell()

    async def run(self) -> None:
        """Claim, compute, answer until the bell says stop and what is held is answered."""
        backoff = Backoff()
        while not self.bell.stopped:
            self.bell.looking()
            try:
                claims = await self._consumer.read(Lane.QUICK, READ)
            except PASSING as error:
                log.warning("could not read the quick lane, will try again: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            if claims:
                await self._desk.finish(claims, [await self._compute(claim) for claim in claims], [])
            else:
                await self.bell.wait()

    async def _compute(self, claim: Claim) -> list[Answer]:
        """The answers to one entry, about a millisecond of work; others may run after it."""
        self._desk.take(claim)
        answers = [compute(job, claim.queue_ms) for job in claim.jobs]
        await asyncio.sleep(0)
        return answers
