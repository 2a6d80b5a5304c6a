"""What this worker holds: claims on which it must renew the lease until their answers are out."""

import asyncio
import logging
import time
from collections import Counter as Counts
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge

from services.broker.connection import PASSING, Backoff
from services.broker.finish import DeadLetter
from services.jobs.chunks import Outcome
from services.jobs.messages import Answer, Verdict
from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.runtime.logs import about, veil
from services.worker.claims.consumer import Claim, Consumer

log = logging.getLogger(__name__)

JOBS = Counter("primes_worker_jobs_total", "Jobs answered", ["lane", "verdict"])
COMPUTE = BatchHistogram(
    "primes_worker_compute_seconds",
    "Computation of one job",
    ["lane"],
    buckets=(2e-6, 5e-6, 1e-5, 5e-5, 2e-4, 1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)
QUEUE_WAIT = BatchHistogram(
    "primes_worker_queue_wait_seconds",
    "From the write of a stream entry to its claim",
    ["lane"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)
RUNNING = Gauge("primes_worker_running", "Stream entries held and not yet answered", ["lane"])
LEASES_LOST = Counter(
    "primes_worker_leases_lost_total", "Claims that another worker took over, or that were lost with Redis", ["lane"]
)
CANCELLED = Counter("primes_worker_cancelled_total", "Entries whose computation was stopped, since nobody wants it", ["lane"])

_jobs = {(lane, outcome): JOBS.labels(lane, outcome) for lane in Lane for outcome in [*Verdict, "failed"]}
_compute = {lane: COMPUTE.labels(lane) for lane in Lane}
_queue_wait = {lane: QUEUE_WAIT.labels(lane) for lane in Lane}
_leases_lost = {lane: LEASES_LOST.labels(lane) for lane in Lane}
_cancelled = {lane: CANCELLED.labels(lane) for lane in Lane}

T = TypeVar("T")

RENEWALS = 3  # a lease is renewed at least this many times in its length: two may fail before it runs out
ROUND = 1.0  # seconds between two renewals at most: they find what was cancelled while the announcement was lost
LONG = 1.0  # seconds after which a job's client may be told since when it runs


@dataclass(slots=True, eq=False)
class Held:
    """A claim, and the task that computes it, if that is one of its own."""

    claim: Claim
    task: asyncio.Task[None] | None
    since: float  # seconds since 1970
    marked: bool = False  # whether its clients can be told since when it runs


class Leases:
    """Claims lie here from `take` until `finish` has got their answers out, through whatever befalls Redis."""

    def __init__(self, consumer: Consumer, lease: float) -> None:
        self._consumer = consumer
        self._lease = lease
        self._held: dict[tuple[Lane, bytes], Held] = {}
        for lane in Lane:
            RUNNING.labels(lane).set_function(partial(self._count, lane))

    @property
    def held(self) -> list[Claim]:
        """Everything that is claimed and not answered."""
        return [held.claim for held in self._held.values()]

    def ids(self, lane: Lane) -> set[bytes]:
        """The entries held of one lane."""
        return {claim.id for claim in self.held if claim.lane is lane}

    def _count(self, lane: Lane) -> int:
        return len(self.ids(lane))

    def take(self, *claims: Claim, task: asyncio.Task[None] | None = None) -> None:
        """Hold claims of one lane; `task` is cancelled when the lease is lost."""
        now = time.time()
        for claim in claims:
            self._held[claim.lane, claim.id] = Held(claim, task, now)
        _queue_wait[claims[0].lane].observe_all([claim.queue_ms / 1000 for claim in claims])

    def drop(self, claim: Claim) -> None:
        """Hold a claim no more."""
        self._held.pop((claim.lane, claim.id), None)

    async def finish(self, claims: list[Claim], answers: list[list[Answer]], dead: list[DeadLetter]) -> None:
        """Answer and acknowledge claims of one lane, trying until Redis has it."""
        await self.persist(lambda: self._consumer.finish(claims, answers, dead))
        self._conclude(claims, answers)

    def send_finish(self, claims: list[Claim], answers: list[list[Answer]], failed: Callable[[], None]) -> "asyncio.Future[Any]":
        """`finish` for quick claims, which is written when this returns, and done when the future is.

        If that fails, `failed` is called in the same turn of the loop: `finish` may still succeed.
        """

        def conclude(sent: "asyncio.Future[Any]") -> None:
            if sent.cancelled() or sent.exception() is not None or not self._consumer.note_finish(sent.result()):
                failed()
            else:
                self._conclude(claims, answers)

        sent = self._consumer.send_finish(claims, answers)
        sent.add_done_callback(conclude)
        return sent

    def _conclude(self, claims: list[Claim], answers: list[list[Answer]]) -> None:
        for claim in claims:
            self.drop(claim)
        self._tally(claims[0].lane, [answer for answered in answers for answer in answered])
        if log.isEnabledFor(logging.DEBUG):
            for claim, answered in zip(claims, answers, strict=True):
                tell(claim, answered)

    def count(self, claim: Claim, answers: list[Answer]) -> None:
        """Count what was answered."""
        self._tally(claim.lane, answers)
        if log.isEnabledFor(logging.DEBUG):
            tell(claim, answers)

    def _tally(self, lane: Lane, answers: Sequence[Answer]) -> None:
        for outcome, number in Counts(["failed" if answer.fault else answer.verdict for answer in answers]).items():
            _jobs[lane, outcome].inc(number)
        _compute[lane].observe_all([answer.compute_us / 1e6 for answer in answers])

    async def store(self, claim: Claim, outcome: Outcome, dead: Sequence[DeadLetter] = ()) -> None:
        """Keep the outcome of a chunk and acknowledge it, trying until Redis has it."""
        await self.persist(lambda: self._consumer.store(claim, outcome, dead))
        self.drop(claim)
        for result, lines in outcome.tally():
            _jobs[claim.lane, "failed" if result.fault else result.verdict].inc(lines)

    async def persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Try until Redis has it, and return what it says."""
        backoff = Backoff()
        while True:
            try:
                return await write()
            except PASSING as error:
                log.warning("could not publish answers, will try again: %s", error)
                await asyncio.sleep(backoff.next())

    async def renew(self) -> None:
        """Renew the leases of all claims until cancelled; stop computing what is no longer ours."""
        while True:
            await asyncio.sleep(min(ROUND, self._lease / RENEWALS))
            if not self._held:
                continue
            try:
                lost = await self._consumer.renew(self.held)
                await self._mark_started()
                unwanted = await self._consumer.unwanted(self.held)
            except PASSING as error:
                log.warning("could not renew %d leases, will try again: %s", len(self._held), error)
                continue
            for claim in lost:
                if self._abandon(claim.lane, claim.id):
                    log.warning("lost the lease on entry %s of the %s lane, stop computing it", claim.id.decode(), claim.lane)
                    _leases_lost[claim.lane].inc()
            for claim in unwanted:
                if self._abandon(claim.lane, claim.id):
                    log.info("stop computing for upload %s…, which is gone", claim.upload[:6])
                    _cancelled[claim.lane].inc()

    async def _mark_started(self) -> None:
        """Let the clients of long jobs know since when they run."""
        before = time.time() - LONG
        long = [held for held in self._held.values() if held.task and not held.marked and held.since <= before]
        if long:
            await self._consumer.mark_started([held.claim for held in long], [held.since for held in long])
        for held in long:
            held.marked = True

    def hear_cancellation(self, payload: bytes) -> None:
        """Entries were deleted because nobody wants their answers any more."""
        lane, *ids = payload.split()
        for id in ids:
            if self._abandon(Lane(lane.decode()), id):
                _cancelled[Lane(lane.decode())].inc()

    def _abandon(self, lane: Lane, id: bytes) -> bool:
        """Hold a claim no more; returns whether its computation was stopped."""
        held = self._held.pop((lane, id), None)
        if held is None or held.task is None:
            return False
        held.task.cancel()
        return True


def tell(claim: Claim, answers: list[Answer]) -> None:
    """A line for each job of an entry."""
    jobs = {job.id: job for job in claim.jobs}
    for answer in answers:
        job = jobs.get(answer.id, claim.jobs[0])  # the kept answer of a run has the id of whoever asked first
        ids = {"request": job.request, "session": veil(job.session), "job": f"{claim.reply_to}/{job.id}"}
        computed = {"outcome": answer.fault or answer.verdict, "ms": answer.compute_us / 1000}
        log.debug("computed", extra=about(**ids, lane=claim.lane, entry=claim.id.decode(), **computed))
