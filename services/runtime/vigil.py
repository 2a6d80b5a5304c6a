"""A process watches its own loops: one that goes round no more is told, and ends the process, so that it is started again."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from prometheus_client import Gauge

log = logging.getLogger(__name__)

STANDING = Gauge("primes_standing", "1 while a part of the process has work to look for and takes no step", ["part"])

LOOK = 1.0  # seconds between two looks
STILL = (
    20.0  # seconds without a step after which a part stands still: longer than a command to Redis and the wait after it may take
)
END = 10.0  # seconds more until the process ends: readiness and alerts may tell before that


class StandsStill(Exception):
    """A part of the process takes no step; the text says which, and what it knows."""


class Steps:
    """When a loop last went round."""

    def __init__(self, part: str, *, tell: Callable[[], str] = str, excused: Callable[[], bool] = bool) -> None:
        """`tell`: what is known of the part; `excused`: whether it need not go round now."""
        self.part = part
        self.tell = tell
        self.excused = excused
        self.step()

    def step(self) -> None:
        """The loop goes round."""
        self._stepped_at = time.monotonic()

    @property
    def still(self) -> float:
        """Seconds since the last step; 0 while none is due."""
        if self.excused():
            self.step()
        return time.monotonic() - self._stepped_at


class Vigil:
    """Looks at all parts each second."""

    def __init__(self, parts: Iterable[Steps], excused: Callable[[], bool]) -> None:
        """`excused`: whether no part need go round now, since what all need is away."""
        self._parts = list(parts)
        self._excused = excused
        self._told: set[str] = set()
        self.obstacle = ""  # what stands still; empty while nothing does
        for each in self._parts:
            STANDING.labels(each.part)

    async def run(self) -> None:
        """Watch until cancelled. Raises StandsStill."""
        while True:
            await asyncio.sleep(LOOK)
            if self._excused():
                for each in self._parts:
                    each.step()
            self._look()

    def _look(self) -> None:
        standing = {each.part: each for each in self._parts if each.still > STILL}
        for each in self._parts:
            STANDING.labels(each.part).set(each.part in standing)
        for part, each in standing.items():
            if part not in self._told:
                log.error("%s stands still for %.0f s: %s", part, each.still, each.tell())
            if each.still > STILL + END:
                raise StandsStill(f"{part} stands still for {each.still:.0f} s: {each.tell()}")
        self._told = set(standing)
        self.obstacle = f"{', '.join(standing)} stands still" if standing else ""
