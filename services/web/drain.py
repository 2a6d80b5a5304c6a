"""The end of a web process: its clients go to the others, a few at a time, with what they asked answered or handed over."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Collection
from typing import Protocol

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at what is due; one at least, for requests that came as the port was closed
CLOSES = 500  # sockets closed in a second: what the other processes can take in without delay; a guess
SHORTEST = 1.0  # seconds over which even a few are spread
LONGEST = 0.8  # of the drain over which even very many are spread: the rest is for answers and close handshakes
FAREWELL = 1.0  # seconds for close handshakes and last responses after the drain
SLICE = 100  # sockets told or closed before others get their turn: a few milliseconds

RESTART = 1012, "service restart"


class Leaving(Protocol):
    """What a socket must be able to do."""

    def go_away(self, seconds: float) -> None:
        """Tell the client that its socket will be closed in so many seconds."""

    def leave(self) -> None:
        """Close once the client has the answers that it can get from this process alone: now, or when the last is written."""

    def close(self, code: int, reason: str) -> None:
        """Close now; harmless when repeated."""


class Interruptible(Protocol):
    """What an HTTP request under way must be able to do."""

    def interrupt(self) -> None:
        """Answer now that there will be no answer here."""


def spread(sockets: int, drain: float) -> float:
    """Seconds over which to close so many sockets in a drain of so many seconds."""
    return min(max(sockets / CLOSES, SHORTEST), LONGEST * drain)


class Drain:
    """Closes each socket at a time drawn for it, so that thousands do not come back in the same moment.

    It looks at all sockets ten times a second, which costs more than a queue by time, and finds those that open late too.
    """

    def __init__(
        self, sockets: Collection[Leaving], requests: Collection[Interruptible], handed_over: Callable[[], bool], seconds: float
    ) -> None:
        """`sockets` and `requests` are the process' own and shrink as they end; `handed_over` tells whether Redis holds
        what the sessions wait for, and knows which uploads will not be read.
        """
        self._sockets = sockets
        self._requests = requests
        self._handed_over = handed_over
        self._seconds = seconds
        self._due: dict[Leaving, float] = {}  # time.monotonic() at which each is to leave; infinite once it was told to

    async def run(self) -> None:
        """Return when nothing is left, at the latest after the drain and a farewell."""
        began = time.monotonic()
        closed_by = began + spread(len(self._sockets), self._seconds)
        log.info("draining: %d sockets are open, to be closed within %.1f s", len(self._sockets), closed_by - began)
        while True:
            await self._announce(closed_by)
            await self._close_due()
            await asyncio.sleep(TICK)
            if not self._left and self._handed_over():
                break
            if time.monotonic() - began >= self._seconds:
                await self._cut_off()
                break
        log.info("drained in %.1f s", time.monotonic() - began)

    @property
    def _left(self) -> int:
        return len(self._sockets) + len(self._requests)

    async def _announce(self, closed_by: float) -> None:
        """Draw a time for each socket that has none yet, and tell its client."""
        for number, socket in enumerate([socket for socket in self._sockets if socket not in self._due], 1):
            now = time.monotonic()
            self._due[socket] = random.uniform(now, max(now, closed_by))
            socket.go_away(self._due[socket] - now)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    async def _close_due(self) -> None:
        now = time.monotonic()
        for number, socket in enumerate([socket for socket, due in self._due.items() if due <= now], 1):
            self._due[socket] = math.inf
            socket.leave()
            if number % SLICE == 0:
                await asyncio.sleep(0)

    async def _cut_off(self) -> None:
        """The time is over: close what is left, and wait a little so that the last words arrive."""
        log.warning(
            "the drain's %g s ended with %d sockets and %d requests left; requests of sessions are %s",
            self._seconds,
            len(self._sockets),
            len(self._requests),
            "handed over" if self._handed_over() else "not all in Redis, their clients ask again",
        )
        for request in list(self._requests):
            request.interrupt()
        for number, socket in enumerate(list(self._sockets), 1):
            socket.close(*RESTART)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        for _ in range(round(FAREWELL / TICK)):
            if not self._left and self._handed_over():
                break
            await asyncio.sleep(TICK)
