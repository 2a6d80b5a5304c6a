"""Pub/sub channels heard over one connection that is made again whenever it is lost."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import Counter
from redis.exceptions import ConnectionError, TimeoutError

from services.broker import unreadable
from services.broker.client import LOOKS, Link
from services.broker.connection import PASSING, Backoff, Client
from services.broker.unreadable import MALFORMED

log = logging.getLogger(__name__)

RECONNECTS = Counter("primes_redis_reconnects_total", "Times the listening connection to Redis was lost and made again")


class Subscription:
    """Hands each message to its channel's handler, in order of publication.

    At most once: what is published while the connection is away is not heard. Whoever listens needs another way to
    find what was missed (the stream, for jobs; the audit of the ledger, for answers).
    """

    def __init__(
        self,
        redis: Client,
        handlers: Mapping[str, Callable[[bytes], None]],
        silence: float,
        listening: Callable[[], None] | None = None,
    ) -> None:
        """`silence`: seconds without any message after which the connection counts as lost. `listening` is called each time
        that all channels are listened to over a new connection.
        """
        self._redis = redis
        self._silence = silence
        self._listening = listening
        self._handlers = {channel.encode(): handler for channel, handler in handlers.items()}
        self._kinds = {channel.encode(): channel.split(":")[1] for channel in handlers}

    async def run(self) -> None:
        """Listen until cancelled."""
        backoff = Backoff()
        while True:
            try:
                await self._listen(backoff)
            except PASSING as error:
                RECONNECTS.inc()
                log.warning("lost the Redis subscription, will listen again: %s", error)
                await asyncio.sleep(backoff.next())

    async def _listen(self, backoff: Backoff) -> None:
        """Listen until the connection is lost or silent: four beats come in a second, so silence means a dead peer."""
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[Exception] = loop.create_future()
        link = await Link.open(self._redis, self._hear, lost.set_result)
        try:
            link.write(("SUBSCRIBE", *self._handlers))
            backoff.reset()
            while not lost.done():
                await asyncio.wait({lost}, timeout=self._silence / LOOKS)
                if link.heard_at + self._silence < loop.time():
                    raise TimeoutError(f"nothing heard for {self._silence:g} s")
            raise lost.result()
        finally:
            if not lost.done():
                link.end(ConnectionError("nobody listens any more"))

    def _hear(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            raise reply
        kind, channel, payload = reply
        if kind != b"message":
            if self._listening and payload == len(self._handlers):  # how many channels are listened to now
                self._listening()
            return
        try:
            self._handlers[channel](payload)
        except MALFORMED as error:
            # At most once is the rule here anyway: what a lost message says is found by other ways, and so is this one's.
            unreadable.note(self._kinds[channel], error)
