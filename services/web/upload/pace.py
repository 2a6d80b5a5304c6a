"""How long the body of an upload may keep its process waiting. No I/O."""

import math


class Pace:
    """A body may be silent for so long, and its silences together may last that long and as long as its bytes take at the rate.

    Only the waiting for its client counts: what is not read since chunks wait for workers is no fault of the client's.
    """

    def __init__(self, silence: float, rate: float) -> None:
        """`silence`: seconds; `rate`: bytes a second, 0 for no bound."""
        self._silence = silence
        self._rate = rate
        self._allowed = silence if rate else math.inf  # seconds of waiting that are left for the body so far

    @property
    def patience(self) -> float:
        """Seconds that the next piece is waited for."""
        return max(0.0, min(self._silence, self._allowed))

    def take(self, size: int, waited: float) -> None:
        """A piece of so many bytes came after so many seconds."""
        if self._rate:
            # a standstill of this process, in which nothing was read, counts no more than its client was given
            self._allowed += size / self._rate - min(waited, self.patience)
