"""What a worker counts of the answers that it gave."""

import logging
from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import Counter

from services.jobs.chunks import Outcome
from services.jobs.messages import Answer, Verdict
from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.runtime.logs import about, veil
from services.worker.claims.claim import BatchClaim, ChunkClaim, RunClaim, jobs_of

log = logging.getLogger(__name__)

DEAD_LETTERS = Counter("primes_worker_dead_letters_total", "Jobs set aside as dead letters", ["lane"])
UNHEARD = Counter("primes_worker_unheard_total", "Publications of answers for which no web process listened")
JOBS = Counter("primes_worker_jobs_total", "Jobs answered", ["lane", "verdict"])
COMPUTE = BatchHistogram(
    "primes_worker_compute_seconds",
    "Computation of one job",
    ["lane"],
    buckets=(2e-6, 5e-6, 1e-5, 5e-5, 2e-4, 1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)

for _lane in Lane:
    DEAD_LETTERS.labels(_lane)
_jobs = {(lane, outcome): JOBS.labels(lane, outcome) for lane in Lane for outcome in [*Verdict, "failed"]}
_compute = {lane: COMPUTE.labels(lane) for lane in Lane}


def count_answers(lane: Lane, answers: Sequence[Answer]) -> None:
    """Count jobs of one lane that were answered."""
    for outcome, number in Counts(["failed" if answer.fault else answer.verdict for answer in answers]).items():
        _jobs[lane, outcome].inc(number)
    _compute[lane].observe_all([answer.compute_us / 1e6 for answer in answers])


def count_outcome(claim: ChunkClaim, outcome: Outcome) -> None:
    """Count the lines of a chunk."""
    for result, lines in outcome.tally():
        _jobs[claim.lane, "failed" if result.fault else result.verdict].inc(lines)


def trace(claims: Sequence[BatchClaim | RunClaim], answers: Sequence[Sequence[Answer]]) -> None:
    """A line of the log for each answer to these entries, if anybody reads so much."""
    if log.isEnabledFor(logging.DEBUG):
        for claim, answered in zip(claims, answers, strict=True):
            _trace_entry(claim, answered)


def _trace_entry(claim: BatchClaim | RunClaim, answers: Sequence[Answer]) -> None:
    asked = jobs_of(claim)
    jobs = {job.id: job for job in asked}
    for answer in answers:
        job = jobs.get(answer.id, asked[0])  # the kept answer of a run has the id of whoever asked first
        ids = {"request": job.request, "session": veil(job.session), "job": f"{claim.reply_to}/{job.id}"}
        computed = {"outcome": answer.fault or answer.verdict, "ms": answer.compute_us / 1000}
        log.debug("computed", extra=about(**ids, lane=claim.lane, entry=claim.id.decode(), **computed))
