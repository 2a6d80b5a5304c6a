"""The WebSocket at /chatsocket."""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial

from prometheus_client import Counter, Gauge
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from services.jobs.messages import Answer
from services.web import number, plain
from services.web.dispatcher import Dispatcher
from services.web.heartbeat import DEAD
from services.web.ledger import Busy
from services.web.settings import WebSettings

CONNECTIONS = Gauge("primes_web_connections", "Open WebSockets")
MESSAGES = Counter("primes_web_messages_total", "Messages read, by what they held", ["outcome"])
_integer, _invalid, _too_large, _busy = (MESSAGES.labels(o) for o in ("integer", "invalid", "too_large", "busy"))

# Messages above this close the socket with 1009. It is far above the largest number, so that a number that is too
# large gets a sentence and keeps its socket.
MAX_MESSAGE = 2 * 1024 * 1024  # bytes


class ChatSocket(WebSocketHandler):
    """One client. Its number of unanswered messages is bounded: a full window stops the reading of its socket, so that
    TCP holds the sender back, and replies count until they are written, so a client that does not read cannot fill
    our memory.
    """

    def initialize(self, dispatcher: Dispatcher, settings: WebSettings, sockets: set["ChatSocket"]) -> None:
        """`sockets` is the process' set of open ones, which its drain closes."""
        self._dispatcher = dispatcher
        self._settings = settings
        self._sockets = sockets
        self._window = plain.Window(settings.max_in_flight)
        self._room = asyncio.Event()  # set when the window may have room, or the socket is gone
        self._heard = time.monotonic()  # of the last sign of life
        self._paused = False  # whether frames, and so pongs, are left unread
        self._gone = False  # whether writing failed: Tornado tells of the end only when it reads again

    def check_origin(self, origin: str) -> bool:
        """Whether a page of this origin may open a socket: any may, unless the settings name those that do."""
        allowed = self._settings.allowed_origins
        return allowed == "*" or origin in allowed.split(",")

    def open(self, *_: str, **__: str) -> None:
        """Count the client."""
        self.set_nodelay(True)
        self._sockets.add(self)
        CONNECTIONS.inc()

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Submit one integer or say what is wrong with it; awaited, it holds the socket's next message back."""
        self._heard = time.monotonic()
        slot = self._window.open()
        try:
            text = message if isinstance(message, str) else message.decode("ascii")
            self._dispatcher.submit(number.read(text, self._settings.max_digits), partial(self._settle, slot))
            _integer.inc()
        except number.TooLarge as error:
            _too_large.inc()
            self._reply(slot, f"Number too large: {error}")
        except Busy:
            _busy.inc()
            self._reply(slot, plain.BUSY)
        except ValueError:  # not an integer, or bytes that are no text
            _invalid.inc()
            self._reply(slot, plain.INVALID)
        return self._wait_for_room() if self._window.full else None

    def on_pong(self, data: bytes) -> None:
        """The peer lives."""
        self._heard = time.monotonic()

    def beat(self, now: float) -> None:
        """Ping the peer; close the socket when it was silent for too long, though its frames are read."""
        try:
            if not self._paused and now - self._heard > DEAD:
                self.close(1011, "no pong")
            else:
                self.ping()
        except WebSocketClosedError:
            self._leave()

    def on_close(self) -> None:
        """Forget the client; answers that still come find a closed socket."""
        if self in self._sockets:
            self._sockets.discard(self)
            CONNECTIONS.dec()

    def _settle(self, slot: plain.Slot, answer: Answer) -> None:
        self._reply(slot, plain.sentence(answer))

    def _reply(self, slot: plain.Slot, reply: str) -> None:
        """Write every reply whose turn it is; the last one written frees the places of all."""
        ready = self._window.fill(slot, reply)
        try:
            writes = [self.write_message(text) for text in ready]
        except WebSocketClosedError:
            return self._leave()
        for write in writes:
            asyncio.ensure_future(write).add_done_callback(self._flushed)

    def _flushed(self, write: "asyncio.Future[None]") -> None:
        if write.exception() is None:
            self._window.flushed(1)
            self._room.set()
        else:
            self._leave()

    def _leave(self) -> None:
        """The peer is gone: end the waiting for room, so that Tornado reads on and finds out."""
        self._gone = True
        self._room.set()

    async def _wait_for_room(self) -> None:
        self._paused = True
        while self._window.full and not self._gone:
            self._room.clear()
            await self._room.wait()
        self._paused = False
        self._heard = time.monotonic()  # pongs that came meanwhile are still to be read
