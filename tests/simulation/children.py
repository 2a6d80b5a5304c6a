"""Workers' child processes: what they say is real, how long they take and whether they live is drawn."""

import asyncio
import hashlib
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from services.jobs.evidence import CertificateName
from services.jobs.messages import Answer, Job, Operation, Verdict
from services.jobs.names import Lane
from services.web.ask import cost
from services.worker.compute.answer import compute
from services.worker.compute.frames import LENGTH, READY, Report, frame
from tests.simulation.loop import Loop
from tests.simulation.world import World

STARTS = 0.2  # seconds until a child takes jobs
TIMES = 0.005, 0.03, 0.03, 0.3, 0.3, 1.0, 1.0, 3.0, 8.0  # seconds that a computation takes, by half more or less
LONGEST = 12.0  # seconds that one takes at most, however slow the children are
SOON = 0.2  # seconds that one takes at most once they are in a hurry
BRIEF = 0.3  # seconds that one of a quick number takes at most: a chunk of an upload has many of them
_job = msgspec.msgpack.Decoder(Job)


@dataclass
class Record:
    """What became of the children of one worker process."""

    computed: int = 0
    fates: list[str] = field(default_factory=list)  # what befalls the next jobs: "die", "hang"; "stillborn", "stuck" at a start


@lru_cache(maxsize=4096)
def _answer(number: str, operation: Operation) -> Answer:
    """The same in every history, whichever computes it first: what it draws is by the number, and no history's."""
    state = random.getstate()
    random.seed(number)
    try:
        return compute(Job(0, number, operation))
    finally:
        random.setstate(state)


class Child(asyncio.SubprocessTransport):
    """One child process, seen from its worker."""

    def __init__(
        self,
        world: World,
        loop: Loop,
        protocol: Any,
        chance: Random,
        record: Record,
        pinned: dict[str, float],
        *,
        slowness: float,
        proves: bool,
    ) -> None:
        super().__init__()
        self._world = world
        self._loop = loop
        self._protocol = protocol
        self._chance = chance
        self._record = record
        self._pinned = pinned
        self._slowness = slowness
        self._proves = proves
        self._status: int | None = None
        self._ended: asyncio.Future[int] = loop.create_future()
        self._unread = b""
        self._due: Callable[[], None] | None = None  # how the computation under way ends
        self._hurried = False
        self.stdin = _Pipe(self._take)
        protocol.connection_made(self)
        fate = record.fates.pop(0) if record.fates and record.fates[0] in {"stillborn", "stuck"} else ""
        if fate == "stillborn":
            world.after(STARTS / 2, lambda: self._end(1))
        elif not fate:
            self._say_after(STARTS * chance.uniform(0.5, 1.5), READY)

    def _say_after(self, delay: float, report: Report) -> None:
        self._world.after(delay, lambda: self._say(report))

    def _say(self, report: Report) -> None:
        if self._status is None and not self._loop.dead:
            if report.final:
                self._record.computed += 1
            self._loop.take(asyncio.Handle(self._protocol.pipe_data_received, (1, frame(report)), self._loop))

    def _take(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= LENGTH:
            end = LENGTH + int.from_bytes(self._unread[:LENGTH], "big")
            if len(self._unread) < end:
                return
            job, self._unread = _job.decode(self._unread[LENGTH:end]), self._unread[end:]
            self._compute(job)

    def _end_after(self, delay: float, end: Callable[[], None]) -> None:
        """Have the computation under way end so."""
        self._due = end
        self._world.after(delay, lambda: self._finish(end))

    def _finish(self, end: Callable[[], None]) -> None:
        if self._due is end:
            self._due = None
            end()

    def hurry(self) -> None:
        """Compute what is under way, and what comes, within no time worth naming."""
        self._hurried = True
        if (end := self._due) is not None:
            self._world.after(SOON, lambda: self._finish(end))

    def _compute(self, job: Job) -> None:
        chance = self._chance
        _, lane = cost.weigh(cost.size(job.number, 0), job.operation, job.wanted)
        longest = SOON if self._hurried else BRIEF if lane is Lane.QUICK else LONGEST
        seconds = min(longest, chance.choice(TIMES) * chance.uniform(0.5, 1.5) * self._slowness)
        fate = self._record.fates.pop(0) if self._record.fates and self._record.fates[0] in {"die", "hang"} else ""
        seconds = self._pinned.get(job.number, seconds)
        if fate == "die":
            self._end_after(seconds, lambda: self._end(-signal.SIGKILL))
        elif not fate:
            found = _answer(job.number, job.operation)
            report = self._report(job, found, int(seconds * 1e6))
            if seconds > 0.5 and not self._proves and chance.random() < 0.5:
                self._say_after(seconds / 2, Report(Answer(0, found.verdict, found.method), final=False))
            self._end_after(seconds, lambda: self._say(report))

    def _report(self, job: Job, found: Answer, compute_us: int) -> Report:
        if not self._proves or found.verdict not in (Verdict.PRIME, Verdict.PROBABLY_PRIME):
            return Report(msgspec.structs.replace(found, id=job.id, compute_us=compute_us))
        text = f"certificate of {job.number}".encode()
        name = CertificateName(hashlib.sha256(text).hexdigest())
        answer = Answer(job.id, Verdict.PRIME, "certificate of the simulation", compute_us=compute_us, evidence=name)
        return Report(answer, primo=text, pari=text)

    def _end(self, status: int) -> None:
        if self._status is None:
            self._status = status
            self.stdin.closed = True
            if not self._loop.dead:
                self._loop.take(asyncio.Handle(self._told, (status,), self._loop))

    def _told(self, status: int) -> None:
        """The worker learns that it ended."""
        self._returncode = status
        if not self._ended.done():
            self._ended.set_result(status)
        self._protocol.pipe_connection_lost(1, None)
        self._protocol.pipe_connection_lost(0, None)
        self._protocol.process_exited()

    _returncode: int | None = None

    # what asyncio asks of it

    def get_pid(self) -> int:
        return 1

    def get_returncode(self) -> int | None:
        return self._returncode

    def get_pipe_transport(self, fd: int) -> Any:
        return {0: self.stdin, 1: self.stdin}.get(fd)

    def kill(self) -> None:
        self._world.after(0.001, lambda: self._end(-signal.SIGKILL))

    def close(self) -> None:
        self.kill()

    async def _wait(self) -> int:
        return await self._ended


class _Pipe(asyncio.Transport):
    """What the worker writes."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        super().__init__()
        self._take = take
        self.closed = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self._take(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """What comes is always taken."""

    def resume_reading(self) -> None:
        """Likewise."""


class Children:
    """Starts them; `records` says by worker process what becomes of its children."""

    def __init__(self, world: World, seed: int, slowness: float) -> None:
        self._slowness = slowness
        self._world = world
        self._seed = seed
        self._count = 0
        self._hurried = False
        self._children: list[Child] = []
        self.records: dict[str, Record] = {}
        self.pinned: dict[str, float] = {}  # seconds that these numbers take

    def record(self, name: str) -> Record:
        """Of one worker."""
        return self.records.setdefault(name, Record())

    def start(self, loop: Loop, protocol_factory: Callable[[], Any], arguments: tuple[Any, ...]) -> tuple[Child, Any]:
        """A child of the process that asks."""
        self._count += 1
        chance = Random(f"child {self._seed} {loop.name} {self._count}")
        protocol = protocol_factory()
        child = Child(
            self._world,
            loop,
            protocol,
            chance,
            self.record(loop.name),
            self.pinned,
            slowness=self._slowness,
            proves="--prove" in arguments,
        )
        self._children.append(child)
        if self._hurried:
            child.hurry()
        return child, protocol

    def hurry(self) -> None:
        """Have all that are there, and that come, compute within no time worth naming."""
        self._hurried = True
        for child in self._children:
            child.hurry()
