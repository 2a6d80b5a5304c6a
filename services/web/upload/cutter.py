"""Cuts the text of an upload, in whatever pieces it comes, into chunks of lines. No I/O."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lists.item import Unreadable
from lists.rows import MOST_PARTS, is_continued, read_line
from lists.syntax import trim
from services.jobs.chunks import Chunk, Refusal
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.upload import candidate, origins

CHUNK_COST = 1_000  # µs of estimated work in a chunk: workers share the load by chunks, and others are served between them
CHUNK_LINES = CHUNK_COST // cost.BASE  # most lines in a chunk that are not empty; refused ones count too

FAST_DIGITS = 20  # what 64 bits may have: lines of so many plain digits go as they came, the worker's int() reads them
CHUNK_BYTES = CHUNK_LINES * (FAST_DIGITS + 1)  # after so many no more lines are looked at for one chunk, empty ones neither

LINE_BYTES = 65_536  # a line this long is read whatever the most digits are: leading zeros and spaces are free
DIGIT_BYTES = 5  # of the widest digit in UTF-8, with an underscore


class Cut(NamedTuple):
    """A chunk, its lane, and where its numbers come from (packed; empty for plain lists whose texts nobody asked for)."""

    lane: Lane
    chunk: Chunk
    origins: bytes = b""


class Cutter:
    """Holds less than a chunk of whole lines, and the beginning of the next line up to a bound.

    Where the pieces end makes no difference to the chunks.
    """

    def __init__(self, most_digits: int, lines: int = 0, *, keep: bool = False) -> None:
        """`lines`: how many of the text were read before, and are blank; `keep`: whether the texts of numbers are wanted."""
        self._keep = keep
        self._most_digits = most_digits
        self._longest = max(LINE_BYTES, DIGIT_BYTES * most_digits)
        self._rest = b""  # the beginning of a line whose end has not come
        self._overlong = False  # whether that line is too long already, and no more of it is kept
        self._waiting: deque[bytes] = deque()  # whole lines
        self._bytes = self._filled = 0  # of these, and how many of them are not empty
        self._joined: list[bytes] = []  # of a number that goes on in the next line, as bc breaks it
        self._length = 0  # bytes of these
        self._parts = 0  # lines of it
        self._chunks = 0
        self.lines = lines  # that went out in chunks
        self.answers = 0  # lines of these that are not blank

    def feed(self, piece: bytes) -> Iterator[Cut]:
        """Take the next bytes; gives the chunks that are full. Iterate to the end before the next call. Raises Unreadable."""
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            self._take(head)
        if not self._overlong:
            self._rest = (self._rest + tail)[: self._longest + 2]
            self._overlong = len(self._rest) > self._longest + 1  # one more may be the end of "\r\n"
        while self._fill():
            yield from self._cut()

    def end(self) -> Iterator[Cut]:
        """The text is over; gives what is left. Raises Unreadable."""
        if self._rest:
            self._take(b"")
        if self._parts:
            self._wait([b"".join([*self._joined, b"\\"]), *[b""] * (self._parts - 1)])
            self._parts = 0
        while self._fill() or self._waiting:
            yield from self._cut()

    def _take(self, head: bytes) -> None:
        """Whole lines, the first of them with what was kept of it."""
        if not (self._waiting or self._rest or self._overlong or self._parts):
            head = self._skip(head)
        lines = head.split(b"\n")
        lines[0] = self._rest if self._overlong else self._rest + lines[0]
        if b"\r" in head or self._rest[-1:] == b"\r":
            lines = [line.removesuffix(b"\r") for line in lines]
        self._rest, self._overlong = b"", False
        self._wait(self._join(lines) if self._parts or b"\\" in head or b"\\" in lines[0] else lines)

    def _join(self, lines: Sequence[bytes]) -> list[bytes]:
        """The same with numbers whole that a backslash parts; the lines after the first of one are empty. Raises Unreadable."""
        whole = []
        for line in lines:
            text = trim(line.decode(errors="replace"))
            goes_on = is_continued(text)
            if not (goes_on or self._parts):
                whole.append(line)
                continue
            if self._length <= self._longest:  # else it is too long already
                self._joined.append(part := text.removesuffix("\\").encode())
                self._length += len(part)
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise Unreadable(
                    self.lines + len(self._waiting) + len(whole) + 1, "\\", f"a number in at most {MOST_PARTS:,} lines"
                )
            if not goes_on:
                whole += [b"".join(self._joined), *[b""] * (self._parts - 1)]
                self._joined, self._length, self._parts = [], 0, 0
        return whole

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

    def _cut(self) -> Iterator[Cut]:
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
            told = [line.decode() for line in plain] if self._keep else []
            yield self._give(Lane.QUICK, text.decode(), told, len(plain) - plain.count(b""))
        else:
            yield from self._cut_slowly(deque(lines))

    def _cut_slowly(self, lines: deque[bytes]) -> Iterator[Cut]:
        """Read line by line. Lines after a costly one, or beyond the chunk's cost, wait again."""
        texts: list[str] = []
        told: list[str] = []  # as they came
        refused: list[Refusal] = []
        answers = total = 0
        costly = came = ""
        while lines:
            came, canonical, refusal, spent = self._read(lines[0], len(texts))
            estimate = cost.estimate(canonical) if canonical else 0
            if texts and total + estimate + spent > CHUNK_COST:
                break
            lines.popleft()
            if cost.lane(estimate) is Lane.HEAVY:
                costly = canonical
                break
            total += estimate + spent
            texts.append(canonical)
            told.append(came)
            answers += bool(canonical or refusal)
            if refusal:
                refused.append(refusal)
        self._wait(lines, again=True)
        if texts:
            yield self._give(Lane.QUICK, "\n".join(texts), told, answers, refused)
        if costly:
            yield self._give(Lane.HEAVY, costly, [came], 1)

    def _read(self, line: bytes, index: int) -> tuple[str, str, Refusal | None, int]:
        """Its text; the canonical integer, or nothing and the error, or neither for a blank line; what reading it cost (µs)."""
        if len(line) > self._longest:
            return "", "", Refusal(index, "too_large", f"Number too large: a line of more than {self._longest:,} bytes came"), 0
        if line.isdigit() and len(line) <= self._most_digits:  # as nearly all are
            return line.decode(), line.decode().lstrip("0") or "0", None, 0
        item = read_line(0, line.decode(errors="replace"))
        if item.error:
            return "", "", Refusal(index, "not_an_integer", item.error), 0
        if not item.text:
            return "", "", None, 0
        read = candidate.read(item.text, self._most_digits)
        return item.text, read.number, Refusal(index, read.code, read.message) if read.code else None, read.cost

    def _give(self, lane: Lane, text: str, told: Sequence[str], answers: int, refused: list[Refusal] | None = None) -> Cut:
        chunk = Chunk(self._chunks, self.lines + 1, text, refused or [])
        packed = origins.pack(origins.of_lines(chunk.first, told)) if self._keep else b""
        self._chunks += 1
        self.lines += text.count("\n") + 1
        self.answers += answers
        return Cut(lane, chunk, packed)

    @property
    def chunks(self) -> int:
        """How many chunks went out."""
        return self._chunks
