"""The canary believes no verdict whose evidence it can check."""

from random import Random

import gmpy2
import msgspec
import pytest

from services.canary import numbers
from services.canary.questions import QUICK, Judgement, KnownNumber, judge, questions, read, request
from services.canary.settings import CanarySettings
from services.jobs.evidence import Witness, fails_strong_test
from services.jobs.messages import Verdict
from services.jobs.names import Lane
from services.web.ask.cost import estimate, lane
from services.web.v1 import requests, responses
from services.web.v1.calls import Asked, Limits
from services.web.v1.errors import Code
from services.web.v1.responses import Progress
from services.worker.compute.primes import examine

PRIME, COMPOSITE = QUICK
(HEAVY,) = questions(Lane.HEAVY, Random(1))
(PROOF,) = questions(Lane.PROOF, Random(1))


def response(id: str, **result: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "result": {"offset": "1-1", **result}})


def test_its_numbers_are_what_it_takes_them_for() -> None:
    assert gmpy2.is_prime(PRIME.number) and PRIME.prime
    assert COMPOSITE.number == 193_707_721 * 761_838_257_287 and not COMPOSITE.prime


@pytest.mark.parametrize("seed", range(20))
def test_its_costly_numbers_are_what_it_takes_them_for(seed: int) -> None:
    prime, composite = numbers.fresh_prime(Random(seed)), numbers.fresh_composite(Random(seed))
    assert gmpy2.is_prime(prime)
    assert composite == numbers.LARGE_PRIME * prime
    assert gmpy2.is_prime(numbers.LARGE_PRIME)


def test_the_criterion_takes_no_composite_and_refuses_few_primes() -> None:
    halves = range(1, 64)  # all that it may be asked for beside 127
    prime = {half for half in halves if gmpy2.is_prime(2 * half * 127 + 1)}
    proven = {half for half in halves if numbers.is_prime_by(127, half)}
    assert proven <= prime
    assert len(proven) >= len(prime) - 1


def test_its_costly_numbers_are_new_each_time() -> None:
    draw = Random(1)
    for costly in (Lane.HEAVY, Lane.PROOF):
        assert len({questions(costly, draw)[0].number for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("question", "through"),
    [(PRIME, Lane.QUICK), (COMPOSITE, Lane.QUICK), (HEAVY, Lane.HEAVY), (PROOF, Lane.HEAVY)],
    ids=["prime", "composite", "heavy", "proof"],
)
def test_its_questions_are_read_by_the_server_and_go_through_their_lane(question: KnownNumber, through: Lane) -> None:
    ((asked,),) = requests.read(request(question, 3.0), Limits(10_000, 1_000)).turns
    assert isinstance(asked, Asked)
    assert (asked.question.number, asked.seconds) == (str(question.number), 3.0)
    assert lane(estimate(asked.question.number), asked.question.wanted) is through


def test_the_tests_do_not_decide_the_number_that_is_to_be_proven_so_that_it_moves_to_the_lane_of_proofs() -> None:
    assert examine(str(PROOF.number)).verdict is Verdict.PROBABLY_PRIME


def test_the_heavy_number_has_no_small_factor_so_that_it_costs_a_test() -> None:
    assert isinstance(examine(str(HEAVY.number)).evidence, Witness)


def test_it_paces_costly_lanes_apart() -> None:
    settings = CanarySettings(
        canary_interval=1, canary_timeout=2, canary_costly_interval=3, canary_costly_timeout=4, _cli_parse_args=[]
    )
    assert [(settings.interval(lane), settings.timeout(lane)) for lane in Lane] == [(1, 2), (3, 4), (3, 4)]


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


@pytest.mark.parametrize(("code", "late"), [(Code.DEADLINE, True), (Code.BUSY, False)])
def test_the_servers_word_that_the_time_is_over_is_told_from_other_errors(code: Code, late: bool) -> None:
    assert read(responses.error('"prime"', code, "No answer")).late is late


def test_what_the_server_says_of_itself_answers_no_question() -> None:
    assert read(responses.going_away(1)).id is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Progress(msgspec.Raw(b'"prime"'), "running", seconds=2.5), "prime is running for 2.5 s"),
        (Progress(msgspec.Raw(b'"prime"'), "queued"), "prime is queued"),
        (
            Progress(msgspec.Raw(b'"prime"'), "queued", depth=5),
            "prime is queued in a lane with 5 entries that no worker has begun",
        ),
    ],
)
def test_it_says_why_it_waits_in_the_servers_words(told: Progress, words: str) -> None:
    (job,) = read(responses.progress([told])).params.jobs
    assert str(job) == words
