"""A socket's side of `primes.v1`."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from msgspec import Raw
from prometheus_client import Counter

from services.broker.connection import PASSING
from services.jobs.messages import SENTENCES, Answer, Asker, Delivery, Fault, Operation
from services.runtime.cheap_metrics import Tally
from services.runtime.logs import about, veil
from services.web.ask.client import Client
from services.web.ask.question import expiry
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.ledger import LedgerFull
from services.web.settings import WebSettings
from services.web.shares import FRAME, LOOKUP
from services.web.sockets.lean import LeanHandler
from services.web.v1 import requests, responses
from services.web.v1.batch import Batch
from services.web.v1.calls import Asked, Call, Cancelling, Limits, Message, Rejected, Resuming
from services.web.v1.errors import RETRY_AFTER, Code, Refused
from services.web.v1.outbox import Outbox
from services.web.v1.params import SHOWN
from services.web.v1.responses import Ended, Progress, Standing
from services.web.v1.session import Place, Repeat
from services.web.v1.sessions import Sessions

log = logging.getLogger(__name__)

REQUESTS = Counter("primes_web_rpc_requests_total", "Requests of primes.v1, by method", ["method"])
_requests = {method: Tally(REQUESTS.labels(method)) for method in (*Operation, "cancel", "resume", "unreadable")}

SUBPROTOCOL = "primes.v1"

UNCLEAR = "It is not known whether the request was cancelled, its own response will tell: jobs cannot be reached"

# Close codes of our own; a client resumes after all but the first.
EVICTED = 4001, "session resumed elsewhere"
MISSED = 4003, "answers missed, resume"


class V1Peer:
    """One client. It is refused, not held back, when it asks too much; it is closed, and may resume, when it does not read."""

    def __init__(
        self, socket: LeanHandler, dispatcher: Dispatcher, sessions: Sessions, settings: WebSettings, client: Client
    ) -> None:
        self._socket = socket
        self._outbox = Outbox(socket)
        self._dispatcher = dispatcher
        self._client = client
        self._sessions = sessions
        self._settings = settings
        self._session = self._sessions.open(self)
        connection = socket.request.headers.get("X-Request-ID", "")[:64]
        log.debug("session begun", extra=about(request=connection, session=veil(self._session.token)))
        self._limits = Limits(settings.max_digits, settings.most_digits_to_prove)
        self._begun = False  # whether a request was accepted: too late to resume
        self.paused = False  # whether frames, and so pongs, are left unread
        self._outbox.send(responses.notification(self._standing()))

    def hear(self, message: str | bytes) -> Awaitable[None] | None:
        """Take one message; awaited, it holds the socket's next message back."""
        usual = requests.read_usual(message, self._limits)
        if usual is not None:
            return self._hear(usual, None)
        since = time.thread_time()  # of expressions and errors the length says little
        try:
            return self._hear_unusual(message)
        finally:
            self._socket.spend(since)

    def _hear_unusual(self, message: str | bytes) -> Awaitable[None] | None:
        read = requests.read(message, self._limits)
        if read.batch:
            return self._hear_batch(read)
        (calls,) = read.turns
        if not calls:
            return None
        call = calls[0]
        if isinstance(call, Resuming):
            _requests["resume"].inc()
            self._socket.share.left -= LOOKUP
            return self._resume(call)
        return self._hear(call, None)

    def _hear_batch(self, message: Message) -> Awaitable[None] | None:
        """Take all members; those that need Redis first come last."""
        batch, turns = Batch(), iter(message.turns)
        waits = self._hear_turn(next(turns), batch)
        if waits or message.later:
            return self._finish_batch(batch, waits, turns)
        self._outbox.release(batch)
        return None

    def _hear_turn(self, calls: list[Call], batch: Batch) -> list[Awaitable[None]]:
        self._socket.share.left -= FRAME * len(calls)
        return [wait for call in calls if (wait := self._hear(call, batch)) is not None]

    async def _finish_batch(self, batch: Batch, waits: list[Awaitable[None]], turns: Iterator[list[Call]]) -> None:
        """Take the other calls, while other sockets have their turns in between.

        What is left when the socket closes is not taken: its client asks again, perhaps elsewhere, where its session is by now.
        """
        await self._wait_for_turn()
        while not self._socket.closing:
            since = time.thread_time()
            if (calls := next(turns, None)) is None:
                break
            waits += self._hear_turn(calls, batch)
            self._socket.spend(since)
            await self._wait_for_turn()
        for wait in waits:
            await wait
        self._outbox.release(batch)

    async def _wait_for_turn(self) -> None:
        self.paused = True
        await self._socket.share.turn()
        self.paused = False

    def _hear(self, call: Call, batch: Batch | None) -> Awaitable[None] | None:
        """One request: submit it, or find what became of it. A repeated one is answered where it was asked first."""
        if not isinstance(call, Asked):
            return self._hear_other(call, batch)
        _requests[call.question.operation].inc()
        return self._ask(call, batch)

    def _ask(self, call: Asked, batch: Batch | None) -> Awaitable[None] | None:
        fingerprint = hash(call.question)
        repeat = self._session.ask(call.id, fingerprint)
        if repeat is Repeat.NEW:
            self._submit(call, fingerprint, batch)
        elif repeat is Repeat.ANSWERED:
            return self._answer_again(call, self._session.place_of(call.id), batch)
        elif repeat is Repeat.REUSED:
            self._outbox.fail(call.id, Code.ID_REUSED, _describe_reuse(call), batch)
        self._begun = True
        return None

    def _hear_other(self, call: Call, batch: Batch | None) -> Awaitable[None] | None:
        if isinstance(call, Cancelling):
            _requests["cancel"].inc()
            self._begun = True
            self._socket.share.left -= LOOKUP
            return self._cancel(call, batch)
        if isinstance(call, Rejected):
            _requests["unreadable"].inc()
            self._outbox.fail(call.id, call.code, call.message, batch)
        return None

    def _submit(self, call: Asked, fingerprint: int, batch: Batch | None) -> None:
        pending = len(self._session.in_flight)
        if pending >= self._settings.session_in_flight:
            self._outbox.fail(call.id, Code.BUSY, f"Busy: {pending:,} requests of this session are pending", batch)
            return
        asker = Asker(self._session.token, call.id, expiry(call.seconds), call.traceparent)
        try:
            job = self._dispatcher.submit(
                call.question, asker, partial(self._sessions.settled, self._session.token, call.id), client=self._client
            )
        except LedgerFull as error:
            self._outbox.fail(call.id, Code.BUSY, f"Busy: {error}", batch, retry_after=error.seconds)
            return
        self._session.submitted(call.id, job, fingerprint)
        self._begun = True
        if batch is not None:
            self._outbox.expect(call.id, batch)

    async def _cancel(self, call: Cancelling, batch: Batch | None) -> None:
        """Have a request answered with an error, if it has no answer yet."""
        flight = self._session.in_flight.get(call.request)
        try:
            ended = flight is not None and await self._dispatcher.cancel(self._session.token, call.request, flight.job)
        except PASSING as error:
            log.warning("could not cancel a job: %s", error)
            return self._outbox.fail(call.id, Code.UNAVAILABLE, UNCLEAR, batch)
        self._outbox.reply(responses.result(call.id, Ended(ended)), batch)

    async def _answer_again(self, call: Asked, place: Place, batch: Batch | None) -> None:
        """Send the history's answer once more; with the offset of now, so that a client's offset never goes back."""
        try:
            answer = await self._sessions.find_answer(self._session, call.id, place)
        except Refused as refused:
            return self._outbox.fail(call.id, refused.code, str(refused), batch)
        if answer is not None:
            self._session.answered_again(call.id)
            return self._outbox.reply(responses.response(call.id, answer, self._session.offset), batch)
        self._session.forget(call.id, place)
        if (again := self._ask(call, batch)) is not None:  # Redis numbered it anew meanwhile
            await again

    async def _resume(self, call: Resuming) -> None:
        """Continue the session that the client had before."""
        if self._begun:
            return self._outbox.fail(call.id, Code.RESUME_LATE, "Expected resume before any other request of this socket", None)
        try:
            self._session, recovered, missed = await self._sessions.resume(self._session, call)
        except Refused as refused:
            return self._outbox.fail(call.id, refused.code, str(refused), None)
        self._begun = True
        self._outbox.send(responses.result(call.id, self._standing(recovered, self._session.start)))
        since = time.thread_time()
        self.deliver(missed)
        self._socket.spend(since)
        if self._session.move_on():
            self.tell_offset()

    def _standing(self, recovered: bool | None = None, start: str | None = None) -> Standing:
        """Where the session stands; `start`: where its client does, before answers that are about to be sent."""
        session = self._session
        offset = session.offset if start is None else start
        pending = None if recovered is None else [Raw(request.encode()) for request in session.in_flight]
        return Standing(session.token, offset, self._settings.session_ttl, self._settings.instance, recovered, pending)

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Send these answers, in this order."""
        self._outbox.deliver(deliveries)

    def tell_offset(self) -> None:
        """Say where the session stands, since an answer that the client has was numbered again."""
        self._outbox.send(responses.notification(self._standing()))

    def tell_loss(self) -> None:
        """Say that requests without an answer must be sent again; those of batches will be answered singly."""
        self._outbox.dissolve()
        self._outbox.send(responses.notification(self._standing(recovered=False)))

    def tell_progress(self, jobs: list[Progress]) -> None:
        """Say what becomes of requests that take long, unless the client has much to read already."""
        self._outbox.mention(responses.progress(jobs))

    def tell_verdict(self, request: str, answer: Answer) -> None:
        """Say what is known of a request before its answer, which it repeats and betters: so it may be lost."""
        self._outbox.mention(responses.verdict(request, answer))

    def give_up(self, request: str, fault: Fault) -> None:
        """Answer a request of which Redis knows nothing with this fault."""
        code = Code(fault)
        if self._session.give_up(request, final=code not in RETRY_AFTER):
            self._outbox.give_up(request, code, SENTENCES[fault])

    def evict(self) -> None:
        """Close: the session moved to another socket."""
        self._socket.close(*EVICTED)

    def break_off(self) -> None:
        """Close: answers were missed that only a resume can settle."""
        self._socket.close(*MISSED)

    def go_away(self, seconds: float) -> None:
        """Tell the client to come back elsewhere."""
        self._outbox.send(responses.going_away(seconds))

    def when_served(self, served: Callable[[], None]) -> None:
        """Call `served` at once: what the session waits for is in Redis or soon will be, and is answered wherever it comes back."""
        served()

    def leave(self) -> None:
        """The peer is gone: Tornado reads, and will tell."""

    def close(self) -> None:
        """The socket is closed; the session goes on without it."""
        self._sessions.close(self._session)

    def flushed(self) -> None:
        """What matters is how much is queued."""


def _describe_reuse(call: Asked) -> str:
    """Says that an id belongs to another question."""
    question = call.question
    came = f"{question.operation} of {question.number[:SHOWN]!r}{' with a proof' if question.wanted else ''}"
    return f"Expected the question that was asked with the id {call.id} before, or another id, got {came}"
