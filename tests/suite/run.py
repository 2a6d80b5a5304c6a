"""A run of parts, of which one has the terminal at a time."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from tests.suite import part
from tests.suite.part import Part, Result

GLANCE = 0.1  # seconds between two looks at what the part in sight said
LAST = 10  # lines of a failed part that names no failed test
LONGEST = 300  # characters of such a line


class Run:
    """Runs parts before the reader's eyes or out of sight, and keeps what became of each.

    What runs out of sight is printed when it has ended and nothing else prints; in return no two parts' lines mix.
    """

    def __init__(self) -> None:
        self.results: list[Result] = []  # in the order in which the parts ended
        self.failures: list[str] = []  # one or more lines of each part that failed: the tests, or what it said last
        self._unread: list[tuple[Part, bytes]] = []  # ended out of sight, and what it said

    @property
    def status(self) -> int:
        """The exit status of the first part that failed; 0 if none did."""
        return next((result.status for result in self.results if result.status != 0), 0)

    async def in_sight(self, one: Part) -> bool:
        """Run a part that prints as it goes; tell whether it succeeded. One at a time."""
        self.read_out()
        _head(one)
        with tempfile.TemporaryFile() as log:
            async with _printed(log):
                result = await part.run(one, log)
            return self._keep(result, _read(log))

    async def out_of_sight(self, one: Part) -> bool:
        """Run a part beside others; tell whether it succeeded."""
        with tempfile.TemporaryFile() as log:
            try:
                result = await part.run(one, log)
            finally:
                said = _read(log)
                self._unread.append((one, said))
            return self._keep(result, said)

    async def until_one_fails(self, seen: Part, *unseen: Part) -> bool:
        """Run one in sight beside the others; the first failure ends them all. Tell whether all succeeded."""
        parts = [asyncio.ensure_future(one) for one in (self.in_sight(seen), *map(self.out_of_sight, unseen))]
        try:
            for ended in asyncio.as_completed(parts):
                if not await ended:
                    return False
            return True
        finally:
            for one in parts:
                one.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    def read_out(self) -> None:
        """Print what the parts said that have ended out of sight."""
        for one, said in self._unread:
            _head(one)
            sys.stdout.write(said.decode(errors="replace"))
        sys.stdout.flush()
        self._unread.clear()

    def _keep(self, result: Result, said: bytes) -> bool:
        self.results.append(result)
        if result.status:
            self.failures += (f"{result.part.name}: {line[:LONGEST]}" for line in _failures(said.decode(errors="replace")))
        return result.status == 0


def _head(one: Part) -> None:
    print(f"\n== {one.name}", flush=True)


@asynccontextmanager
async def _printed(log: IO[bytes]) -> AsyncIterator[None]:
    """Print what is written to a file, until the end of the context."""
    printed = 0

    def catch_up() -> None:
        nonlocal printed
        while piece := os.pread(log.fileno(), 1 << 16, printed):
            sys.stdout.buffer.write(piece)
            printed += len(piece)
        sys.stdout.flush()

    async def follow() -> None:
        while True:
            catch_up()
            await asyncio.sleep(GLANCE)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        catch_up()


def _read(log: IO[bytes]) -> bytes:
    log.seek(0)
    return log.read()


def _failures(said: str) -> list[str]:
    """The lines of pytest's summary; the last lines of what has none."""
    lines = said.splitlines()
    return [line for line in lines if line.startswith(("FAILED ", "ERROR "))] or lines[-LAST:]
