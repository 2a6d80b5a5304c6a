"""The numbers that the command is to ask about, from its arguments, a file or standard input."""

import asyncio
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
    number: str

    @property
    def digest(self) -> str:
        """Of the number: part of the question's id, so that a run never asks with the id of another question.

        A run that was killed may have asked more than its checkpoint knows, and the next one be given other numbers from there on.
        """
        return hashlib.sha256(self.number.encode(errors="surrogatepass")).hexdigest()[:DIGEST]


async def read(arguments: Sequence[str], file: str | None) -> AsyncGenerator[Question, None]:
    """All questions in order: the arguments, where `-` stands for the lines of standard input, then the file's lines."""
    position = 0
    for argument in arguments:
        batches = _lines(STDIN) if argument == STDIN else _one([argument])
        async for batch in batches:
            for number in batch:
                position += 1
                yield Question(position, number)
    if file is not None:
        async for batch in _lines(file):
            for number in batch:
                position += 1
                yield Question(position, number)


def count(arguments: Sequence[str], file: str | None) -> int | None:
    """How many questions there will be; None where only reading them tells."""
    if STDIN in arguments or (file is not None and not Path(file).is_file()):
        return None
    return len(arguments) + (0 if file is None else _count(file))


def _count(file: str) -> int:
    try:
        with Path(file).open("rb") as lines:
            return sum(1 for _ in _numbers(lines))
    except OSError:
        return 0  # whoever reads it tells


def _numbers(lines: Iterable[bytes]) -> list[str]:
    """Without blank lines and those that begin with `#`."""
    texts = (line.decode(errors="replace").strip() for line in lines)
    return [text for text in texts if text and not text.startswith("#")]


async def _one(batch: list[str]) -> AsyncIterator[list[str]]:
    yield batch


async def _lines(name: str) -> AsyncIterator[list[str]]:
    """Batches of lines, read in a thread of its own: neither a terminal nor a pipe holds up the event loop, or its end."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[str] | Exception | None] = asyncio.Queue(AHEAD)
    threading.Thread(target=_read, args=(name, loop, queue), daemon=True).start()
    while (batch := await queue.get()) is not None:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _read(name: str, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[list[str] | Exception | None]) -> None:
    def put(batch: list[str] | Exception | None) -> None:
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(queue.put(batch), loop).result()

    try:
        # Unbuffered, so that a line that is typed is asked at once. Not sys.stdin, whose lock Python wants at its end.
        with open(0 if name == STDIN else name, "rb", buffering=0, closefd=name != STDIN) as file:
            rest = b""
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if numbers := _numbers(lines):
                    put(numbers)
                if len(rest) > LONGEST:
                    return put(Unreadable(f"{name}: expected lines of at most {LONGEST:,} bytes, got a longer one"))
            if numbers := _numbers([rest]):
                put(numbers)
        put(None)
    except OSError as error:
        put(Unreadable(f"{name}: {error.strerror}"))
    except concurrent.futures.CancelledError:
        pass  # nobody asks any more
