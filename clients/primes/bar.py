"""A line at the foot of a terminal that tells how far the command is."""

import shutil
from dataclasses import dataclass
from typing import TextIO

from .lines import printable

LENGTH = 24  # characters of the bar itself
CLEAR = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is."""

    done: int
    total: int | None  # None while nobody knows
    rate: float  # answers a second
    longest: str  # what is asked for longest, or what is waited for


class Bar:
    """Is drawn again and again, and cleared before anything else is written; on what is no terminal nothing happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.shown = stream.isatty()  # whether it can be seen at all
        self._drawn = False

    def draw(self, standing: Standing) -> None:
        """In place of what was drawn before."""
        if self.shown:
            columns = shutil.get_terminal_size().columns
            self._stream.write(CLEAR + describe(standing)[: columns - 1])
            self._stream.flush()
            self._drawn = True

    def clear(self) -> None:
        """Nothing is left of it."""
        if self._drawn:
            self._stream.write(CLEAR)
            self._stream.flush()
            self._drawn = False


def describe(standing: Standing) -> str:
    """The line."""
    count = f"{standing.done:,}"
    if standing.total:
        full = LENGTH * min(standing.done, standing.total) // standing.total
        count = f"[{'#' * full}{'.' * (LENGTH - full)}] {count}/{standing.total:,}"
    return printable(f"{count}  {standing.rate:,.0f}/s  {standing.longest}".rstrip())
