"""WebSockets of stock Tornado on uvloop for peers that bring none: each socket's replies go out in the order of its questions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

BACKLOG = 1_024  # as our web processes have

Ask = Callable[[int], Awaitable[bool]]


class Asking(WebSocketHandler):
    """One socket. Questions are asked side by side: Tornado reads no further message while it awaits a handler."""

    def initialize(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def check_origin(self, origin: str) -> bool:
        return True

    def on_message(self, message: str | bytes) -> None:
        verdict = asyncio.ensure_future(self._ask(int(message)))
        self._waiting.append(verdict)
        verdict.add_done_callback(self._reply)

    def _reply(self, _: asyncio.Future[bool]) -> None:
        while self._waiting and self._waiting[0].done():
            self.write_message("is a prime number" if self._waiting.popleft().result() else "is not a prime number")


async def serve(port: int, ask: Ask) -> None:
    """Until the process is ended."""
    server = HTTPServer(Application([(r"/chatsocket", Asking, {"ask": ask})]), xheaders=True)
    server.listen(port, "127.0.0.1", backlog=BACKLOG)
    await asyncio.Event().wait()
