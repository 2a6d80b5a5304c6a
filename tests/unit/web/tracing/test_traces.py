"""What a web process tells of a question: one span that is the whole, and its own parts of it."""

import asyncio
from collections.abc import Callable

import pytest
from opentelemetry.trace import StatusCode

from services.jobs import messages
from services.jobs.messages import ANYBODY, Answer, Fault, TracedJob, Verdict
from services.jobs.names import Lane
from services.web.ask.question import Question
from services.web.queue.enqueue import Enqueued
from services.web.queue.ledger import Ledger, Pending, Place
from services.web.tracing import traces as module
from services.web.tracing.head import Head
from services.web.tracing.traces import Traces
from tests.unit.spans import NOT_SAMPLED, SAMPLED, TRACE, Kept, trace_id

WRITTEN = Enqueued(Place(Lane.QUICK, b"1-0"))


class Desk:
    """A ledger, and the traces of what it took."""

    def __init__(self, part: float = 1.0) -> None:
        self.kept = Kept()
        self.ledger = Ledger(100)
        self.traces = Traces(self.kept.tracer, Head(part))
        self.told: list[Answer] = []

    def ask(self, number: str = "97", request: str = "", handshake: str = "") -> Pending:
        """A question that is traced, taken."""
        question = Question(number)
        trace = self.traces.begin(question, request, handshake)
        assert trace is not None
        pending = self.ledger.accept(question, ANYBODY, self.traces.on_answer(trace, self.told.append))
        self.traces.carry(trace, pending)
        return pending

    def answer(self, pending: Pending, fault: Fault | None = None) -> None:
        """As a settlement does, in a turn of the event loop that ends."""

        async def settle() -> None:
            answer = Answer(pending.job.id, Verdict.PRIME if fault is None else Verdict.UNKNOWN, fault=fault)
            settled = self.ledger.settle(answer)
            assert settled is pending
            settled.answered(answer)

        asyncio.run(settle())


def test_the_parts_of_a_question_are_children_of_the_whole_which_is_the_clients() -> None:
    desk = Desk(0.0)
    pending = desk.ask("-97", SAMPLED)
    desk.traces.write(pending.job, WRITTEN)
    desk.answer(pending)

    assert desk.kept.names == ["accept", "deliver", "is_prime"]
    root = desk.kept["is_prime"]
    assert {trace_id(span) for span in desk.kept.spans} == {TRACE}
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == SAMPLED.split("-")[2]
    for part in ("accept", "deliver"):
        assert desk.kept[part].parent == root.get_span_context()
    assert root.attributes == {
        "primes.digits": 2,
        "primes.wanted": "",
        "primes.lane": "quick",
        "primes.job": pending.job.id,
        "primes.outcome": "prime",
    }
    assert desk.kept["accept"].attributes == {"primes.entry": "quick 1-0", "primes.found": "nothing"}
    assert desk.told == [Answer(pending.job.id, Verdict.PRIME)]
    assert len(desk.traces) == 0


def test_its_job_carries_the_whole_and_stays_what_it_was() -> None:
    desk = Desk()
    pending = desk.ask()
    (entry,) = desk.ledger.take(Lane.QUICK)
    (carried,) = entry.jobs
    assert isinstance(carried, TracedJob)
    desk.answer(pending)
    root = desk.kept["is_prime"].get_span_context()
    assert root is not None
    assert carried.trace == f"00-{root.trace_id:032x}-{root.span_id:016x}-{root.trace_flags:02x}"
    assert root.trace_flags.sampled
    assert messages.decode_jobs(messages.encode([carried])) == [messages.Job(pending.job.id, "97")]


def test_a_question_of_a_socket_has_a_trace_of_its_own_that_links_to_the_handshake() -> None:
    desk = Desk()
    desk.answer(desk.ask(handshake=NOT_SAMPLED))
    root = desk.kept["is_prime"]
    assert trace_id(root) != TRACE
    assert root.parent is None
    assert [f"{link.context.trace_id:032x}" for link in root.links] == [TRACE]


@pytest.mark.parametrize("unreadable", ["nothing", "00-0-0-01", "ff" + SAMPLED[2:]])
def test_a_traceparent_that_cannot_be_read_is_passed_over(unreadable: str) -> None:
    desk = Desk()
    desk.answer(desk.ask(request=unreadable, handshake=unreadable))
    root = desk.kept["is_prime"]
    assert root.parent is None
    assert not root.links


def test_a_question_that_is_not_kept_has_no_trace() -> None:
    desk = Desk(0.0)
    assert desk.traces.begin(Question("97"), "", "") is None
    assert desk.traces.begin(Question("97"), NOT_SAMPLED, SAMPLED) is None
    assert not desk.kept.spans


def test_a_fault_is_an_error_of_the_whole() -> None:
    desk = Desk()
    desk.answer(desk.ask(), Fault.LOST)
    root = desk.kept["is_prime"]
    assert (root.status.status_code, root.status.description) == (StatusCode.ERROR, "lost")
    assert root.attributes is not None
    assert root.attributes["primes.outcome"] == "failed"


def test_a_job_that_is_written_again_says_so() -> None:
    desk = Desk()
    pending = desk.ask()
    desk.traces.write(pending.job, WRITTEN)
    desk.traces.write(pending.job, Enqueued(Place(Lane.QUICK, b"2-0")))
    desk.answer(pending)
    (event,) = desk.kept["is_prime"].events
    assert event.name == "written again"
    assert event.attributes is not None
    assert event.attributes["primes.entry"] == "quick 2-0"


@pytest.mark.parametrize("end", [lambda desk, job: desk.traces.end(job, "left"), lambda desk, job: desk.traces.close()])
def test_what_has_no_answer_ends_all_the_same(end: Callable[[Desk, int], None]) -> None:
    desk = Desk()
    end(desk, desk.ask().job.id)
    assert desk.kept.names == ["accept", "is_prime"]
    root = desk.kept["is_prime"]
    assert root.attributes is not None
    assert root.attributes["primes.outcome"] == "left"
    assert len(desk.traces) == 0


def test_so_many_are_traced_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    desk = Desk()
    first = desk.ask()
    desk.ask()
    assert desk.traces.begin(Question("97"), "", "") is None
    desk.answer(first)
    assert desk.traces.begin(Question("97"), "", "") is not None
