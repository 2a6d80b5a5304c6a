"""What a worker tells of a traced job: what it waited for, and what was computed; of others nothing."""

from opentelemetry.trace import StatusCode

from services.jobs.messages import Answer, Fault, Job, TracedJob, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import JobsClaim, RunClaim
from services.worker.tracing.spans import MS, Spans
from tests.unit.spans import SAMPLED, TRACE, Kept, trace_id

NOW = 1_700_000_000_000  # ms since 1970
WAITED = 25  # ms
CLAIMED = (NOW + WAITED) * MS
ID = f"{NOW}-0".encode()
OTHERS = "00-11111111111111111111111111111111-2222222222222222-01"


def batch(*jobs: Job, deliveries: int = 1) -> JobsClaim:
    return JobsClaim(Lane.QUICK, ID, "web", deliveries, WAITED, list(jobs))


def test_a_traced_job_of_a_batch_is_told_and_the_others_are_not() -> None:
    kept = Kept()
    jobs = Job(1, "97"), TracedJob(2, "91", trace=SAMPLED), Job(3, "89")
    answers = [Answer(job.id, Verdict.PRIME, "sieve", compute_us=10 * job.id) for job in jobs]

    Spans(kept.tracer).tell_batch(batch(*jobs), jobs, answers, CLAIMED)

    assert kept.names == ["queue", "compute"]
    for span in kept.spans:
        assert trace_id(span) == TRACE
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == SAMPLED.split("-")[2]
    queue, compute = kept["queue"], kept["compute"]
    assert (queue.start_time, queue.end_time) == (NOW * MS, CLAIMED)
    assert (compute.start_time, compute.end_time) == (CLAIMED + 10_000, CLAIMED + 30_000), "behind the one before it"
    assert queue.attributes == {"primes.lane": "quick", "primes.entry": ID.decode(), "primes.deliveries": 1}
    assert compute.attributes == {
        "primes.lane": "quick",
        "primes.entry": ID.decode(),
        "primes.verdict": "prime",
        "primes.method": "sieve",
        "primes.compute_us": 20,
        "primes.joined": False,
    }


def test_a_takeover_tells_how_often_the_entry_was_delivered() -> None:
    kept = Kept()
    Spans(kept.tracer).tell_queue(batch(deliveries=3), SAMPLED)
    attributes = kept["queue"].attributes
    assert attributes is not None
    assert attributes["primes.deliveries"] == 3


def test_a_fault_is_an_error() -> None:
    kept = Kept()
    job = TracedJob(1, "97", trace=SAMPLED)
    Spans(kept.tracer).tell(batch(job), job, Answer(1, Verdict.UNKNOWN, fault=Fault.POISON), CLAIMED, CLAIMED + 1)
    assert (kept["compute"].status.status_code, kept["compute"].status.description) == (StatusCode.ERROR, "poison")
    assert kept["queue"].status.status_code is StatusCode.UNSET


def test_one_that_joined_has_a_computation_of_its_own_that_links_to_the_run() -> None:
    for first, linked in ((Job(1, "97"), []), (TracedJob(1, "97", trace=SAMPLED), [TRACE])):
        kept = Kept()
        claim = RunClaim(Lane.HEAVY, ID, "web", 1, WAITED, first)
        Spans(kept.tracer).tell_joined(claim, first, OTHERS, Answer(1, Verdict.COMPOSITE, compute_us=7), CLAIMED)
        (span,) = kept.spans
        assert (span.name, trace_id(span)) == ("compute", OTHERS.split("-")[1])
        assert (span.start_time, span.end_time) == (CLAIMED - 7_000, CLAIMED)
        assert span.attributes is not None
        assert span.attributes["primes.joined"] is True
        assert [f"{link.context.trace_id:032x}" for link in span.links] == linked
