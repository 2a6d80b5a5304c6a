"""The plain protocol: a sentence for every answer, replies in the order of the messages."""

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.jobs.messages import Answer, Fault, Verdict
from services.web.plain import protocol
from services.web.plain.protocol import Window, sentence


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.PRIME, "is a prime number"),
        (Verdict.PROBABLY_PRIME, "is a prime number"),
        (Verdict.COMPOSITE, "is not a prime number"),
        (Verdict.NEITHER, "is not a prime number"),
    ],
)
def test_tells_a_verdict_in_the_words_of_the_protocol(verdict: Verdict, expected: str) -> None:
    assert sentence(Answer(1, verdict)).decode() == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.POISON, "No answer: The job ended the process that ran it, several times, and was set aside"),
        (Fault.NO_INTEGER, "No answer: The expression has no integer value: a division leaves a remainder"),
        (Fault.DEADLINE, "No answer: The job took longer than the server, or its own request, allows"),
    ],
)
def test_tells_a_fault_in_a_sentence(fault: Fault, expected: str) -> None:
    assert sentence(Answer(1, Verdict.UNKNOWN, fault=fault)).decode() == expected


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_line_of_its_own(fault: Fault) -> None:
    said = sentence(Answer(1, Verdict.UNKNOWN, fault=fault))
    assert said.decode().isprintable()
    assert said not in {sentence(Answer(1, Verdict.UNKNOWN, fault=other)) for other in Fault if other is not fault}


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.UNKNOWN])
def test_every_verdict_has_a_line(verdict: Verdict) -> None:
    assert sentence(Answer(1, verdict)) in {b"is a prime number", b"is not a prime number"}


def test_a_refusal_has_a_line() -> None:
    assert protocol.INVALID == b"Invalid input"
    assert protocol.BUSY == b"Busy: the server has as many jobs as it takes, try again in a second"


def test_is_empty_when_every_reply_is_written() -> None:
    window = Window(10)
    assert window.empty
    window.wait(1)
    assert not window.empty
    window.settle(1, b"one")
    assert not window.empty
    assert window.take() == [b"one"]
    assert not window.empty
    window.flushed(1)
    assert window.empty


def test_an_answer_waits_for_the_messages_before_it() -> None:
    window = Window(10)
    window.wait(1)
    window.reply(b"two")
    window.wait(3)
    assert window.take() == []
    window.settle(3, b"three")
    window.settle(1, b"one")
    assert window.take() == [b"one", b"two", b"three"]
    assert window.take() == []


def test_knows_the_jobs_that_have_not_replied() -> None:
    window = Window(10)
    window.wait(1)
    window.reply(b"two")
    window.wait(3)
    window.settle(1, b"one")
    assert window.jobs == [3]


def test_messages_without_a_job_keep_places_of_their_own() -> None:
    window = Window(10)
    window.wait(1)
    window.reply(b"two")
    window.settle(1, b"one")
    assert window.take() == [b"one", b"two"]
    window.wait(2)
    window.reply(b"four")
    window.reply(b"five")
    window.settle(2, b"three")
    assert window.take() == [b"three", b"four", b"five"]


def test_is_full_with_as_many_unanswered_messages_as_its_size() -> None:
    window = Window(2)
    assert not window.wait(1)
    assert not window.full
    assert window.wait(2)
    assert window.full


def test_stays_full_until_its_replies_left() -> None:
    window = Window(1)
    window.reply(b"one")
    replies = window.take()
    assert window.full
    window.flushed(len(replies))
    assert not window.full


def test_a_reply_that_waits_for_its_turn_keeps_its_place() -> None:
    window = Window(2)
    window.wait(1)
    window.reply(b"two")
    assert window.take() == []
    assert window.full


class AnyOrder(RuleBasedStateMachine):
    """A client sends while the window has room; jobs end in any order; writes end some time later."""

    @initialize(size=st.integers(1, 6))
    def start(self, size: int) -> None:
        self.size = size
        self.window = Window(size)
        self.messages = 0
        self.unanswered: dict[int, int] = {}  # number of the message, by its job's id
        self.sent: list[int] = []
        self.unflushed: deque[int] = deque()

    @precondition(lambda self: not self.window.full)
    @rule()
    def message(self) -> None:
        self.messages += 1
        self.unanswered[1_000 + self.messages] = self.messages
        assert self.window.wait(1_000 + self.messages) == self.window.full

    @precondition(lambda self: not self.window.full)
    @rule()
    def bad_message(self) -> None:
        self.messages += 1
        self.window.reply(b"%d" % self.messages)

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.unanswered)))
        self.window.settle(job, b"%d" % self.unanswered.pop(job))

    @rule()
    def take(self) -> None:
        ready = [int(reply) for reply in self.window.take()]
        self.sent += ready
        self.unflushed += ready
        first = min(self.unanswered.values(), default=self.messages + 1)
        assert self.sent == list(range(1, first))  # each once, up to the first message without a reply

    @precondition(lambda self: self.unflushed)
    @rule()
    def write(self) -> None:
        self.unflushed.popleft()
        self.window.flushed(1)

    @invariant()
    def is_full_when_unsent_and_unwritten_reach_its_size(self) -> None:
        held = self.messages - len(self.sent) + len(self.unflushed)
        assert held <= self.size
        assert self.window.full == (held == self.size)
        assert self.window.empty == (held == 0)
        assert self.window.jobs == sorted(self.unanswered)

    def teardown(self) -> None:
        for job in sorted(getattr(self, "unanswered", ()), reverse=True):
            self.window.settle(job, b"%d" % self.unanswered[job])
        if hasattr(self, "window"):
            self.sent += [int(reply) for reply in self.window.take()]
            assert self.sent == list(range(1, self.messages + 1))


test_replies_in_the_order_of_messages_whatever_the_order_of_answers = AnyOrder.TestCase
