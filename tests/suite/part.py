"""A part of the test run: its command, its limit, and what became of it."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

GRACE = 60  # seconds in which a part that was told to end stops what it started; containers take 20 to stop
TIMED_OUT = 124  # exit status of a part that was over its limit, as timeout(1) has it


@dataclass(frozen=True, slots=True)
class Part:
    """One command, which is ended when it takes longer than its limit."""

    name: str
    limit: int  # seconds
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How a part ended, and after how long."""

    part: Part
    seconds: float
    status: int


async def run(part: Part, output: IO[bytes] | None = None) -> Result:
    """Run a part to its end, in a process group of its own, so that Ctrl-C reaches the runner alone; what it says goes to `output`.

    However this ends, also when it is cancelled, the part has ended before.
    """
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *part.command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT, process_group=0
    )
    try:
        async with asyncio.timeout(part.limit):
            status = await process.wait()
    except TimeoutError:
        status = TIMED_OUT
    finally:
        await _end(process)
    return Result(part, time.monotonic() - began, status)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Tell the group to end as `kill` does, on which tests stop what they started; kill what does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE)
