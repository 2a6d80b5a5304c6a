"""One web process' way to Redis: makes its parts, and gives each what it needs."""

import time
from typing import TYPE_CHECKING

from services.broker.client import BrokerClient
from services.broker.connection import Client
from services.broker.pulse import Pulse
from services.broker.subscription import Subscription
from services.jobs import names
from services.jobs.names import Lane
from services.runtime.tasks import Parts
from services.web.queue.answers import Answers
from services.web.queue.audit import Audit
from services.web.queue.cancellation import Cancellation
from services.web.queue.cleanup import Cleanup
from services.web.queue.commit_delay import CommitDelay
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.enqueue import Enqueue
from services.web.queue.ledger import NO_BOUND, Budget, Ledger
from services.web.queue.settlement import Settlement
from services.web.queue.writer import Writer
from services.web.settings import WebSettings
from services.web.upload.uploads import Uploads
from services.web.v1.sessions import Sessions

if TYPE_CHECKING:
    from services.web.tracing.traces import Traces


class Instance:
    """The queue knows neither sessions nor uploads, and they not the queue: only here they meet."""

    def __init__(self, redis: Client, settings: WebSettings, traces: "Traces | None" = None) -> None:
        """`traces`: those of the questions that are traced; None where none is."""
        # A process that comes back under the same name must not take the answers of its former self for its own.
        self._name = name = f"{settings.instance}-{time.time_ns():x}"
        self._traces = traces
        self._redis = redis
        self._broker = BrokerClient(redis)  # for what every job costs
        self.pulse = Pulse(name)
        self.uploads = Uploads(redis, settings, name)
        rate = settings.client_rate * 1e6
        ledger = Ledger(settings.max_pending, Budget(rate, settings.client_burst * 1e6) if rate else NO_BOUND)
        settlement = Settlement(ledger, name)
        self.sessions = Sessions(redis, settings, name, lambda answer: settlement.settle([answer]))
        cleanup = Cleanup(redis, name)
        self._answers = answers = Answers(ledger, settlement, self.sessions, cleanup.discard, name)
        enqueue = self._make_enqueue(settings.max_queued_entries, traces)
        writers = {
            lane: Writer(lane, ledger, enqueue, CommitDelay(settings.gather), discard=cleanup.discard, note=answers.note)
            for lane in Lane
        }
        audit = Audit(redis, ledger, writers, answers, histories=self.sessions, pulse=self.pulse)
        cancelling = ledger, writers, answers, self.sessions, cleanup
        if traces is None:
            self.dispatcher = Dispatcher(ledger, writers, audit, Cancellation(*cancelling), cleanup)
        else:
            from services.web.tracing.queue import TracedCancellation, TracedDispatcher  # noqa: PLC0415  # with OpenTelemetry

            cancellation = TracedCancellation(*cancelling, traces=traces)
            self.dispatcher = TracedDispatcher(ledger, writers, audit, cancellation, cleanup, traces=traces)
        self._subscription = self._subscribe(redis, settings.redis_timeout)

    def _make_enqueue(self, most_entries: int, traces: "Traces | None") -> Enqueue:
        if traces is None:
            return Enqueue(self._broker, self._name, most_entries, self.sessions)
        from services.web.tracing.queue import TracedEnqueue  # noqa: PLC0415  # imports OpenTelemetry

        return TracedEnqueue(self._broker, self._name, most_entries, self.sessions, traces)

    def _subscribe(self, redis: Client, silence: float) -> Subscription:
        """One connection for all channels: what each hears is in the order of publication, which the pulse relies on."""
        return Subscription(
            redis,
            {
                names.results(self._name): self._answers.hear,
                names.deliveries(self._name): self._answers.hear_deliveries,
                names.PROMOTIONS: self._answers.hear_promotion,
                names.evictions(self._name): self.sessions.hear_eviction,
                names.notices(self._name): self.uploads.hear,
                self.pulse.channel: self.pulse.hear,
            },
            silence,
            self._listen_anew,
        )

    def _listen_anew(self) -> None:
        """Redis may be another one, which lacks what the former had: all sessions are looked at, and at once."""
        self.sessions.doubt()
        self.pulse.listen_anew()

    def handed_over(self) -> bool:
        """Whether Redis holds whatever sessions wait for, and nothing that nobody wants: this process is not needed any more."""
        return self.dispatcher.handed_over() and self.uploads.done

    def end_traces(self) -> None:
        """This process ends, and answers nothing more."""
        if self._traces is not None:
            self._traces.close()

    async def run(self) -> None:
        """Carry jobs and answers until cancelled."""
        async with Parts() as tasks:
            tasks.create_task(self.dispatcher.run(), name="dispatch")
            tasks.create_task(self._subscription.run(), name="listen")
            tasks.create_task(self._redis.follow(), name="follow Redis' primary")
            tasks.create_task(self.pulse.run(self._broker), name="pulse")
            tasks.create_task(self.sessions.run(), name="fetch missed answers")
            tasks.create_task(self.sessions.report(), name="report progress")
            tasks.create_task(self.uploads.run(), name="uploads")
