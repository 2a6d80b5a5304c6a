"""Runs one job at a time in a child process, and ends the process when the job may not go on."""

import asyncio
import os
import signal
import sys
import time

import msgspec
from prometheus_client import Counter

from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.child import LENGTH, Report

DEATHS = Counter("primes_worker_child_deaths_total", "Child processes that ended while they computed")


EARLY = 0.25  # seconds before a request's time is over at which its computation ends, so that what is known arrives in time


class Died(Exception):
    """The child ended while it computed; the text says how."""


class Computer:
    """One child process, started when first needed and again after it died. One job at a time."""

    def __init__(self, memory: int, deadline: float) -> None:
        """`memory` in MiB, `deadline` in seconds for each job."""
        self._memory = memory
        self._deadline = deadline
        self._process: asyncio.subprocess.Process | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Report)
        self._known: Answer | None = None  # of the job under way

    async def compute(self, job: Job) -> Answer:
        """The answer, or one with a fault when time ran out. Raises Died. When cancelled, the computation stops too."""
        seconds = self._deadline
        if job.expires:
            left = job.expires / 1000 - time.time()
            seconds = min(seconds, left - min(EARLY, left / 4))
        if seconds <= 0:
            return late(job)
        self._known = None
        process = await self._start()
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(process, job)
        except TimeoutError:
            await self.close()
            return late(job, seconds, self._known)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            DEATHS.inc()
            status = await process.wait()
            self._process = None
            raise Died(f"child process ended by {describe(status)}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def close(self) -> None:
        """End the child at once: native code does not listen to anything gentler."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.worker.child", "--memory", str(self._memory), "--parent", str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self._process

    async def _ask(self, process: asyncio.subprocess.Process, job: Job) -> Answer:
        assert process.stdin and process.stdout  # both are pipes, see _start
        frame = self._encoder.encode(job)
        process.stdin.write(len(frame).to_bytes(LENGTH, "big") + frame)
        await process.stdin.drain()
        while True:
            length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
            report = self._decoder.decode(await process.stdout.readexactly(length))
            if report.final:
                return report.answer
            self._known = report.answer


def late(job: Job, seconds: float = 0.0, known: Answer | None = None) -> Answer:
    """The answer to a job whose time ran out after so many seconds of computation, with what was known by then."""
    answer = Answer(job.id, Verdict.UNKNOWN, fault=Fault.DEADLINE, compute_us=int(seconds * 1e6))
    return answer if known is None else msgspec.structs.replace(answer, method=known.method, best=known.verdict)


def describe(status: int) -> str:
    """An exit status in words: "SIGKILL", "signal 35", "status 1"."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-status}"
