"""Spans of traced jobs, as a worker sees them: `queue`, until it claimed them, and `compute`."""

from collections.abc import Sequence

from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, Tracer, get_current_span

from services.jobs.messages import Answer, Job, trace_of
from services.runtime.tracing import read_context
from services.worker.claims.claim import Entry

MS = 1_000_000  # ns
US = 1_000  # ns


class Spans:
    """Each is told when it is over, by the clock of this machine: what a worker that was killed had in hand is not told."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def tell_batch(self, claim: Entry, jobs: Sequence[Job], answers: Sequence[Answer], started: int) -> None:
        """Jobs that were computed one after the other from `started` on (ns since 1970)."""
        for job, answer in zip(jobs, answers, strict=True):
            ended = started + answer.compute_us * US
            self.tell(claim, job, answer, started, ended)
            started = ended

    def tell(self, claim: Entry, job: Job, answer: Answer, started: int, ended: int) -> None:
        """A job that was computed between these times (ns since 1970), if it is traced."""
        if trace := trace_of(job):
            self.tell_queue(claim, trace)
            self._tell_compute(claim, trace, answer, (started, ended))

    def tell_queue(self, claim: Entry, trace: str) -> None:
        """What a job waited for, from the writing of its entry to the claim on it, by Redis' clock and ours."""
        written = int(claim.id.partition(b"-")[0])
        started, ended = written * MS, (written + claim.queue_ms) * MS
        told: dict[str, str | int] = {**_describe(claim), "primes.deliveries": claim.deliveries}
        self._tracer.start_span("queue", read_context(trace), SpanKind.CONSUMER, told, start_time=started).end(ended)

    def tell_joined(self, claim: Entry, run: Job, trace: str, answer: Answer, ended: int) -> None:
        """What another one's question had begun to compute, perhaps before this one was asked."""
        first = trace_of(run)
        self._tell_compute(claim, trace, answer, (ended - answer.compute_us * US, ended), joined=True, run=first)

    def _tell_compute(
        self, claim: Entry, trace: str, answer: Answer, times: tuple[int, int], *, joined: bool = False, run: str = ""
    ) -> None:
        found: dict[str, str | int] = {
            "primes.verdict": answer.verdict.value,
            "primes.method": answer.method,
            "primes.compute_us": answer.compute_us,
        }
        told: dict[str, str | int | bool] = {**_describe(claim), **found, "primes.joined": joined}
        links = [Link(_span_of(run))] if run else []
        span = self._tracer.start_span("compute", read_context(trace), SpanKind.INTERNAL, told, links, start_time=times[0])
        if answer.fault is not None:
            span.set_status(Status(StatusCode.ERROR, answer.fault))
        span.end(times[1])


def _describe(claim: Entry) -> dict[str, str]:
    return {"primes.lane": claim.lane.value, "primes.entry": claim.id.decode()}


def _span_of(trace: str) -> SpanContext:
    return get_current_span(read_context(trace)).get_span_context()
