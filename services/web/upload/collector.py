"""Collects the numbers of a file that has more to it than one number a line into chunks. No I/O."""

from collections.abc import Iterator

from lists.item import Item
from services.jobs.chunks import Chunk, Refusal
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.upload import candidate, origins
from services.web.upload.cutter import CHUNK_BYTES, CHUNK_COST, CHUNK_LINES, Cut
from services.web.upload.origins import Origin, Origins

MOST_TEXT = 50 << 20  # characters of all expressions: a template of a kilobyte with a row of two bytes is one of them
ERROR = 10  # µs that a line without a number takes; a row of differences may take twenty times as much
MOST_LINES = 2 * CHUNK_LINES  # of a chunk, blank ones too


class TooMuch(ValueError):
    """The file is short and what it stands for is not."""


class Collector:
    """Holds less than a chunk."""

    def __init__(self, most_digits: int, *, counted: bool, lines: int) -> None:
        """`counted`: whether numbers are counted rather than lines; else `lines` were read before, and are blank."""
        self._most_digits = most_digits
        self._counted = counted
        self._next = 1 if counted else lines + 1  # place of the first that is not in a chunk
        self._texts: list[str] = []
        self._refused: list[Refusal] = []
        self._origins: list[Origin | None] = []
        self._cost = self._size = self._filled = 0  # µs, characters, and numbers and errors, of what waits
        self._expanded = 0  # characters of all numbers
        self._chunks = 0
        self.answers = 0

    def add(self, item: Item) -> Iterator[Cut]:
        """The next of the file; gives the chunks that are full. Raises TooMuch."""
        if not (item.text or item.error):
            yield from self.skip()
            return
        self._expanded += len(item.text)
        if self._expanded > MOST_TEXT:
            raise TooMuch(f"Expected at most {MOST_TEXT:,} characters of expressions, got more, up to line {item.line:,}")
        wrong = candidate.Candidate("", "not_an_integer", item.error, ERROR)
        read = wrong if item.error else candidate.read(item.text, self._most_digits)
        estimate = cost.estimate(read.number) if read.number else 0
        heavy = cost.lane(estimate) is Lane.HEAVY
        if heavy or self._cost + estimate + read.cost > CHUNK_COST:
            yield from self.end()
        self._add(item, read, estimate + read.cost)
        if heavy or self._filled >= CHUNK_LINES or self._size >= CHUNK_BYTES:
            yield from self._cut(Lane.HEAVY if heavy else Lane.QUICK)

    def skip(self) -> Iterator[Cut]:
        """The next line has no number."""
        if self._counted:
            return
        if self._texts and len(self._texts) < MOST_LINES:
            self._texts.append("")
            self._origins.append(None)
            return
        yield from self.end()
        self._next += 1

    def _add(self, item: Item, read: candidate.Candidate, spent: int) -> None:
        if read.code:
            self._refused.append(Refusal(len(self._texts), read.code, read.message))
        self._texts.append(read.number)
        self._origins.append(origin := origins.of(item))
        self._cost += spent
        # Where the text is too long to be kept, these may be a hundred thousand characters all the same.
        values = sum(len(value) for _, value in origin.variables)
        self._size += 1 + len(read.number) + len(origin.text) + values
        self._filled += 1

    def end(self) -> Iterator[Cut]:
        """What is left."""
        if self._texts:
            yield from self._cut(Lane.QUICK)

    def _cut(self, lane: Lane) -> Iterator[Cut]:
        chunk = Chunk(self._chunks, self._next, "\n".join(self._texts), self._refused)
        packed = origins.pack(Origins(self._counted, self._origins))
        self._chunks += 1
        self._next += len(self._texts)
        self.answers += self._filled
        self._texts, self._refused, self._origins = [], [], []
        self._cost = self._size = self._filled = 0
        yield Cut(lane, chunk, packed)
