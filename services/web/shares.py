"""Shares of this process' time: what it does for a client that had its share waits, while others are served too."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from prometheus_client import Gauge

PART = Gauge("primes_web_client_part", "Part of this process' time that one client may take now, while others are served")

# Estimated µs of this process and of those behind it, of which another client notices each. Measured where they are round, and
# taken from whole runs under load: what parsing alone takes is a third of it.
FRAME = 20  # a message of a WebSocket, as far as it is a cheap number
BYTE = 1 / 300  # one byte of a message or a body
CONTROL = 60  # a frame that takes the long way: a ping, a pong, a part
REQUEST = 1_000  # a request of HTTP, with its connection
HANDSHAKE = 1_000  # a WebSocket, with the parts of it that last
LOOKUP = 1_000  # what asks Redis by itself: a cancel, a resume

BURST = 50_000  # µs that a client may take before its share counts: a page with a few sockets, or a message in a thousand parts
ALONE = 1.0  # seconds without anybody else after which a client has all of this process
LEAST = 0.002  # seconds until the next look at a bucket, at least: timers count milliseconds, and to look again at once is to spin
LOOK = 0.1  # seconds between two looks whether it has, at most; between two at the machine, at least
NARROWEST = 1 / 4  # of its part, which a client has in any case
STEP = 1 / 16  # of its part, by which it grows in each `LOOK` at a machine that is not full
MOST = 10_000  # shares that are remembered of clients that have no socket; 2 MB
MOST_WAITING = 256  # requests of one client that wait for their turn, handshakes too: some 20 KB each


T = TypeVar("T")


class Crowded(Exception):
    """As many requests of a client wait as may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{MOST_WAITING} requests of this client wait for their turn")
        self.seconds = seconds  # until it may be otherwise


class Share:
    """What one client took of this process' time, and which of its sockets and requests wait for their turn."""

    __slots__ = ("_timer", "_waiting", "at", "left", "name", "requests", "shares", "sockets")

    def __init__(self, shares: "Shares", name: str, left: float) -> None:
        self.shares = shares
        self.name = name
        self.left = left  # µs that it may still take; whoever works for it counts them down, a little late
        self.at = time.monotonic()  # of the last time that some were added
        self.sockets = 0  # that are open
        self.requests = 0  # that wait
        self._waiting: deque[asyncio.Future[None]] = deque()  # the first to wait is the next
        self._timer: asyncio.Handle | None = None  # of the next grant, while some wait

    @property
    def idle(self) -> bool:
        """Whether nothing is under way that holds on to it."""
        return not (self.sockets or self._waiting)

    def spend(self, since: float, counted: float = 0.0) -> float:
        """Count what this thread has done since `time.thread_time()` was that, as far as it is more than the µs that were counted
        for it; returns how much more.
        """
        more = max(0.0, (time.thread_time() - since) * 1e6 - counted)
        self.left -= more
        return more

    def meter(self, items: Iterable[T]) -> Iterator[T]:
        """The same ones; what it takes to make each is counted."""
        iterator = iter(items)
        while True:
            since = time.thread_time()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.spend(since)
            yield item

    async def turn(self) -> bool:
        """Wait for the next turn of the loop; for its own turn, if it had its share. Returns whether that was so."""
        if not self._waiting and self.shares.refill(self):
            await asyncio.sleep(0)
            return False
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if self._timer is None:
            self._grant()
        await waiting
        return True

    def begin(self, cost: float) -> Awaitable[bool] | None:
        """Work for a request, estimated µs; None where it can begin at once. Raises Crowded."""
        if self.shares.last is not self:
            self.shares.change(self)
        if self.left > 0 and not self._waiting:
            self.left -= cost
            return None
        if self.requests >= MOST_WAITING:
            raise Crowded(self.shares.seconds(MOST_WAITING * cost - self.left))
        self.requests += 1
        return self._begin_later(cost)

    async def _begin_later(self, cost: float) -> bool:
        try:
            return await self.turn()
        finally:
            self.requests -= 1
            self.left -= cost

    def _grant(self) -> None:
        """Let the next one go on, and then, when it has counted what that took, the one after it."""
        self._timer = None
        while self._waiting and self._waiting[0].done():  # whoever waited was cancelled
            self._waiting.popleft()
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self.shares.refill(self):
            self._waiting.popleft().set_result(None)
            self._timer = loop.call_soon(self._grant)  # behind what that wakes
        else:
            self._timer = loop.call_later(min(LOOK, max(LEAST, self.shares.seconds(-self.left))), self._grant)


class Shares:
    """Each client may take a part of this process' time while others are served, and all of it while it is alone.

    The part is halved, down to `NARROWEST`, while the machine is full: this process' time is not all that a client takes then, and
    what others ask waits for a processor at each of its parts.
    A token bucket, which is not looked at before it is empty: a client that takes less pays a subtraction for what one read brings.
    Time is estimated, so that nothing has to be measured, and what is done elsewhere for a message counts too. What may take a
    hundred times as long as its size tells (to read an expression, a file or its answers) is measured, as time of this thread.
    """

    def __init__(self, part: float, full: Callable[[], bool] = bool) -> None:
        """`part`: of one client, above 0; 1: no bound. `full`: whether the machine was full since it was last asked."""
        self._part = self._widest = part
        self._full = full
        self._looked = time.monotonic()
        PART.set(part)
        self._shares: dict[str, Share] = {}  # by client
        self._most = MOST  # of them, until those that are idle are forgotten
        self.last: Share | None = None  # that was served
        self._changed = float("-inf")  # time.monotonic() when it was last another's turn than before

    def get(self, name: str) -> Share:
        """The share of this client."""
        share = self._shares.get(name)
        if share is None:
            if len(self._shares) >= self._most:
                self._shares = {name: share for name, share in self._shares.items() if not share.idle}
                self._most = max(MOST, 2 * len(self._shares))
            share = self._shares[name] = Share(self, name, BURST if self._part < 1 else float("inf"))
        return share

    def change(self, share: Share) -> None:
        """Another one than before is served."""
        if self.last is not None and self.last.name != share.name:
            self._changed = time.monotonic()
        self.last = share

    def refill(self, share: Share) -> bool:
        """Add what came back by now; returns whether the client may go on.

        To be looked at counts as to be served: whoever is served until the next look is then another one again.
        """
        if self.last is not share:
            self.change(share)
        now = time.monotonic()
        if self._widest < 1 and now - self._looked >= LOOK:
            self._adapt(now)
        if self._part >= 1 or now - self._changed > ALONE:
            share.left = max(share.left, BURST)
        else:
            share.left = min(BURST, share.left + (now - share.at) * 1e6 * self._part)
        share.at = now
        return share.left > 0

    def _adapt(self, now: float) -> None:
        """The part, to whether the machine was full since the last look."""
        self._looked = now
        part = self._part / 2 if self._full() else self._part + self._widest * STEP
        self._part = min(max(part, self._widest * NARROWEST), self._widest)
        PART.set(self._part)

    def seconds(self, work: float) -> float:
        """In which so many µs come back."""
        return work / 1e6 / self._part

    def lift(self) -> None:
        """No bound any more: this process ends."""
        self._part = self._widest = 1.0
