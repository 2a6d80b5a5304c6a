"""Cuts the text of an upload, in whatever pieces it comes, into chunks of lines. No I/O."""

import re
from collections import deque
from collections.abc import Iterator, Sequence

from services.jobs.chunks import Chunk, Refusal
from services.jobs.names import Lane
from services.web.ask import cost, number

CHUNK_COST = 1_000  # µs of estimated work in a chunk: workers share the load by chunks, and others are served between them
CHUNK_LINES = CHUNK_COST // cost.BASE  # most lines in a chunk that are not empty; refused ones count too

FAST_DIGITS = 20  # what 64 bits may have: lines of so many plain digits go as they came, the worker's int() reads them
CHUNK_BYTES = CHUNK_LINES * (FAST_DIGITS + 1)  # after so many no more lines are looked at for one chunk, empty ones neither
SHOWN = 40  # characters of a bad line that its error repeats

LINE_BYTES = 65_536  # a line this long is read whatever the most digits are: leading zeros and spaces are free
DIGIT_BYTES = 5  # of the widest digit in UTF-8, with an underscore
MARK = "\ufeff".encode()  # at the head of a file that says so that it is UTF-8: no part of the first line

_SIEVED = re.compile(rb"ABC[D2]?[ \t]", re.IGNORECASE)  # the head of PFGW's files, whose lines are variables and no numbers
_CONTINUED = re.compile(rb"[0-9]+\\")  # as bc breaks a long number: the next line is the rest of it


class NoList(ValueError):
    """The text holds numbers in another form than one a line: its lines would be taken for numbers that nobody meant."""


class Cutter:
    """Holds less than a chunk of whole lines, and the beginning of the next line up to a bound.

    Where the pieces end makes no difference to the chunks.
    """

    def __init__(self, most_digits: int) -> None:
        self._most_digits = most_digits
        self._longest = max(LINE_BYTES, DIGIT_BYTES * most_digits)
        self._rest = b""  # the beginning of a line whose end has not come
        self._overlong = False  # whether that line is too long already, and no more of it is kept
        self._waiting: deque[bytes] = deque()  # whole lines
        self._bytes = self._filled = 0  # of these, and how many of them are not empty
        self._begun = False  # whether the first line is known
        self._chunks = 0
        self.lines = 0  # that went out in chunks
        self.answers = 0  # lines of these that are not blank

    def feed(self, piece: bytes) -> Iterator[tuple[Lane, Chunk]]:
        """Take the next bytes; gives the chunks that are full. Iterate to the end before the next call. Raises NoList."""
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            self._take(head)
        if not self._overlong:
            self._rest = (self._rest + tail)[: self._longest + 2]
            self._overlong = len(self._rest) > self._longest + 1  # one more may be the end of "\r\n"
        while self._fill():
            yield from self._cut()

    def end(self) -> Iterator[tuple[Lane, Chunk]]:
        """The text is over; gives what is left. Raises NoList."""
        if self._rest:
            self._take(b"")
        while self._fill() or self._waiting:
            yield from self._cut()

    def _take(self, head: bytes) -> None:
        """Whole lines, the first of them with what was kept of it."""
        if self._begun and not (self._waiting or self._rest or self._overlong):
            head = self._skip(head)
        lines = head.split(b"\n")
        lines[0] = self._rest if self._overlong else self._rest + lines[0]
        if not self._begun:
            self._begun, lines[0] = True, lines[0].removeprefix(MARK)
            if _SIEVED.match(lines[0]):
                shown = lines[0][:SHOWN].decode(errors="replace")
                raise NoList(f"Expected integers, one a line, got a file of PFGW: line 1 is {shown!r}. Send the numbers themselves")
        if b"\r" in head or self._rest[-1:] == b"\r":
            lines = [line.removesuffix(b"\r") for line in lines]
        if b"\\" in head or b"\\" in lines[0]:
            self._check_ends(lines)
        self._rest, self._overlong = b"", False
        self._wait(lines)

    def _check_ends(self, lines: Sequence[bytes]) -> None:
        for place, line in enumerate(lines, self.lines + len(self._waiting) + 1):
            if _CONTINUED.fullmatch(line):
                raise NoList(f"Expected integers, one a line, got line {place:,} that ends in \\: with bc, set BC_LINE_LENGTH=0")

    def _skip(self, head: bytes) -> bytes:
        """Counts empty lines at the beginning all at once; returns what comes after them."""
        rest = head.lstrip(b"\r\n")
        empty = head[: len(head) - len(rest)]
        ends = empty if rest else empty + b"\n"
        if ends.count(b"\r\n") != ends.count(b"\r"):  # some are no part of an end: such a line is not empty
            return head
        begin = empty.rfind(b"\n") + 1
        self.lines += empty.count(b"\n")
        return head[begin:]

    def _wait(self, lines: Sequence[bytes], *, again: bool = False) -> None:
        """Lines to be cut: the next ones, or some that were taken and come `again`."""
        if again:
            self._waiting.extendleft(reversed(lines))
        else:
            self._waiting += lines
        self._bytes += sum(map(len, lines)) + len(lines)
        self._filled += len(lines) - lines.count(b"")

    def _fill(self) -> bool:
        """Whether what waits is enough for a chunk. None begins with an empty line, so a text of these alone has none."""
        while self._waiting and not self._waiting[0]:
            self._waiting.popleft()
            self._bytes -= 1
            self.lines += 1
        return self._filled >= CHUNK_LINES or self._bytes >= CHUNK_BYTES

    def _cut(self) -> Iterator[tuple[Lane, Chunk]]:
        """The lines of one cheap chunk, or of fewer lines and the costly one that ended it."""
        lines: list[bytes] = []
        size = filled = 0
        while self._waiting and filled < CHUNK_LINES and size < CHUNK_BYTES:
            lines.append(line := self._waiting.popleft())
            if line:
                filled += 1
                size += len(line)
            size += 1
        self._bytes -= size
        self._filled -= filled
        text = b"\n".join(lines)
        plain = text.split(b"\n")
        if max(map(len, plain)) <= FAST_DIGITS and not text.translate(None, b"0123456789\n"):
            yield Lane.QUICK, self._chunk(text.decode(), len(plain), len(plain) - plain.count(b""))
        else:
            yield from self._cut_slowly(deque(lines))

    def _cut_slowly(self, lines: deque[bytes]) -> Iterator[tuple[Lane, Chunk]]:
        """Read line by line. Lines after a costly one, or beyond the chunk's cost, wait again."""
        texts: list[str] = []
        refused: list[Refusal] = []
        answers = total = 0
        costly = ""
        while lines:
            canonical, refusal = self._read(lines[0], len(texts))
            estimate = cost.estimate(canonical) if canonical else 0
            if texts and total + estimate > CHUNK_COST:
                break
            lines.popleft()
            if cost.lane(estimate) is Lane.HEAVY:
                costly = canonical
                break
            total += estimate
            texts.append(canonical)
            answers += bool(canonical or refusal)
            if refusal:
                refused.append(refusal)
        self._wait(lines, again=True)
        if texts:
            yield Lane.QUICK, self._chunk("\n".join(texts), len(texts), answers, refused)
        if costly:
            yield Lane.HEAVY, self._chunk(costly, 1, 1)

    def _read(self, line: bytes, index: int) -> tuple[str, Refusal | None]:
        """The canonical integer, or nothing and the error, or neither for a blank line."""
        if len(line) > self._longest:
            return "", Refusal(index, "too_large", f"Number too large: a line of more than {self._longest:,} bytes came")
        text = line.decode(errors="replace")
        if not text.strip():
            return "", None
        try:
            return number.read(text, self._most_digits), None
        except number.TOO_LARGE as error:
            return "", Refusal(index, "too_large", f"Number too large: {error}")
        except number.NotAnInteger:
            return "", Refusal(index, "not_an_integer", f"Expected a decimal integer, got {text[:SHOWN]!r}")

    def _chunk(self, text: str, lines: int, answers: int, refused: list[Refusal] | None = None) -> Chunk:
        chunk = Chunk(self._chunks, self.lines + 1, text, refused or [])
        self._chunks += 1
        self.lines += lines
        self.answers += answers
        return chunk

    @property
    def chunks(self) -> int:
        """How many chunks went out."""
        return self._chunks
