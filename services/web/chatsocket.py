"""The WebSocket at /chatsocket: the client's subprotocol decides which protocol is spoken."""

import time
from collections.abc import Awaitable

from prometheus_client import Gauge
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from services.web import rpc
from services.web.dispatcher import Dispatcher
from services.web.heartbeat import DEAD
from services.web.plain_client import PlainClient
from services.web.rpc_client import RpcClient
from services.web.settings import WebSettings

CONNECTIONS = Gauge("primes_web_connections", "Open WebSockets")

# Messages above this close the socket with 1009. It is far above the largest number, so that a number that is too
# large gets a sentence and keeps its socket.
MAX_MESSAGE = 2 * 1024 * 1024  # bytes


class ChatSocket(WebSocketHandler):
    """One socket; without a subprotocol it speaks the plain protocol."""

    def initialize(self, dispatcher: Dispatcher, settings: WebSettings, sockets: set["ChatSocket"]) -> None:
        """`sockets` is the process' set of open ones, which its drain closes."""
        self._dispatcher = dispatcher
        self._settings = settings
        self._sockets = sockets
        self._heard = time.monotonic()  # of the last sign of life
        self._closing = False  # whether we have sent our close frame
        self._client: PlainClient | RpcClient  # once the socket is open

    def prepare(self) -> None:
        """Refuse a client that offers only subprotocols that we do not speak, rather than speak another one."""
        offered = [name.strip() for name in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if offered != [""] and rpc.SUBPROTOCOL not in offered:
            got = ", ".join(offered)[:100]
            message = f"Expected the subprotocol {rpc.SUBPROTOCOL}, or none for the plain protocol, got {got!r}"
            self.set_status(400)
            self.finish({"error": {"code": "unknown_subprotocol", "message": message, "retryable": False}})

    def check_origin(self, origin: str) -> bool:
        """Whether a page of this origin may open a socket: any may, unless the settings name those that do."""
        allowed = self._settings.allowed_origins
        return allowed == "*" or origin in allowed.split(",")

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Ours, if the client speaks it."""
        return rpc.SUBPROTOCOL if rpc.SUBPROTOCOL in subprotocols else None

    def open(self, *_: str, **__: str) -> None:
        """Count the client and begin."""
        self.set_nodelay(True)
        self._sockets.add(self)
        CONNECTIONS.inc()
        speaks = RpcClient if self.selected_subprotocol else PlainClient
        self._client = speaks(self, self._dispatcher, self._settings)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Pass it on; awaited, it holds the socket's next message back."""
        self._heard = time.monotonic()
        return None if self._closing else self._client.hear(message)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say that this is the end; what the client says after that is not taken, since no answer could reach it."""
        self._closing = True
        super().close(code, reason)

    def on_pong(self, data: bytes) -> None:
        """The peer lives."""
        self._heard = time.monotonic()

    def beat(self, now: float) -> None:
        """Ping the peer; close the socket when it was silent for too long, though its frames are read."""
        if self._client.paused:
            self._heard = now  # its pongs are still to be read
        try:
            if now - self._heard > DEAD:
                self.close(1011, "no pong")
            else:
                self.ping()
        except WebSocketClosedError:
            self._client.leave()

    def on_close(self) -> None:
        """Forget the client; answers that still come find a closed socket."""
        if self in self._sockets:
            self._sockets.discard(self)
            CONNECTIONS.dec()
            self._client.close()
