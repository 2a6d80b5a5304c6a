"""A process publishes to itself through Redis: hearing it proves that the way out and the way back both work, and that Redis
takes writes.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from prometheus_client import Gauge

from services.broker.client import BrokerClient
from services.broker.connection import PASSING, Backoff
from services.broker.script import SCRIPTS, Script
from services.jobs import names

log = logging.getLogger(__name__)

HEARD = Gauge("primes_redis_heard", "1 while the process hears its own messages through Redis")

BEAT = 0.25  # seconds between beats, and until one counts as lost once Redis has it
FRESH = 3.0  # seconds: so long no beat may be heard before a process calls itself not ready
INTERVAL = 1.0  # seconds between two rounds of whoever looks for what pub/sub lost

_beat = Script(SCRIPTS / "beat.lua")


class Pulse:
    """Numbered beats. Since one connection hears all channels in the order of publication, hearing beat N also
    means that everything published before beat N has been heard: a beat is a barrier.

    A process that does not hear its beats does not hear anything else either; then it looks more often.
    """

    def __init__(self, instance: str) -> None:
        self.channel = names.pulse(instance)
        self.sent = 0  # number of the last beat that Redis has, or may have
        self.heard = 0  # number of the last beat heard
        self.lost = False  # whether Redis took the last beat and we did not hear it
        self._listening_anew = False  # whether something may have been missed that nobody has looked for yet
        self._heard_at = float("-inf")  # time.monotonic()
        self._news = asyncio.Event()  # set when any of these changes
        HEARD.set_function(lambda: float(self.fresh))

    @property
    def fresh(self) -> bool:
        """Whether a beat was heard in the last seconds."""
        return time.monotonic() - self._heard_at < FRESH

    async def run(self, redis: BrokerClient) -> None:
        """Beat until cancelled; over a connection on which no command waits for another's end, or for a free one."""
        backoff = Backoff()
        while True:
            try:
                await self._beat(redis)
                backoff.reset()
            except PASSING as error:
                log.warning("could not send a beat, will try again: %s", error)
                self.lost = False  # not known: to look more often would not help
                await asyncio.sleep(backoff.next())

    async def _beat(self, redis: BrokerClient) -> None:
        self.sent += 1
        await _beat(redis, [names.NOTHING], self.channel, self.sent)
        await asyncio.sleep(BEAT)
        self.lost = self.heard < self.sent
        self._news.set()

    def hear(self, payload: bytes) -> None:
        """Take a beat from the listening connection."""
        self.heard = int(payload)
        self._heard_at = time.monotonic()
        self._news.set()

    def listen_anew(self) -> None:
        """The listening connection is a new one: what was published before was not heard, and Redis may be another."""
        self._listening_anew = True
        self._news.set()

    async def pass_by(self, number: int) -> bool:
        """Wait to hear a later beat than this; False if none came, at once while beats are lost."""
        await self._wait(INTERVAL, lambda: self.heard > number or self.lost)
        return self.heard > number

    async def rest(self, started: float) -> None:
        """Sleep until the next look for what pub/sub lost is due, after one that was `started` then (time.monotonic()):
        INTERVAL later, soon while beats are lost, or at once where the listening connection became a new one.
        """
        await self._wait(BEAT, lambda: self._listening_anew)
        await self._wait(started + INTERVAL - time.monotonic(), lambda: self.lost or self._listening_anew)
        self._listening_anew = False

    async def _wait(self, seconds: float, condition: Callable[[], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
