"""The WebSocket at /chatsocket: the client's subprotocol decides which protocol is spoken."""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from prometheus_client import Counter, Gauge
from tornado.web import Finish
from tornado.websocket import WebSocketClosedError

from services.web.ask import client
from services.web.ask.client import Client
from services.web.drain import RESTART
from services.web.plain.peer import PlainPeer
from services.web.queue.dispatcher import Dispatcher
from services.web.settings import WebSettings
from services.web.shares import BYTE, FRAME, HANDSHAKE, Crowded, Shares
from services.web.sockets import handshake
from services.web.sockets.heartbeat import DEAD
from services.web.sockets.lean import LeanHandler
from services.web.sockets.strict import NO_UTF8, PROTOCOL_ERROR, TOO_BIG
from services.web.v1.outbox import TOO_SLOW
from services.web.v1.peer import EVICTED, MISSED, SUBPROTOCOL, V1Peer
from services.web.v1.sessions import Sessions

CONNECTIONS = Gauge("primes_web_connections", "Open WebSockets")
CLOSES = Counter("primes_web_closes_total", "WebSockets closed, by close code", ["code"])
NO_PONG = 1011, "no pong"
NO_FRAME = 1006  # what WebSockets call an end without a close frame
_told = 1000, 1001, PROTOCOL_ERROR, NO_FRAME, NO_UTF8, TOO_BIG, NO_PONG[0], RESTART[0], EVICTED[0], TOO_SLOW[0], MISSED[0]
_closes = {code: CLOSES.labels(str(code)) for code in _told}
_closes_other = CLOSES.labels("other")  # a client may send any

_phases = itertools.count()  # of the heartbeat; each socket has its own

# Messages above this close the socket with 1009. It is far above the largest number, so that a number that is too
# large gets a sentence and keeps its socket.
MAX_MESSAGE = 2 * 1024 * 1024  # bytes

# Seconds that a client that broke the protocol still gets replies to what it asked before: quick ones come within
# milliseconds, and one that waits for a costly answer has no claim to a socket that is not read. A guess.
LAST_REPLIES = 1.0


class ChatSocket(LeanHandler):
    """One socket; without a subprotocol it speaks the plain protocol."""

    # Not in the dictionary that Tornado's attributes are in, as in LeanProtocol.
    __slots__ = (
        *("_client", "_closing", "_dispatcher", "_heard", "_left", "_said"),
        *("_sessions", "_settings", "_sockets", "_who", "phase"),
    )

    def initialize(
        self, dispatcher: Dispatcher, sessions: Sessions, settings: WebSettings, sockets: set["ChatSocket"], shares: Shares
    ) -> None:
        """`sockets` is the process' set of open ones."""
        self._dispatcher = dispatcher
        self._sessions = sessions
        self._settings = settings
        self._sockets = sockets
        self._heard = time.monotonic()  # of the last sign of life
        self._left = False  # whether the client left before its socket was open
        self._closing = False  # whether we have sent our close frame
        self._said: int | None = None  # the code of our close frame
        self._client: PlainPeer | V1Peer  # once the socket is open
        self.phase = next(_phases)
        number = f"{settings.instance}/{self.phase}"
        address = client.name(self.request.remote_ip or "")
        context = self.request.headers.get("Traceparent", "")[: client.TRACEPARENT] if settings.traces else ""
        self._who = Client(address, number, context) if settings.clients_by == "address" else Client(number, traceparent=context)
        self.share = shares.get(self._who.name)

    async def prepare(self) -> None:
        """Refuse what is no handshake, and a client that offers only subprotocols that we do not speak.

        Of a client that had its share of this process' time the others wait.
        """
        if self._refuse_head():
            return
        try:
            if (turn := self.share.begin(HANDSHAKE)) is not None:
                await turn
                if self._left:  # Tornado tells no second time that a client has left
                    self.set_status(499, "client left")  # as nginx counts it; nobody reads it
                    raise Finish
        except Crowded as error:
            self.set_header("Retry-After", str(math.ceil(error.seconds)))
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "busy", f"Busy: {error}", retryable=True)

    def _refuse_head(self) -> bool:
        """Whether the request's head was refused."""
        if (refusal := handshake.refuse(self.request)) is not None:
            if refusal.status == HTTPStatus.UPGRADE_REQUIRED:
                self.set_header("Upgrade", "websocket")
                self.set_header("Connection", "Upgrade")
                self.set_header("Sec-WebSocket-Version", handshake.VERSION)
            self._refuse(refusal.status, "no_handshake", refusal.message)
            return True
        self.request.headers["Upgrade"] = "websocket"  # it may be a list, which Tornado does not read
        offered = [name.strip() for name in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if offered != [""] and SUBPROTOCOL not in offered:
            got = ", ".join(offered)[:100]
            message = f"Expected the subprotocol {SUBPROTOCOL}, or none for the plain protocol, got {got!r}"
            self._refuse(400, "unknown_subprotocol", message)
            return True
        return False

    def _refuse(self, status: int, code: str, message: str, *, retryable: bool = False) -> None:
        self.set_status(status)
        self.finish({"error": {"code": code, "message": message, "retryable": retryable}})

    def _check_cross_origin(self, check: Callable[[str], bool]) -> str | None:
        """In place of Tornado's rules, which let in every page whose Origin equals Host: its own DNS says which host that is."""
        origin = self.request.headers.get("Origin")
        return None if origin is None or check(origin) else f"Origin {origin[:100]!r} is not allowed"

    def check_origin(self, origin: str) -> bool:
        """Whether a page of this origin may open a socket: any may, unless the settings name those that do."""
        allowed = self._settings.allowed_origins
        return allowed == "*" or origin in allowed.split(",")

    @property
    def deflates(self) -> bool:
        """Whether clients may compress what they send."""
        return self._settings.deflate

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Ours, if the client speaks it."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def open(self, *_: str, **__: str) -> None:
        """Count the client and begin."""
        self.set_nodelay(True)
        self._sockets.add(self)
        CONNECTIONS.inc()
        self.share.sockets += 1
        who = self._who
        if self.selected_subprotocol:
            self._client = V1Peer(self, self._dispatcher, self._sessions, self._settings, who)
        else:
            self._client = PlainPeer(self, self._dispatcher, self._settings, who)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Pass it on; awaited, it holds the socket's next message back."""
        self._heard = time.monotonic()
        self.share.left -= FRAME + len(message) * BYTE
        return None if self._closing else self._client.hear(message)

    def on_ascii(self, message: bytes) -> Awaitable[None] | None:
        """Likewise."""
        self._heard = time.monotonic()
        return None if self._closing else self._client.hear(message)

    def on_flushed(self) -> None:
        """The client took all that was written."""
        self._client.flushed()

    def on_piece(self) -> None:
        """The peer lives, though its line may be slow: a pong comes only behind what it is sending."""
        self._heard = time.monotonic()

    async def on_violation(self) -> None:
        """Wait for the replies that are due, for a moment."""
        served = asyncio.Event()
        self._client.when_served(served.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(served.wait(), LAST_REPLIES)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say that this is the end; what the client says after that is not taken, since no answer could reach it."""
        self._closing = True
        self._said = self._said or code
        super().close(code, reason)

    def go_away(self, seconds: float) -> None:
        """Tell the client that the socket will be closed in so many seconds, if its protocol has a word for it."""
        self._client.go_away(seconds)

    def leave(self) -> None:
        """Close with 1012 as soon as the client has the answers that only this process can give."""
        self._client.when_served(partial(self.close, *RESTART))

    def on_pong(self, data: bytes) -> None:
        """The peer lives."""
        self._heard = time.monotonic()

    def beat(self, now: float) -> None:
        """Ping the peer; close the socket when it was silent for too long, though its frames are read."""
        if self._client.paused or self.held:
            self._heard = now  # its pongs are still to be read
        try:
            if now - self._heard > DEAD * self._settings.ping:
                self.close(*NO_PONG)
            else:
                self.ping()
        except WebSocketClosedError:
            self._client.leave()

    def excuse(self, seconds: float, now: float) -> None:
        """This process stood still: what the peer said meanwhile is still to be read."""
        self._heard = min(self._heard + seconds, now)

    def on_close(self) -> None:
        """Forget the client; answers that still come find a closed socket."""
        self._left = True
        if self in self._sockets:
            self._sockets.discard(self)
            self.share.sockets -= 1
            CONNECTIONS.dec()
            _closes.get(self._said or self.close_code or NO_FRAME, _closes_other).inc()
            self._client.close()
