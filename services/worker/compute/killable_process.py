"""A child process in which native code computes: started when first needed, ended by a signal, started again after it ended."""

import asyncio
import logging
import os
import signal
import sys

from prometheus_client import Counter

from services.worker.compute.frames import read_payload

log = logging.getLogger(__name__)

DEATHS = Counter("primes_worker_child_deaths_total", "Child processes that ended while they computed")

START = 15.0  # seconds that a child may take to start: on an idle machine it takes 0.2
AGAIN = 1.0  # seconds after which a child that did not start is started again


class Died(Exception):
    """The child ended while it computed; the text says how."""


class NotStarted(Exception):
    """The child did not come to take a job, which is no job's fault; the text says why."""


class KillableProcess:
    """One child process, which says a first word when it can take something: what it is told after that is for subclasses."""

    def __init__(self, module: str, memory: int, *options: str) -> None:
        """`module`: the program, which takes `memory` (MiB), its parent's id and these options."""
        self._command = [sys.executable, "-m", module, "--memory", str(memory), "--parent", str(os.getpid()), *options]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def started(self) -> bool:
        """Whether it can take something at once."""
        return self._process is not None and self._process.returncode is None

    async def warm(self) -> None:
        """Have the child ready before the next job comes: to start it takes a tenth of a second or two."""
        try:
            await self._start()
        except NotStarted as error:
            log.warning("%s", error)
            await asyncio.sleep(AGAIN)

    async def _start(self) -> asyncio.subprocess.Process:
        """A child that can take a job: its start is no part of a job's time. Raises NotStarted."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:  # no memory, no process or no descriptor is left
            raise NotStarted(f"a child process cannot be made: {error.strerror}") from error
        try:
            async with asyncio.timeout(START):
                await receive(process)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise NotStarted(f"at its start a {await self._mourn(process)}") from error
        except TimeoutError as error:
            await self._end()
            raise NotStarted(f"a child process did not start in {START:g} s") from error
        except asyncio.CancelledError:
            await self._end()
            raise
        return process

    async def close(self) -> None:
        """End the child at once."""
        await self._end()

    async def _mourn(self, process: asyncio.subprocess.Process) -> Died:
        """The child has ended by itself."""
        DEATHS.inc()
        status = await process.wait()
        self._process = None
        return Died(f"child process ended by {describe(status)}")

    async def _end(self) -> None:
        """By a signal: native code does not listen to anything gentler."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def send(process: asyncio.subprocess.Process, frame: bytes) -> None:
    """Write a frame to the child. Raises ConnectionError."""
    assert process.stdin  # a pipe, see _start
    process.stdin.write(frame)
    await process.stdin.drain()


async def receive(process: asyncio.subprocess.Process) -> bytes:
    """What the child says next. Raises asyncio.IncompleteReadError when it ended."""
    assert process.stdout  # a pipe, see _start
    return await read_payload(process.stdout)


def describe(status: int) -> str:
    """An exit status in words: "SIGKILL", "signal 35", "status 1"."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-status}"
