"""What `primes.v1` says: each answer, fault and notice has its JSON."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from services.jobs.evidence import CertificateName, Evidence, Factor, Witness, describe
from services.jobs.messages import Answer, Divisor, Factors, Fault, Value, Verdict
from services.web.v1 import responses
from services.web.v1.errors import NUMBERS, RETRY_AFTER, Code
from services.web.v1.responses import Conclusion, Standing


def test_a_response_carries_verdict_times_and_offset() -> None:
    answer = Answer(7, Verdict.PROBABLY_PRIME, "BPSW", 12, 3_456)
    assert json.loads(responses.response('"a"', answer, "5-6")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": {
            "verdict": "probably_prime", "proven": False, "method": "BPSW", "queue_ms": 12, "compute_ms": 3.456, "offset": "5-6",
        },
    }  # fmt: skip


def test_a_response_carries_the_factors_that_were_asked_for() -> None:
    found = [Divisor("2", 3, Verdict.PRIME), Divisor("91", 2, Verdict.COMPOSITE, Factor(7))]
    factors = Factors(found, Divisor("85", 1, Verdict.COMPOSITE, Witness(2)))
    answer = Answer(7, Verdict.COMPOSITE, "trial division", evidence=Factor(2), factors=factors)
    result = json.loads(responses.response("1", answer, "5-6"))["result"]
    assert result["evidence"] == {"factor": "2"}
    assert result["factors"] == [
        {"factor": "2", "multiplicity": 3, "verdict": "prime"},
        {"factor": "91", "multiplicity": 2, "verdict": "composite", "evidence": {"factor": "7"}},
    ]
    assert result["cofactor"] == {"number": "85", "verdict": "composite", "evidence": {"witness": "2"}}
    assert result["complete"] is False


def test_a_number_without_factors_has_an_empty_list_of_them() -> None:
    result = json.loads(responses.response("1", Answer(7, Verdict.NEITHER, factors=Factors([])), "5-6"))["result"]
    assert (result["factors"], result["complete"], "cofactor" in result) == ([], True, False)


@given(
    st.sampled_from([verdict for verdict in Verdict if verdict is not Verdict.UNKNOWN]), st.text(), st.integers(0, 2**53),
    st.integers(0, 10**12), st.integers() | st.text(), st.integers(0), st.integers(0),
    st.none() | st.builds(Factor, st.integers(2, 2**64)) | st.builds(Witness, st.integers(2, 2**64))
    | st.builds(CertificateName, st.text("0123456789abcdef", min_size=64, max_size=64)),
)  # fmt: skip
def test_a_usual_response_is_what_an_encoder_writes(
    verdict: Verdict, method: str, queue_ms: int, compute_us: int, id: int | str, epoch: int, number: int,
    evidence: Evidence | None,
) -> None:  # fmt: skip
    request, offset = msgspec.json.encode(id).decode(), f"{epoch}-{number}"
    found = Conclusion(
        verdict, verdict.proven, method, queue_ms, compute_us / 1000, offset, describe(evidence) if evidence else UNSET
    )
    answer = Answer(7, verdict, method, queue_ms, compute_us, evidence=evidence)
    assert responses.response(request, answer, offset) == responses.result(request, found)


@pytest.mark.parametrize(("evidence", "told"), [(Factor(7), {"factor": "7"}), (Witness(2**63), {"witness": str(2**63)})])
def test_a_response_carries_the_evidence_as_text(evidence: Evidence, told: dict[str, str]) -> None:
    answer = Answer(7, Verdict.COMPOSITE, "method", evidence=evidence)
    assert json.loads(responses.response('"a"', answer, "5-6"))["result"]["evidence"] == told


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_an_error(fault: Fault) -> None:
    error = json.loads(responses.response("1", Answer(7, Verdict.UNKNOWN, fault=fault), "5-6"))["error"]
    assert error["data"]["code"] == fault
    assert error["data"]["offset"] == "5-6"


def test_a_late_answer_says_what_is_known() -> None:
    answer = Answer(7, Verdict.UNKNOWN, "BPSW", fault=Fault.DEADLINE, best=Verdict.PROBABLY_PRIME)
    told = json.loads(responses.response("1", answer, "5-6"))["error"]["data"]
    assert (told["verdict"], told["best"], told["method"]) == ("unknown", "probably_prime", "BPSW")


def test_a_late_answer_of_which_nothing_is_known_is_unknown() -> None:
    told = json.loads(responses.response("1", Answer(7, Verdict.UNKNOWN, fault=Fault.DEADLINE), "5-6"))["error"]["data"]
    assert told == {"code": "deadline", "retryable": False, "verdict": "unknown", "offset": "5-6"}


def test_a_result_names_the_prime_that_was_found() -> None:
    told = json.loads(responses.response("1", Answer(7, Verdict.PRIME, "method", number="101"), "5-6"))["result"]
    assert told["number"] == "101"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Value(2, "97"), {"digits": 2, "value": "97"}),
        (Value(3, "-100"), {"digits": 3, "value": "-100"}),
        (Value(4_042), {"digits": 4_042}),
    ],
)
def test_a_result_tells_what_an_expression_is_worth(value: Value, told: dict[str, int | str]) -> None:
    found = json.loads(responses.response("1", Answer(7, Verdict.PRIME, value=value), "5-6"))["result"]
    assert {key: found[key] for key in ("digits", "value", "number") if key in found} == told


@pytest.mark.parametrize("code", Code)
def test_every_error_says_whether_to_try_again(code: Code) -> None:
    body = json.loads(responses.error("1", code, "sentence"))["error"]
    assert body["code"] == NUMBERS[code]
    assert body["message"] == "sentence"
    assert body["data"]["retryable"] == ("retry_after" in body["data"]) == (code in RETRY_AFTER)


def test_a_notification_tells_the_session() -> None:
    told = json.loads(responses.notification(Standing("t", "0", 600, "web0")))
    assert told == {
        "jsonrpc": "2.0", "method": "session", "params": {"session": "t", "offset": "0", "expires_in": 600, "instance": "web0"},
    }  # fmt: skip


def test_a_result_of_resume_lists_what_is_pending() -> None:
    standing = Standing("t", "5-6", 600, "web0", True, [Raw(b'"a"'), Raw(b"7")])
    told = json.loads(responses.result("1", standing))["result"]
    assert (told["recovered"], told["pending"]) == (True, ["a", 7])


def test_an_array_holds_responses_in_their_order() -> None:
    assert json.loads(responses.array([b"1", b'{"a":2}'])) == [1, {"a": 2}]


def test_a_first_verdict_is_told_with_the_id_of_its_request() -> None:
    answer = Answer(1, Verdict.PROBABLY_PRIME, "BPSW and Miller-Rabin", 2, 1_500)
    assert json.loads(responses.verdict('"a"', answer)) == {
        "jsonrpc": "2.0",
        "method": "verdict",
        "params": {
            "id": "a",
            "verdict": "probably_prime",
            "proven": False,
            "method": "BPSW and Miller-Rabin",
            "queue_ms": 2,
            "compute_ms": 1.5,
        },
    }
