"""The traces of questions that this process has accepted and not answered."""

import asyncio
import time
from functools import partial

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from services.jobs.messages import Answer, Job, TracedJob
from services.jobs.names import Lane
from services.runtime.tracing import read_context, write_context
from services.web.ask.question import Question
from services.web.queue.enqueue import Enqueued
from services.web.queue.ledger import OnAnswer, Pending
from services.web.queue.settlement import note_exemplar, outcome
from services.web.tracing.head import Head

MOST = 10_000  # questions that are traced at once: 10 MB; the next ones are not


class Trace:
    """One question: the span that is the whole of it, and the one that is under way here."""

    def __init__(self, tracer: Tracer, question: Question, parent: Context, links: list[Link]) -> None:
        asked = {"primes.digits": question.digits or len(question.number.lstrip("-")), "primes.wanted": question.wanted.value}
        self._tracer = tracer
        self._root = tracer.start_span(question.operation.value, parent, SpanKind.SERVER, asked, links)
        self._context = set_span_in_context(self._root, Context())
        self._accept: Span | None = tracer.start_span("accept", self._context)
        self._accepted = time.monotonic()
        self._lane = Lane.QUICK
        self.traceparent = write_context(self._context)

    def accept(self, pending: Pending) -> None:
        """The ledger took it: from now on its job carries the trace."""
        self._lane = pending.lane
        self._root.set_attributes({"primes.lane": pending.lane.value, "primes.job": pending.job.id})
        pending.job = TracedJob(**msgspec.structs.asdict(pending.job), trace=self.traceparent)

    def write(self, enqueued: Enqueued) -> None:
        """Redis has it; again, where Redis had lost it."""
        place = {"primes.entry": f"{enqueued.place.lane} {enqueued.place.id.decode()}", "primes.found": enqueued.how or "nothing"}
        if self._accept is None:
            self._root.add_event("written again", place)
            return
        self._accept.set_attributes(place)
        self._accept.end()
        self._accept = None

    def answer(self, answered: OnAnswer, answer: Answer) -> None:
        """The answer was heard: tell the client, which is written to before this turn of the event loop is over."""
        if self._accept is not None:  # answered before the reply to the write came, or without one
            self._accept.end()
            self._accept = None
        note_exemplar(self._lane, time.monotonic() - self._accepted, self._root.get_span_context().trace_id)
        deliver = self._tracer.start_span("deliver", self._context)
        answered(answer)
        asyncio.get_running_loop().call_soon(self._deliver, deliver, answer)

    def _deliver(self, deliver: Span, answer: Answer) -> None:
        deliver.end()
        self._root.set_attribute("primes.outcome", outcome(answer))
        if answer.fault is not None:
            self._root.set_status(Status(StatusCode.ERROR, answer.fault))
        self._root.end()

    def end(self, why: str) -> None:
        """It has no answer."""
        if self._accept is not None:
            self._accept.end()
        self._root.set_attribute("primes.outcome", why)
        self._root.end()


class Traces:
    """Bounded; the ledger tells of each question that it takes and closes."""

    def __init__(self, tracer: Tracer, head: Head) -> None:
        self._tracer = tracer
        self._head = head
        self._live: dict[int, Trace] = {}  # by job

    def __len__(self) -> int:
        return len(self._live)

    def begin(self, question: Question, request: str, handshake: str) -> Trace | None:
        """The trace of a question, if it is kept. `request`, `handshake`: the traceparent that came with each, or nothing.

        A request is a part of its client's trace. A socket is none: it lasts, and its questions have traces of their own, which
        name that of the handshake.
        """
        parent = read_context(request) if request else Context()
        if not self._head.keeps(_span_of(parent)) or len(self._live) >= MOST:
            return None
        opened = _span_of(read_context(handshake)) if handshake else None
        return Trace(self._tracer, question, parent, [Link(opened)] if opened is not None and opened.is_valid else [])

    def carry(self, trace: Trace, pending: Pending) -> None:
        """The ledger took it."""
        trace.accept(pending)
        self._live[pending.job.id] = trace

    def write(self, job: Job, enqueued: Enqueued) -> None:
        """Redis has a job."""
        if (trace := self._live.get(job.id)) is not None:
            trace.write(enqueued)

    def answer(self, trace: Trace, answered: OnAnswer, answer: Answer) -> None:
        """The answer to a job was heard."""
        self._live.pop(answer.id, None)
        trace.answer(answered, answer)

    def on_answer(self, trace: Trace, answered: OnAnswer) -> OnAnswer:
        """What the ledger is to call."""
        return partial(self.answer, trace, answered)

    def end(self, job: int, why: str) -> None:
        """A job is closed without an answer."""
        if (trace := self._live.pop(job, None)) is not None:
            trace.end(why)

    def close(self) -> None:
        """The process ends."""
        for job in list(self._live):
            self.end(job, "left")


def _span_of(context: Context) -> SpanContext | None:
    return get_current_span(context).get_span_context()
