"""The parts of the queue that tell of traced questions; they stand in the places of those that do not."""

from collections.abc import Callable, Iterable, Mapping

from services.broker.client import BrokerClient
from services.jobs.messages import Asker, TracedJob
from services.jobs.names import Lane
from services.web.ask.client import SELF, Client
from services.web.ask.question import Question
from services.web.queue.answers import Answers
from services.web.queue.audit import Audit, State
from services.web.queue.cancellation import Cancellation, Requests
from services.web.queue.cleanup import Cleanup
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.enqueue import Enqueue, Enqueued, Marker
from services.web.queue.ledger import Entry, Ledger, LedgerFull, OnAnswer
from services.web.queue.writer import Writer
from services.web.tracing.traces import Traces


class TracedDispatcher(Dispatcher):
    """Begins traces."""

    def __init__(
        self,
        ledger: Ledger,
        writers: Mapping[Lane, Writer],
        audit: Audit[State],
        cancellation: Cancellation,
        cleanup: Cleanup,
        *,
        traces: Traces,
    ) -> None:
        super().__init__(ledger, writers, audit, cancellation, cleanup)
        self._traces = traces

    def submit(
        self, question: Question, asker: Asker, answered: OnAnswer, noted: OnAnswer | None = None, *, client: Client = SELF
    ) -> int:
        """As `Dispatcher.submit`."""
        trace = self._traces.begin(question, asker.trace, client.traceparent)
        if trace is None:
            return super().submit(question, asker, answered, noted, client=client)
        try:
            job = super().submit(question, asker, self._traces.on_answer(trace, answered), noted, client=client)
        except LedgerFull:
            trace.end("busy")
            raise
        pending = self._ledger.get(job)
        assert pending is not None  # nothing has run since the ledger took it
        self._traces.carry(trace, pending)
        return job


class TracedEnqueue(Enqueue):
    """Tells when Redis has a traced job."""

    def __init__(self, redis: BrokerClient, web: str, most_entries: int, marker: Marker, traces: Traces) -> None:
        super().__init__(redis, web, most_entries, marker)
        self._traces = traces

    async def __call__(self, lane: Lane, entries: list[Entry], since: Callable[[int], int]) -> list[Enqueued]:
        """As `Enqueue`."""
        written = await super().__call__(lane, entries, since)
        if len(self._traces):
            for entry, enqueued in zip(entries, written, strict=False):
                for job in entry.jobs:
                    if isinstance(job, TracedJob):
                        self._traces.write(job, enqueued)
        return written


class TracedCancellation(Cancellation):
    """Ends the traces of jobs for which nobody waits any more."""

    def __init__(
        self,
        ledger: Ledger,
        writers: Mapping[Lane, Writer],
        answers: Answers,
        requests: Requests,
        cleanup: Cleanup,
        *,
        traces: Traces,
    ) -> None:
        super().__init__(ledger, writers, answers, requests, cleanup)
        self._traces = traces

    def forsake(self, jobs: Iterable[int]) -> None:
        """As `Cancellation.forsake`."""
        jobs = list(jobs)
        super().forsake(jobs)
        for job in jobs:
            self._traces.end(job, "left")
