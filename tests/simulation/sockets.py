"""The sockets between simulated clients and web processes, in place of nginx, TCP and Tornado's transport."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from services.web.ask.client import Client
from services.web.plain.peer import PlainPeer
from services.web.queue.dispatcher import Dispatcher
from services.web.settings import WebSettings
from services.web.shares import Shares
from services.web.v1.peer import V1Peer
from services.web.v1.sessions import Sessions
from tests.simulation.loop import Loop
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.processes import WebProcess

DELAY = 0.0002, 0.005  # seconds that a message takes one way, nearly always
LONG = 0.2  # seconds that it takes at most, now and then
SELDOM = 0.03  # share of the long ones

END = object()  # what a client reads when its socket is closed


class ClientSocket:
    """A client's end."""

    def __init__(self, world: World, loop: Loop, chance: Random, *, plain: bool = False) -> None:
        """`plain`: it speaks the plain protocol."""
        self.plain = plain
        self.number = 0  # of those that its client opened
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.code: int | None = None  # of the close frame that came
        self._world = world
        self._loop = loop
        self._chance = chance
        self._up = self._down = 0.0  # when the last message arrives, in either direction
        self._closed = False
        self.server: ServerSocket | None = None

    def delay(self) -> float:
        chance = self._chance
        return chance.uniform(*DELAY) if chance.random() > SELDOM else chance.uniform(0, LONG)

    def send(self, text: str) -> None:
        """To the web process."""
        if self._closed or self.server is None:
            return
        self._up = max(self._up, self._world.now + self.delay())
        self._world.push(self._up, self.server.loop, asyncio.Handle(self.server.hear, (text,), self.server.loop))

    def abort(self) -> None:
        """End it without a word, as a lost network does; the web process learns of it, soon or late."""
        if self._closed or self.server is None:
            return
        self._closed = True
        late = 0.0 if self._chance.random() < 0.7 else self._chance.uniform(0, 3)
        self._up = max(self._up, self._world.now + self.delay() + late)
        self._world.push(self._up, self.server.loop, asyncio.Handle(self.server.ended, (), self.server.loop))
        self.inbox.put_nowait(END)

    def receive(self, *messages: Any) -> None:
        """From the web process."""
        self._down = max(self._down, self._world.now + self.delay())
        self._world.push(self._down, self._loop, asyncio.Handle(self._take, messages, self._loop))

    def _take(self, *messages: Any) -> None:
        if self._closed:
            return
        for message in messages:
            if message is END or isinstance(message, int):
                self.code = message if isinstance(message, int) else None
                self._closed = True
                self.inbox.put_nowait(END)
            else:
                self.inbox.put_nowait(message)


class ServerSocket:
    """A web process' end, as its protocols see it: what `ChatSocket` does, without the bytes."""

    def __init__(
        self, web: "WebProcess", client: ClientSocket, dispatcher: Dispatcher, sessions: Sessions, settings: WebSettings
    ) -> None:
        self.loop = web.loop
        self.request = SimpleNamespace(headers={})
        self.queued = 0
        self.share = Shares(1.0).get("")
        self._web = web
        self._client = client
        self._closing = self._gone = False
        self._unheard: deque[str] = deque()
        self._hearing: asyncio.Task[None] | None = None
        web.sockets[self] = None
        self.peer: V1Peer | PlainPeer
        flow = str(len(web.sockets))
        if client.plain:
            self.peer = PlainPeer(self, dispatcher, settings, Client("192.0.2.1", flow))
        else:
            self.peer = V1Peer(self, dispatcher, sessions, settings, Client("192.0.2.2", flow))

    def hear(self, text: str) -> None:
        """A message came; it waits while an earlier one is being heard."""
        self._unheard.append(text)
        if self._hearing is None:
            self._hear_on()

    def _hear_on(self) -> None:
        while self._unheard and not self._closing and not self._gone:
            waits = self.peer.hear(self._unheard.popleft())
            if waits is not None:
                self._hearing = asyncio.get_running_loop().create_task(self._await(waits))
                return

    async def _await(self, waits: Awaitable[None]) -> None:
        try:
            await waits
        except Exception as error:
            self.loop.call_exception_handler({"message": "a message was not heard to its end", "exception": error})
            return
        self._hearing = None
        self._hear_on()

    def spend(self, since: float) -> None:
        """Nobody else waits for this process."""

    def send(self, *messages: bytes) -> None:
        if self._closing or self._gone:
            raise WebSocketClosedError
        self._client.receive(*messages)

    def send_now(self, *messages: bytes) -> None:
        self.send(*messages)
        self.loop.call_soon(self.peer.flushed)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        if not self._closing and not self._gone:
            self._closing = True
            self._client.receive(code or 1000)
            self.loop.call_later(0.001, self.ended)  # the client's close frame

    def ended(self) -> None:
        """The socket is no more."""
        if not self._gone:
            self._gone = True
            self._web.sockets.pop(self, None)
            self.peer.close()

    def go_away(self, seconds: float) -> None:
        self.peer.go_away(seconds)

    def leave(self) -> None:
        self.peer.when_served(lambda: self.close(1012, "service restart"))

    def die(self) -> None:
        """The web process died."""
        self._gone = True
        self._client.receive(END)
