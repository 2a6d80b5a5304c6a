"""Readers of lists, woken when there is news of their upload."""

import asyncio
import contextlib
from collections.abc import Iterator


class Watchers:
    """The events of those that wait, by upload."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def watch(self, id: str) -> Iterator[asyncio.Event]:
        """An event that is set when there is news of an upload that this process takes; of others only asking tells."""
        event = asyncio.Event()
        self._events.setdefault(id, set()).add(event)
        try:
            yield event
        finally:
            self._events[id].discard(event)
            if not self._events[id]:
                del self._events[id]

    def tell(self, id: str) -> None:
        """There is news."""
        for event in self._events.get(id, ()):
            event.set()
