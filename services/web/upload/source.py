"""Reads the text of an upload, in whatever pieces it comes: tells its form, and gives its numbers in chunks. No I/O."""

from collections.abc import Iterator
from itertools import chain

from lists.decoder import Decoder
from lists.item import Item, Unreadable
from lists.reader import Reader
from lists.rows import Lines
from services.web.upload.collector import Collector
from services.web.upload.cutter import DIGIT_BYTES, LINE_BYTES, Cut, Cutter


class Source:
    """A plain list goes to a Cutter as it is; of any other form each number is read, and a Collector has them."""

    def __init__(self, most_digits: int, column: str = "", *, keep: bool = False) -> None:
        """`column`: of CSV; `keep`: whether the texts of a plain list are wanted, too."""
        self._keep = keep
        self._most_digits = most_digits
        self._longest = max(LINE_BYTES, DIGIT_BYTES * most_digits)
        self._decoder = Decoder()
        self._reader = Reader(column)
        self._rest = b""  # the beginning of a line whose end has not come
        self._part = False  # whether more of that line was taken before
        self._number = 0  # of the last line that was taken, or begun
        self._first: list[bytes] = []  # lines from the first number on, as long as the form is not known
        self._cutter: Cutter | None = None
        self._collector: Collector | None = None

    @property
    def form(self) -> str:
        """Its name, for people; empty for a plain list, one number a line."""
        form = self._reader.form
        return "" if form is None or isinstance(form, Lines) else form.name

    @property
    def lines(self) -> int:
        """That were read."""
        return self._cutter.lines if self._cutter else self._number

    @property
    def answers(self) -> int:
        """To come: numbers and errors."""
        return self._cutter.answers if self._cutter else self._collector.answers if self._collector else 0

    def feed(self, piece: bytes) -> Iterator[Cut]:
        """Take the next bytes; gives the chunks that are full: iterate to the end before the next call. Raises as `end`."""
        yield from self._feed(self._decoder.feed(piece))

    def _feed(self, text: bytes) -> Iterator[Cut]:
        if self._cutter is not None:
            yield from self._cutter.feed(text)
            return
        text = self._rest + text
        if self._reader.form is None and not self._reader.holding and not self._part:
            text = self._skip(text)
        *lines, self._rest = text.split(b"\n")
        for place, line in enumerate(lines):
            if not line and self._collector is not None and not self._part:  # many of these cost little
                self._number += 1
                yield from self._collector.skip()
                continue
            yield from self._take(line + b"\n")
            if isinstance(self._reader.form, Lines):
                yield from self._begin_lines(b"\n".join([*lines[place + 1 :], self._rest]))
                return
        while len(self._rest) > self._longest and self._cutter is None:
            yield from self._take_part()

    def _skip(self, text: bytes) -> bytes:
        """Counts empty lines at the beginning all at once; returns what comes after them."""
        rest = text.lstrip(b"\r\n")
        self._number += text.count(b"\n", 0, len(text) - len(rest))
        return rest

    def end(self) -> Iterator[Cut]:
        """The text is over; gives what is left. Raises Unreadable, TooMuch."""
        yield from self._feed(self._decoder.end())
        if self._cutter is None and self._rest:
            yield from self._take(self._rest)
        for item in self._reader.end():
            yield from self._collect(item) if not isinstance(self._reader.form, Lines) else ()
        if isinstance(self._reader.form, Lines) and self._cutter is None:
            yield from self._begin_lines(b"")
        if self._cutter is not None:
            yield from self._cutter.end()
        if self._collector is not None:
            yield from self._collector.end()

    def _take(self, line: bytes) -> Iterator[Cut]:
        """The rest of a line."""
        self._number += not self._part
        self._part = False
        yield from self._read(line)

    def _take_part(self) -> Iterator[Cut]:
        """Of a line that is too long to be kept, what ends where one number does."""
        end = max(self._rest.rfind(mark, 0, self._longest) for mark in (b",", b" ", b"\t")) + 1
        part = self._rest[:end] or self._rest
        self._number += not self._part
        self._part = True
        yield from self._read(part)
        form = self._reader.form
        if isinstance(form, Lines):
            self._first = [self._rest]
            yield from self._begin_lines(b"")
        elif form is None or not form.several or not end:
            raise Unreadable(self._number, self._rest[:100].decode(errors="replace"), f"lines of at most {self._longest:,} bytes")
        else:
            self._rest = self._rest[end:]

    def _read(self, line: bytes) -> Iterator[Cut]:
        items = self._reader.take(self._number, line.rstrip(b"\r\n").decode(errors="replace"))
        if self._reader.form is not None:
            for item in items:
                yield from self._collect(item)
            return
        first = next(items, None)  # by then the form is known, if this line tells it
        if self._reader.form is not None or self._reader.holding:
            self._first.append(line)
        if not isinstance(self._reader.form, Lines):
            for item in chain(() if first is None else (first,), items):
                yield from self._collect(item)

    def _collect(self, item: Item) -> Iterator[Cut]:
        form = self._reader.form
        if form is None:
            return
        if self._collector is None:
            self._collector = Collector(self._most_digits, counted=form.several, lines=item.line - 1)
        yield from self._collector.add(item)

    def _begin_lines(self, text: bytes) -> Iterator[Cut]:
        """It is a plain list: what was read of it is read again, with all the rest."""
        whole = b"".join(self._first)
        self._cutter = Cutter(self._most_digits, self._number - len(self._first), keep=self._keep)
        self._first, self._rest = [], b""
        yield from self._cutter.feed(whole + text)
