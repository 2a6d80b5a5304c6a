"""Has certificates checked and rewritten in child processes, one at a time, so that the event loop serves on."""

import asyncio
import os
import sys

from services.web.http.certificate_program import Status

SECONDS = 20  # of a processor, for one certificate: 700 digits take some 5 s without gmpy2, which is not in this image
WALL = 120.0  # s from its start: a busy machine gives little time to a process that is nice
MEMORY = 1_024  # MiB of address space; a certificate of 4 MiB takes some 100
MOST_WAITING = 8  # certificates that wait for their turn; each holds its text


class Busy(Exception):
    """Too many wait already, or this client has one here."""


class TooCostly(Exception):
    """It took more time or memory than one may take here."""


class NotACertificate(Exception):
    """The text is none; the message says where."""


class NoSuchForm(Exception):
    """The format has no form for it; the message says why."""


class CertificateChildren:
    """A queue of its own: no client has two places in it."""

    def __init__(self, seconds: int = SECONDS, most_waiting: int = MOST_WAITING) -> None:
        self._seconds = seconds
        self._most_waiting = most_waiting
        self._turn = asyncio.Lock()
        self._clients: set[str] = set()  # that wait or are served

    async def run(self, client: str, operation: str, text: bytes) -> bytes:
        """What `certificate_program` says. Cancelling it ends the child. Raises Busy, TooCostly, NotACertificate, NoSuchForm."""
        if client in self._clients:
            raise Busy("a certificate of yours is here already; wait for its answer")
        if len(self._clients) > self._most_waiting:
            raise Busy(f"{self._most_waiting} certificates wait already")
        self._clients.add(client)
        try:
            async with self._turn:
                return await self._run(operation, text)
        finally:
            self._clients.discard(client)

    async def _run(self, operation: str, text: bytes) -> bytes:
        program = [sys.executable, "-m", "services.web.http.certificate_program"]
        bounds = map(str, (self._seconds, MEMORY, os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *program,
            operation,
            *bounds,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(WALL):
                said, _ = await process.communicate(text)
        except TimeoutError:
            raise TooCostly from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == Status.MALFORMED:
            raise NotACertificate(said.decode())
        if process.returncode == Status.UNWRITABLE:
            raise NoSuchForm(said.decode())
        if process.returncode:  # killed for its time, or out of memory
            raise TooCostly
        return said
