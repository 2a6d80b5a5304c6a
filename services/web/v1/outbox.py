"""What goes out to one client of `primes.v1`: responses, singly or in their batches, and notifications."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate, takewhile

from prometheus_client import Counter
from tornado.websocket import WebSocketClosedError

from services.jobs.messages import Delivery
from services.web.sockets.lean import LeanHandler
from services.web.v1 import responses
from services.web.v1.batch import Batch
from services.web.v1.errors import Code

ERRORS = Counter("primes_web_rpc_errors_total", "Requests of primes.v1 answered with an error", ["code"])
_errors = {code: ERRORS.labels(code) for code in Code}

MOST_QUEUED = 1024 * 1024  # bytes written and not yet taken by the client: about 5,000 answers
SLOW = 64 * 1024  # the same, above which a client is not told what it can do without: it has enough to read

TOO_SLOW = 4002, "too slow, resume"  # a close code of our own


def count_fitting(messages: Sequence[bytes], room: int) -> int:
    """How many of these messages, from the first on, take no more than so many bytes."""
    if sum(map(len, messages)) <= room:
        return len(messages)
    sizes = accumulate(map(len, messages))
    return sum(1 for _ in takewhile(lambda size: size <= room, sizes))


class Outbox:
    """A client that does not read is closed, and may resume: what is queued for it is bounded, and nothing waits for it."""

    def __init__(self, socket: LeanHandler) -> None:
        self._socket = socket
        self._batches: dict[str, Batch] = {}  # where the response to a request goes, by its id; if not alone

    def expect(self, request: str, batch: Batch) -> None:
        """The response to this request belongs to the batch."""
        if not batch.dissolved:
            batch.open += 1
            self._batches[request] = batch

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Send these answers, in this order."""
        ready: list[bytes] = []
        for delivery in deliveries:
            response = responses.response(delivery.request, delivery.answer, f"{delivery.epoch}-{delivery.number}")
            if delivery.answer.fault is not None:
                _errors[Code(delivery.answer.fault)].inc()
            batch = self._batches.pop(delivery.request, None) if self._batches else None
            if batch is None:
                ready.append(response)
            else:
                batch.responses.append(response)
                ready += batch.close_one()
        self.send(*ready)

    def give_up(self, request: str, code: Code, message: str) -> None:
        """Send an error in place of the answer that a request waited for."""
        batch = self._batches.pop(request, None)
        self.fail(request, code, message, batch)
        if batch is not None:
            self.release(batch)

    def fail(self, id: str, code: Code, message: str, batch: Batch | None, *, retry_after: float | None = None) -> None:
        """Send an error, or put it into its batch; `retry_after`: seconds, where they are not those of all such errors."""
        _errors[code].inc()
        self.reply(responses.error(id, code, message, retry_after=retry_after), batch)

    def reply(self, response: bytes, batch: Batch | None) -> None:
        """Send a response, or put it into its batch."""
        if batch is None or batch.dissolved:
            self.send(response)
        else:
            batch.responses.append(response)

    def release(self, batch: Batch) -> None:
        """One of the batch's requests has its response, or all have been read."""
        if not batch.dissolved:
            self.send(*batch.close_one())

    def dissolve(self) -> None:
        """Send what batches hold, before the client is told to ask again for what it does not have; the rest will go out singly."""
        for batch in dict.fromkeys(self._batches.values()):
            self.send(*batch.dissolve())
        self._batches.clear()

    def mention(self, notification: bytes) -> None:
        """Send what the client can do without, unless it has much to read already."""
        if self._socket.queued < SLOW:
            self.send(notification)

    def send(self, *messages: bytes) -> None:
        """Write messages, or as many as fit and close a socket whose client does not read: it gets on with each resume."""
        fitting = count_fitting(messages, MOST_QUEUED - self._socket.queued)
        if fitting:
            with suppress(WebSocketClosedError):
                self._socket.send(*messages[:fitting])
        if fitting < len(messages):
            self._socket.close(*TOO_SLOW)
