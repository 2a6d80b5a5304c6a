"""The scheduler of one history: virtual time, the events to come, and the processes that run."""

import heapq
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.loop import Loop

TURN = 2e-5  # seconds that one turn of a process takes: so no two turns are at the same time, and one that never waits gets on
MOST_TURNS = 3_000_000  # in one history: above, some process never waits


class Endless(Exception):
    """Some process never waits."""


class World:
    """Everything that happens is an event at its time; processes take turns in the order in which they have something to do.

    Within a process the order is asyncio's own, since the service may rely on it; between processes it is drawn by the delays
    of whatever goes from one to another.
    """

    def __init__(self, seed: int, pace: float = 0.0) -> None:
        """`pace`: see Plan."""
        self.seed = seed
        self.pace = pace
        self.now = 0.0
        self.running: Loop | None = None  # whose turn it is
        self.turns = 0
        self._events: list[tuple[float, int, Loop | None, Any]] = []
        self._count = 0
        self._runnable: deque[Loop] = deque()

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now

    def skew(self) -> float:
        """By which the clock of the running process is wrong."""
        return self.running.skew if self.running is not None else 0.0

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have this happen outside of all processes."""
        self._push(when, None, call)

    def after(self, delay: float, call: Callable[[], None]) -> None:
        """Likewise, so many seconds from now."""
        self._push(self.now + delay, None, call)

    def push(self, when: float, loop: "Loop", handle: Any) -> None:
        """Have a handle run in a process."""
        self._push(when, loop, handle)

    def _push(self, when: float, loop: "Loop | None", what: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, loop, what))

    def runnable(self, loop: "Loop") -> None:
        """A process has something to do."""
        self._runnable.append(loop)

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let things happen until this time, or until it is done."""
        while not done():
            if self._runnable:
                loop = self._runnable.popleft()
                self.turns += 1
                self.now += TURN
                if self.turns > MOST_TURNS:
                    raise Endless(f"{self.turns:,} turns in {self.now:.1f} s")
                loop.turn()
                continue
            if not self._events or self._events[0][0] > until:
                self.now = max(self.now, until)
                return
            when, _, target, what = heapq.heappop(self._events)
            if target is None:
                self.now = max(self.now, when)
                what()
            elif not what._cancelled and not target.dead:
                self.now = max(self.now, when)
                target.take(what)
