"""Entries computed in child processes: every heavy one, and those whose first worker died with them."""

import asyncio
import logging

import msgspec
from prometheus_client import Counter

from services.jobs.chunks import Outcome
from services.jobs.connection import PASSING, Backoff
from services.jobs.finish import DeadLetter
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.jobs.names import Lane
from services.worker.bell import Bell
from services.worker.computer import Computer, Died
from services.worker.consumer import Claim, Consumer
from services.worker.desk import Desk
from services.worker.settings import WorkerSettings

log = logging.getLogger(__name__)

TAKEOVERS = Counter("primes_worker_takeovers_total", "Entries taken over after their lease ran out", ["lane"])
for _lane in Lane:
    TAKEOVERS.labels(_lane)


class Isolated:
    """One lane's child processes. An entry is claimed only when a child is free for it, so none waits in a busy worker.

    A job that ends its child is tried again in a new one, `max_deliveries` times in all; an entry that was delivered more
    often than that is not computed at all. Either way its jobs become dead letters and their clients are told.
    """

    def __init__(self, lane: Lane, consumer: Consumer, desk: Desk, settings: WorkerSettings, children: int, *, new: bool) -> None:
        """`new`: claim new entries too, not only those whose lease ran out."""
        self._lane = lane
        self._consumer = consumer
        self._desk = desk
        self._new = new
        self._most = settings.max_deliveries
        self.bell = Bell()
        self._overdue = True  # whether leases may have run out since the last look
        self._free: asyncio.Queue[Computer] = asyncio.Queue()
        for _ in range(children):
            self._free.put_nowait(Computer(settings.child_memory, settings.deadline))

    def sweep(self) -> None:
        """Look for leases that ran out, and for new entries whose announcement was lost."""
        self._overdue = True
        self.bell.ring()

    async def run(self) -> None:
        """Claim, compute, answer until the bell says stop and what is held is answered.

        Cancelled, it ends its child processes too.
        """
        backoff = Backoff()
        async with asyncio.TaskGroup() as running:
            while not self.bell.stopped:
                computer = await self._free.get()
                try:
                    claim = await self._next()
                except PASSING as error:
                    log.warning("could not claim from the %s lane, will try again: %s", self._lane, error)
                    self._free.put_nowait(computer)
                    await asyncio.sleep(backoff.next())
                    continue
                backoff.reset()
                if claim is None:
                    self._free.put_nowait(computer)
                    await self.bell.wait()
                else:
                    self._desk.take(claim, running.create_task(self._answer(claim, computer)))
        while not self._free.empty():
            await self._free.get_nowait().close()

    async def _next(self) -> Claim | None:
        """One claim: the oldest overdue one first, then a new one."""
        self.bell.looking()
        if self.bell.stopped:
            return None
        if self._overdue:
            for claim in await self._consumer.take_over(self._lane):
                TAKEOVERS.labels(self._lane).inc()
                return claim
            self._overdue = False
        if not self._new:
            return None
        claims = await self._consumer.read(self._lane, 1, self._desk.ids(self._lane))
        return claims[0] if claims else None

    async def _answer(self, claim: Claim, computer: Computer) -> None:
        """Compute an entry's jobs one by one and answer them."""
        dead: list[DeadLetter] = []
        jobs = claim.chunk.jobs() if claim.chunk else claim.jobs
        try:
            if await self._unwanted(claim):
                return
            if claim.deliveries > self._most:
                reason = f"delivered {claim.deliveries - 1} times without an answer"
                dead = [DeadLetter(job, reason, self._consumer.name) for job in jobs]
                answers = [poisoned(job) for job in jobs]
            else:
                answers = [await self._compute(job, computer, dead) for job in jobs]
            timed = [msgspec.structs.replace(answer, queue_ms=claim.queue_ms) for answer in answers]
            if claim.chunk:
                await self._desk.store(claim, Outcome.of_answers(claim.chunk, timed), dead)
            else:
                await self._desk.finish([claim], [timed], dead)
        finally:
            self._desk.drop(claim)
            self._free.put_nowait(computer)

    async def _unwanted(self, claim: Claim) -> bool:
        """Whether it is a chunk of an upload that is gone; if Redis cannot tell, the next renewal of the lease will."""
        try:
            return bool(await self._consumer.unwanted([claim]))
        except PASSING:
            return False

    async def _compute(self, job: Job, computer: Computer, dead: list[DeadLetter]) -> Answer:
        """One job's answer; adds to `dead` when the job ended every child it was given."""
        for _ in range(self._most):
            try:
                return await computer.compute(job)
            except Died as error:
                log.warning("a job of %d digits in the %s lane: %s", len(job.number), self._lane, error)
                last = error
        dead.append(DeadLetter(job, f"{last}, {self._most} times", self._consumer.name))
        return poisoned(job)


def poisoned(job: Job) -> Answer:
    """What the client of a dead letter is told."""
    return Answer(job.id, Verdict.UNKNOWN, fault=Fault.POISON)
