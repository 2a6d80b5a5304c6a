"""Runs one job at a time in a child process, and ends the process when the job may not go on."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from services.jobs.messages import Answer, Fault, Job, Verdict
from services.runtime.tasks import end
from services.worker.compute.frames import Certified, Found, Report, Uncertified, decode_report, frame
from services.worker.compute.killable_process import KillableProcess, receive, send

LOOK = 1.0  # seconds until it is looked for the first time who still waits
# Seconds from its beginning for which a child may go on with what nobody waits for any more: to start a new one costs as much.
REMNANT = 0.25
EARLY = 0.25  # seconds before a request's time is over at which its computation ends, so that what is known arrives in time


# Asked from time to time, with what is known so far: seconds until it is to be asked again, 0 when nobody waits any more.
Look = Callable[[Answer | None], Awaitable[float]]

# Makes a proof in parts, for as long as it takes: from the number, in decimal, and what is to be told of each step that is found.
InParts = Callable[[str, Callable[[bytes], None]], Awaitable[Certified | Uncertified]]


class ChildProcess(KillableProcess):
    """One child process, started when first needed and again after it died. One job at a time."""

    def __init__(
        self, memory: int, deadline: float, *, prove: bool = False, briefly: bool = False, in_parts: InParts | None = None
    ) -> None:
        """`memory` in MiB, `deadline` in seconds for each job; `prove`: jobs are numbers to be proven prime, `briefly` in the
        way that costs least. `in_parts`: how a long proof is made, which `briefly` has none of.
        """
        options = [*(["--prove"] if prove else []), *(["--briefly"] if briefly else [])]
        super().__init__("services.worker.compute.child", memory, *options)
        self._deadline = deadline
        self._in_parts = in_parts
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
        asking = asyncio.create_task(self._ask(process, job))
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

    async def _finish(self, asking: "asyncio.Task[Report]", seconds: float) -> None:
        """Nobody waits for this any more; it may go on for so many seconds."""
        try:
            await asyncio.wait({asking}, timeout=seconds)
        finally:
            await self._leave(asking)

    async def _leave(self, asking: "asyncio.Task[Report]") -> None:
        """The child takes the next job if it came to the end of this one, however late; else it is ended."""
        if not asking.done() or asking.cancelled() or asking.exception():
            asking.cancel()
            await self._end()
            await end({asking})  # a proof in parts is kept as far as it has come, before its run is given back

    async def _wait(self, asking: "asyncio.Task[Report]", pause: float, look: Look) -> bool:
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
        await super().close()

    @property
    def started(self) -> bool:
        """Whether it can take a job at once."""
        return (self._remnant is None or self._remnant.done()) and super().started

    async def _start(self) -> asyncio.subprocess.Process:
        """A child that has come to the end of what nobody waits for. Raises NotStarted."""
        if self._remnant is not None:
            await asyncio.wait({self._remnant})
            self._remnant = None
        return await super()._start()

    async def _ask(self, process: asyncio.subprocess.Process, job: Job) -> Report:
        # the time is kept here: others may have more
        await send(process, frame(msgspec.structs.replace(job, expires=0)))
        while not (report := decode_report(await receive(process))).final:
            if report.chain:
                assert self._in_parts  # who proves briefly has no number for which this is the way
                await send(process, frame(await self._in_parts(report.chain, partial(_pass_on, process))))
            else:
                self._known = report.answer
        return report


def _pass_on(process: asyncio.subprocess.Process, step: bytes) -> None:
    """Have a step verified by the child that waits for its proof; what waits for it is no more than the certificate has."""
    assert process.stdin  # a pipe, see KillableProcess
    process.stdin.write(frame(Found(step)))


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
