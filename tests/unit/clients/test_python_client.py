"""The Python client without a socket: what it says and hears, what it checks, what it remembers and prints."""

import asyncio
import base64
import hashlib
import http.server
import io
import json
import math
import os
import re
import resource
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.primes import Client, bar, evidence, lines
from clients.primes.arguments import parse
from clients.primes.certificate import Mismatch, Unavailable, address, fetch
from clients.primes.checkpoint import Checkpoint, Unusable
from clients.primes.conversation import (
    Answer,
    Conversation,
    Event,
    Failure,
    Fault,
    Joined,
    Leaving,
    Progress,
    Saved,
    Verdict,
)
from clients.primes.evidence import Outcome
from clients.primes.expression import evaluate
from clients.primes.functions import NotANumber
from clients.primes.questions import Question, count, read
from clients.primes.requests import Operation, PrimesError
from tests.unit.clients.twins import shorten

SESSION = {"session": "token", "offset": "0", "expires_in": 600, "instance": "web0"}
RESULT = {"verdict": "prime", "proven": True, "method": "BPSW", "queue_ms": 1, "compute_ms": 0.1}


class Talk:
    """A conversation with all its events."""

    def __init__(self, **options: Any) -> None:
        self.conversation = Conversation("t", **options)
        self.events: list[Event] = []

    def ask(self, number: str, id: str | None = None) -> str:
        return self.conversation.ask(Operation.IS_PRIME, {"number": number}, id)

    def connect(self, **session: Any) -> None:
        self.conversation.begin()
        self.hear(method="session", params={**SESSION, **session})

    def hear(self, now: float = 0, **message: Any) -> None:
        self.conversation.hear(json.dumps({"jsonrpc": "2.0", **message}), now)
        self.gather()

    def gather(self) -> None:
        self.events += self.conversation.events()

    def answer(self, id: str, offset: str, **more: Any) -> None:
        self.hear(id=id, result={**RESULT, "offset": offset, **more})

    def refuse(self, id: str, code: str, **data: Any) -> None:
        self.hear(id=id, error={"code": -32000, "message": code, "data": {"code": code, "retryable": False, **data}})

    def resumed(self, **result: Any) -> None:
        self.hear(id="resume", result={**SESSION, "recovered": True, "pending": [], **result})

    def take(self, now: float = 0) -> list[str]:
        """What is sent now, in short."""
        return [shorten(json.loads(text)) for text in self.conversation.messages(now)]

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def codes(self) -> list[tuple[str, str]]:
        return [(failure.id, failure.error.code) for failure in self.of(Failure)]


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def asked(talk: Talk) -> Talk:
    """One question, t-1, that the server has."""
    talk.ask("97")
    talk.connect()
    assert talk.take() == ["is_prime t-1 97"]
    return talk


def test_nothing_is_said_before_the_server_has_told_the_session(talk: Talk) -> None:
    talk.ask("97")
    assert talk.take() == []
    talk.conversation.begin()
    assert talk.take() == []
    talk.hear(method="session", params=SESSION)
    assert talk.take() == ["is_prime t-1 97"]
    assert talk.events == [Joined("web0", None)]


def test_answers_come_in_any_order_each_to_its_question(asked: Talk) -> None:
    asked.ask("91")
    asked.take()
    asked.answer("t-2", "5-1", verdict="composite", evidence={"factor": "7"})
    asked.answer("t-1", "5-2")
    told = [(answer.id, answer.verdict, answer.instance) for answer in asked.of(Answer)]
    assert told == [("t-2", "composite", "web0"), ("t-1", "prime", "web0")]
    assert asked.of(Answer)[0].evidence == {"factor": "7"}
    assert asked.conversation.saved == Saved("token", "5-2")
    assert (asked.conversation.open, asked.conversation.asked) == (0, 0)


def test_an_array_is_as_many_answers(asked: Talk) -> None:
    asked.ask("3")
    asked.take()
    answers = [{"jsonrpc": "2.0", "id": id, "result": {**RESULT, "offset": "5-2"}} for id in ("t-1", "t-2")]
    asked.conversation.hear(json.dumps(answers), 0)
    asked.gather()
    assert len(asked.of(Answer)) == 2


def test_a_second_answer_to_a_question_is_dropped(asked: Talk) -> None:
    for id in ("t-1", "t-1", "of nobody"):
        asked.answer(id, "5-1")
    assert len(asked.of(Answer)) == 1


def test_an_older_offset_does_not_take_the_session_back_one_of_another_epoch_counts(asked: Talk) -> None:
    for offset, kept in (("5-2", "5-2"), ("5-10", "5-10"), ("5-9", "5-10"), ("6-1", "6-1")):
        asked.answer("x", offset)
        assert asked.conversation.saved == Saved("token", kept)


def test_after_a_loss_the_session_is_resumed_first_then_all_is_asked_again_that_has_no_answer(talk: Talk) -> None:
    for number in "234":
        talk.ask(number)
    talk.connect()
    talk.take()
    talk.answer("t-1", "5-1")
    talk.conversation.end(1006)
    talk.ask("5")
    talk.connect(session="another")
    assert talk.take() == ["resume resume 5-1"]
    talk.resumed(instance="web3", offset="5-1", pending=["t-2"])
    assert talk.conversation.saved == Saved("token", "5-1")
    assert talk.take() == ["is_prime t-2 3", "is_prime t-3 4", "is_prime t-4 5"]
    talk.answer("t-2", "5-2")
    assert talk.of(Answer)[-1].instance == "web3"


def test_what_a_former_client_missed_is_taken_before_it_is_asked_again() -> None:
    talk = Talk(saved=Saved("token", "5-7"))
    talk.ask("97", id="former-1")
    talk.connect(session="another")
    assert talk.take() == ["resume resume 5-7"]
    talk.resumed(offset="5-7")
    talk.answer("former-1", "5-8")
    assert [answer.id for answer in talk.of(Answer)] == ["former-1"]
    assert talk.take() == []


def test_a_session_that_cannot_be_resumed_now_is_resumed_over_another_socket(asked: Talk) -> None:
    asked.conversation.end(1006)
    asked.connect(session="another")
    asked.take()
    asked.refuse("resume", "unavailable", retryable=True, retry_after=1)
    assert asked.of(Fault) == [Fault("unavailable")]
    assert asked.conversation.saved == Saved("token", "0")
    assert asked.take() == []


def test_a_session_that_is_refused_for_good_gives_way_to_the_sockets_own(asked: Talk) -> None:
    asked.conversation.end(1006)
    asked.connect(session="another")
    asked.take()
    asked.refuse("resume", "invalid_params")
    assert asked.conversation.saved == Saved("another", "0")
    assert asked.take() == ["is_prime t-1 97"]


def test_a_session_that_another_socket_has_taken_is_not_come_back_with(asked: Talk) -> None:
    asked.conversation.end(4001)
    asked.connect(session="another")
    assert asked.take() == ["is_prime t-1 97"]
    assert asked.conversation.saved == Saved("another", "0")


def test_when_redis_lost_its_data_all_is_asked_again_that_has_no_answer(asked: Talk) -> None:
    asked.hear(method="session", params={**SESSION, "recovered": False})
    assert asked.take() == ["is_prime t-1 97"]
    assert asked.of(Joined)[-1].recovered is False


def test_a_client_goes_on_behind_an_answer_that_is_withheld_from_it(asked: Talk) -> None:
    told = {**SESSION, "offset": "9-4"}
    asked.hear(method="session", params=told)
    assert asked.conversation.saved == Saved(SESSION["session"], "9-4")
    asked.hear(method="session", params={**told, "offset": "9-3"})
    assert asked.conversation.saved == Saved(SESSION["session"], "9-4"), "not back within an epoch"
    assert asked.take() == [], "nothing is asked again"


def test_no_more_than_the_window_is_with_the_server_at_once() -> None:
    talk = Talk(window=2)
    for number in "2345":
        talk.ask(number)
    talk.connect()
    assert talk.take() == ["is_prime t-1 2", "is_prime t-2 3"]
    assert talk.take() == []
    talk.answer("t-2", "5-1")
    assert talk.take() == ["is_prime t-3 4"]
    assert talk.conversation.asked == 2


def test_questions_are_bounded(talk: Talk) -> None:
    for _ in range(10_000):
        talk.ask("97")
    with pytest.raises(PrimesError, match="Expected at most 10,000 requests") as caught:
        talk.ask("97")
    assert caught.value.code == "busy"


def test_an_id_is_taken_once(asked: Talk) -> None:
    with pytest.raises(ValueError, match="an id of its own for each request, got 't-1' again"):
        asked.ask("91", id="t-1")


@pytest.mark.parametrize("deadline", [math.nan, math.inf, -math.inf, 1j, [], 10**400])
def test_a_deadline_that_is_none_is_refused_and_named(talk: Talk, deadline: object) -> None:
    with pytest.raises(PrimesError) as caught:
        talk.conversation.ask(Operation.IS_PRIME, {"number": "97", "deadline": deadline})
    assert str(caught.value) == f"Expected a deadline in seconds, above 0 and up to 3,600, got {deadline!r}"
    assert (caught.value.code, talk.conversation.open) == ("invalid_params", 0)


@pytest.mark.parametrize("params", [{"number": "97", "proof": math.nan}, {"number": b"97"}, {"number": {1}}])
def test_what_json_cannot_say_is_refused(talk: Talk, params: dict[str, Any]) -> None:
    with pytest.raises(PrimesError, match="Expected params that JSON can say") as caught:
        talk.conversation.ask(Operation.IS_PRIME, params)
    assert (caught.value.code, talk.conversation.open) == ("invalid_params", 0)


def test_half_a_character_is_named(talk: Talk) -> None:
    with pytest.raises(PrimesError, match=r"Expected an integer or an expression, got text with half a character, '\\udcff'"):
        talk.ask("7\udcff")


def test_ids_that_were_given_long_ago_are_forgotten(talk: Talk) -> None:
    talk.connect()
    for number in range(10_001):
        talk.ask("97", id=f"x{number}")
        talk.take()
        talk.answer(f"x{number}", f"5-{number}")
    talk.ask("97", id="x0")
    with pytest.raises(ValueError, match="an id of its own for each request, got 'x1' again"):
        talk.ask("97", id="x1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "Expected a window of at least 1 request, got 0"),
        ({"give_up_after": math.nan}, "Expected seconds from 0 on to give up after, got nan"),
        ({"give_up_after": -1}, "Expected seconds from 0 on to give up after, got -1"),
        ({"url": "http://localhost/"}, "expected ws://HOST/chatsocket, got 'http://localhost/'"),
        ({"url": "ws://"}, "expected ws://HOST/chatsocket"),
        ({"url": "ws://[::1/chatsocket"}, "expected ws://HOST/chatsocket"),
        ({"url": "ws://localhost:99999/chatsocket"}, "expected ws://HOST/chatsocket"),
        ({"url": "ws://localhost:port/chatsocket"}, "expected ws://HOST/chatsocket"),
        ({"url": "ws://a..b/chatsocket"}, "expected ws://HOST/chatsocket"),
        ({"url": f"ws://{'a' * 64}/chatsocket"}, "expected ws://HOST/chatsocket"),
        ({"url": "ws://localhost/\udcff"}, "expected ws://HOST/chatsocket"),
    ],
)
def test_a_client_that_could_never_ask_is_not_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Client(**options)


def test_what_is_refused_for_now_is_asked_again_not_before_its_time(asked: Talk) -> None:
    asked.refuse("t-1", "busy", retryable=True, retry_after=1)
    assert asked.take(0.999) == []
    due = asked.conversation.due
    assert due is not None and 1 <= due <= 2
    assert asked.take(due) == ["is_prime t-1 97"]
    assert asked.conversation.due is None
    assert asked.codes == []


def test_a_server_that_always_says_at_once_is_asked_again_ever_later(asked: Talk) -> None:
    for times in range(1, 21):
        asked.refuse("t-1", "busy", retryable=True, retry_after=0)
        due = asked.conversation.due
        assert due is not None and 0 <= due <= min(30, 2 ** (times - 1))
        if due > 1:
            return  # which without a growing pause it never is
        assert asked.take(due) == ["is_prime t-1 97"]
    raise AssertionError("it is asked again within a second each time")


def test_what_is_refused_for_good_fails_with_its_code_and_sentence(asked: Talk) -> None:
    asked.refuse("t-1", "deadline", offset="5-1", best="probably_prime")
    (failure,) = asked.of(Failure)
    assert (failure.error.code, str(failure.error), failure.error.data["best"]) == ("deadline", "deadline", "probably_prime")
    assert asked.conversation.saved == Saved("token", "5-1")


def test_a_question_that_was_never_sent_is_cancelled_at_once(talk: Talk) -> None:
    talk.conversation.cancel(talk.ask("97"))
    talk.gather()
    assert talk.codes == [("t-1", "cancelled")]
    talk.connect()
    assert talk.take() == []


@pytest.mark.parametrize("error_first", [True, False])
def test_a_question_with_the_server_is_cancelled_there_whichever_message_comes_first(asked: Talk, error_first: bool) -> None:
    asked.conversation.cancel("t-1")
    asked.conversation.cancel("t-1")
    assert asked.take() == ["cancel t-1/cancel t-1"]
    messages = [
        lambda: asked.refuse("t-1", "cancelled", offset="5-1"),
        lambda: asked.hear(id="t-1/cancel", result={"cancelled": True}),
    ]
    for message in messages if error_first else reversed(messages):
        message()  # type: ignore[no-untyped-call]  # lambdas
    assert asked.codes == [("t-1", "cancelled")]
    assert asked.conversation.asked == 0


def test_a_cancelled_question_is_cancelled_again_after_a_loss_and_not_asked(asked: Talk) -> None:
    asked.conversation.end(1006)
    asked.conversation.cancel("t-1")
    asked.connect()
    asked.resumed(recovered=False)
    assert asked.take() == ["resume resume 0", "cancel t-1/cancel t-1"]
    asked.hear(id="t-1/cancel", result={"cancelled": False})
    assert asked.codes == [("t-1", "cancelled")]


def test_the_last_words_are_cancellations_alone(talk: Talk) -> None:
    talk.ask("2")
    talk.connect()
    talk.take()
    talk.ask("3")
    talk.conversation.cancel("t-1")
    assert [shorten(json.loads(text)) for text in talk.conversation.last_words()] == ["cancel t-1/cancel t-1"]


def test_a_verdict_before_the_proof_is_told_once_progress_each_time(asked: Talk) -> None:
    for _ in range(2):
        asked.hear(method="verdict", params={"id": "t-1", "verdict": "probably_prime", "proven": False, "method": "BPSW"})
        asked.hear(
            method="progress", params={"jobs": [{"id": "t-1", "state": "running", "seconds": 2}, {"id": "x", "state": "queued"}]}
        )
    told = [Verdict("t-1", "probably_prime", False, "BPSW"), *[Progress("t-1", "running", 2, None)] * 2]
    assert asked.of(Verdict, Progress) == told


def test_the_end_of_an_instance_is_told_and_what_is_new_is_let_be(talk: Talk) -> None:
    talk.connect()
    talk.hear(method="going_away", params={"reconnect_after": 0.7})
    talk.hear(method="something_new", params={})
    assert talk.events[1:] == [Leaving(0.7)]


def test_a_fault_repeats_the_beginning_of_what_came(asked: Talk) -> None:
    asked.conversation.hear("{" * 70, 0)
    asked.gather()
    assert asked.of(Fault) == [Fault(f"Expected a message of primes.v1, got {'{' * 60!r}")]


FUNCTIONS = ["fib(300000)", "luc(10^18)", "100000!2", "(10^15)!1000", "binomial(10^9,10^7)", "Phi(999983,2)", "Phi(3,10^30000)"]


@pytest.mark.parametrize("text", ["1" * 47_000, "0x" + "f" * 40_000, "10^50000", "10^9!", "200000#", *FUNCTIONS])
def test_what_is_too_large_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(NotANumber, match=r"expected (at most|an operand)"):
        evaluate(text)


def test_integers_are_read_beyond_pythons_own_limit() -> None:
    assert evaluate("9" * 10_000) == 10**10_000 - 1


def answer(verdict: str, number: str | None = None, proven: bool = True, **found: str) -> Answer:
    return Answer("t-1", verdict, proven, "BPSW", 1, 0.1, found, number, "web0")


@pytest.mark.parametrize(
    ("number", "told", "outcome"),
    [
        ("10^3000+1", answer("composite", witness="2"), Outcome.AGREED),
        ("2^100003-1", answer("probably_prime", proven=False), Outcome.AGREED),
    ],
)
def test_numbers_of_thousands_of_digits_are_not_tested_here(number: str, told: Answer, outcome: Outcome) -> None:
    assert evidence.judge(number, Operation.IS_PRIME, told).outcome is outcome


@pytest.mark.parametrize(
    ("operation", "number", "found", "outcome"),
    [
        (Operation.NEXT, "90", "97", Outcome.SHOWN),
        (Operation.NEXT, "-10^40", "2", Outcome.SHOWN),
        (Operation.NEXT, "90", "101", Outcome.REFUTED),
        (Operation.NEXT, "97", "97", Outcome.REFUTED),
        (Operation.NEXT, "90", None, Outcome.REFUTED),
        (Operation.NEXT, "90", "1000003", Outcome.AGREED),
        (Operation.NEXT, "2^127-2", str(2**127 - 1), Outcome.AGREED),
        (Operation.NEXT, "90", "(96+1)", Outcome.REFUTED),
        (Operation.NEXT, "90", "\u0669\u0667", Outcome.REFUTED),
        (Operation.NEXT, "90", "", Outcome.REFUTED),
        (Operation.NEXT, "90", "9" * 47_000, Outcome.AGREED),
        (Operation.PREVIOUS, "97", "89", Outcome.SHOWN),
        (Operation.PREVIOUS, "97", "83", Outcome.REFUTED),
        (Operation.PREVIOUS, "97", "97", Outcome.REFUTED),
        (Operation.PREVIOUS, "2", None, Outcome.SHOWN),
        (Operation.PREVIOUS, "3", None, Outcome.REFUTED),
    ],
)
def test_neighbours_are_judged(operation: Operation, number: str, found: str | None, outcome: Outcome) -> None:
    told = answer("neither" if found is None else "prime", number=found)
    assert evidence.judge(number, operation, told).outcome is outcome


def factored(*factors: tuple[str, int, str], left: str | None = None) -> dict[str, Any]:
    cofactor = {} if left is None else {"cofactor": {"number": left, "verdict": "composite", "evidence": {"witness": "2"}}}
    found = [{"factor": number, "multiplicity": multiplicity, "verdict": verdict} for number, multiplicity, verdict in factors]
    return {"factors": found, **cofactor, "complete": left is None}


P30, Q40 = 10**29 + 319, 10**39 + 3


@pytest.mark.parametrize(
    ("number", "verdict", "factoring", "outcome"),
    [
        ("12", "composite", factored(("2", 2, "prime"), ("3", 1, "prime")), Outcome.SHOWN),
        ("-12", "neither", factored(("2", 2, "prime"), ("3", 1, "prime")), Outcome.SHOWN),
        ("1", "neither", factored(), Outcome.SHOWN),
        ("97", "prime", factored(("97", 1, "prime")), Outcome.SHOWN),
        ("0", "neither", {"factors": [], "cofactor": {"number": "0", "verdict": "neither"}, "complete": False}, Outcome.SHOWN),
        ("12", "composite", factored(("2", 1, "prime"), ("3", 1, "prime")), Outcome.REFUTED),
        ("12", "composite", factored(("3", 1, "prime"), ("4", 1, "prime")), Outcome.REFUTED),
        ("12", "composite", factored(("2", 10**9, "prime")), Outcome.REFUTED),
        ("12", "composite", factored(("1", 1, "prime"), ("2", 2, "prime"), ("3", 1, "prime")), Outcome.REFUTED),
        ("12", "composite", {}, Outcome.REFUTED),
        ("12", "composite", {"factors": [{"factor": 12}]}, Outcome.REFUTED),
        ("12", "composite", {"factors": [{"factor": "12", "multiplicity": -1}]}, Outcome.REFUTED),
        (str(7 * Q40), "composite", factored(("7", 1, "prime"), (str(Q40), 1, "probably_prime")), Outcome.AGREED),
        (str(7 * P30 * Q40), "composite", factored(("7", 1, "prime"), left=str(P30 * Q40)), Outcome.SHOWN),
        (str(7 * Q40), "composite", factored(("7", 1, "prime"), left=str(Q40)), Outcome.REFUTED),
    ],
)
def test_factors_are_judged(number: str, verdict: str, factoring: dict[str, Any], outcome: Outcome) -> None:
    found: dict[str, str] = {"factor": "7" if number.startswith("7") else "3"} if verdict == "composite" else {}
    told = Answer("t-1", verdict, True, "BPSW", 1, 0.1, found, None, "web0", factoring)
    assert evidence.judge(number, Operation.FACTOR, told).outcome is outcome


def ask(checkpoint: Checkpoint, numbers: Sequence[str], first: int = 1) -> None:
    for position, number in enumerate(numbers, first):
        checkpoint.ask(Question(position, number))


def test_a_checkpoint_knows_what_was_printed_and_what_failed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = Checkpoint(path, {})
    ask(first, "2345")
    for position in (1, 4, 2):
        first.note(position, failed=position == 4)
    first.save(Saved("token", "5-3"))
    first.close()
    second = Checkpoint(path, {})
    assert (second.saved, second.prefix, second.asked, second.failed) == (Saved("token", "5-3"), first.prefix, 4, 1)
    assert [second.has(position) for position in range(1, 6)] == [True, True, False, True, False]
    ask(second, "23456")
    second.note(3, failed=False)
    assert second.done == 4


def test_a_checkpoint_stays_small_while_one_question_waits_for_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = Checkpoint(path, {})
    for position in range(1, 10_001):
        first.ask(Question(position, "97"))
        if position != 5:
            first.note(position, failed=False)
    first.save(None)
    first.close()
    assert path.stat().st_size < 500
    second = Checkpoint(path, {})
    assert (second.done, [position for position in range(1, 10_002) if not second.has(position)]) == (9_999, [5, 10_001])


def test_a_checkpoint_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint = Checkpoint(path, {})
    ask(checkpoint, "2" * 500)
    checkpoint.save(None)
    kept = path.read_bytes()
    ask(checkpoint, "2" * 1_000, first=501)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) + 1, before[1]))  # as on a full disk, a part can still be written
    try:
        with pytest.raises(Unusable, match="File too large"):
            checkpoint.save(None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == kept and os.listdir(tmp_path) == ["state"]
    checkpoint.save(None)  # what was in the way has passed
    checkpoint.close()
    assert Checkpoint(path, {}).asked == 1_500


def test_what_is_no_file_is_no_checkpoint_and_stays() -> None:
    with pytest.raises(Unusable, match="/dev/null: expected a file, got something else"):
        Checkpoint(Path("/dev/null"), {})
    assert Path("/dev/null").is_char_device()


def test_a_checkpoint_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = Checkpoint(path, {})
    for _ in range(2):
        with pytest.raises(Unusable, match="another run uses it"):
            Checkpoint(path, {})
        ask(first, "2", first=1)
        first.save(None)  # puts a new file in the place of the old
    first.close()
    assert os.listdir(tmp_path) == ["state"]


def test_a_checkpoint_that_was_never_saved_leaves_no_file(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "state", {}).close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "[" * 100_000,
        "{}",
        '{"version": 2}',
        '{"version": 1, "kind": "{}", "session": null, "offset": null, "prefix": "p"}',
        '{"version": 1, "kind": "{}", "session": null, "prefix": "p", "digest": "", "asked": "x", "open": [], "failed": 0}',
        "\xff",
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Unusable, match="expected a file that --resume made"):
        Checkpoint(path, {})


def gathered(arguments: Sequence[str], file: Path | None) -> list[str]:
    async def scenario() -> list[str]:
        return [question.number async for question in read(arguments, file and str(file))]

    return asyncio.run(scenario())


def test_questions_are_lines_without_blanks_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"\xef\xbb\xbf# no\n\n  #no\n 7#+1 \r\n\xef\xbf\xbd\n" + b"1" * 100_000 + b"\n9")
    assert gathered(["2"], path) == ["2", "7#+1", "\ufffd", "1" * 100_000, "9"]
    assert count(["2"], str(path)) == 5
    assert count(["-"], None) is None


def test_a_long_number_is_shortened_for_people() -> None:
    assert lines.shorten("1" * 60) == "1" * 60
    assert lines.shorten("1" * 1_234) == f"{'1' * 20}…{'1' * 20} (1,234 characters)"


def test_a_refuted_answer_stands_out() -> None:
    judgement = evidence.refuted("5 does not divide it")
    told = lines.tell(Question(1, "91"), Operation.IS_PRIME, answer("composite", factor="5"), judgement, None)
    assert told == "91: composite, REFUTED: 5 does not divide it"


@pytest.mark.parametrize(
    ("number", "digits", "value", "told"),
    [
        ("2^7-1", 3, "127", "2^7-1: prime, BPSW; it is 127 (3 digits)"),
        ("9-2", 1, "7", "9-2: prime, BPSW; it is 7 (1 digit)"),
        ("10^60+7", 61, "1" + "0" * 59 + "7", "10^60+7: prime, BPSW; it has 61 digits"),
        ("10^2000", 2001, None, "10^2000: prime, BPSW; it has 2,001 digits"),
    ],
)
def test_what_an_expression_stands_for_is_told_at_the_end(number: str, digits: int, value: str | None, told: str) -> None:
    said = replace(answer("prime"), digits=digits, value=value)
    assert lines.tell(Question(1, number), Operation.IS_PRIME, said, None, None) == told
    encoded = json.loads(lines.encode(Question(1, number), Operation.NEXT, said, None, None))
    assert (encoded["digits"], encoded.get("value")) == (digits, value)


@pytest.mark.parametrize("evidence", [{"certificate": 7}, {"certificate": None}, {"factor": ["7"]}])
def test_malformed_evidence_is_printed_as_it_came(evidence: dict[str, Any]) -> None:
    told = Answer("t-1", "prime", True, "BPSW", 1, 0.1, evidence, None, "web0")
    assert lines.tell(Question(1, "97"), Operation.IS_PRIME, told, None, None).startswith("97: prime")
    assert json.loads(lines.encode(Question(1, "97"), Operation.IS_PRIME, told, None, None))["evidence"] == evidence


@pytest.mark.parametrize("best", [["prime"], {}, None, 7])
def test_what_is_no_verdict_is_printed_as_it_came(best: object) -> None:
    error = PrimesError("deadline", "over", {"best": best})
    assert lines.tell_failure(Question(1, "97"), error) == f"97: no answer, deadline: over (so far: {best})"


@pytest.mark.parametrize("sha256", [7, None, "ab", "G" * 64, "a" * 64 + "\n", "\uff21" * 64])
def test_what_names_no_certificate_is_not_asked_for(sha256: object) -> None:
    with pytest.raises(Mismatch, match="expected the SHA-256 of a certificate, got"):
        fetch("ws://127.0.0.1:9/chatsocket", sha256)


class Keeper(http.server.BaseHTTPRequestHandler):
    """Keeps one text, under its SHA-256 in small letters."""

    text = b"[PRIMO - Primality Certificate]"
    known: str | None = None  # who alone gets it

    def do_GET(self) -> None:
        if self.headers["Authorization"] != self.known:
            return self.send_error(401)
        self.send_response(200 if self.path == f"/certificates/{hashlib.sha256(self.text).hexdigest()}" else 404)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_a_sha256_in_capitals_names_the_same_certificate() -> None:
    sha256 = hashlib.sha256(Keeper.text).hexdigest()
    with http.server.HTTPServer(("127.0.0.1", 0), Keeper) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        fetched = fetch(f"ws://127.0.0.1:{server.server_port}/chatsocket", sha256.upper())
    assert (fetched.text, fetched.sha256) == (Keeper.text, sha256)


def test_a_certificate_that_is_refused_for_now_or_breaks_off_is_fetched_again_and_not_taken_for_another() -> None:
    class Breaking(Keeper):
        sent = -1  # how often

        def do_GET(self) -> None:
            type(self).sent += 1
            if not self.sent:
                return self.send_error(429)
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.text)))
            self.end_headers()
            self.wfile.write(self.text[: 9 if self.sent == 1 else None])

    sha256 = hashlib.sha256(Keeper.text).hexdigest()
    with http.server.HTTPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert fetch(f"ws://127.0.0.1:{server.server_port}/chatsocket", sha256).text == Keeper.text
        server.shutdown()
    assert Breaking.sent == 2


class Babbler(http.server.BaseHTTPRequestHandler):
    """Has no certificate, and says so in no words of ours."""

    def do_GET(self) -> None:
        self.send_response(404)
        if "/chunks/" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\n{")  # and it ends
        else:
            self.end_headers()
            self.wfile.write(b"[" * 100_000)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.mark.parametrize("path", ["", "chunks/"])
def test_a_refusal_in_no_words_is_told_by_its_status(path: str) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Babbler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(Unavailable, match="HTTP status 404"):
            fetch(f"ws://127.0.0.1:{server.server_port}/{path}chatsocket", "a" * 64)


def test_a_user_and_a_password_in_the_url_are_told_with_the_request_for_a_certificate_and_to_nobody_else() -> None:
    class Guarded(Keeper):
        known = f"Basic {base64.b64encode(b'user:pass').decode()}"

    sha256 = hashlib.sha256(Keeper.text).hexdigest()
    with http.server.HTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        assert fetch(f"ws://user:pass@127.0.0.1:{port}/chatsocket", sha256).text == Keeper.text
        with pytest.raises(Unavailable, match=f"^http://127.0.0.1:{port}/certificates/{sha256}: HTTP status 401$"):
            fetch(f"ws://user:wrong@127.0.0.1:{port}/chatsocket", sha256)
        server.shutdown()


def test_certificates_are_beside_the_socket() -> None:
    assert address("wss://host/under/chatsocket", "ab") == "https://host/under/certificates/ab"
    assert address("WSS://host/chatsocket", "ab") == "https://host/certificates/ab"


def test_the_bar_tells_how_far_it_is() -> None:
    assert (
        bar.describe(bar.Standing(500, 1_000, 1_234.5, "97: 3 s, running"))
        == f"[{'#' * 12}{'.' * 12}] 500/1,000  1,234/s  97: 3 s, running"
    )
    assert bar.describe(bar.Standing(1_500, None, 3, "")) == "1,500  3/s"


def test_the_bar_does_nothing_else_to_a_terminal() -> None:
    assert bar.describe(bar.Standing(1, None, 3, "\x1b]0;title\x07: 3 s")) == r"1  3/s  \x1b]0;title\x07: 3 s"


def test_the_bar_is_for_terminals_alone() -> None:
    stream = io.StringIO()
    drawn = bar.Bar(stream)
    drawn.draw(bar.Standing(1, 2, 3, ""))
    drawn.clear()
    assert stream.getvalue() == ""


def test_without_numbers_standard_input_is_read_unless_it_is_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([], {}, terminal=False).numbers == ("-",)
    with pytest.raises(SystemExit) as caught:
        parse([], {}, terminal=True)
    assert caught.value.code == 2
    assert "expected numbers: as arguments, with --file FILE or on standard input" in capsys.readouterr().err


def test_the_environment_names_the_server_and_an_option_another() -> None:
    environment = {"PRIMES_URL": "ws://there/chatsocket"}
    assert parse(["97"], environment, terminal=True).url == "ws://there/chatsocket"
    assert parse(["97", "--url", "ws://here/chatsocket"], environment, terminal=True).url == "ws://here/chatsocket"
    assert parse(["97"], {}, terminal=True).url == "ws://localhost/chatsocket"


def test_negative_numbers_and_options_stand_beside_each_other() -> None:
    request = parse(["--previous", "-12", "--proof", "--deadline", "5", "--", "-2^2"], {}, terminal=True)
    assert (request.numbers, request.operation) == (("-12", "-2^2"), Operation.PREVIOUS)
    assert request.options == {"proof": True, "deadline": 5}
