"""The answer to one job."""

from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.messages import Answer, Fault, Job, Operation, Value, Verdict
from services.worker.compute.answer import compute
from services.worker.compute.operations import UnknownOperation

jobs = st.builds(Job, st.integers(1, 2**63 - 1), st.integers().map(str), st.sampled_from(Operation))


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


def test_a_job_whose_time_is_over_is_not_computed() -> None:
    assert compute(Job(7, "97", expires=1), queue_ms=12) == Answer(7, Verdict.UNKNOWN, queue_ms=12, fault=Fault.DEADLINE)


def test_an_expression_is_evaluated() -> None:
    assert compute(Job(7, "2^7-1", expression=True)).verdict is Verdict.PRIME
    assert compute(Job(7, "(10^400+1)/7", expression=True)).fault is Fault.NO_INTEGER


@pytest.mark.parametrize(("number", "expression"), [("97", False), ("90+7", True)])
def test_an_unknown_operation_gets_no_answer(number: str, expression: bool) -> None:
    with pytest.raises(UnknownOperation, match="came 'is_semiprime'"):
        compute(Job(7, number, cast(Operation, "is_semiprime"), expression=expression))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10^2-3", Value(2, "97")),
        ("3-103", Value(3, "-100")),
        ("1-1", Value(1, "0")),
        ("fib(90)", Value(19, "2880067194370816120")),
        ("10^1000-1", Value(1_000, "9" * 1_000)),
        ("10^1000", Value(1_001)),
        ("10^1001-1", Value(1_001)),
        ("-10^1500", Value(1_501)),
        ("10^1500-1", Value(1_500)),
    ],
)
@pytest.mark.parametrize("operation", Operation)
def test_an_answer_to_an_expression_tells_its_value(text: str, value: Value, operation: Operation) -> None:
    if value.digits < 100 or operation is Operation.IS_PRIME:
        assert compute(Job(7, text, operation, expression=True)).value == value


def test_an_answer_to_an_integer_tells_no_value() -> None:
    assert compute(Job(7, "97")).value is None
    assert compute(Job(7, "97", Operation.NEXT_PRIME)).value is None
