"""Messages of `primes.v1`, right, nearly right and none: each is read, within bounds, and its answer goes to its id."""

import json
import tracemalloc
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from services.web.v1.calls import Asked, Limits, Rejected
from services.web.v1.errors import Code
from services.web.v1.ids import ID_BYTES, NO_ID
from services.web.v1.requests import BATCH, read, read_usual
from tests.fuzz import steps

LIMITS = Limits(10_000, 1_000)
MOST_SENTENCE = 2_000  # characters of an error's sentence

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["97", "-12", "2^127-1", "1/3", "\ud800", "0", "7-7", 1e400, 10**130]),
)
anything = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.sampled_from(["id", "number", "x", ""]), leaves, max_size=3)
params = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("number", "deadline", "request", "proof", "certificate", "session", "offset", "x"), anything),
)
request = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | anything,
        "method": st.sampled_from(["is_prime", "next_prime", "previous_prime", "cancel", "resume"]) | anything,
        "id": st.integers(0, 99) | anything,
        "params": params | anything,
        "x": anything,
    },
)
usual = st.builds(
    lambda id, number: {"jsonrpc": "2.0", "id": id, "method": "is_prime", "params": {"number": number}},
    st.integers() | leaves,
    st.integers(0, 10**30).map(str) | leaves,
)
members = st.one_of(usual, request, anything)
message = st.one_of(members, st.lists(members, max_size=5)).map(json.dumps)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A message of which some bytes are others."""
    text = bytearray(draw(message).encode())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 4))] = draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"]", b",", b"\\u", b"e9"])
        )
    return bytes(text)


def _id_of(request: Any) -> str | None:
    """The id that an answer must have, where JSON's own reader is sure of it."""
    id = request.get("id") if isinstance(request, dict) else None
    if not isinstance(id, int | str) or isinstance(id, bool):
        return None
    try:
        written = json.dumps(id, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return None
    return written.decode() if len(written) <= ID_BYTES and written.isascii() and b"\\" not in written else None


@given(message)
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example('{"jsonrpc":"2.0","id":1e400,"method":"is_prime","params":{"number":"97"}}')
@example('{"jsonrpc":"2.0","id":"\\ud800","method":"is_prime","params":{"number":"97"}}')
@example('{"jsonrpc":"2.0","id":1,"method":"is_prime","params":{"number":"97","deadline":1e400}}')
@example('{"jsonrpc":"2.0","id":-' + "9" * 16_000 + "}")
def test_every_message_is_read(text: str) -> None:
    calls = [call for turn in read(text, LIMITS).turns for call in turn]
    assert len(calls) <= BATCH
    assert all(len(call.message) <= MOST_SENTENCE and call.message.isprintable() for call in calls if isinstance(call, Rejected))
    found = read_usual(text, LIMITS)
    assert found is None or calls == [found]


@given(members.map(json.dumps))
def test_an_answer_goes_to_the_id_that_asked(text: str) -> None:
    if (expected := _id_of(json.loads(text))) is None:
        return
    calls = [call for turn in read(text, LIMITS).turns for call in turn]
    assert [call.id for call in calls] in ([expected], [NO_ID])  # an id beside what is no request
    if json.loads(text).get("jsonrpc") == "2.0":
        assert [call.id for call in calls] == [expected]


@given(st.lists(usual, min_size=1, max_size=5))
def test_members_of_a_batch_are_read_as_they_are_alone(asked: list[dict[str, Any]]) -> None:
    batch = [call for turn in read(json.dumps(asked), LIMITS).turns for call in turn]
    alone = [call for one in asked for turn in read(json.dumps(one), LIMITS).turns for call in turn]
    assert [call.id for call in batch] == [call.id for call in alone]
    assert [type(call) for call in batch] == [type(call) for call in alone]


@given(broken())
@example(b'{"jsonrpc":"2.0","id":1,"method":"is_prime","params":{"number":"97"},"\x80":1}')
@example(b'[{"jsonrpc":"2.0","id":1,"method":"is_prime","params":{"number":"97"}},{"jsonrpc":"2.0","id":2,"\xff":1}]')
def test_bytes_are_read_or_refused(data: bytes) -> None:
    calls = [call for turn in read(data, LIMITS).turns for call in turn]
    assert all(isinstance(call, Asked) or call.id for call in calls)
    broken = _count_broken(data)
    if broken is None or broken:
        refused = [call for call in calls if isinstance(call, Rejected)]
        assert len(refused) >= (len(calls) if broken is None else broken)
        assert all(call.id != NO_ID or call.code in {Code.PARSE_ERROR, Code.INVALID_REQUEST} for call in refused)


def _count_broken(data: bytes) -> int | None:
    """How many members are no UTF-8: those of a batch are read one by one. None where there would be no JSON even so."""
    text = data.decode(errors="surrogateescape")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    members = found if isinstance(found, list) else [found]
    return sum(_is_escaped(json.dumps(member, ensure_ascii=False)) for member in members) if _is_escaped(text) else 0


def _is_escaped(text: str) -> bool:
    """Whether some of its bytes were no UTF-8."""
    return any("\udc80" <= letter <= "\udcff" for letter in text)


pieces = st.sampled_from(
    [
        b"[",
        b"{",
        b'{"a":',
        b"[[",
        b"1,",
        b'"\\u0000',
        b" ",
        b"[1,",
        b'{"jsonrpc":"2.0","id":1,"method":"is_prime","params":{"number":"9',
    ]
)


@given(st.sampled_from([b"", b"[", b'[{"id":1},', b'{"id":']), pieces, st.integers(1, 1 << 18))
def test_reading_takes_steps_and_memory_in_proportion_to_the_message(head: bytes, piece: bytes, size: int) -> None:
    data = head + (piece * (size // len(piece) + 1))[:size]

    def calls() -> None:
        read_usual(data, LIMITS)
        for turn in read(data, LIMITS).turns:
            assert turn is not None

    calls()
    assert steps.count(calls) <= 50_000
    tracemalloc.start()
    try:
        calls()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * len(data) + 400_000
