"""Runs one job at a time in a child process, and ends the process when the job may not go on."""

import asyncio
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec
from prometheus_client import Counter

from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.compute.frames import Report, frame, read_report

log = logging.getLogger(__name__)

DEATHS = Counter("primes_worker_child_deaths_total", "Child processes that ended while they computed")

START = 15.0  # seconds that a child may take to start: on an idle machine it takes 0.2
AGAIN = 1.0  # seconds after which a child that did not start is started again
LOOK = 1.0  # seconds until it is looked for the first time who still waits
# Seconds from its beginning for which a child may go on with what nobody waits for any more: to start a new one costs as much.
REMNANT = 0.25
EARLY = 0.25  # seconds before a request's time is over at which its computation ends, so that what is known arrives in time


# Asked from time to time, with what is known so far: seconds until it is to be asked again, 0 when nobody waits any more.
Look = Callable[[Answer | None], Awaitable[float]]


class Died(Exception):
    """The child ended while it computed; the text says how."""


class NotStarted(Exception):
    """The child did not come to take a job, which is no job's fault; the text says why."""


class ChildProcess:
    """One child process, started when first needed and again after it died. One job at a time."""

    def __init__(self, memory: int, deadline: float, *, prove: bool = False, briefly: bool = False) -> None:
        """`memory` in MiB, `deadline` in seconds for each job; `prove`: jobs are numbers to be proven prime, `briefly` in the
        way that costs least.
        """
        self._memory = memory
        self._deadline = deadline
        self._options = [*(["--prove"] if prove else []), *(["--briefly"] if briefly else [])]
        self._process: asyncio.subprocess.Process | None = None
        self._known: Answer | None = None  # of the job under way
        self._remnant: asyncio.Task[None] | None = None  # what it does of a job that nobody waits for any more

    async def compute(self, job: Job, look: Look | None = None) -> Report:
        """The answer, or one with a fault when time ran out. Raises Died, NotStarted. When cancelled, the computation stops too,
        unless it began just now and ends soon.

        `look`: for a job that several wait for, of whom it tells; else the job's own time counts.
        """
        process = await self._start()
        pause = await _patience(job, look)
        if pause <= 0:
            return Report(late(job))
        self._known = None
        started = time.monotonic()
        asking = asyncio.ensure_future(self._ask(process, job))
        try:
            came = await self._wait(asking, pause, look or _stop)
            return asking.result() if came else Report(late(job, time.monotonic() - started, self._known))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._mourn(process) from error
        finally:
            left = started + REMNANT - time.monotonic()
            if not asking.done() and left > 0:
                self._remnant = asyncio.create_task(self._finish(asking, left))
            else:
                await self._leave(asking)

    async def _finish(self, asking: "asyncio.Future[Report]", seconds: float) -> None:
        """Nobody waits for this any more; it may go on for so many seconds."""
        try:
            await asyncio.wait({asking}, timeout=seconds)
        finally:
            await self._leave(asking)

    async def _leave(self, asking: "asyncio.Future[Report]") -> None:
        """The child takes the next job if it came to the end of this one, however late; else it is ended."""
        if asking.cancel() or asking.cancelled() or asking.exception():
            await self._end()

    async def _mourn(self, process: asyncio.subprocess.Process) -> Died:
        """The child has ended by itself."""
        DEATHS.inc()
        status = await process.wait()
        self._process = None
        return Died(f"child process ended by {describe(status)}")

    async def _wait(self, asking: "asyncio.Future[Report]", pause: float, look: Look) -> bool:
        """Whether the child reported before its deadline, and before nobody waited any more; first asked after `pause`."""
        end = time.monotonic() + self._deadline
        while True:
            await asyncio.wait({asking}, timeout=min(pause, end - time.monotonic()))
            if asking.done():
                return True
            if time.monotonic() >= end:
                return False
            pause = await look(self._known)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # a look at Redis may swallow it, see services/runtime/tasks.py
            if pause <= 0:
                return False

    async def close(self) -> None:
        """End the child at once."""
        if self._remnant is not None:
            self._remnant.cancel()
        await self._end()

    async def _end(self) -> None:
        """By a signal: native code does not listen to anything gentler."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def started(self) -> bool:
        """Whether it can take a job at once."""
        finished = self._remnant is None or self._remnant.done()
        return finished and self._process is not None and self._process.returncode is None

    async def warm(self) -> None:
        """Have the child ready before the next job comes: to start it takes a tenth of a second or two."""
        try:
            await self._start()
        except NotStarted as error:
            log.warning("%s", error)
            await asyncio.sleep(AGAIN)

    async def _start(self) -> asyncio.subprocess.Process:
        """A child that can take a job: its start is no part of a job's time. Raises NotStarted."""
        if self._remnant is not None:
            await asyncio.wait({self._remnant})
            self._remnant = None
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.worker.compute.child", "--memory", str(self._memory), "--parent", str(os.getpid()),
                *self._options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:  # no memory, no process or no descriptor is left
            raise NotStarted(f"a child process cannot be made: {error.strerror}") from error
        try:
            async with asyncio.timeout(START):
                await _read(process)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise NotStarted(f"at its start a {await self._mourn(process)}") from error
        except TimeoutError as error:
            await self._end()
            raise NotStarted(f"a child process did not start in {START:g} s") from error
        except asyncio.CancelledError:
            await self._end()
            raise
        return process

    async def _ask(self, process: asyncio.subprocess.Process, job: Job) -> Report:
        assert process.stdin  # a pipe, see _start
        # the time is kept here: others may have more
        process.stdin.write(frame(msgspec.structs.replace(job, expires=0)))
        await process.stdin.drain()
        while not (report := await _read(process)).final:
            self._known = report.answer
        return report


async def _read(process: asyncio.subprocess.Process) -> Report:
    assert process.stdout  # a pipe, see _start
    return await read_report(process.stdout)


def time_left(job: Job) -> float:
    """Seconds that a job may compute so that its request's answer is in time."""
    if not job.expires:
        return math.inf
    left = job.expires / 1000 - time.time()
    return left - min(EARLY, left / 4)


async def _patience(job: Job, look: Look | None) -> float:
    """Seconds until it is looked for the first time who still waits; not above 0: nobody does.

    Others may wait for longer than the one that asked first.
    """
    left = time_left(job)
    if look is None:
        return left
    return min(LOOK, left) if left > 0 else await look(None)


async def _stop(known: Answer | None) -> float:
    return 0.0


def late(job: Job, seconds: float = 0.0, known: Answer | None = None) -> Answer:
    """The answer to a job whose time ran out after so many seconds of computation, with what was known by then."""
    answer = Answer(job.id, Verdict.UNKNOWN, fault=Fault.DEADLINE, compute_us=int(seconds * 1e6))
    if known is None:
        return answer
    return msgspec.structs.replace(answer, method=known.method, best=known.verdict, factors=known.factors)


def describe(status: int) -> str:
    """An exit status in words: "SIGKILL", "signal 35", "status 1"."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-status}"
