"""Decides for a whole trace, before its first span, whether it is kept."""

import random
import time
from collections.abc import Callable

from opentelemetry.trace import SpanContext

ASKED = 10.0  # traces a second that clients may ask for, and as many at once: what one sends must not cost the others much


class Head:
    """A client that traces decides for itself, as W3C Trace Context has it, as long as there are few of them."""

    def __init__(self, part: float, draw: Callable[[], float] = random.random) -> None:
        """`part`: of the questions whose clients do not say; `draw`: evenly from 0 to 1."""
        self._part = part
        self._draw = draw
        self._spent = 0.0  # of ASKED
        self._at = time.monotonic()

    def keeps(self, client: SpanContext | None = None) -> bool:
        """Whether the next question is traced; `client`: the span of its client that it belongs to."""
        if client is None or not client.is_valid:
            return self._draw() < self._part
        return client.trace_flags.sampled and self._grant()

    def _grant(self) -> bool:
        now = time.monotonic()
        self._spent = max(0.0, self._spent - (now - self._at) * ASKED)
        self._at = now
        if self._spent > ASKED - 1:
            return False
        self._spent += 1
        return True
