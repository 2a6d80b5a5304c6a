"""Closes answered jobs in the ledger, tells those who wait in this process, and counts."""

import logging
import time
from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import Counter

from services.jobs.messages import Answer, Fault, Verdict
from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.runtime.logs import about, veil
from services.web.queue.ledger import Ledger, Pending

log = logging.getLogger(__name__)

ANSWERED = Counter("primes_web_jobs_answered_total", "Answers given, each job once", ["lane", "verdict"])
REPEATED = Counter("primes_web_answers_repeated_total", "Answers to jobs that were answered already, dropped")
DURATION = BatchHistogram(
    "primes_web_job_seconds",
    "From acceptance to answer, in the web process",
    ["lane"],
    # from an idle service's two milliseconds to the longest job's minutes
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)

FAILED = (Fault.POISON, Fault.LOST)  # faults of ours, one label; the others are the client's wish, number or limit, each its own
OUTCOMES = [*Verdict, "failed", *(fault.value for fault in Fault if fault not in FAILED)]
_answered = {(lane, outcome): ANSWERED.labels(lane, outcome) for lane in Lane for outcome in OUTCOMES}
_duration = {lane: DURATION.labels(lane) for lane in Lane}


def outcome(answer: Answer) -> str:
    """How the metrics call it."""
    if answer.fault is None:
        return answer.verdict
    return "failed" if answer.fault in FAILED else answer.fault


def note_exemplar(lane: Lane, seconds: float, trace: int) -> None:
    """A traced job that was answered after so many seconds, beside the others of its bucket."""
    _duration[lane].note_exemplar(seconds, f"{trace:032x}")


class Settlement:
    """Each job is answered once: the ledger knows it no longer when a second answer comes."""

    def __init__(self, ledger: Ledger, web: str) -> None:
        """`web`: name of this process, for the log."""
        self._ledger = ledger
        self._web = web

    def settle(self, answers: Iterable[Answer]) -> None:
        """Close these jobs, and tell their clients."""
        now = time.monotonic()
        settle = self._ledger.settle
        durations: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        outcomes: list[tuple[Lane, str]] = []
        tells = log.isEnabledFor(logging.DEBUG)
        for answer in answers:
            pending = settle(answer)
            if pending is None:
                REPEATED.inc()
                continue
            lane = pending.lane
            outcomes.append((lane, answer.verdict if answer.fault is None else outcome(answer)))
            durations[lane].append(now - pending.accepted)
            if tells:
                log.debug("answered", extra=self._about(pending, answer, now))
            pending.answered(answer)
        for each, number in Counts(outcomes).items():
            _answered[each].inc(number)
        for lane, seconds in durations.items():
            if seconds:
                _duration[lane].observe_all(seconds)

    def _about(self, pending: Pending, answer: Answer, now: float) -> dict[str, object]:
        ids = {"request": pending.job.request, "session": veil(pending.job.session), "job": f"{self._web}/{answer.id}"}
        return about(**ids, lane=pending.lane, outcome=outcome(answer), ms=round((now - pending.accepted) * 1000, 3))
