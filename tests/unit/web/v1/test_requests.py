"""`primes.v1` reads JSON-RPC 2.0 as it is written, refuses the rest with a code, and never raises."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.messages import Operation, Wanted
from services.web.ask.question import Question
from services.web.v1.calls import Asked, Call, Limits, Message, Rejected, Resuming
from services.web.v1.errors import NUMBERS, Code
from services.web.v1.ids import NO_ID
from services.web.v1.requests import TURN, USUAL_BYTES, read, read_usual

DIGITS = 10_000
LIMITS = Limits(DIGITS, 1_500)


def calls_of(message: str | bytes) -> list[Call]:
    return [call for turn in read(message, LIMITS).turns for call in turn]


def call(text: str | bytes) -> Call:
    (one,) = calls_of(text)
    return one


def request(**fields: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **fields})


def is_prime(params: Any, id: Any = 1) -> str:
    return request(id=id, method="is_prime", params=params)


def code(text: str | bytes) -> Code:
    failed = call(text)
    assert isinstance(failed, Rejected), failed
    return failed.code


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(("given", "read"), [(TRACEPARENT, TRACEPARENT), (7, ""), (None, ""), ({}, ""), ("0" * 300, ""), ("", "")])
def test_a_question_has_the_traceparent_that_stands_beside_its_params(given: Any, read: str) -> None:
    asked = request(id=1, method="is_prime", params={"number": "97"}, traceparent=given)
    assert call(asked) == Asked("1", Question("97"), traceparent=read)
    assert read_usual(asked, LIMITS) is None, "the usual message has none"


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
    assert isinstance(failed, Rejected)
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
    assert NUMBERS[expected] == -32602


def test_refuses_missing_params() -> None:
    assert code(request(id=1, method="is_prime")) is Code.INVALID_PARAMS


def test_says_how_many_digits_came() -> None:
    failed = call(is_prime(["9" * (DIGITS + 1)]))
    assert isinstance(failed, Rejected)
    assert failed.message == "Number too large: 10,001 digits came, at most 10,000 are taken"


@pytest.mark.parametrize("id", [1, 0, -5, 2**70, "a", "", "ä", "1"])
def test_ids_are_strings_and_integers(id: Any) -> None:
    assert json.loads(call(is_prime([97], id)).id) == id


def test_the_same_id_looks_the_same_however_it_is_written() -> None:
    written = '{"jsonrpc":"2.0","method":"is_prime","params":[97],"id" : "\\u0061" }'
    assert call(written).id == call(is_prime([97], "a")).id == '"a"'


@pytest.mark.parametrize("id", [None, 1.5, True, [1], {}, 10**200, "x" * 200])
def test_other_ids_are_refused(id: Any) -> None:
    assert call(is_prime([97], id)) == Rejected("null", Code.INVALID_REQUEST, call(is_prime([97], id)).message)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["{", "", "nul", "\x00", b"\xff\xfe", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "[" * 100_000, '[{"a":' * 5_000, "[1,"],
)
def test_what_is_no_json_is_a_parse_error(text: str | bytes) -> None:
    assert code(text) is Code.PARSE_ERROR


@pytest.mark.parametrize("text", ["1", '"a"', "null", "{}", '{"jsonrpc":"1.0","id":1,"method":"is_prime"}', "[]"])
def test_what_is_no_request_is_invalid(text: str) -> None:
    assert code(text) is Code.INVALID_REQUEST


@pytest.mark.parametrize("text", ['{"id":7,"method":"is_prime"}', '{"jsonrpc":"1.0","id":7,"params":[NaN]}'])
def test_an_invalid_request_keeps_its_id_if_it_has_one(text: str) -> None:
    assert call(text).id == "7"


def test_an_unknown_method_is_told_the_known_ones() -> None:
    failed = call(request(id=1, method="was_prime"))
    methods = "is_prime or next_prime or previous_prime or factor or cancel or resume"
    assert failed == Rejected("1", Code.METHOD_NOT_FOUND, f"Expected {methods}, got 'was_prime'")


@pytest.mark.parametrize("method", ["is_prime", "resume", "other"])
def test_a_notification_is_not_answered(method: str) -> None:
    assert calls_of(request(method=method)) == []


def test_reads_a_batch_with_its_faults_and_without_its_notifications() -> None:
    found = read(f"[{is_prime([7])}, 1, {request(method='is_prime')}, {is_prime([8], 'x')}]", LIMITS)
    assert found.batch
    assert [(type(one).__name__, one.id) for turn in found.turns for one in turn] == [
        ("Asked", "1"),
        ("Rejected", "null"),
        ("Asked", '"x"'),
    ]


@pytest.mark.parametrize("fields", [b'"id":"\xff"', b'"id":1,"\xff":2', b'"id":1,"method":"\xff"'])
def test_a_member_that_is_no_utf8_costs_no_other(fields: bytes) -> None:
    spoiled = b'{"jsonrpc":"2.0","method":"is_prime",' + fields + b"}"
    first, second = calls_of(b"[" + spoiled + b"," + is_prime([7], 2).encode() + b"]")
    assert isinstance(first, Rejected)
    assert second == Asked("2", Question("7"))


NEARLY_JSON = [
    '"params":["\\ud800"]',  # half of a surrogate pair
    '"params":{"number":"97","deadline":NaN}',
    '"params":[97,Infinity]',
    '"params":[97,-Infinity]',
]


@pytest.mark.parametrize("params", NEARLY_JSON)
def test_the_error_of_what_is_nearly_json_names_its_request(params: str) -> None:
    spoiled = f'{{"jsonrpc":"2.0","id":"a","method":"is_prime",{params}}}'
    for text in (spoiled, spoiled.encode()):
        failed = call(text)
        assert isinstance(failed, Rejected)
        assert (failed.id, failed.code) == ('"a"', Code.PARSE_ERROR)


@pytest.mark.parametrize("params", NEARLY_JSON)
def test_a_member_that_is_nearly_json_costs_no_other(params: str) -> None:
    found = read(f'[{{"jsonrpc":"2.0","id":1,"method":"is_prime",{params}}},{is_prime([7], 2)}]', LIMITS)
    first, second = (one for turn in found.turns for one in turn)
    assert isinstance(first, Rejected) and found.batch
    assert (first.id, first.code) == ("1", Code.PARSE_ERROR)
    assert second == Asked("2", Question("7"))


@pytest.mark.parametrize("id", ['"\\ud800"', "NaN", "true", "null", "[1]", "1.5", '"' + "x" * 200 + '"', "9" * 5_000])
def test_an_id_that_is_none_is_not_taken_from_what_is_nearly_json(id: str) -> None:
    failed = call(f'{{"jsonrpc":"2.0","id":{id},"method":"is_prime","params":[NaN]}}')
    assert isinstance(failed, Rejected) and failed.id == "null"


def test_what_is_nearly_json_is_bounded_too() -> None:
    long = '{"jsonrpc":"2.0","id":1,"method":"is_prime","params":["' + "9" * USUAL_BYTES + '",NaN]}'
    assert call(long).id == "null"
    failed = call("[" + ",".join(["NaN"] * 101) + "]")
    assert failed == Rejected("null", Code.INVALID_REQUEST, "Expected a batch of 1 to 100 requests, got more")


def test_a_batch_is_bounded() -> None:
    assert len(calls_of("[" + ",".join([is_prime([7])] * 100) + "]")) == 100
    failed = call("[" + ",".join([is_prime([7])] * 101) + "]")
    assert failed == Rejected("null", Code.INVALID_REQUEST, "Expected a batch of 1 to 100 requests, got more")


def test_resume_reads_an_offset() -> None:
    assert call(request(id=1, method="resume", params=["token", "1000-7"])) == Resuming("1", "token", "1000", 7)
    assert call(request(id=1, method="resume", params={"session": "t", "offset": "0"})) == Resuming("1", "t", "", 0)


@pytest.mark.parametrize("offset", ["", "-1", "7", "a-b", "1-", "1-2-3", "9" * 30 + "-1", "1-\u0667\n"])
def test_resume_refuses_what_is_no_offset(offset: str) -> None:
    assert code(request(id=1, method="resume", params=["token", offset])) is Code.INVALID_PARAMS


@pytest.mark.parametrize("params", [["token", 7], {"session": "token", "offset": 7}])
def test_resume_takes_strings_alone_and_says_which_is_none(params: Any) -> None:
    expected = Rejected("1", Code.INVALID_PARAMS, "Expected offset as a string, got 7")
    assert call(request(id=1, method="resume", params=params)) == expected


def test_resume_is_refused_in_a_batch() -> None:
    (failed,) = calls_of(f"[{request(id=1, method='resume', params=['token', '0'])}]")
    assert isinstance(failed, Rejected)
    assert failed.code is Code.INVALID_REQUEST


@given(
    st.text()
    | st.binary()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_never_raises(text: str | bytes) -> None:
    for one in calls_of(text):
        json.loads(one.id)


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params"]), st.sampled_from(
    ["2.0", "is_prime", "resume", 1, None, 1.5, "a", [], [97], {"number": 97}, {"session": "a", "offset": "0"}, ["a", "0"], {}]
)))  # fmt: skip
def test_every_request_with_an_id_is_answered(fields: dict[str, Any]) -> None:
    calls = calls_of(json.dumps(fields))
    assert len(calls) == 1 or (fields.get("jsonrpc") == "2.0" and "id" not in fields)


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_a_method(operation: Operation) -> None:
    assert call(request(id=1, method=operation.value, params=["97", 5])) == Asked("1", Question("97", 0, operation), 5.0)


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
    assert failed == Rejected("1", Code.INVALID_PARAMS, f"Expected proof as true or false, got {json.dumps(value)}")


@pytest.mark.parametrize("number", ["1/3", "1/0", "97+7/2"])
def test_a_division_without_an_integer_has_the_code_that_it_has_when_it_is_found_later(number: str) -> None:
    assert code(is_prime([number])) is Code.NO_INTEGER


@pytest.mark.parametrize("number", ["9" * 1_501, "10^1501"])
def test_numbers_too_large_to_be_proven_are_refused_when_a_proof_is_asked_for(number: str) -> None:
    assert isinstance(call(is_prime({"number": number})), Asked)
    failed = call(is_prime({"number": number, "proof": True}))
    assert isinstance(failed, Rejected) and failed.code is Code.TOO_LARGE and failed.message.endswith("at most 1,500 are proven")


USUAL = b'{"jsonrpc":"2.0","id":%b,"method":"is_prime","params":{"number":"%b"}}'


def test_the_usual_request_is_read_in_one_go() -> None:
    assert read_usual(USUAL % (b"7", b"97"), LIMITS) == Asked("7", Question("97"))


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
    assert read_usual(message, LIMITS) is None


integers, texts, others = st.integers(), st.text(max_size=3), st.sampled_from([None, True, 1.0, 1.5])
numbers = st.one_of(integers.map(str), integers, texts, st.sampled_from([" +007 ", "1_0", "-0"]))
params = st.fixed_dictionaries({"number": numbers}, optional={"deadline": integers, "proof": st.booleans(), "other": others})
messages = st.fixed_dictionaries(
    {
        "jsonrpc": st.sampled_from(["2.0", "2.0", "1.0"]),
        "id": st.one_of(integers, st.integers(-(10**130), 10**130), texts, others),
        "method": st.sampled_from(["is_prime", "is_prime", "next_prime", "cancel"]),
        "params": st.one_of(params, st.lists(numbers, max_size=2)),
    },
    optional={"other": others},
)


@given(messages, st.booleans())
def test_the_usual_request_is_read_as_any_other(fields: dict[str, Any], as_text: bool) -> None:
    message: str | bytes = json.dumps(fields)
    message = message if as_text else message.encode()
    usual = read_usual(message, LIMITS)
    assert usual is None or read(message, LIMITS) == Message([[usual]], batch=False)


LARGEST = 2 << 20  # bytes of a message
MALFORMED = {
    "blanks": b" " * LARGEST,
    "an array of numbers": b"[" + b"1," * (LARGEST // 2) + b"1]",
    "an array of objects": b"[" + b"{}," * (LARGEST // 3) + b"1]",
    "brackets": b"[" * LARGEST,
    "a long number": USUAL % (b"7", b"1" * LARGEST),
    "blanks for a number": USUAL % (b"7", b" " * LARGEST),
    "underscores": USUAL % (b"7", b"1_" * (LARGEST // 2)),
    "digits of another script": USUAL % (b"7", "\u0661".encode() * (LARGEST // 2)),
    "escapes": USUAL % (b"7", b"\\u0031" * (LARGEST // 6)),
    "a long id": USUAL % (b'"' + b"1" * LARGEST + b'"', b"97"),
    "an id of digits": USUAL % (b"1" * LARGEST, b"97"),
    "a long method": (USUAL % (b"7", b"97")).replace(b"is_prime", b"is_prime" * (LARGEST // 8)),
    "params by position": (USUAL % (b"7", b"97")).replace(b'{"number":"97"}', b"[" + b"1," * (LARGEST // 2) + b"1]"),
    "a long deadline": (USUAL % (b"7", b"97")).replace(b'"}}', b'","deadline":1' + b"0" * LARGEST + b"}}"),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_reading_takes_no_more_memory_than_twice_the_message(message: bytes) -> None:
    tracemalloc.start()
    try:
        assert read_usual(message, LIMITS) is None
        assert all(isinstance(one, Rejected) for one in calls_of(message))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * len(message) + 65_536


@given(st.lists(st.integers(1, 3 * TURN // 2), min_size=1, max_size=100))
def test_a_batch_is_read_in_turns_of_bounded_length(lengths: list[int]) -> None:
    members = [is_prime([" " * length], id) for id, length in enumerate(lengths)]
    message = read("[" + ",".join(members) + "]", LIMITS)
    turns = list(message.turns)
    assert message.later == len(turns) - 1
    assert [call.id for turn in turns for call in turn] == [str(id) for id in range(len(lengths))]
    for turn in turns:
        assert len(turn) == 1 or sum(len(members[int(call.id)]) for call in turn) <= TURN


@pytest.mark.parametrize("blank", ["", " " * USUAL_BYTES])  # read in one go, and not
def test_of_a_name_that_stands_twice_the_last_one_counts(blank: str) -> None:
    twice = f'{{"jsonrpc":"2.0","id":1,"id":2,"method":"is_prime","params":{{"number":"7","number":"97"}}{blank}}}'
    assert call(twice) == call(is_prime({"number": "97"}, id=2))
    assert code(twice.replace('"2.0"', '"1.0","jsonrpc":"2.0"')) is Code.INVALID_REQUEST


def test_a_request_without_an_id_is_a_notification_only_where_all_of_it_is_text() -> None:
    text = b'{"jsonrpc": "2.0", "\x80id": 1, "method": "is_prime", "params": {"number": "97"}}'
    for message in (text, b"[" + text + b"]"):
        (calls,) = read(message, LIMITS).turns
        assert [(call.id, call.code) for call in calls if isinstance(call, Rejected)] == [(NO_ID, Code.PARSE_ERROR)]
    (calls,) = read(text.replace(b"\x80id", b"an id"), LIMITS).turns
    assert calls == []
