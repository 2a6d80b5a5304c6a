"""How often a job is computed that ends its processes: it is poison after so many."""

import logging

from services.broker.finish import DeadLetter
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.claims.claim import Entry
from services.worker.compute.child_process import ChildProcess, Died, Look
from services.worker.compute.frames import Report

log = logging.getLogger(__name__)


class Attempts:
    """A job that ends its child is tried again in a new one, `most` times in all; an entry that was delivered more often than
    that is not computed at all. Either way its job becomes a dead letter and its client is told.
    """

    def __init__(self, most: int, consumer: str) -> None:
        """`consumer`: the worker's name, for the dead letter."""
        self._most = most
        self._consumer = consumer

    async def compute(
        self, claim: Entry, job: Job, child: ChildProcess, dead: list[DeadLetter], look: Look | None = None
    ) -> Report:
        """One job's answer; adds to `dead` when the job was delivered too often, or ended every child it was given."""
        if claim.deliveries > self._most:
            dead.append(DeadLetter(job, f"delivered {claim.deliveries - 1} times without an answer", self._consumer))
            return poisoned(job)
        for _ in range(self._most):
            try:
                return await child.compute(job, look)
            except Died as error:
                log.warning("a job of %d digits in the %s lane: %s", len(job.number), claim.lane, error)
                last = error
        dead.append(DeadLetter(job, f"{last}, {self._most} times", self._consumer))
        return poisoned(job)


def poisoned(job: Job) -> Report:
    """What the client of a dead letter is told."""
    return Report(Answer(job.id, Verdict.UNKNOWN, fault=Fault.POISON))
