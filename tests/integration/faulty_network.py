"""A network between clients and web processes that breaks each connection after a while, at any byte, in one of several ways."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Sequence
from typing import Self

CHUNK = 512  # bytes: small, so that a break may come within a message
LIFE = 5_000  # bytes that pass in one direction until the connection breaks, on average: more than the questions that are open


class FaultyNetwork:
    """Listens on a port of its own, in a thread of its own; each connection goes to the next of the web processes' ports."""

    def __init__(self, ports: Sequence[int], seed: int) -> None:
        self.breaks: list[str] = []  # how each broken connection was broken
        self.port = 0
        self._ports = ports
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}/chatsocket"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._chance.choice(["reset", "closed", "answers lost", "questions lost", "late"])
        life = int(self._chance.expovariate(1 / LIFE))
        with contextlib.suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._chance.choice(self._ports))
            ways = [
                asyncio.create_task(self._pass(their_reader, writer, life, lost=fault == "answers lost", late=fault == "late")),
                asyncio.create_task(self._pass(reader, their_writer, life, lost=fault == "questions lost", late=False)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.breaks.append(fault)
            for end in (writer, their_writer):
                end.transport.abort() if fault == "reset" else end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, life: int, *, lost: bool, late: bool) -> None:
        """Until so many bytes have passed; `lost`: a last chunk is taken and not passed on; `late`: each chunk takes a while."""
        with contextlib.suppress(OSError):
            while life > 0 and (data := await reader.read(CHUNK)):
                if late:
                    await asyncio.sleep(0.02)
                life -= len(data)
                if life > 0 or not lost:
                    writer.write(data)
                    await writer.drain()
