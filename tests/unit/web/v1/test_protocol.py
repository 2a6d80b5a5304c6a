"""`primes.v1` reads JSON-RPC 2.0 as it is written, refuses the rest with a code, and never raises."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.evidence import Evidence, Factor, Witness
from services.jobs.messages import Answer, Fault, Operation, Verdict, Wanted
from services.web.ask.question import Question
from services.web.v1 import protocol
from services.web.v1.protocol import Asked, Code, Failed, Resuming, Standing

DIGITS = 10_000
LIMITS = protocol.Limits(DIGITS, 1_500)


def call(text: str | bytes) -> protocol.Call:
    (one,) = protocol.read(text, LIMITS).calls
    return one


def request(**fields: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **fields})


def is_prime(params: Any, id: Any = 1) -> str:
    return request(id=id, method="is_prime", params=params)


def code(text: str | bytes) -> Code:
    failed = call(text)
    assert isinstance(failed, Failed), failed
    return failed.code


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({"number": "97"}, "97"),
        (["97"], "97"),
        ([97], "97"),
        ({"number": -0}, "0"),
        ([" +007 "], "7"),
        ([-12], "-12"),
        ([2**64], str(2**64)),
        ([" 1_000\n"], "1000"),
    ],
)
def test_reads_a_number_by_name_or_position_as_text_or_integer(params: Any, number: str) -> None:
    assert call(is_prime(params)) == Asked("1", Question(number))


def test_reads_a_json_integer_of_any_size() -> None:
    digits = "9" * DIGITS
    assert call('{"jsonrpc":"2.0","id":1,"method":"is_prime","params":[' + digits + "]}") == Asked("1", Question(digits))


def test_reads_an_expression_with_the_size_of_its_value() -> None:
    assert call(is_prime(["2^127 - 1"])) == Asked("1", Question("2^127-1", 39))


def test_says_where_an_expression_is_wrong() -> None:
    failed = call(is_prime(["2^"]))
    assert isinstance(failed, Failed)
    assert failed.message.endswith("got \"2^\": column 3: expected a number or '(', got the end")


def test_reads_bytes_as_text() -> None:
    assert call(is_prime([97]).encode()) == Asked("1", Question("97"))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (["7.0"], Code.NOT_AN_INTEGER),
        ([7.0], Code.NOT_AN_INTEGER),
        ([1e300], Code.NOT_AN_INTEGER),
        ([None], Code.NOT_AN_INTEGER),
        ([[97]], Code.NOT_AN_INTEGER),
        ([True], Code.NOT_AN_INTEGER),
        ([""], Code.NOT_AN_INTEGER),
        (["1" + "0" * DIGITS], Code.TOO_LARGE),
        (["9^9^9"], Code.TOO_LARGE),
        ([], Code.INVALID_PARAMS),
        ([1, 2, 3], Code.INVALID_PARAMS),
        ([1, 0], Code.INVALID_PARAMS),
        ([1, 3600.5], Code.INVALID_PARAMS),
        ([1, "2"], Code.INVALID_PARAMS),
        ({"number": 1, "deadline": None}, Code.INVALID_PARAMS),
        ({}, Code.INVALID_PARAMS),
        ({"number": 1, "other": 2}, Code.INVALID_PARAMS),
        ("97", Code.INVALID_PARAMS),
        (None, Code.INVALID_PARAMS),
    ],
)
def test_refuses_other_params(params: Any, expected: Code) -> None:
    assert code(is_prime(params)) is expected
    assert protocol.NUMBERS[expected] == -32602


def test_refuses_missing_params() -> None:
    assert code(request(id=1, method="is_prime")) is Code.INVALID_PARAMS


def test_says_how_many_digits_came() -> None:
    failed = call(is_prime(["9" * (DIGITS + 1)]))
    assert isinstance(failed, Failed)
    assert failed.message == "Number too large: 10,001 digits came, at most 10,000 are taken"


@pytest.mark.parametrize("id", [1, 0, -5, 2**70, "a", "", "ä", "1"])
def test_ids_are_strings_and_integers(id: Any) -> None:
    read = call(is_prime([97], id))
    assert json.loads(read.id) == id


def test_the_same_id_looks_the_same_however_it_is_written() -> None:
    written = '{"jsonrpc":"2.0","method":"is_prime","params":[97],"id" : "\\u0061" }'
    assert call(written).id == call(is_prime([97], "a")).id == '"a"'


@pytest.mark.parametrize("id", [None, 1.5, True, [1], {}, 10**200, "x" * 200])
def test_other_ids_are_refused(id: Any) -> None:
    assert call(is_prime([97], id)) == Failed("null", Code.INVALID_REQUEST, call(is_prime([97], id)).message)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["{", "", "nul", "\x00", b"\xff\xfe", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "[" * 100_000, '[{"a":' * 5_000, "[1,"],
)
def test_what_is_no_json_is_a_parse_error(text: str | bytes) -> None:
    assert code(text) is Code.PARSE_ERROR


@pytest.mark.parametrize("text", ["1", '"a"', "null", "{}", '{"jsonrpc":"1.0","id":1,"method":"is_prime"}', "[]"])
def test_what_is_no_request_is_invalid(text: str) -> None:
    assert code(text) is Code.INVALID_REQUEST


def test_an_invalid_request_keeps_its_id_if_it_has_one() -> None:
    assert call('{"id":7,"method":"is_prime"}').id == "7"


def test_an_unknown_method_is_told_the_known_ones() -> None:
    failed = call(request(id=1, method="was_prime"))
    methods = "is_prime or next_prime or previous_prime or cancel or resume"
    assert failed == Failed("1", Code.METHOD_NOT_FOUND, f"Expected {methods}, got 'was_prime'")


@pytest.mark.parametrize("method", ["is_prime", "resume", "other"])
def test_a_notification_is_not_answered(method: str) -> None:
    assert protocol.read(request(method=method), LIMITS).calls == []


def test_reads_a_batch_with_its_faults_and_without_its_notifications() -> None:
    read = protocol.read(f"[{is_prime([7])}, 1, {request(method='is_prime')}, {is_prime([8], 'x')}]", LIMITS)
    assert read.batch
    assert [(type(one).__name__, one.id) for one in read.calls] == [("Asked", "1"), ("Failed", "null"), ("Asked", '"x"')]


def test_a_batch_is_bounded() -> None:
    assert len(protocol.read("[" + ",".join([is_prime([7])] * 100) + "]", LIMITS).calls) == 100
    failed = call("[" + ",".join([is_prime([7])] * 101) + "]")
    assert failed == Failed("null", Code.INVALID_REQUEST, "Expected a batch of 1 to 100 requests, got 101")


def test_resume_reads_an_offset() -> None:
    assert call(request(id=1, method="resume", params=["token", "1000-7"])) == Resuming("1", "token", "1000", 7)
    assert call(request(id=1, method="resume", params={"session": "t", "offset": "0"})) == Resuming("1", "t", "", 0)


@pytest.mark.parametrize("offset", ["", "-1", "7", "a-b", "1-", "1-2-3", "9" * 30 + "-1", "1-\u0667\n"])
def test_resume_refuses_what_is_no_offset(offset: str) -> None:
    assert code(request(id=1, method="resume", params=["token", offset])) is Code.INVALID_PARAMS


def test_resume_is_refused_in_a_batch() -> None:
    (failed,) = protocol.read(f"[{request(id=1, method='resume', params=['token', '0'])}]", LIMITS).calls
    assert isinstance(failed, Failed)
    assert failed.code is Code.INVALID_REQUEST


@given(
    st.text()
    | st.binary()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_never_raises(text: str | bytes) -> None:
    for one in protocol.read(text, LIMITS).calls:
        json.loads(one.id)


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params"]), st.sampled_from(
    ["2.0", "is_prime", "resume", 1, None, 1.5, "a", [], [97], {"number": 97}, {"session": "a", "offset": "0"}, ["a", "0"], {}]
)))  # fmt: skip
def test_every_request_with_an_id_is_answered(fields: dict[str, Any]) -> None:
    calls = protocol.read(json.dumps(fields), LIMITS).calls
    assert len(calls) == 1 or (fields.get("jsonrpc") == "2.0" and "id" not in fields)


def test_a_response_carries_verdict_times_and_offset() -> None:
    answer = Answer(7, Verdict.PROBABLY_PRIME, "BPSW", 12, 3_456)
    assert json.loads(protocol.response('"a"', answer, "5-6")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": {
            "verdict": "probably_prime", "proven": False, "method": "BPSW", "queue_ms": 12, "compute_ms": 3.456, "offset": "5-6",
        },
    }  # fmt: skip


@pytest.mark.parametrize(("evidence", "told"), [(Factor(7), {"factor": "7"}), (Witness(2**63), {"witness": str(2**63)})])
def test_a_response_carries_the_evidence_as_text(evidence: Evidence, told: dict[str, str]) -> None:
    answer = Answer(7, Verdict.COMPOSITE, "method", evidence=evidence)
    assert json.loads(protocol.response('"a"', answer, "5-6"))["result"]["evidence"] == told


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_an_error(fault: Fault) -> None:
    error = json.loads(protocol.response("1", Answer(7, Verdict.UNKNOWN, fault=fault), "5-6"))["error"]
    assert error["data"]["code"] == fault
    assert error["data"]["offset"] == "5-6"


def test_a_late_answer_says_what_is_known() -> None:
    answer = Answer(7, Verdict.UNKNOWN, "BPSW", fault=Fault.DEADLINE, best=Verdict.PROBABLY_PRIME)
    told = json.loads(protocol.response("1", answer, "5-6"))["error"]["data"]
    assert (told["verdict"], told["best"], told["method"]) == ("unknown", "probably_prime", "BPSW")


def test_a_late_answer_of_which_nothing_is_known_is_unknown() -> None:
    told = json.loads(protocol.response("1", Answer(7, Verdict.UNKNOWN, fault=Fault.DEADLINE), "5-6"))["error"]["data"]
    assert told == {"code": "deadline", "retryable": False, "verdict": "unknown", "offset": "5-6"}


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_a_method(operation: Operation) -> None:
    assert call(request(id=1, method=operation.value, params=["97", 5])) == Asked("1", Question("97", 0, operation), 5.0)


def test_a_result_names_the_prime_that_was_found() -> None:
    told = json.loads(protocol.response("1", Answer(7, Verdict.PRIME, "method", number="101"), "5-6"))["result"]
    assert told["number"] == "101"


@pytest.mark.parametrize("code", Code)
def test_every_error_says_whether_to_try_again(code: Code) -> None:
    body = json.loads(protocol.error("1", code, "sentence"))["error"]
    assert body["code"] == protocol.NUMBERS[code]
    assert body["message"] == "sentence"
    assert body["data"]["retryable"] == ("retry_after" in body["data"]) == (code in protocol.RETRY_AFTER)


def test_a_notification_tells_the_session() -> None:
    told = json.loads(protocol.notification(Standing("t", "0", 600, "web0")))
    assert told == {
        "jsonrpc": "2.0", "method": "session", "params": {"session": "t", "offset": "0", "expires_in": 600, "instance": "web0"},
    }  # fmt: skip


def test_a_result_of_resume_lists_what_is_pending() -> None:
    standing = Standing("t", "5-6", 600, "web0", True, [msgspec.Raw(b'"a"'), msgspec.Raw(b"7")])
    told = json.loads(protocol.result("1", standing))["result"]
    assert (told["recovered"], told["pending"]) == (True, ["a", 7])


def test_an_array_holds_responses_in_their_order() -> None:
    assert json.loads(protocol.array([b"1", b'{"a":2}'])) == [1, {"a": 2}]


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"number": 97}, Wanted.VERDICT),
        ({"number": 97, "proof": False, "certificate": False}, Wanted.VERDICT),
        ({"number": 97, "proof": True}, Wanted.PROOF),
        ({"number": 97, "certificate": True}, Wanted.CERTIFICATE),
        ({"number": 97, "proof": False, "certificate": True}, Wanted.CERTIFICATE),
        ([97, 5, True], Wanted.PROOF),
    ],
)
def test_a_proof_and_a_certificate_are_asked_for_by_name(params: Any, wanted: Wanted) -> None:
    asked = call(is_prime(params))
    assert isinstance(asked, Asked) and asked.question.wanted is wanted


@pytest.mark.parametrize("value", [1, "true", None, []])
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    failed = call(is_prime({"number": 97, "proof": value}))
    assert failed == Failed("1", Code.INVALID_PARAMS, f"Expected proof as true or false, got {json.dumps(value)}")


@pytest.mark.parametrize("number", ["9" * 1_501, "10^1501"])
def test_numbers_too_large_to_be_proven_are_refused_when_a_proof_is_asked_for(number: str) -> None:
    assert isinstance(call(is_prime({"number": number})), Asked)
    failed = call(is_prime({"number": number, "proof": True}))
    assert isinstance(failed, Failed) and failed.code is Code.TOO_LARGE and failed.message.endswith("at most 1,500 are proven")


def test_only_is_prime_can_be_asked_for_a_proof() -> None:
    assert code(request(id=1, method="next_prime", params={"number": 97, "proof": True})) is Code.INVALID_PARAMS


def test_a_first_verdict_is_told_with_the_id_of_its_request() -> None:
    answer = Answer(1, Verdict.PROBABLY_PRIME, "BPSW and Miller-Rabin", 2, 1_500)
    assert json.loads(protocol.verdict('"a"', answer)) == {
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


USUAL = b'{"jsonrpc":"2.0","id":%b,"method":"is_prime","params":{"number":"%b"}}'


def test_the_usual_request_is_read_in_one_go() -> None:
    assert protocol.read_usual(USUAL % (b"7", b"97"), LIMITS) == Asked("7", Question("97"))


@pytest.mark.parametrize(
    "message",
    [
        USUAL % (b"7", b"2^127-1"),
        USUAL % (b"7", b"9" * (DIGITS + 1)),
        USUAL % (b'"7"', b"97"),
        USUAL % (b"1" * 129, b"97"),
        USUAL.replace(b"is_prime", b"next_prime") % (b"7", b"97"),
        USUAL.replace(b'"}}', b'","deadline":1}}') % (b"7", b"97"),
        USUAL.replace(b'"}}', b'"},"more":1}') % (b"7", b"97"),
        b"[" + USUAL % (b"7", b"97") + b"]",
        b"",
        b"\xff",
    ],
)
def test_other_messages_are_not_usual(message: bytes) -> None:
    assert protocol.read_usual(message, LIMITS) is None


integers, texts, others = st.integers(), st.text(max_size=3), st.sampled_from([None, True, 1.0, 1.5])
numbers = st.one_of(integers.map(str), integers, texts, st.sampled_from([" +007 ", "1_0", "-0"]))
params = st.fixed_dictionaries({"number": numbers}, optional={"deadline": integers, "proof": st.booleans(), "other": others})
requests = st.fixed_dictionaries(
    {
        "jsonrpc": st.sampled_from(["2.0", "2.0", "1.0"]),
        "id": st.one_of(integers, st.integers(-(10**130), 10**130), texts, others),
        "method": st.sampled_from(["is_prime", "is_prime", "next_prime", "cancel"]),
        "params": st.one_of(params, st.lists(numbers, max_size=2)),
    },
    optional={"other": others},
)


@given(requests, st.booleans())
def test_the_usual_request_is_read_as_any_other(fields: dict[str, Any], as_text: bool) -> None:
    message: str | bytes = json.dumps(fields)
    message = message if as_text else message.encode()
    usual = protocol.read_usual(message, LIMITS)
    assert usual is None or protocol.read(message, LIMITS) == protocol.Message([usual], batch=False)
