"""The numbers that the command is to ask about, from its arguments, a file or standard input."""

import asyncio
import codecs
import concurrent.futures
import hashlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STDIN = "-"
CHUNK = 1 << 16  # bytes that are read at once
LONGEST = 1 << 20  # bytes of a line: more than any number that a server takes
DIGEST = 12  # characters of a digest: by chance one in 2^48 questions would have another one's
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
        with Path(file).open("rb") as lines:
            return len(LineReader(file).read(lines))
    except OSError:
        return 0  # whoever reads it tells


class LineReader:
    """The lines of one file, read in parts; what is no UTF-8 costs its own line alone."""

    def __init__(self, name: str) -> None:
        self._name = "standard input" if name == STDIN else name
        self._line = 0  # number of the last one

    def read(self, lines: Iterable[bytes]) -> list[Entry]:
        """The next lines, without blank ones and those that begin with `#`."""
        entries: list[Entry] = []
        for line in lines:
            self._line += 1
            text = line.removeprefix(codecs.BOM_UTF8) if self._line == 1 else line
            number, unreadable = decode(text, f"{self._name}, line {self._line}")
            number = number.strip()
            if number and not number.startswith("#"):
                entries.append((number, unreadable))
        return entries


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
            reader, rest = LineReader(name), b""
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if entries := reader.read(lines):
                    put(entries)
                if len(rest) > LONGEST:
                    return put(Unreadable(f"{name}: expected lines of at most {LONGEST:,} bytes, got a longer one"))
            if entries := reader.read([rest]):
                put(entries)
        put(None)
    except OSError as error:
        put(Unreadable(f"{name}: {error.strerror}"))
    except concurrent.futures.CancelledError:
        pass  # nobody asks any more
