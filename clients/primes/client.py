"""The reference client of primes.v1 for asyncio: every question is answered once, over however many connections."""

import asyncio
import os
import random
import re
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .conversation import (
    MOST_OPEN,
    WINDOW,
    Answer,
    Conversation,
    Event,
    Failure,
    Fault,
    Joined,
    Leaving,
    Progress,
    Saved,
    Verdict,
)
from .requests import Operation, PrimesError

URL = "ws://localhost/chatsocket"
SUBPROTOCOL = Subprotocol("primes.v1")
FIRST_WAIT = 0.5  # s before the first attempt to reconnect, at most; doubled with each that fails
LONGEST_WAIT = 30.0  # s, a guess at what a person bears
MOST_DOUBLINGS = 10  # beyond LONGEST_WAIT anyway
STABLE = 10.0  # s that a connection without an answer must have lasted to count as a success
OPENING = 15.0  # s until an attempt to connect and resume counts as failed
PING = 20.0  # s between two pings, and until a pong: a socket whose network is gone looks open for many minutes
CLOSING = 1.0  # s for the last words on a socket
LEFT_AT_ONCE = 1012  # close code of a server that spread its clients over time itself
LARGEST = 4 << 20  # bytes of a message; the server's are smaller
PASSING = (408, 429)  # statuses below 500 that are no word on the address


class Unreachable(Exception):
    """No server that speaks primes.v1 answers, and trying again is of no use or was done long enough."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A connection ended, or could not be made; the next attempt is in so many seconds."""

    reason: str
    seconds: float
    attempt: int  # in a row without an answer, this one included
    joined: bool  # whether there was a connection that ended


Notice = Joined | Leaving | Waiting | Fault
Told = Verdict | Progress


def check_url(url: str) -> bool:
    """Whether it is one of TLS. Raises ValueError for one that no client could connect to."""
    try:
        address = parse_uri(url)
        address.host.encode("idna")  # as it is looked up: no part is empty or too long
    except (InvalidURI, ValueError):
        raise ValueError(f"expected ws://HOST/chatsocket, got {url!r}") from None
    return address.secure


def ignore(_: object) -> None:
    """For whoever does not listen."""


class Client:
    """Asks over one WebSocket at a time, comes back when it ends, and goes on with what is open.

    It promises an answer and keeps that through outages of any length, unless `give_up_after` says how many seconds without a
    connection are too many: then everything that is open fails with Unreachable. `tls` says for wss:// which authorities are
    trusted, the system's unless given. Restored questions (`id`) are asked with `submit`
    before the client is entered, since the server sends what was missed as soon as it is connected.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        window: int = WINDOW,
        saved: Saved | None = None,
        give_up_after: float | None = None,
        tls: ssl.SSLContext | None = None,
        notice: Callable[[Notice], None] = ignore,
    ) -> None:
        if give_up_after is not None and not give_up_after >= 0:
            raise ValueError(f"Expected seconds from 0 on to give up after, got {give_up_after}")
        secure = check_url(url)  # here, not at the first attempt
        if tls is not None and not secure:
            raise ValueError(f"Expected wss://HOST/chatsocket to go with `tls`, got {url!r}")
        self._url = url
        self._tls = tls or secure or None  # True: the system's authorities
        self._give_up_after = give_up_after
        self._notice = notice
        self._conversation = Conversation(secrets.token_urlsafe(6), window, saved)
        self._waiting: dict[str, tuple[asyncio.Future[Answer], Callable[[Told], None]]] = {}  # by id
        self._room = asyncio.Semaphore(MOST_OPEN)  # of `ask`
        self._changed = asyncio.Event()  # there may be something to send
        self._driver: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._over: Exception | None = None  # why nothing is asked any more
        self._failures = 0  # attempts in a row
        self._joined = False  # whether the session goes on over the present or last socket
        self._last_good = time.monotonic()  # when there was a connection, or the client was made

    @property
    def saved(self) -> Saved | None:
        """Session and offset: a later client that is given them gets the answers that this one missed, for ten minutes."""
        return self._conversation.saved

    @property
    def open(self) -> int:
        """How many questions have no answer."""
        return self._conversation.open

    async def __aenter__(self) -> Self:
        self._last_good = time.monotonic()
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ask nothing more. What is open fails with `closed`; the server keeps its answers for ten minutes."""
        assert self._driver is not None
        try:
            await self._say_last_words()
        finally:  # also when whoever waits for the end of this is cancelled meanwhile
            self._driver.cancel()
            self._end(PrimesError("closed", "The client is closed"))
            await asyncio.gather(self._driver, return_exceptions=True)

    async def ask(
        self,
        number: str | int,
        *,
        operation: Operation = Operation.IS_PRIME,
        proof: bool = False,
        certificate: bool = False,
        deadline: float | None = None,
        tell: Callable[[Told], None] = ignore,
    ) -> Answer:
        """Whether a number, an integer or an expression, is prime; raises PrimesError. Cancelling the task cancels the computation.

        `proof`: the verdict `probably_prime` is not enough; `certificate`: the same, with a certificate for small primes too;
        `deadline`: seconds that the answer is wanted for; `tell` hears what is known before. Waits while 10,000 are open.
        """
        async with self._room:
            options: dict[str, Any] = {name: True for name, wanted in (("proof", proof), ("certificate", certificate)) if wanted}
            if deadline is not None:
                options["deadline"] = deadline
            id, answer = self.submit(number, operation, options, tell=tell)
            try:
                return await answer
            except asyncio.CancelledError:
                self.cancel(id)
                raise

    async def next(self, number: str | int, **options: Any) -> Answer:
        """The least prime above a number, in the answer's `number`. Options as for `ask`."""
        return await self.ask(number, operation=Operation.NEXT, **options)

    async def previous(self, number: str | int, **options: Any) -> Answer:
        """The greatest prime below a number, in the answer's `number`: None for 2 and less. Options as for `ask`."""
        return await self.ask(number, operation=Operation.PREVIOUS, **options)

    async def factor(self, number: str | int, *, deadline: float | None = None, tell: Callable[[Told], None] = ignore) -> Answer:
        """What divides a number, in the answer's `factoring`, as far as a bounded search finds it. Options as for `ask`."""
        return await self.ask(number, operation=Operation.FACTOR, deadline=deadline, tell=tell)

    def submit(
        self,
        number: str | int,
        operation: Operation,
        options: dict[str, Any],
        *,
        id: str | None = None,
        tell: Callable[[Told], None] = ignore,
    ) -> tuple[str, asyncio.Future[Answer]]:
        """Ask without waiting: the request's id, and what its answer will be.

        Raises PrimesError `busy` when too many are open, and another one for what no server could read; ValueError for an `id` that
        is used for another question, is longer than 121 bytes as JSON, or is one of the client's own.
        """
        if self._over:
            raise self._over.with_traceback(None)  # else it would keep the frames of all who came before
        text = str(number) if isinstance(number, str) else hex(number)  # str() ends at 4,300 digits
        id = self._conversation.ask(operation, {"number": text, **options}, id)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[id] = answer, tell
        self._changed.set()
        return id, answer

    def cancel(self, id: str) -> None:
        """Want the answer no longer; it fails with `cancelled` when the computation is stopped."""
        self._conversation.cancel(id)
        self._dispatch()
        self._changed.set()

    async def _drive(self) -> None:
        """Connect and talk, again and again."""
        try:
            while True:
                code, reason = await self._attempt()
                self._conversation.end(code)
                self._dispatch()
                await self._wait(code, reason)
        except Unreachable as error:
            self._end(error)
        except Exception as error:  # ours: whoever waits must hear of it
            self._end(error)
            raise

    async def _attempt(self) -> tuple[int | None, str]:
        """One connection from its beginning to its end: the close code, if it had one, and a few words."""
        self._joined = False
        # Without it the library decides, since a server may send us to wss://.
        tls: dict[str, Any] = {"ssl": self._tls} if self._tls else {}
        try:
            socket = await connect(
                self._url,
                subprotocols=[SUBPROTOCOL],
                compression=None,  # the server agrees on none
                open_timeout=self._patience(),
                ping_interval=PING,
                ping_timeout=PING,
                close_timeout=CLOSING,
                max_size=LARGEST,
                **tls,
            )
        except ssl.SSLCertVerificationError as error:  # whoever it is, it is not whom we want, and a second try is no other
            raise Unreachable(f"{self._url}: {error.verify_message}") from None
        except (OSError, TimeoutError, InvalidMessage, InvalidProxyMessage) as error:
            return None, _describe(error)
        except (InvalidStatus, InvalidProxyStatus) as error:
            status = error.response.status_code
            said = f"HTTP status {status}{' of the proxy' if isinstance(error, InvalidProxyStatus) else ''}"
            if status < 500 and status not in PASSING:
                raise Unreachable(f"{self._url}: expected a WebSocket of primes.v1, got {said}") from None
            return None, said
        except (InvalidProxy, ImportError) as error:  # one of no kind that is known, or whose package is missing
            raise Unreachable(f"{self._url}: {error}") from None
        except (InvalidURI, ValueError) as error:  # not ours, which was checked
            raise Unreachable(f"{self._url}: expected a WebSocket of primes.v1, was sent elsewhere: {error}") from None
        except InvalidHandshake as error:
            raise Unreachable(f"{self._url}: expected a WebSocket of primes.v1, got {error}") from None
        try:
            if socket.subprotocol != SUBPROTOCOL:
                raise Unreachable(f"{self._url}: expected a server that speaks primes.v1, got one that does not")
            return await self._talk(socket)
        finally:
            self._socket = None
            await _close(socket)

    async def _talk(self, socket: ClientConnection) -> tuple[int | None, str]:
        self._socket = socket
        self._conversation.begin()
        began = time.monotonic()
        writer = asyncio.create_task(self._write(socket))
        try:
            async with asyncio.timeout(self._patience()) as opening:
                async for message in socket:
                    if fault := self._hear(message):
                        return None, fault.message
                    if self._joined:
                        opening.reschedule(None)
            return _close_code(socket), socket.close_reason or "the server closed the connection"
        except ConnectionClosed:
            return _close_code(socket), socket.close_reason or "the connection was lost"
        except TimeoutError:
            return None, "no session in time"
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self._joined:
                self._last_good = time.monotonic()
                if self._last_good - began > STABLE:
                    self._failures = 0

    def _hear(self, message: str | bytes) -> Fault | None:
        before, joined = self.saved, self._joined
        self._conversation.hear(message, time.monotonic())
        fault = self._dispatch()
        if joined and self.saved != before:
            self._failures = 0  # it was worth coming: a network that breaks often is no server that refuses
        self._changed.set()
        return fault

    def _dispatch(self) -> Fault | None:
        """Tell everyone what happened; the fault for which the socket must be left."""
        fault = None
        for event in self._conversation.events():
            if isinstance(event, Joined):
                self._joined = True
            elif isinstance(event, Fault):
                fault = event
            self._tell(event)
        return fault

    def _tell(self, event: Event) -> None:
        if isinstance(event, Joined | Leaving | Fault):
            self._notice(event)
        elif isinstance(event, Verdict | Progress):
            self._waiting[event.id][1](event)
        elif event.id in self._waiting:  # else the client is closed
            answer, _ = self._waiting.pop(event.id)
            if answer.done():  # cancelled by whoever waited for it
                return
            if isinstance(event, Failure):
                answer.set_exception(event.error)
            else:
                answer.set_result(event)

    async def _write(self, socket: ClientConnection) -> None:
        """Say what there is to say; come back for what must not be said yet."""
        try:
            while True:
                self._changed.clear()
                for message in self._conversation.messages(time.monotonic()):
                    await socket.send(message)
                due = self._conversation.due
                try:
                    async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        except ConnectionClosed:
            pass  # the reader sees it too, and tells

    async def _wait(self, code: int | None, reason: str) -> None:
        # Full jitter: at random up to the bound, so that clients that lost the same server do not come back in the same moment.
        bound = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._failures, MOST_DOUBLINGS))
        # Not the second time in a row: who is always sent away so would come back without a pause.
        seconds = 0.0 if code == LEFT_AT_ONCE and not self._failures else random.random() * bound
        self._failures += 1
        away = time.monotonic() - self._last_good
        if self._give_up_after is not None and away >= self._give_up_after:
            tried = f"tried {self._failures} times in {away:.1f} s" if self._failures > 1 else "tried once"
            raise Unreachable(f"{self._url}: {tried}, the last time: {reason}")
        if self._give_up_after is not None:
            seconds = min(seconds, self._give_up_after - away)  # a last attempt at the last moment
        self._notice(Waiting(reason, seconds, self._failures, self._joined))
        await asyncio.sleep(seconds)

    def _patience(self) -> float:
        """Seconds for an attempt to connect."""
        if self._give_up_after is None:
            return OPENING
        return min(OPENING, max(0.1, self._last_good + self._give_up_after - time.monotonic()))

    async def _say_last_words(self) -> None:
        """Cancellations that are not sent yet."""
        if self._socket is None:
            return
        try:
            async with asyncio.timeout(CLOSING):
                for message in self._conversation.last_words():
                    await self._socket.send(message)
        except (TimeoutError, ConnectionClosed):
            pass  # then the server computes in vain

    def _end(self, error: Exception) -> None:
        """Wait for nothing any more."""
        self._over = self._over or error
        waiting, self._waiting = self._waiting, {}
        for answer, _ in waiting.values():
            if not answer.done():
                answer.set_exception(self._over)
                answer.exception()  # whoever waits gets it all the same; that nobody does is no fault to log


async def _close(socket: ClientConnection) -> None:
    """With the words that go with it, unless the server does not even read what was said before."""
    try:
        async with asyncio.timeout(CLOSING):
            await socket.close()
    except TimeoutError:  # else only a ping that fails would end it
        socket.transport.abort()
        await socket.wait_closed()


def _close_code(socket: ClientConnection) -> int | None:
    """The code with which the server closed; None for an echo of ours, when what it sent could not be read."""
    echoed = socket.protocol.close_sent is not None and not socket.protocol.close_rcvd_then_sent
    return None if echoed else socket.close_code


def _describe(error: Exception) -> str:
    """What a person wants to know of a failed connection."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, InvalidMessage | InvalidProxyMessage):
        return "the connection ended in the handshake"
    if isinstance(error, OSError) and (codes := re.findall(r"\[Errno (\d+)\]", str(error))):  # one for each address that was tried
        return " and ".join(dict.fromkeys(os.strerror(int(code)) for code in codes))
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
