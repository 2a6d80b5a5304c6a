"""Quick entries, computed in the worker's own process, many to a turn."""

import asyncio
import logging

from services.jobs.connection import PASSING, Backoff
from services.jobs.messages import Answer
from services.jobs.names import Lane
from services.worker.bell import Bell
from services.worker.child import compute
from services.worker.chunks import examine_all
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
                claims = await self._consumer.read(Lane.QUICK, READ, self._desk.ids(Lane.QUICK))
            except PASSING as error:
                log.warning("could not read the quick lane, will try again: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            if claims:
                await self._answer(claims)
            else:
                await self.bell.wait()

    async def _answer(self, claims: list[Claim]) -> None:
        """Jobs whose clients wait for them first, then chunks of uploads: the next is computed while the last is stored."""
        for claim in claims:
            self._desk.take(claim)
        if plain := [claim for claim in claims if claim.chunk is None]:
            await self._desk.finish(plain, [await self._compute(claim) for claim in plain], [])
        async with asyncio.TaskGroup() as storing:
            for claim in claims:
                if claim.chunk is not None:
                    storing.create_task(self._desk.store(claim, examine_all(claim.chunk)))
                    await asyncio.sleep(0)

    async def _compute(self, claim: Claim) -> list[Answer]:
        """The answers to one entry, about a millisecond of work; others may run after it."""
        answers = [claim.answer(job) or compute(job, claim.queue_ms) for job in claim.jobs]
        await asyncio.sleep(0)
        return answers
