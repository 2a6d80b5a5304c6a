"""The parts of the queue that trace do what the others do, and tell of it."""

import asyncio
from typing import Any

import pytest

from services.jobs.messages import Answer, Asker, Delivery, Fault, Job, TracedJob, Verdict
from services.jobs.names import Lane
from services.web.ask.client import Client
from services.web.ask.question import Question
from services.web.queue.answers import Answers
from services.web.queue.cleanup import Cleanup
from services.web.queue.ledger import Ledger, LedgerFull, Place
from services.web.queue.settlement import Settlement
from services.web.tracing.head import Head
from services.web.tracing.queue import TracedCancellation, TracedDispatcher
from services.web.tracing.traces import Traces
from tests.unit.spans import SAMPLED, TRACE, Kept, trace_id

CLIENT = Client("somebody")


class Nobody:
    """Sessions of which there are none."""

    def hear(self, deliveries: list[Delivery]) -> None: ...

    def note(self, token: str, request: str, answer: Answer) -> None: ...

    def give_up(self, token: str, request: str, fault: Fault) -> None: ...


class Waking:
    """What stands for the writers: it counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class Desk:
    """A dispatcher above a ledger, without Redis."""

    def __init__(self, part: float, places: int = 100) -> None:
        nothing: Any = None
        self.kept = Kept()
        self.ledger = Ledger(places)
        self.traces = Traces(self.kept.tracer, Head(part))
        self.writer: Any = Waking()
        writers = dict.fromkeys(Lane, self.writer)
        cleanup = Cleanup(nothing, "web")
        self.settlement = Settlement(self.ledger, "web")
        answers = Answers(self.ledger, self.settlement, Nobody(), cleanup.discard, "web")
        ending = TracedCancellation(self.ledger, writers, answers, nothing, cleanup, traces=self.traces)
        self.dispatcher = TracedDispatcher(self.ledger, writers, nothing, ending, cleanup, traces=self.traces)
        self.told: list[Answer] = []

    def ask(self, trace: str = "", client: Client = CLIENT) -> int:
        return self.dispatcher.submit(Question("97"), Asker("token", "7", 5, trace), self.told.append, client=client)

    def job(self, id: int) -> Job:
        pending = self.ledger.get(id)
        assert pending is not None
        return pending.job

    def outcome(self) -> object:
        attributes = self.kept["is_prime"].attributes
        assert attributes is not None
        return attributes["primes.outcome"]


def test_a_question_that_is_not_traced_is_a_job_as_ever() -> None:
    desk = Desk(0.0)
    id = desk.ask()
    assert desk.job(id) == Job(id, "97", session="token", request="7", expires=5)
    assert type(desk.job(id)) is Job
    assert desk.writer.woken == 1


@pytest.mark.parametrize(("trace", "part"), [(SAMPLED, 0.0), ("", 1.0)])
def test_a_question_that_is_traced_is_the_same_job_with_its_trace(trace: str, part: float) -> None:
    desk = Desk(part)
    id = desk.ask(trace)
    job = desk.job(id)
    assert isinstance(job, TracedJob)
    assert (job.number, job.session, job.request, job.expires) == ("97", "token", "7", 5)
    assert desk.writer.woken == 1

    async def settle() -> None:
        desk.settlement.settle([Answer(id, Verdict.PRIME)])
        desk.settlement.settle([Answer(id, Verdict.PRIME)])  # repeated, as a worker that was taken over does

    asyncio.run(settle())
    assert desk.told == [Answer(id, Verdict.PRIME)]
    assert desk.outcome() == "prime"
    assert (trace_id(desk.kept["is_prime"]) == TRACE) is bool(trace)


def test_a_question_for_which_there_is_no_place_says_so() -> None:
    desk = Desk(1.0, places=0)
    with pytest.raises(LedgerFull):
        desk.ask()
    assert desk.outcome() == "busy"
    assert len(desk.traces) == 0


def test_a_question_whose_client_left_ends() -> None:
    desk = Desk(1.0)
    id = desk.ask()
    desk.ledger.written(Lane.QUICK, desk.ledger.take(Lane.QUICK), [Place(Lane.QUICK, b"1-0")])
    desk.dispatcher.forsake(iter([id, id + 1]))
    assert desk.outcome() == "left"
    assert len(desk.traces) == len(desk.ledger) == 0
