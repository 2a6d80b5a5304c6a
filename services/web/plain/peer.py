"""A socket's side of the plain protocol."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import Counter
from tornado.websocket import WebSocketClosedError

from services.jobs.messages import ANYBODY, Answer
from services.runtime.cheap_metrics import Tally
from services.web.ask import number
from services.web.ask.client import Client
from services.web.ask.question import Question
from services.web.plain import protocol
from services.web.queue.dispatcher import Dispatcher
from services.web.queue.ledger import LedgerFull
from services.web.settings import WebSettings
from services.web.sockets.lean import LeanHandler

MESSAGES = Counter("primes_web_messages_total", "Messages read, by what they held", ["outcome"])
_integer, _invalid, _too_large, _busy = (Tally(MESSAGES.labels(o)) for o in ("integer", "invalid", "too_large", "busy"))


class PlainPeer:
    """One client. Its number of unanswered messages is bounded: a full window stops the reading of its socket, so that
    TCP holds the sender back, and replies count until they are written, so a client that does not read cannot fill
    our memory.
    """

    def __init__(self, socket: LeanHandler, dispatcher: Dispatcher, settings: WebSettings, client: Client) -> None:
        self._socket = socket
        self._submit = partial(dispatcher.submit, client=client)
        self._forsake = dispatcher.forsake
        self._max_digits = settings.max_digits
        self._window = protocol.Window(settings.max_in_flight)
        self._unflushed = 0  # replies handed to the socket and not yet written
        self._due = False  # whether replies will be written at the end of this turn of the loop
        self._room: asyncio.Event | None = (
            None  # set when the window may have room, or the socket is gone; while that is waited for
        )
        self.paused = False  # whether frames, and so pongs, are left unread
        self._served: Callable[[], None] | None = None  # to be called once the window is empty
        self._gone = False  # whether writing failed: Tornado tells of the end only when it reads again

    def hear(self, message: str | bytes) -> Awaitable[None] | None:
        """Submit one integer or say what is wrong with it; awaited, it holds the socket's next message back."""
        try:
            text = message if isinstance(message, str) else message.decode("ascii")
            job = self._submit(Question(number.read(text, self._max_digits)), ANYBODY, self._settle)
        except number.TOO_LARGE as error:
            _too_large.inc()
            self._reply(f"Number too large: {error}".encode())
        except LedgerFull as error:
            _busy.inc()
            self._reply(protocol.busy(error.seconds))
        except ValueError:  # not an integer, or bytes that are no text
            _invalid.inc()
            self._reply(protocol.INVALID)
        else:
            _integer.inc()
            return self._wait_for_room() if self._window.wait(job) else None
        return self._wait_for_room() if self._window.full else None

    def go_away(self, seconds: float) -> None:
        """The plain protocol has no word for it: a close frame is what its clients understand."""

    def when_served(self, served: Callable[[], None]) -> None:
        """Call `served` once no message is without its reply: now, or when the last is written."""
        if self._window.empty:
            served()
        else:
            self._served = served

    def leave(self) -> None:
        """The peer is gone: end the waiting for room, so that Tornado reads on and finds out."""
        self._gone = True
        if self._room is not None:
            self._room.set()

    def close(self) -> None:
        """The socket is closed: nobody waits for its answers."""
        self._forsake(self._window.jobs)

    def _settle(self, answer: Answer) -> None:
        self._window.settle(answer.id, protocol.sentence(answer))
        if not self._due:
            self._write_soon()

    def _reply(self, reply: bytes) -> None:
        self._window.reply(reply)
        if not self._due:
            self._write_soon()

    def _write_soon(self) -> None:
        self._due = True
        asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Write every reply whose turn it is; the last one written frees the places of all."""
        self._due = False
        ready = self._window.take()
        if not ready:
            return
        self._unflushed += len(ready)
        try:
            self._socket.send_now(*ready)
        except WebSocketClosedError:
            self.leave()

    def flushed(self) -> None:
        """All replies so far are written."""
        self._window.flushed(self._unflushed)
        self._unflushed = 0
        if self._room is not None:
            self._room.set()
        if self._served is not None and self._window.empty:
            self._served()

    async def _wait_for_room(self) -> None:
        self.paused = True
        self._room = asyncio.Event()
        while self._window.full and not self._gone:
            self._room.clear()
            await self._room.wait()
        self._room = None
        self.paused = False
