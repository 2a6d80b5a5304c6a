"""How often a client may begin an upload. No I/O."""

import time

from services.web.upload.store import NoRoom

SECONDS = 10.0  # that a client may be ahead of its rate: what a folder of small files needs
REMEMBERED = 10_000  # clients, until those that may begin as many as any are forgotten


class TooOften(NoRoom):
    """A client began as many as it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"this client began as many uploads as it may, and may begin another in {seconds:.1f} s")
        self.seconds = seconds


class Begins:
    """The rate of each client: the time until which what it began is paid for may lie so far ahead (a leaky bucket as a meter)."""

    def __init__(self, rate: float) -> None:
        """`rate`: uploads a second; 0: no bound."""
        self._each = 1 / rate if rate else 0.0
        self._paid: dict[str, float] = {}  # by client, time.monotonic()
        self._most = REMEMBERED

    def take(self, client: str) -> None:
        """It begins one. Raises TooOften, and then nothing is counted."""
        now = time.monotonic()
        paid = max(now, self._paid.get(client, now)) + self._each
        if paid > now + SECONDS:
            raise TooOften(paid - now - SECONDS)
        if len(self._paid) >= self._most:
            self._paid = {name: until for name, until in self._paid.items() if until > now}
            self._most = max(REMEMBERED, 2 * len(self._paid))
        self._paid[client] = paid
