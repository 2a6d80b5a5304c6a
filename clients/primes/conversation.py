"""What a client of primes.v1 says and what it makes of what it hears, without I/O: client.py brings the socket and the time.

A request is open until its answer came, over however many sockets: see "The one rule" in docs/protocol-v1.md.
"""

import json
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from . import messages
from .messages import MalformedMessage
from .requests import CANCEL, RESUME, Operation, PrimesError, check_id, write
from .suspects import Suspects

MOST_OPEN = 10_000  # requests without an answer, those included that wait here for the window
WINDOW = 200  # requests with the server at once; it refuses more than 256
FIRST_RETRY = 1.0  # s after a refusal, where the server names no other
LONGEST_RETRY = 30.0  # s, a guess at what a person bears
EVICTED = 4001  # close code: another socket has the session

# Close codes for which a message of ours may be the reason: a protocol error, a kind of message, text, a policy, a size.
OUR_FAULT = frozenset({1002, 1003, 1007, 1008, 1009})
TOO_BIG = 1009  # the last of these
MOST_REFUSED = 3  # connections in a row that end so, none with an answer, until the server is taken at its word
REMEMBERED = 10_000  # ids that callers gave; the server remembers the last 1,024 of a session

_SHOWN = 60  # characters of a message that a fault repeats


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a client stands in its session. Keep it as one keeps a password."""

    session: str
    offset: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a request, as in the protocol, and the web process that sent it."""

    id: str
    verdict: str
    proven: bool
    method: str
    queue_ms: float
    compute_ms: float
    evidence: Mapping[str, Any]  # empty when none came; of strings, if its sender keeps to the protocol
    number: str | None  # the prime that next_prime or previous_prime found
    instance: str
    factoring: Mapping[str, Any] = field(default_factory=dict)  # `factors`, `cofactor`, `complete`; empty for other operations
    digits: int | None = None  # of the value of the expression that was asked about
    value: str | None = None  # that value, in decimal, if its sender keeps to the protocol; None above 1,000 digits


@dataclass(frozen=True, slots=True)
class Failure:
    """A request has failed for good."""

    id: str
    error: PrimesError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a request that waits for a proof; told once."""

    id: str
    verdict: str
    proven: bool
    method: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What becomes of a request."""

    id: str
    state: str  # queued or running
    seconds: float | None  # since it runs
    depth: float | None  # entries that nobody has begun


@dataclass(frozen=True, slots=True)
class Joined:
    """The session has begun, or goes on; `recovered` is false when answers of the past are gone, None in the beginning."""

    instance: str
    recovered: bool | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """The web process stops; it closes the socket in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fault:
    """The socket is to be closed, and the session resumed over another: why."""

    message: str


Event = Answer | Failure | Verdict | Progress | Joined | Leaving | Fault


@dataclass(slots=True, eq=False)
class _Request:
    id: str
    text: str  # of its message
    sent: bool = False  # over any socket: the server may know it
    asked: bool = False  # over the present socket, and not refused since
    cancelled: bool = False  # its client wants no answer any more
    not_before: float = 0.0  # after a refusal
    refusals: int = 0
    told: bool = False  # the verdict before the proof


class _Phase(StrEnum):
    AWAY = "away"
    GREETING = "greeting"  # the socket is open, the server has said nothing
    RESUMING = "resuming"
    TALKING = "talking"


@dataclass(slots=True)
class _Outbox:
    messages: list[str] = field(default_factory=list)

    def say(self, id: str, method: str, params: dict[str, Any]) -> None:
        self.messages.append(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))

    def take(self) -> list[str]:
        taken, self.messages = self.messages, []
        return taken


class _Left(Exception):
    """The session cannot be resumed over this socket; the message says why."""


class Conversation:
    """The requests of one client and its session. Times are in seconds, of any clock that only goes forward."""

    def __init__(self, prefix: str, window: int = WINDOW, saved: Saved | None = None) -> None:
        self.saved = saved  # None until the server has told a session
        self.instance = ""
        self._prefix = prefix  # of ids: an id must not come again in a session, whoever continues it
        if window < 1:
            raise ValueError(f"Expected a window of at least 1 request, got {window}")
        self._window = window
        self._made = 0
        self._open: dict[str, _Request] = {}  # in the order in which they were made
        self._queue: deque[_Request] = deque()  # those not asked yet, or to be asked again
        self._asked = 0
        self._phase = _Phase.AWAY
        self._resuming = False  # `resume` was asked over the present socket, and has no answer
        self._begun: messages.Session | None = None  # what the present socket's own session is
        self._suspects = Suspects()  # while there are any, nothing else is asked
        self._refused = 0  # connections in a row that ended with OUR_FAULT, since the last answer
        self._former: dict[str, None] = {}  # ids that callers gave and that are open no more, oldest first; at most REMEMBERED
        self._outbox = _Outbox()
        self._events: list[Event] = []

    @property
    def open(self) -> int:
        """How many requests have no answer."""
        return len(self._open)

    @property
    def asked(self) -> int:
        """How many of them are with the server, as far as is known."""
        return self._asked

    def ask(self, operation: Operation, params: dict[str, Any], id: str | None = None) -> str:
        """Make a request; the id is what its answer is known by.

        Raises PrimesError: `busy` when too many are open; as `write` does when no server could read it. Raises ValueError for an id
        that cannot be used, or was: the server would take this question for the former one.
        What a former client asked is made before the socket is there: its answer may be the first thing that the server sends.
        """
        if len(self._open) >= MOST_OPEN:
            raise PrimesError("busy", f"Expected at most {MOST_OPEN:,} requests without an answer, got one more")
        if id is None:
            id = f"{self._prefix}-{self._made + 1}"
            text = write(id, operation, params)
            self._made += 1
        else:
            check_id(id)
            if id in self._open or id in self._former or id.startswith(f"{self._prefix}-"):
                raise ValueError(f"Expected an id of its own for each request, got {id!r} again")
            text = write(id, operation, params)
        request = _Request(id, text)
        self._open[id] = request
        self._queue.append(request)
        return id

    def cancel(self, id: str) -> None:
        """Want the answer no longer: the request fails with `cancelled`, when the server has stopped its computation."""
        request = self._open.get(id)
        if request is None or request.cancelled:
            return
        request.cancelled = True
        if request.asked:
            self._outbox.say(id + CANCEL, "cancel", {"request": id})
        elif request.sent:
            request.not_before = 0.0  # in the queue: its turn cancels it
        else:
            self._fail(request, "cancelled", "The client cancelled the job")

    def begin(self) -> None:
        """A socket is open."""
        self._phase = _Phase.GREETING
        self._resuming = False

    def end(self, code: int | None = None) -> None:
        """It is closed, with this code."""
        self._phase = _Phase.AWAY
        self._outbox.take()
        if code == EVICTED:
            self.saved = None
        if code in OUR_FAULT:
            self._blame(code)
        self._ask_again()

    def _blame(self, code: int) -> None:
        """The server closed the socket over something that was said."""
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            for request in list(self._open.values()):
                self._fail(request, "refused", f"The server closes every connection with {code}, whatever is asked")
        elif self._suspects.tested is not None:
            kind = "too_large" if code == TOO_BIG else "refused"
            self._fail(
                self._open[self._suspects.tested], kind, f"The server closes the connection with {code} when it is asked this"
            )
        else:
            self._suspects.add(request.id for request in self._open.values() if request.asked)

    def hear(self, text: str | bytes, now: float) -> None:
        """Take one message of the server; `events` has what it means. One that is malformed is a Fault, and ends the connection."""
        try:
            for message in messages.read(text):
                self._hear_one(message, now)
        except MalformedMessage:
            self._events.append(Fault(f"Expected a message of primes.v1, got {text[:_SHOWN]!r}"))
        except _Left as error:
            self._events.append(Fault(str(error)))

    def _hear_one(self, message: messages.Message, now: float) -> None:
        match message:
            case messages.Session():
                self._hear_session(message)
            case messages.GoingAway():
                self._events.append(Leaving(message.seconds))
            case messages.FirstVerdict():
                self._hear_verdict(message)
            case messages.Jobs():
                told = (Progress(str(job.id), job.state, job.seconds, job.depth) for job in message.jobs if job.id in self._open)
                self._events.extend(told)
            case messages.Result() | messages.Refusal():
                self._hear_response(message, now)

    def _hear_session(self, session: messages.Session) -> None:
        if self._phase is _Phase.GREETING:
            self._begun = session
            if self.saved is None:
                self._talk(session)
            else:
                self._phase = _Phase.RESUMING
                self._resuming = True
                self._outbox.say(RESUME, "resume", {"session": self.saved.session, "offset": self.saved.offset})
        elif session.recovered is False:  # Redis lost its data
            self._talk(session)
            self._ask_again()
        elif self.saved is not None and session.session == self.saved.session:  # an answer that we have was numbered again
            self._advance(self.saved, session.offset)

    def _hear_verdict(self, told: messages.FirstVerdict) -> None:
        request = self._find(told.id)
        if request is None or request.told:  # told before the connection was lost
            return
        request.told = True
        self._events.append(Verdict(request.id, told.verdict, told.proven, told.method))

    def _find(self, id: str | float | None) -> _Request | None:
        return self._open.get(id) if isinstance(id, str) else None  # all of ours are strings

    def _hear_response(self, response: messages.Result | messages.Refusal, now: float) -> None:
        if response.id == RESUME or (response.id is None and self._resuming):  # nothing else was said then
            return self._hear_resumed(response)
        if self.saved is None:
            raise MalformedMessage("expected the session before a response")
        if response.id is None:
            return self._hear_unreadable(response, now)
        self._refused = 0
        self._suspects.hear(response.id)
        if (request := self._find(response.id)) is not None:
            self._hear_answer(request, response, now)
        elif isinstance(response.id, str) and (request := self._find(response.id.removesuffix(CANCEL))) is not None:
            self._hear_cancelled(request, response, now)
        # Else it is answered already, or was never asked.
        if response.offset is not None:  # last: what could not be read is sent again
            self._advance(self.saved, response.offset)
        return None

    def _hear_unreadable(self, refusal: messages.Result | messages.Refusal, now: float) -> None:
        """The server could not read something that was said over this socket, and does not know what."""
        if self._suspects:
            if self._suspects.tested is not None:
                self._hear_answer(self._open[self._suspects.tested], refusal, now)
            return  # else it was said before they were suspects, and each is asked again
        asked = [request for request in self._open.values() if request.asked]
        if len(asked) == 1:
            self._hear_answer(asked[0], refusal, now)
        else:
            self._suspects.add(request.id for request in asked)

    def _hear_resumed(self, response: messages.Result | messages.Refusal) -> None:
        if not self._resuming or self._begun is None:
            raise MalformedMessage("expected no answer to a resume that was not asked")
        self._resuming = False
        if isinstance(response, messages.Result):
            self._talk(messages.read_resumed(response.fields))
        elif response.retryable:
            raise _Left(response.message)  # what is asked over this socket would belong to the session that it began with
        else:
            self._talk(replace(self._begun, recovered=False))

    def _talk(self, session: messages.Session) -> None:
        self._phase = _Phase.TALKING
        self.saved = Saved(session.session, session.offset)
        self.instance = session.instance
        self._events.append(Joined(session.instance, session.recovered))

    def _hear_answer(self, request: _Request, response: messages.Result | messages.Refusal, now: float) -> None:
        if isinstance(response, messages.Result):
            self._settle(request, messages.read_found(response.fields))
        elif response.retryable:
            self._postpone(request, response.retry_after, now)
        else:
            self._fail(request, response.code, response.message, response.fields)

    def _hear_cancelled(self, request: _Request, response: messages.Result | messages.Refusal, now: float) -> None:
        if isinstance(response, messages.Refusal) and response.retryable:
            self._postpone(request, response.retry_after, now)
        # True: the answer to the request itself says so. Else the server never had the request, or its answer came before.
        elif isinstance(response, messages.Refusal) or not messages.read_cancelled(response.fields):
            self._fail(request, "cancelled", "The client cancelled the job")

    def _postpone(self, request: _Request, retry_after: float | None, now: float) -> None:
        seconds = FIRST_RETRY if retry_after is None else retry_after
        # A server that names 0 s is not asked without a pause.
        more = min(LONGEST_RETRY, (seconds or FIRST_RETRY) * 2**request.refusals)
        request.not_before = now + seconds + random.random() * more
        request.refusals = min(request.refusals + 1, 32)  # more would only overflow
        self._suspects.drop(request.id)  # it was read
        if request.asked:
            request.asked = False
            self._asked -= 1
            self._queue.append(request)

    def _settle(self, request: _Request, found: messages.Found) -> None:
        answer = Answer(
            id=request.id,
            verdict=found.verdict,
            proven=found.proven,
            method=found.method,
            queue_ms=found.queue_ms,
            compute_ms=found.compute_ms,
            evidence=found.evidence,
            number=found.number,
            instance=self.instance,
            factoring=found.factoring,
            digits=found.digits,
            value=found.value,
        )
        self._close(request)
        self._events.append(answer)

    def _fail(self, request: _Request, code: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        self._close(request)
        self._events.append(Failure(request.id, PrimesError(code, message, data)))

    def _close(self, request: _Request) -> None:
        del self._open[request.id]
        self._suspects.drop(request.id)
        if not request.id.startswith(f"{self._prefix}-"):
            self._former[request.id] = None
            if len(self._former) > REMEMBERED:
                del self._former[next(iter(self._former))]
        if request.asked:
            self._asked -= 1
        else:
            self._queue.remove(request)

    def _advance(self, saved: Saved, offset: str) -> None:
        epoch, _, number = offset.partition("-")
        ours, _, reached = saved.offset.partition("-")
        # An answer that is repeated carries the offset of now; an older one must not take the session back.
        if epoch != ours or int(number or 0) > int(reached or 0):
            self.saved = Saved(saved.session, offset)

    def _ask_again(self) -> None:
        for request in self._open.values():
            request.asked = False
        self._asked = 0
        self._queue = deque(self._open.values())
        self._suspects.restart()

    def events(self) -> list[Event]:
        """What has happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def messages(self, now: float) -> list[str]:
        """What to send now."""
        if self._phase is _Phase.TALKING and self._suspects:
            self._ask_suspect()
        elif self._phase is _Phase.TALKING:
            self._ask_next(now)
        return self._outbox.take()

    def _ask_suspect(self) -> None:
        if (check := self._suspects.next()) is None:
            return  # the one before is not known yet
        if self._suspects.tested is not None:
            request = self._open[self._suspects.tested]
            if not request.asked:
                self._queue.remove(request)
            self._ask(request)
        self._outbox.say(check, "cancel", {"request": check})

    def _ask_next(self, now: float) -> None:
        later: list[_Request] = []
        while self._queue and self._asked < self._window:
            request = self._queue.popleft()
            if request.not_before > now:
                later.append(request)
                continue
            self._ask(request)
        self._queue.extendleft(reversed(later))

    def _ask(self, request: _Request) -> None:
        self._asked += not request.asked
        request.asked = request.sent = True
        if request.cancelled:
            self._outbox.say(request.id + CANCEL, "cancel", {"request": request.id})
        else:
            self._outbox.messages.append(request.text)

    def last_words(self) -> list[str]:
        """What is still to be said when nothing more is asked: cancellations."""
        return self._outbox.take()

    @property
    def due(self) -> float | None:
        """When, if ever, something is to be sent that may not be sent yet."""
        if self._phase is not _Phase.TALKING or self._suspects or self._asked >= self._window or not self._queue:
            return None
        return min(request.not_before for request in self._queue)
