"""Clients of the plain protocol: one reply to each message, in order, as long as the socket lives; then they ask again."""

import time
from collections import deque
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from services.jobs.messages import SENTENCES, Fault
from tests.chaos.client import Client
from tests.chaos.history import Opened, Refused, Shown

VERDICTS = {"is a prime number": "prime", "is not a prime number": "composite"}  # of one below 2 too
BUSY, LOST = "Busy", f"No answer: {SENTENCES[Fault.LOST]}"  # begin replies after which a client asks again
AGAIN = 1.0  # seconds until then


class PlainClient(Client):
    """The reply to a message is the one whose turn it is; what had none when a socket ended is asked over the next one."""

    PROTOCOLS = None
    _turns: deque[str]  # requests that were sent over this socket and have no reply

    async def _begin(self, socket: ClientConnection, number: int) -> None:
        self._turns = deque()
        self._note(Opened(time.monotonic(), number, "", "", recovered=None))
        self._socket = socket
        await self._ask_again(socket)

    async def _ask(self, socket: ClientConnection, request: str) -> None:
        if (asked := self._open.get(request)) is not None:
            self._turns.append(request)
            with suppress(ConnectionClosed):
                await socket.send(asked.number)

    async def _hear(self, socket: ClientConnection, number: int, text: str | bytes) -> None:
        now, reply = time.monotonic(), str(text)
        request = self._turns.popleft() if self._turns else "none"
        if reply.startswith((BUSY, LOST)):
            self._note(Refused(now, request, reply, number))
            self._do_later(self._retry(socket, request, AGAIN))
        else:
            self._note(Shown(now, request, VERDICTS.get(reply, reply), "0", number))
            self._open.pop(request, None)
            self._finish()
