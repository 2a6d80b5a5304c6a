"""The board of parts on a real Redis, as one worker sees it, and what is told over it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from services.jobs import names
from services.worker.parts import messages
from services.worker.parts.board import Board
from services.worker.parts.lane import PartLane
from services.worker.parts.messages import Told
from services.worker.parts.part_process import PartProcess
from tests.integration.redis_server import RedisServer

WORKER = "worker-1"
BOUND = 60.0  # seconds
MEMORY = 512  # MiB of a child


class Ear:
    """Hears what came of this worker's parts."""

    def __init__(self, server: RedisServer) -> None:
        self._heard: Any = server.admin.pubsub(ignore_subscribe_messages=True)
        self._heard.subscribe(names.outcomes(WORKER))
        self._heard.get_message(timeout=1)  # subscribed
        self.told: list[Told] = []

    def heard(self) -> list[Told]:
        """All that ever came."""
        self.listen()
        return self.told

    def listen(self) -> list[bytes]:
        """What came since this was asked last; all that ever came is `told`."""
        payloads = []
        while (message := self._heard.get_message()) is not None:
            payloads.append(message["data"])
        self.told += map(messages.decode, payloads)
        return payloads


@asynccontextmanager
async def working(board: Board, children: list[PartProcess], until: Callable[[], object]) -> AsyncIterator[PartLane]:
    """A lane of parts with these children, which is swept often; at the end of the block it goes on until something holds."""
    lane = PartLane(board, children, WORKER)
    running = asyncio.create_task(lane.run())
    try:
        async with asyncio.timeout(BOUND):
            yield lane
            while not until():
                lane.sweep()
                await asyncio.sleep(0.02)
            lane.bell.stop()
            await running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for child in children:
            await child.close()
