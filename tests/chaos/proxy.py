"""A network between one process and Redis that can be cut, slowed, or made to lose what is published."""

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Self

from tests.chaos.resp import Splitter, is_message

CHUNK = 1 << 16


class Proxy:
    """Listens on a Unix socket in a thread of its own. Its switches may be set from any thread, for all connections at once."""

    def __init__(self, path: Path, redis: Path) -> None:
        self.path = path
        self.delay = 0.0  # seconds that everything takes longer, each way
        self.deaf = False  # publications are lost, commands pass
        self.dropped = 0  # publications lost so far
        self._redis = redis
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()  # cleared: nothing passes, in either direction; no connection is closed either
        self._open.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(self._serve, self.path), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Nothing passes any more, as over a network that was taken away: nobody is told."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def mend(self) -> None:
        """Everything passes again, what was held too."""
        self._loop.call_soon_threadsafe(self._open.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            redis_reader, redis_writer = await asyncio.open_unix_connection(self._redis)
        except OSError:
            writer.close()
            return
        ways = (self._pass(reader, redis_writer, answers=False), self._pass(redis_reader, writer, answers=True))
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (writer, redis_writer):
            end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        splitter = Splitter()
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(self._keep(splitter, data) if answers else data)
                await writer.drain()

    def _keep(self, splitter: Splitter, data: bytes) -> bytes:
        """What gets through of Redis' answers."""
        values = list(splitter.feed(data))
        kept = [value for value in values if not (self.deaf and is_message(value))]
        self.dropped += len(values) - len(kept)
        return b"".join(kept)
