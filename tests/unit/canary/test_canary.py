"""The canary believes no verdict whose evidence it can check."""

import gmpy2
import msgspec
import pytest

from services.canary.questions import QUESTIONS, Judgement, KnownNumber, judge, read, request
from services.jobs.evidence import fails_strong_test
from services.jobs.names import Lane
from services.web.ask.cost import estimate, lane
from services.web.v1 import requests, responses
from services.web.v1.calls import Asked, Limits
from services.web.v1.errors import Code

PRIME, COMPOSITE = QUESTIONS


def response(id: str, **result: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "result": {"offset": "1-1", **result}})


def test_its_numbers_are_what_it_takes_them_for() -> None:
    assert gmpy2.is_prime(PRIME.number) and PRIME.prime
    assert COMPOSITE.number == 193_707_721 * 761_838_257_287 and not COMPOSITE.prime


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_its_questions_are_read_by_the_server_and_go_through_the_quick_lane(question: KnownNumber) -> None:
    (asked,) = requests.read(request(question, 3.0), Limits(10_000, 1_000)).calls
    assert isinstance(asked, Asked)
    assert (asked.question.number, asked.seconds) == (str(question.number), 3.0)
    assert lane(estimate(asked.question.number)) is Lane.QUICK


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"verdict": "prime", "proven": True}, Judgement.RIGHT),
        ({"verdict": "prime", "proven": True, "evidence": {"certificate": "…"}, "method": "BPSW"}, Judgement.RIGHT),
        ({"verdict": "prime", "proven": False}, Judgement.WRONG),
        ({"verdict": "composite", "proven": True, "evidence": {"factor": "3"}}, Judgement.WRONG),
    ],
)
def test_a_prime_must_be_called_a_proven_one(result: dict[str, object], outcome: Judgement) -> None:
    assert judge(PRIME, read(response("prime", **result))) is outcome


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        ({"factor": "193707721"}, Judgement.RIGHT),
        ({"factor": "761838257287"}, Judgement.RIGHT),
        ({"witness": "3"}, Judgement.RIGHT),
        ({"factor": "7"}, Judgement.WRONG),
        ({"factor": "1"}, Judgement.WRONG),
        ({"factor": str(2**67 - 1)}, Judgement.WRONG),
        ({"factor": "-193707721"}, Judgement.WRONG),
        ({"witness": "2"}, Judgement.WRONG),  # it is a strong probable prime to this base, as every Mersenne number is
        ({"opinion": "3"}, Judgement.WRONG),
        ({}, Judgement.WRONG),
    ],
)
def test_a_composite_must_be_shown_to_be_one(evidence: dict[str, str], outcome: Judgement) -> None:
    found = read(response("composite", verdict="composite", proven=True, evidence=evidence))
    assert judge(COMPOSITE, found) is outcome


def test_the_witness_that_does_not_show_it_passes_the_test() -> None:
    assert not fails_strong_test(COMPOSITE.number, 2)


def test_an_error_is_no_answer() -> None:
    refused = responses.error('"prime"', Code.BUSY, "Busy")
    assert judge(PRIME, read(refused)) is Judgement.NONE


def test_what_the_server_says_of_itself_answers_no_question() -> None:
    assert read(responses.going_away(1)).id is None
