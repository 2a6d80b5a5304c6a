"""How often a job is computed that ends its processes: it is poison after so many."""

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

import redis.asyncio

from services.broker.connection import PASSING
from services.broker.finish import DeadLetter
from services.broker.script import Script
from services.jobs import names
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.claims.claim import Entry
from services.worker.compute.child_process import ChildProcess, Look
from services.worker.compute.frames import Report
from services.worker.compute.killable_process import AGAIN, Died, NotStarted

log = logging.getLogger(__name__)

BEGIN_ATTEMPT = Script(Path(__file__).parent / "scripts" / "begin_attempt.lua")

STARTS = 5  # times that a child may fail to start for one job

MOST_ENDED = 1_000  # stopped computations remembered until Redis can be told; above, the oldest is left to count


class Attempts:
    """A job that ends its child is tried again in a new one, `most` times in all. One that `most` workers began and did not live to
    end is not computed at all. Either way it becomes a dead letter and its client is told.

    A worker that lives and stops a computation, since its lease was lost or it shall stop itself, says that this was no fault
    of the job. What is delivered for the first time is not noted: most jobs never are a second time.
    """

    def __init__(self, redis: redis.asyncio.Redis, most: int, consumer: str) -> None:
        """`consumer`: the worker's name."""
        self._redis = redis
        self._most = most
        self._consumer = consumer
        self._stopped: OrderedDict[str, None] = OrderedDict()  # keys of attempts that ended by no fault of their jobs

    async def compute(
        self, claim: Entry, job: Job, child: ChildProcess, dead: list[DeadLetter], look: Look | None = None
    ) -> Report:
        """One job's answer; adds to `dead` when the job ended every child, or every worker, that it was given."""
        ended = await self._begin(claim, job) if claim.deliveries > 1 else 0
        if ended >= self._most:
            dead.append(DeadLetter(job, f"{ended} workers ended while they computed it", self._consumer))
            return poisoned(job)
        try:
            return await self._try(claim, job, child, dead, look)
        except asyncio.CancelledError:
            if claim.deliveries > 1:
                self._note_stopped(claim)
            raise

    async def _begin(self, claim: Entry, job: Job) -> int:
        """How many workers ended with this job in hand; noted, if we may be one of them."""
        keys, arguments = begin_call(claim, job, self._consumer, self._most)
        try:
            return int(await BEGIN_ATTEMPT(self._redis, keys, *arguments))
        except PASSING as error:
            log.warning("could not note an attempt, it will not count: %s", error)
            return 0

    async def _try(self, claim: Entry, job: Job, child: ChildProcess, dead: list[DeadLetter], look: Look | None) -> Report:
        ended = starts = 0
        while ended < self._most:
            try:
                return await child.compute(job, look)
            except NotStarted as error:
                log.warning("%s", error)
                starts += 1
                if starts == STARTS:
                    raise  # it ends the worker: another one may have more luck with this machine's children
                await asyncio.sleep(AGAIN)
            except Died as error:
                log.warning("a job of %d digits in the %s lane: %s", len(job.number), claim.lane, error)
                ended, last = ended + 1, error
        dead.append(DeadLetter(job, f"{last}, {self._most} times", self._consumer))
        return poisoned(job)

    def _note_stopped(self, claim: Entry) -> None:
        self._stopped[names.attempts(claim.lane, claim.id.decode())] = None
        if len(self._stopped) > MOST_ENDED:
            self._stopped.popitem(last=False)

    async def excuse(self) -> None:
        """Say of what was stopped that it was no fault of the jobs. Raises what the Redis client raises."""
        while self._stopped:
            key = next(iter(self._stopped))
            await self._redis.hdel(key, self._consumer)
            self._stopped.pop(key, None)


def poisoned(job: Job) -> Report:
    """What the client of a dead letter is told."""
    return Report(Answer(job.id, Verdict.UNKNOWN, fault=Fault.POISON))


def begin_call(claim: Entry, job: Job, consumer: str, most: int) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of begin_attempt.lua."""
    return [names.attempts(claim.lane, claim.id.decode())], [consumer, job.id, most, names.ATTEMPTS_TTL]
