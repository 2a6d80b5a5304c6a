"""The frames that a worker and its child processes exchange, and the answer to one job."""

from io import BytesIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.messages import Answer, Job, Operation, Verdict
from services.worker.compute.child import LENGTH, compute, read_jobs

jobs = st.builds(Job, st.integers(1, 2**63 - 1), st.integers().map(str), st.sampled_from(Operation))


def frame(message: object) -> bytes:
    payload = msgspec.msgpack.encode(message)
    return len(payload).to_bytes(LENGTH, "big") + payload


@given(st.lists(jobs))
def test_reads_every_job_until_the_stream_ends(batch: list[Job]) -> None:
    assert list(read_jobs(BytesIO(b"".join(map(frame, batch))))) == batch


def test_reads_a_number_of_a_million_digits() -> None:
    job = Job(1, "9" * 1_000_000)
    assert list(read_jobs(BytesIO(frame(job)))) == [job]


def test_hands_a_job_out_before_the_next_one_came() -> None:
    stream = BytesIO(frame(Job(1, "97")))
    assert next(read_jobs(stream)) == Job(1, "97")


@pytest.mark.parametrize("kept", range(1, len(frame(Job(1, "97")))))
def test_refuses_a_frame_that_was_cut(kept: int) -> None:
    with pytest.raises(msgspec.DecodeError, match="truncated"):
        list(read_jobs(BytesIO(frame(Job(1, "97"))[:kept])))


def test_refuses_a_frame_that_holds_no_job() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `int`, got `str`"):
        list(read_jobs(BytesIO(frame(["97", "97"]))))


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        ("97", Verdict.PRIME),
        ("4", Verdict.COMPOSITE),
        ("-7", Verdict.NEITHER),
        (str(2**127 - 1), Verdict.PROBABLY_PRIME),
    ],
)
def test_answers_with_the_verdict_under_the_jobs_id(number: str, verdict: Verdict) -> None:
    answer = compute(Job(7, number), queue_ms=12)
    assert (answer.id, answer.verdict, answer.queue_ms, answer.fault) == (7, verdict, 12, None)


def test_answers_with_the_method() -> None:
    assert compute(Job(7, "97")).method == "BPSW, exact below 2^64"


def test_answers_with_the_time_that_it_took() -> None:
    assert 1_000 < compute(Job(7, str(2**4_423 - 1))).compute_us < 60_000_000  # some 0.1 s


def test_did_not_wait_unless_told_so() -> None:
    assert compute(Job(7, "97")).queue_ms == 0


@given(jobs)
def test_an_answer_goes_back_as_it_is(job: Job) -> None:
    answer = compute(job)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Answer) == answer
