"""The numbers that the command is to ask about, from its arguments, a file or standard input."""

import asyncio
import concurrent.futures
import hashlib
import threading
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lists import item, syntax
from lists.decoder import Decoder
from lists.reader import Reader

STDIN = "-"
CHUNK = 1 << 16  # bytes that are read at once
LONGEST = 1 << 20  # bytes of a line: more than any number that a server takes
DIGEST = 12  # characters of a digest: by chance one in 2^48 questions would have another one's
GZIP = b"\x1f\x8b"  # how such a file begins
AHEAD = 4  # chunks that are read and not asked


class Unreadable(Exception):
    """The file cannot be read, or is no text of lines."""


@dataclass(frozen=True, slots=True)
class Question:
    """A number, an integer or an expression, and its place among all, from 1 on."""

    position: int
    number: str  # a byte that is no UTF-8 stands in it as \\xff
    unreadable: str | None = None  # where it stands, and why it cannot be asked

    @property
    def digest(self) -> str:
        """Of the number: part of the question's id, so that a run never asks with the id of another question.

        A run that was killed may have asked more than its checkpoint knows, and the next one be given other numbers from there on.
        """
        return hashlib.sha256(self.number.encode()).hexdigest()[:DIGEST]


Entry = tuple[str, str | None]  # of a Question: `number` and `unreadable`


async def read(arguments: Sequence[str], file: str | None) -> AsyncGenerator[Question, None]:
    """All questions in order: the arguments, where `-` stands for the lines of standard input, then the file's lines."""
    position = 0
    for place, argument in enumerate(arguments, 1):
        batches = _lines(STDIN) if argument == STDIN else _one(place, argument)
        async for batch in batches:
            for entry in batch:
                position += 1
                yield Question(position, *entry)
    if file is not None:
        async for batch in _lines(file):
            for entry in batch:
                position += 1
                yield Question(position, *entry)


def count(arguments: Sequence[str], file: str | None) -> int | None:
    """How many questions there will be; None where only reading them tells."""
    if STDIN in arguments or (file is not None and not Path(file).is_file()):
        return None
    return len(arguments) + (0 if file is None else _count(file))


def _count(file: str) -> int:
    try:
        with Path(file).open("rb", buffering=0) as lines:
            return sum(map(len, _entries(file, iter(lambda: lines.read(CHUNK), b""))))
    except (OSError, Unreadable, zlib.error):
        return 0  # whoever reads it tells


def _entries(name: str, chunks: Iterable[bytes]) -> Iterator[list[Entry]]:
    """Batches of them, as the bytes come. Raises Unreadable, zlib.error."""
    reader, rest = LineReader(name), b""
    for chunk in _decode(chunks):
        *lines, rest = (rest + chunk).split(b"\n")
        yield reader.read(lines)
        if len(rest) > LONGEST:
            raise Unreadable(f"{name}: expected lines of at most {LONGEST:,} bytes, got a longer one")
    yield [*(reader.read([rest]) if rest else ()), *reader.end()]


class LineReader:
    """The lines of one file, in UTF-8 and read in parts; what is no UTF-8 costs its own line alone."""

    def __init__(self, name: str) -> None:
        self._name = "standard input" if name == STDIN else name
        self._line = 0  # number of the last one
        self._reader = Reader()

    def read(self, lines: Iterable[bytes]) -> list[Entry]:
        """The numbers of the next lines. Raises Unreadable where they are in no form that is known."""
        entries: list[Entry] = []
        for line in lines:
            self._line += 1
            number, unreadable = decode(line, f"{self._name}, line {self._line}")
            if unreadable is None:
                entries += self._tell(self._reader.take(self._line, number.removesuffix("\r")))
            elif not syntax.is_empty(number):
                entries.append((number.strip(), unreadable))
        return entries

    def end(self) -> list[Entry]:
        """What is left when the file is over. Raises Unreadable."""
        return self._tell(self._reader.end())

    def _tell(self, items: Iterable[item.Item]) -> list[Entry]:
        try:
            found = [one for one in items if one.text or one.error]
        except item.Unreadable as error:
            raise Unreadable(f"{self._name}: {error}") from None
        return [(one.text or one.error, f"{self._name}, line {one.line}: {one.error}" if one.error else None) for one in found]


def decode(text: bytes, place: str) -> Entry:
    """A number, and, if it is no UTF-8, what is wrong with it and where."""
    try:
        return text.decode(), None
    except UnicodeDecodeError as error:
        return text.decode(errors="backslashreplace"), f"{place}: expected UTF-8, got the byte 0x{text[error.start]:02x}"


async def _one(place: int, argument: str) -> AsyncIterator[list[Entry]]:
    yield [decode(argument.encode(errors="surrogateescape"), f"argument {place}")]  # Python has such bytes as half characters


async def _lines(name: str) -> AsyncIterator[list[Entry]]:
    """Batches of lines, read in a thread of its own: neither a terminal nor a pipe holds up the event loop, or its end."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[Entry] | Exception | None] = asyncio.Queue(AHEAD)
    threading.Thread(target=_read, args=(name, loop, queue), daemon=True).start()
    while (batch := await queue.get()) is not None:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _read(name: str, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[list[Entry] | Exception | None]) -> None:
    def put(batch: list[Entry] | Exception | None) -> None:
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(queue.put(batch), loop).result()

    try:
        # Unbuffered, so that a line that is typed is asked at once. Not sys.stdin, whose lock Python wants at its end.
        with open(0 if name == STDIN else name, "rb", buffering=0, closefd=name != STDIN) as file:
            for entries in _entries(name, iter(lambda: file.read(CHUNK), b"")):
                if entries:
                    put(entries)
        put(None)
    except Unreadable as error:
        put(error)
    except zlib.error as error:
        put(Unreadable(f"{name}: expected gzip: {error}"))
    except OSError as error:
        put(Unreadable(f"{name}: {error.strerror}"))
    except concurrent.futures.CancelledError:
        pass  # nobody asks any more


def _decode(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same as UTF-8 without a mark, from gzip and UTF-16 too, as they come. Raises zlib.error."""
    decoder, member = Decoder(), None
    for place, chunk in enumerate(chunks):
        if not place and chunk.startswith(GZIP):
            member = zlib.decompressobj(31)
        rest = chunk
        while member is not None and rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # up to the end of a block of a tape
                member = zlib.decompressobj(31) if rest else member
                continue
            if text := decoder.feed(member.decompress(rest, LONGEST)):
                yield text
            rest = member.unconsumed_tail or member.unused_data
        if member is None and (text := decoder.feed(chunk)):
            yield text
    if member is not None and not member.eof:
        raise zlib.error("it ended too early")
    if text := decoder.end():
        yield text
