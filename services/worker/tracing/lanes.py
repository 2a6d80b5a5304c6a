"""The parts of the lanes that tell of traced jobs; they stand in the places of those that do not."""

import time
from collections.abc import Sequence

import redis.asyncio

from services.broker.finish import DeadLetter
from services.jobs.messages import Answer, Job, trace_of
from services.worker.claims.claim import BatchClaim, Entry, KnownClaim, RunClaim
from services.worker.compute.child_process import ChildProcess, Look
from services.worker.compute.frames import Report
from services.worker.lanes.attempts import Attempts
from services.worker.lanes.quick import compute_batch
from services.worker.lanes.runs import Runs, Waiter
from services.worker.tracing.spans import Spans


class TracedBatches:
    """As `compute_batch`."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def __call__(self, claim: BatchClaim) -> list[Answer]:
        """The answer to each of its jobs; of known ones nothing was computed."""
        started = time.time_ns()
        answers = compute_batch(claim)
        if isinstance(claim, KnownClaim):
            for trace in filter(None, map(trace_of, claim.jobs)):
                self._spans.tell_queue(claim, trace)
        else:
            self._spans.tell_batch(claim, claim.jobs, answers, started)
        return answers


class TracedAttempts(Attempts):
    """Tells of what a child process computed."""

    def __init__(self, redis: redis.asyncio.Redis, most: int, consumer: str, spans: Spans) -> None:
        super().__init__(redis, most, consumer)
        self._spans = spans

    async def compute(
        self, claim: Entry, job: Job, child: ChildProcess, dead: list[DeadLetter], look: Look | None = None
    ) -> Report:
        """As `Attempts.compute`."""
        started = time.time_ns()
        report = await super().compute(claim, job, child, dead, look)
        self._spans.tell(claim, job, report.answer, started, time.time_ns())
        return report


class TracedRuns(Runs):
    """Tells of those that joined a run."""

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, cache_ttl: int, spans: Spans) -> None:
        super().__init__(redis, consumer, cache_ttl)
        self._spans = spans

    async def _close(self, claim: RunClaim, answer: Answer, deserted: bool) -> list[Waiter] | None:
        waiting = await super()._close(claim, answer, deserted)
        self._tell(claim, answer, waiting or ())
        return waiting

    def _tell(self, claim: RunClaim, answer: Answer, waiting: Sequence[Waiter]) -> None:
        ended = time.time_ns()
        first = trace_of(claim.job)
        for each in waiting:
            if each.asker.trace and each.asker.trace != first:
                self._spans.tell_joined(claim, claim.job, each.asker.trace, answer, ended)
