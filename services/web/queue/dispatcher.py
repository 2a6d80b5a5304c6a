"""The way of jobs into Redis and of answers back, as clients' handlers see it."""

from collections.abc import Iterable, Mapping
from functools import partial

from prometheus_client import Counter, Gauge

from services.jobs.messages import Asker
from services.jobs.names import Lane
from services.runtime.tasks import Parts
from services.web.ask.client import SELF, Client
from services.web.ask.question import Question
from services.web.queue.audit import Audit, State
from services.web.queue.cancellation import Cancellation
from services.web.queue.cleanup import Cleanup
from services.web.queue.ledger import Budget, Ledger, LedgerFull, OnAnswer, OverBudget
from services.web.queue.writer import Writer

REFUSED = Counter("primes_web_jobs_refused_total", "Jobs refused, by reason", ["reason"])
PENDING = Gauge("primes_web_jobs_pending", "Jobs accepted and not yet answered", ["lane"])
_refused_busy, _refused_over_budget = REFUSED.labels("busy"), REFUSED.labels("over_budget")


class Dispatcher:
    """At-least-once: each accepted job is written until its answer came, and answered once to its client."""

    def __init__(
        self,
        ledger: Ledger,
        writers: Mapping[Lane, Writer],
        audit: Audit[State],
        cancellation: Cancellation,
        cleanup: Cleanup,
    ) -> None:
        self._ledger = ledger
        self._writers = writers
        self._audit = audit
        self._cancellation = cancellation
        self._cleanup = cleanup
        self._wake = {lane: writer.wake for lane, writer in writers.items()}
        for lane in Lane:
            PENDING.labels(lane).set_function(partial(self._count_pending, lane))

    def submit(
        self, question: Question, asker: Asker, answered: OnAnswer, noted: OnAnswer | None = None, *, client: Client = SELF
    ) -> int:
        """Queue a question; `answered` is called once, `noted` with what is known before the answer, while a proof is made.

        Returns the job's id. Raises LedgerFull, of which OverBudget is one. A session's answer comes to its client by `sessions`;
        `answered` only says that this process is done with the job.
        """
        try:
            pending = self._ledger.accept(question, asker, answered, noted, client)
        except OverBudget:
            _refused_over_budget.inc()
            raise
        except LedgerFull:
            _refused_busy.inc()
            raise
        self._wake[pending.lane]()
        return pending.job.id

    def budget(self, client: Client) -> tuple[Budget, float]:
        """The budget of each client, and what this one has left of it (µs)."""
        return self._ledger.budget(client.name)

    def forsake(self, jobs: Iterable[int]) -> None:
        """Nobody waits for these jobs any more: those that wait are not begun, a costly one that runs is stopped."""
        self._cancellation.forsake(jobs)

    async def cancel(self, session: str, request: str, job: int | None) -> bool:
        """Answer a session's request with the fault CANCELLED and stop its computation; False if it is answered already.

        `job`: its id here, if this process took it. Raises what the Redis client raises.
        """
        return await self._cancellation.cancel(session, request, job)

    def _count_pending(self, lane: Lane) -> int:
        return self._ledger.lanes[lane].pending

    async def run(self) -> None:
        """Write, look for what was lost, end what is over, delete what nobody wants, until cancelled."""
        async with Parts() as tasks:
            for lane, writer in self._writers.items():
                tasks.create_task(writer.run(), name=f"write {lane}")
            tasks.create_task(self._audit.run(), name="audit")
            tasks.create_task(self._cancellation.run(), name="expire")
            tasks.create_task(self._cleanup.run(), name="delete unwanted")

    def hasten(self) -> None:
        """Write all that waits to Redis, so that this process is needed no more."""
        self._ledger.hasten()

    def handed_over(self) -> bool:
        """Whether Redis holds whatever sessions wait for, and no entry that nobody wants."""
        return self._ledger.handed_over and self._cleanup.done
