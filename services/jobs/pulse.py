"""A process publishes to itself through Redis: hearing it proves that the way out and the way back both work."""

import asyncio
import time

import redis.asyncio

from services.jobs import names

INTERVAL = 1.0  # seconds between beats; the listening connection's time-out must be longer
FRESH = 3.0  # seconds: two beats may be missed before a process calls itself not ready


class Pulse:
    """Numbered beats. Since one connection hears all channels in the order of publication, hearing beat N also
    means that everything published before beat N has been heard: `beat` is a barrier.
    """

    def __init__(self, instance: str) -> None:
        self.channel = names.pulse(instance)
        self._sent = 0
        self._heard = 0
        self._heard_at = float("-inf")  # time.monotonic() of the last beat heard
        self._news = asyncio.Event()  # set at each beat heard

    @property
    def fresh(self) -> bool:
        """Whether a beat was heard in the last seconds."""
        return time.monotonic() - self._heard_at < FRESH

    async def beat(self, redis: redis.asyncio.Redis) -> bool:
        """Publish one beat and wait to hear it, at most until the next is due; False if it was not heard."""
        self._sent += 1
        awaited = self._sent
        await redis.publish(self.channel, b"%d" % awaited)
        try:
            async with asyncio.timeout(INTERVAL):
                while self._heard < awaited:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def hear(self, payload: bytes) -> None:
        """Take a beat from the listening connection."""
        self._heard = int(payload)
        self._heard_at = time.monotonic()
        self._news.set()
