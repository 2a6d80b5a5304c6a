"""A client that resumes its session over several sockets at once, and goes on over the one that is left to it."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.history import Asked, Closed, Event, Opened, Shown

EVICTED = 4001  # close code of a socket whose session was resumed over another
SETTLED = 15  # seconds in which all but one must be closed: far less than until the server looks at idle sessions
ANSWERED = 60  # seconds until what is open counts as lost


class Racer:
    """One client. It hears all its sockets, and follows the one rule on each, since each may be the one that is left."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.history: list[Event] = []
        self._urls = urls  # of the web processes
        self._asked: dict[str, str] = {}  # numbers by request
        self._open: set[str] = set()  # requests without an answer
        self._session, self._offset = "", "0"
        self._held: dict[int, ClientConnection] = {}  # sockets whose session was told or resumed, by their numbers
        self._sockets = 0
        self._changed = asyncio.Condition()
        self._listening = asyncio.TaskGroup()
        self._sockets_to_end = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._listening.__aenter__()
        await self._sockets_to_end.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._sockets_to_end.__aexit__(kind, error, trace)  # which ends what listens
        await self._listening.__aexit__(kind, error, trace)

    async def begin(self) -> None:
        """Open the session, over one socket."""
        await self._open_socket(self._urls[0])

    async def ask(self, request: str, number: str) -> None:
        """Over every socket that seems to hold the session."""
        self._asked[request] = number
        self._open.add(request)
        self.history.append(Asked(time.monotonic(), request, number))
        for socket in self._held.values():
            await self._send(socket, request, "is_prime", {"number": number})

    async def resume_everywhere(self) -> None:
        """Over new sockets, one on each web process, all at the same time."""
        async with asyncio.TaskGroup() as group:
            for url in self._urls:
                group.create_task(self._open_socket(url))

    async def until_one_holds(self) -> int:
        """Wait until the server has closed all sockets but one; returns how many are left in the end."""
        await self._until(lambda: len(self._held) <= 1, SETTLED)
        return len(self._held)

    async def until_answered(self) -> None:
        """Wait until every request has its answer, or long enough."""
        await self._until(lambda: not self._open, ANSWERED)

    async def _until(self, happened: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):  # the test looks at what it has come to
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(happened)

    async def _open_socket(self, url: str) -> None:
        number, self._sockets = self._sockets, self._sockets + 1
        opening = connect(url, subprotocols=["primes.v1"], compression=None, ping_interval=None, close_timeout=1)  # type: ignore[list-item]
        socket = await self._sockets_to_end.enter_async_context(opening)
        told = json.loads(await socket.recv())["params"]
        ready = asyncio.Event()
        self._held[number] = socket
        self._listening.create_task(self._listen(socket, number, ready))
        if self._session:
            await self._send(socket, "resume", "resume", {"session": self._session, "offset": self._offset})
            await ready.wait()
        else:
            self._session, self._offset = told["session"], told["offset"]
            self.history.append(Opened(time.monotonic(), number, told["instance"], told["session"], recovered=None))

    async def _listen(self, socket: ClientConnection, number: int, ready: asyncio.Event) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                await self._hear(socket, number, json.loads(message), ready)
        self.history.append(Closed(time.monotonic(), number, socket.close_code))
        ready.set()
        async with self._changed:
            del self._held[number]
            self._changed.notify_all()

    async def _hear(self, socket: ClientConnection, number: int, message: dict[str, Any], ready: asyncio.Event) -> None:
        now = time.monotonic()
        if message.get("id") == "resume":
            assert "result" in message, message
            told = message["result"]
            self.history.append(Opened(now, number, told["instance"], told["session"], told["recovered"]))
            for request in sorted(self._open):
                await self._send(socket, request, "is_prime", {"number": self._asked[request]})
            ready.set()
        elif "id" in message:
            answer = message.get("result") or message["error"]["data"]
            self._offset = answer.get("offset", self._offset)
            verdict = answer["verdict"] if "result" in message else f"error {answer['code']}"
            async with self._changed:
                self.history.append(Shown(now, message["id"], verdict, self._offset, number))
                self._open.discard(message["id"])
                self._changed.notify_all()

    async def _send(self, socket: ClientConnection, id: str, method: str, params: dict[str, str]) -> None:
        with suppress(ConnectionClosed):  # the one that is left asks too
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
