"""The Python client does what the tables say that both clients do, and what the JavaScript does with anything else."""

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.jobs import expression
from services.jobs.evaluation import NoInteger
from services.jobs.evaluation import evaluate as compute
from services.web.ask import question
from tests.unit.clients.node import Twin
from tests.unit.clients.twins import judge, play, table, value

MOST_DIGITS = 10_000

EXPRESSIONS = table("expressions")
JUDGEMENTS = table("judgements")
CONVERSATIONS = table("conversations")

# Two questions are with the server, and the second one is cancelled.
SESSION = {"method": "session", "params": {"session": "token", "offset": "5-1", "instance": "web0"}}
# The server could not read a message, nor tell which.
UNREADABLE = {
    "id": None,
    "error": {"code": -32700, "message": "Expected JSON", "data": {"code": "parse_error", "retryable": False}},
}
BEFORE: list[dict[str, Any]] = [{"ask": "97"}, {"ask": "91"}, {"begin": True}, {"hear": SESSION}, {"cancel": "t-2"}]


@pytest.fixture(scope="module")
def javascript() -> Iterator[Twin]:
    with Twin() as twin:
        yield twin


def serve(text: str) -> str | None:
    """The value that the server computes; None where it refuses the text. Raises `expression.TooLarge` and the like."""
    try:
        read = question.read(text, MOST_DIGITS)
        return str(compute(expression.read(read.number, MOST_DIGITS).tree)) if read.digits else read.number
    except (expression.NotAnExpression, NoInteger):
        return None


def test_the_server_and_the_client_read_the_same_numbers() -> None:
    for text, expected in EXPRESSIONS["read"].items():
        assert (serve(text), value(text)) == (expected, expected), ascii(text)


def test_the_server_and_the_client_refuse_the_same_texts() -> None:
    for text in EXPRESSIONS["refused"]:
        try:
            served = serve(text)
        except question.TOO_LARGE:
            served = None
        assert (served, value(text)) == (None, None), ascii(text)


@pytest.mark.parametrize("case", JUDGEMENTS, ids=[f"{case['number']} {case['verdict']}" for case in JUDGEMENTS])
def test_an_answer_is_judged_by_what_its_evidence_shows(case: dict[str, Any]) -> None:
    assert judge(case) == case["outcome"]


@pytest.mark.parametrize("name", CONVERSATIONS["transcripts"])
def test_a_transcript_has_its_events(name: str) -> None:
    steps = CONVERSATIONS["transcripts"][name]
    for step, seen in zip(steps, play(steps), strict=True):
        expected = {**seen, "events": [], "sent": [], **{key: step[key] for key in seen if key in step}}
        assert seen == expected, step


def test_what_no_server_says_ends_the_connection_and_nothing_else_happens() -> None:
    for text in CONVERSATIONS["malformed"]:
        assert play([*BEFORE, {"hear": text}])[-1] == {"events": ["leave"], "sent": [], "offset": "5-1", "open": 2}, text[:200]


def test_what_concerns_nobody_changes_nothing() -> None:
    for text in CONVERSATIONS["harmless"]:
        assert play([*BEFORE, {"hear": text}])[-1] == {"events": [], "sent": [], "offset": "5-1", "open": 2}, text


# Anything else.

DIGITS = "0123456789\u0660\u0667\u096d\uff17\U0001d7d9\u00b2\u00bd"
BLANKS = " \t\r\n\x0b\x0c\x1c\x1f\x85\xa0\u1680\u180e\u2003\u200b\u2028\u202f\u3000\ufeff"
pieces = st.sampled_from([*DIGITS, *BLANKS, *"+-*/^!#()_xXaf.e", "**", "0x", "10", "127", "\ud800", "\x00"])
texts = st.lists(pieces, max_size=12).map("".join)

often = settings(max_examples=max(150, settings().max_examples))  # a second or two each


@often
@given(texts)
def test_any_text_is_read_by_both_clients_as_the_server_reads_it(javascript: Twin, text: str) -> None:
    ours = value(text)
    assert javascript.ask("evaluateText", text) == ours
    with contextlib.suppress(
        question.TOO_LARGE
    ):  # its bounds are settings, and stricter on what it does not compute while it reads
        assert serve(text) == ours


numbers = st.sampled_from(["97", "91", "1", "-7", "2^127-1", "2^127+1", "3^60", "10^30", "2047", "(1+6)"]) | st.integers(
    -5, 3000
).map(str)
scraps = (
    st.none()
    | st.booleans()
    | st.integers(-2, 10**22)
    | st.text(DIGITS + BLANKS + "+-x", max_size=4)
    | st.sampled_from(["2", "7", "13"])
)
evidences = st.dictionaries(
    st.sampled_from(["factor", "witness", "certificate", "new"]), scraps | st.lists(scraps, max_size=1), max_size=2
)
amounts = st.integers(-1, 4) | st.none() | st.booleans() | st.sampled_from(["1", 10**18])
called = st.sampled_from(["prime", "composite", "probably_prime", "neither", "new"]) | st.none()
divisors = st.sampled_from(["1", "2", "3", "7", "13", "91", "2047", "0", str(2**127 - 1), "07", "x"])
parts = st.fixed_dictionaries(
    {},
    optional={"factor": divisors, "number": divisors, "multiplicity": amounts, "verdict": called, "evidence": evidences},
)
factorings = st.fixed_dictionaries({}, optional={"factors": st.lists(parts, max_size=3) | scraps, "cofactor": parts | scraps})
cases = st.fixed_dictionaries(
    {
        "number": numbers,
        "verdict": st.sampled_from(["prime", "composite", "probably_prime", "neither", "new"]),
        "evidence": evidences,
    },
    optional={
        "factoring": factorings,
        "certificate": numbers | texts,
        "digits": st.integers(0, 40),
        "value": st.integers(-5, 3000).map(str) | st.sampled_from([str(2**127 - 1), "0x7", "--1", ""]),
    },
)


@often
@given(cases)
def test_any_answer_is_judged_alike_by_both_clients(javascript: Twin, case: dict[str, Any]) -> None:
    assert javascript.ask("judge", case) == judge(case)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container within a message, and each key or index in it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


HEARD = [step["hear"] for steps in CONVERSATIONS["transcripts"].values() for step in steps if "hear" in step]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from([0.5, 10**400, "", "t-1", "5-2", "5-3", "6-1", "prime", "resume"])
)
strange = (
    scalars
    | st.builds(dict)
    | st.builds(list)
    | st.dictionaries(st.sampled_from(["id", "offset", "cancelled"]), scalars, max_size=2)
)


@st.composite
def messages(draw: st.DrawFn) -> Any:
    """A message of a transcript, or one with something in it taken away or put in another's place."""
    message = copy.deepcopy(draw(st.sampled_from(HEARD)))
    for _ in range(draw(st.integers(0, 2))):
        container, key = draw(st.sampled_from(list(places(message)) or [({"": None}, "")]))
        if key not in (container if isinstance(container, dict) else range(len(container))):
            continue  # the first change took it away
        if draw(st.booleans()):
            del container[key]
        else:
            container[key] = draw(strange)
    return message


steps = st.one_of(
    messages().map(lambda message: {"hear": json.dumps(message)}),
    st.sampled_from(
        [
            {"ask": "97"},
            {"begin": True},
            {"end": 1006},
            {"end": 1009},
            {"end": 4001},
            {"cancel": "t-1"},
            {"at": 1e6},
            {"hear": SESSION},
            {"hear": UNREADABLE},
            *({"hear": {"id": f"{n}/check", "result": {"cancelled": False}}} for n in (1, 2)),
        ]
    ),
)


@often
@given(st.lists(steps, max_size=8))
def test_any_transcript_has_the_same_events_in_both_clients(javascript: Twin, after: list[dict[str, Any]]) -> None:
    transcript = [*BEFORE, *after]
    assert javascript.ask("play", transcript) == play(transcript)
