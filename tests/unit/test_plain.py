"""The plain protocol: a sentence for every answer, replies in the order of the messages."""

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.jobs.messages import Answer, Fault, Verdict
from services.web import plain
from services.web.plain import Slot, Window, sentence


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
    assert sentence(Answer(1, verdict)) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.POISON, "No answer: The job ended the process that ran it, several times, and was set aside"),
        (Fault.NO_INTEGER, "No answer: The expression has no integer value: a division leaves a remainder"),
        (Fault.DEADLINE, "No answer: The job took longer than the server, or its own request, allows"),
    ],
)
def test_tells_a_fault_in_a_sentence(fault: Fault, expected: str) -> None:
    assert sentence(Answer(1, Verdict.UNKNOWN, fault=fault)) == expected


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_line_of_its_own(fault: Fault) -> None:
    said = sentence(Answer(1, Verdict.UNKNOWN, fault=fault))
    assert said.isprintable()
    assert said not in {sentence(Answer(1, Verdict.UNKNOWN, fault=other)) for other in Fault if other is not fault}


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.UNKNOWN])
def test_every_verdict_has_a_line(verdict: Verdict) -> None:
    assert sentence(Answer(1, verdict)) in {"is a prime number", "is not a prime number"}


def test_a_refusal_has_a_line() -> None:
    assert plain.INVALID == "Invalid input"
    assert plain.BUSY == "Busy: the server has as many jobs as it takes, try again in a second"


def test_is_empty_when_every_reply_is_written() -> None:
    window = Window(10)
    assert window.empty
    slot = window.open()
    assert not window.empty
    window.fill(slot, "one")
    assert not window.empty
    window.flushed(1)
    assert window.empty


def test_an_answer_waits_for_the_messages_before_it() -> None:
    window = Window(10)
    first, second, third = window.open(), window.open(), window.open()
    assert window.fill(second, "two") == []
    assert window.fill(first, "one") == ["one", "two"]
    assert window.fill(third, "three") == ["three"]


def test_is_full_with_as_many_unanswered_messages_as_its_size() -> None:
    window = Window(2)
    window.open()
    assert not window.full
    window.open()
    assert window.full


def test_stays_full_until_its_replies_left() -> None:
    window = Window(1)
    replies = window.fill(window.open(), "one")
    assert window.full
    window.flushed(len(replies))
    assert not window.full


def test_a_reply_that_waits_for_its_turn_keeps_its_place() -> None:
    window = Window(2)
    window.open()
    window.fill(window.open(), "two")
    assert window.full


class AnyOrder(RuleBasedStateMachine):
    """A client sends while the window has room; jobs end in any order; writes end some time later."""

    @initialize(size=st.integers(1, 6))
    def start(self, size: int) -> None:
        self.size = size
        self.window = Window(size)
        self.messages = 0
        self.unfilled: dict[int, Slot] = {}  # by number of the message
        self.sent: list[int] = []
        self.unflushed: deque[int] = deque()

    @precondition(lambda self: not self.window.full)
    @rule()
    def message(self) -> None:
        self.unfilled[self.messages] = self.window.open()
        self.messages += 1

    @precondition(lambda self: self.unfilled)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.unfilled)))
        ready = [int(reply) for reply in self.window.fill(self.unfilled.pop(number), str(number))]
        self.sent += ready
        self.unflushed += ready

    @precondition(lambda self: self.unflushed)
    @rule()
    def write(self) -> None:
        self.unflushed.popleft()
        self.window.flushed(1)

    @invariant()
    def everything_is_sent_once_up_to_the_first_message_without_a_reply(self) -> None:
        assert self.sent == list(range(min(self.unfilled, default=self.messages)))

    @invariant()
    def is_full_when_unsent_and_unwritten_reach_its_size(self) -> None:
        held = self.messages - len(self.sent) + len(self.unflushed)
        assert held <= self.size
        assert self.window.full == (held == self.size)

    def teardown(self) -> None:
        for number in sorted(getattr(self, "unfilled", ()), reverse=True):
            self.sent += [int(reply) for reply in self.window.fill(self.unfilled.pop(number), str(number))]
        assert getattr(self, "sent", []) == list(range(getattr(self, "messages", 0)))


test_replies_in_the_order_of_messages_whatever_the_order_of_answers = AnyOrder.TestCase
