"""Entries computed in child processes: every heavy one, every proof, and those whose first worker died with them."""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import msgspec
from prometheus_client import Counter

from services.broker.connection import PASSING, Backoff
from services.broker.finish import DeadLetter
from services.jobs.chunks import Outcome
from services.jobs.evidence import Certificate
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.jobs.names import Lane
from services.worker.claims.consumer import Claim, Consumer
from services.worker.claims.leases import Leases
from services.worker.compute.child_process import ChildProcess, Died, Look
from services.worker.compute.frames import Report
from services.worker.lanes.bell import Bell
from services.worker.lanes.runs import Runs, crowded, wants_proof
from services.worker.prove.keep import Certificates

log = logging.getLogger(__name__)

TAKEOVERS = Counter("primes_worker_takeovers_total", "Entries taken over after their lease ran out", ["lane"])
for _lane in Lane:
    TAKEOVERS.labels(_lane)


@dataclass(frozen=True, slots=True)
class Office:
    """What the lanes of a worker share."""

    consumer: Consumer
    leases: Leases
    runs: Runs
    certificates: Certificates


class IsolatedLane:
    """One lane's child processes. An entry is claimed only when a child is free for it, so none waits in a busy worker.

    A job that ends its child is tried again in a new one, `max_deliveries` times in all; an entry that was delivered more
    often than that is not computed at all. Either way its jobs become dead letters and their clients are told.
    """

    def __init__(self, lane: Lane, office: Office, computers: Iterable[ChildProcess], most_deliveries: int, *, new: bool) -> None:
        """`new`: claim new entries too, not only those whose lease ran out."""
        self._lane = lane
        self._consumer = office.consumer
        self._leases = office.leases
        self._runs = office.runs
        self._certificates = office.certificates
        self._new = new
        self._most = most_deliveries
        self.bell = Bell()
        self._overdue = True  # whether leases may have run out since the last look
        self._free: asyncio.Queue[ChildProcess] = asyncio.Queue()
        for computer in computers:
            self._free.put_nowait(computer)

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
                    if self._lane is Lane.HEAVY:  # its clients wait for milliseconds; a proof takes longer than this start
                        await computer.warm()
                    self._free.put_nowait(computer)
                    await self.bell.wait()
                else:
                    self._leases.take(claim, task=running.create_task(self._answer(claim, computer)))
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
        claims = await self._consumer.read(self._lane, 1, self._leases.ids(self._lane))
        return claims[0] if claims else None

    async def _answer(self, claim: Claim, computer: ChildProcess) -> None:
        """Compute an entry and answer it."""
        try:
            if claim.chunk or self._lane is Lane.QUICK:
                await self._answer_jobs(claim, computer)
            else:
                await self._answer_run(claim, computer)
        finally:
            self._leases.drop(claim)
            self._free.put_nowait(computer)

    async def _answer_jobs(self, claim: Claim, computer: ChildProcess) -> None:
        """Compute an entry's jobs one by one and answer them."""
        if await self._unwanted(claim):
            return
        dead: list[DeadLetter] = []
        jobs = claim.chunk.jobs() if claim.chunk else claim.jobs
        answers = [claim.answer(job) or (await self._compute(claim, job, computer, dead)).answer for job in jobs]
        timed = [msgspec.structs.replace(answer, queue_ms=claim.queue_ms) for answer in answers]
        if claim.chunk:
            await self._leases.store(claim, Outcome.of_answers(claim.chunk, timed), dead)
        else:
            await self._leases.finish([claim], [timed], dead)

    async def _answer_run(self, claim: Claim, computer: ChildProcess) -> None:
        """Compute for all who wait, unless somebody did so meanwhile; what is to be proven moves on."""
        dead: list[DeadLetter] = []
        job = claim.jobs[0]
        known = await self._runs.find_known(claim)
        look = partial(self._runs.look, claim, time.monotonic())
        report = Report(known) if known else await self._compute(claim, job, computer, dead, look)
        answer = msgspec.structs.replace(report.answer, queue_ms=claim.queue_ms)
        if self._lane is Lane.HEAVY and wants_proof(job, answer):
            if await self._leases.persist(lambda: self._runs.promote(claim, answer)):
                return
            answer = crowded(answer)
        if isinstance(answer.evidence, Certificate) and report.pari:
            certificate = answer.evidence.sha256
            await self._leases.persist(lambda: self._certificates.keep(certificate, report.primo, report.pari))
        await self._leases.persist(lambda: self._runs.finish(claim, answer, dead))
        self._leases.count(claim, [answer])

    async def _unwanted(self, claim: Claim) -> bool:
        """Whether it is a chunk of an upload that is gone; if Redis cannot tell, the next renewal of the lease will."""
        try:
            return bool(await self._consumer.unwanted([claim]))
        except PASSING:
            return False

    async def _compute(
        self, claim: Claim, job: Job, computer: ChildProcess, dead: list[DeadLetter], look: Look | None = None
    ) -> Report:
        """One job's answer; adds to `dead` when the job was delivered too often, or ended every child it was given."""
        if claim.deliveries > self._most:
            dead.append(DeadLetter(job, f"delivered {claim.deliveries - 1} times without an answer", self._consumer.name))
            return poisoned(job)
        for _ in range(self._most):
            try:
                return await computer.compute(job, look)
            except Died as error:
                log.warning("a job of %d digits in the %s lane: %s", len(job.number), self._lane, error)
                last = error
        dead.append(DeadLetter(job, f"{last}, {self._most} times", self._consumer.name))
        return poisoned(job)


def poisoned(job: Job) -> Report:
    """What the client of a dead letter is told."""
    return Report(Answer(job.id, Verdict.UNKNOWN, fault=Fault.POISON))
