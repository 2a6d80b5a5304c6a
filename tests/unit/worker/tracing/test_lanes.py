"""A traced batch is computed as any other, and what was known already is not told as computed."""

from services.jobs.messages import Answer, Job, TracedJob, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import JobsClaim, KnownClaim
from services.worker.lanes.quick import compute_batch
from services.worker.tracing.lanes import TracedBatches
from services.worker.tracing.spans import Spans
from tests.unit.spans import SAMPLED, Kept

JOBS: list[Job] = [TracedJob(1, "97", trace=SAMPLED), Job(2, "91")]


def verdicts(answers: list[Answer]) -> list[tuple[int, Verdict]]:
    return [(answer.id, answer.verdict) for answer in answers]


def test_a_batch_has_the_same_answers_and_the_spans_of_its_traced_jobs() -> None:
    kept = Kept()
    claim = JobsClaim(Lane.QUICK, b"1-0", "web", 1, 0, JOBS)
    answers = TracedBatches(Spans(kept.tracer))(claim)
    assert verdicts(answers) == verdicts(compute_batch(claim)) == [(1, Verdict.PRIME), (2, Verdict.COMPOSITE)]
    assert kept.names == ["queue", "compute"]


def test_known_answers_have_waited_and_were_not_computed() -> None:
    kept = Kept()
    claim = KnownClaim(Lane.QUICK, b"1-0", "web", 1, 0, JOBS, Answer(9, Verdict.PRIME, compute_us=20_000))
    assert verdicts(TracedBatches(Spans(kept.tracer))(claim)) == [(1, Verdict.PRIME), (2, Verdict.PRIME)]
    assert kept.names == ["queue"]
