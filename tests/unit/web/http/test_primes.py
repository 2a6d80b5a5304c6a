"""The JSON form of an answer."""

import json

import pytest

from services.jobs.evidence import Factor
from services.jobs.messages import Answer, Divisor, Factors, Value, Verdict
from services.web.http.primes import describe


def test_an_answer_is_told_with_its_times_in_milliseconds() -> None:
    answer = Answer(7, Verdict.PRIME, "BPSW, exact below 2^64", queue_ms=3, compute_us=1_250)
    assert describe("97", answer, elapsed=0.0051239) == {
        "number": "97",
        "verdict": "prime",
        "proven": True,
        "method": "BPSW, exact below 2^64",
        "queue_ms": 3,
        "compute_ms": 1.25,
        "total_ms": 5.124,
    }


def test_a_composite_is_told_with_its_evidence() -> None:
    answer = Answer(7, Verdict.COMPOSITE, "trial division", evidence=Factor(7))
    assert describe("91", answer, elapsed=0.0)["evidence"] == {"factor": "7"}


def test_an_answer_to_an_expression_tells_its_value() -> None:
    found = describe("fib(11)", Answer(7, Verdict.PRIME, value=Value(2, "89")), elapsed=0.0)
    assert (found["number"], found["digits"], found["value"]) == ("fib(11)", 2, "89")


def test_factors_are_told_beside_the_verdict() -> None:
    answer = Answer(7, Verdict.COMPOSITE, evidence=Factor(7), factors=Factors([Divisor("7", 2, Verdict.PRIME)]))
    found = describe("49", answer, elapsed=0.0)
    assert (found["number"], found["evidence"], found["complete"]) == ("49", {"factor": "7"}, True)
    assert found["factors"] == [{"factor": "7", "multiplicity": 2, "verdict": "prime"}]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_told_by_its_name(verdict: Verdict) -> None:
    told = json.loads(json.dumps(describe("97", Answer(7, verdict), elapsed=0.0)))
    assert told["verdict"] == verdict.value
    assert told["proven"] is (verdict.value in {"prime", "composite", "neither"})


def test_a_large_number_stays_a_string() -> None:
    # JSON readers lose digits of a large number, and Python refuses to write more than 4,300
    assert describe("-" + "9" * 10_000, Answer(7, Verdict.NEITHER), elapsed=0.0)["number"] == "-" + "9" * 10_000
