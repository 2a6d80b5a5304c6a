"""Wakes a lane when there may be something to claim, or when it shall stop."""

import asyncio


class Bell:
    """Any number of rings before the next look make one look; a ring that comes while the lane looks is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.stopped = False  # set once, by `stop`

    def ring(self) -> None:
        """There may be something."""
        self._rung.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self.stopped = True
        self._rung.set()

    def looking(self) -> None:
        """The lane looks now: rings until here are answered by that. Call it before looking."""
        self._rung.clear()

    async def wait(self) -> None:
        """Sleep until the next ring; not at all once stopped, though a look has answered that ring."""
        if not self.stopped:
            await self._rung.wait()
