"""A lane whose entries are computed in child processes: heavy ones, proofs, and quick ones that a worker died with."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple

from services.broker.connection import PASSING, Backoff
from services.jobs.names import Lane
from services.runtime.tasks import Parts
from services.runtime.vigil import Steps
from services.worker.claims.claim import Claim
from services.worker.claims.leases import Leases
from services.worker.claims.reader import Reader
from services.worker.claims.takeover import Takeover
from services.worker.compute.child_process import ChildProcess
from services.worker.lanes.bell import Bell
from services.worker.lanes.child_answers import ChildAnswers

log = logging.getLogger(__name__)


class SparedBy(NamedTuple):
    """The lane whose short entries are another one's while all of its own children are busy."""

    lane: "ChildLane"
    most: int  # estimated µs of a short one


class ChildLane:
    """An entry is claimed only when a child is free for it, so none waits in a busy worker."""

    def __init__(
        self,
        lane: Lane,
        children: Iterable[ChildProcess],
        leases: Leases,
        takeover: Takeover,
        *,
        reader: Reader | None,
        answers: ChildAnswers,
        spared_by: SparedBy | None = None,
    ) -> None:
        """`reader`: claims new entries; without one the lane claims only those whose lease ran out.

        `spared_by`: the lane that has all entries; this one claims its short ones, while all of that one's children are busy.
        """
        self.lane = lane
        self._leases = leases
        self._takeover = takeover
        self._reader = reader
        self._answers = answers
        self.bell = Bell()
        self._overdue = True  # whether leases may have run out since the last look
        self._swept = True  # whether entries may wait that are in no line
        self._free: asyncio.Queue[ChildProcess] = asyncio.Queue()
        self._busy: set[ChildProcess] = set()  # those that compute, or start
        for child in children:
            self._free.put_nowait(child)
        self._children = self._free.qsize()
        self._spared_by = spared_by
        self._when_full: Callable[[], None] = lambda: None
        if spared_by is not None:
            spared_by.lane._when_full = self.bell.ring
        name = f"{lane} lane's short ones" if spared_by else f"{lane} lane" if reader else f"{lane} lane's orphans"
        self.steps = Steps(name, tell=self._tell, excused=lambda: self.full)

    @property
    def full(self) -> bool:
        """Whether every child is at work."""
        return len(self._busy) == self._children

    def sweep(self) -> None:
        """Look for leases that ran out, and for new entries whose announcement was lost."""
        self._overdue = self._swept = True
        self.bell.ring()

    async def run(self) -> None:
        """Claim, compute, answer until the bell says stop and what is held is answered.

        Cancelled, it ends its child processes too.
        """
        backoff = Backoff()
        async with Parts() as running:
            while not self.bell.stopped:
                child = await self._free.get()
                self.steps.step()
                try:
                    claim = await self._next()
                except PASSING as error:
                    log.warning("could not claim from the %s lane, will try again: %s", self.lane, error)
                    self._free.put_nowait(child)
                    await asyncio.sleep(backoff.next())
                    continue
                backoff.reset()
                if claim is not None:
                    task = self._occupy(running, child, self._answers.answer(claim, child))
                    task.add_done_callback(partial(self._drop, claim))
                    self._leases.take(claim, task=task)
                elif self._reader is not None and not child.started:
                    # Clients wait for milliseconds, less than this start takes. Other children go on meanwhile.
                    self._occupy(running, child, child.warm())
                else:
                    self._free.put_nowait(child)
                    await self.bell.wait()
        while not self._free.empty():
            await self._free.get_nowait().close()

    def _occupy(self, running: asyncio.TaskGroup, child: ChildProcess, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have a child do this, after which it is free again."""
        self._busy.add(child)
        if self.full:
            self._when_full()
        task = running.create_task(work)
        # Not by the task itself: one that is cancelled before its first step runs none of its own lines.
        task.add_done_callback(partial(self._release, child))
        return task

    async def _next(self) -> Claim | None:
        """One claim: the oldest overdue one first, then a new one."""
        self.bell.looking()
        if self.bell.stopped:
            return None
        most = 0
        if self._spared_by is not None:
            if not self._spared_by.lane.full:
                return None
            most = self._spared_by.most
        if self._overdue:
            if (claim := await self._takeover.take_over(self.lane, most=most)) is not None:
                return claim
            self._overdue = False
        if self._reader is None:
            return None
        sweeping, self._swept = self._swept, False
        return await self._reader.take(self.lane, self._leases.ids(self.lane), sweeping=sweeping, most=most)

    def _release(self, child: ChildProcess, _: "asyncio.Task[None]") -> None:
        """What a child did has ended, however it did."""
        self._busy.discard(child)
        self._free.put_nowait(child)

    def _drop(self, claim: Claim, _: "asyncio.Task[None]") -> None:
        """A computation has ended, however it did."""
        self._leases.drop([claim])

    def _tell(self) -> str:
        return f"{len(self._busy)} of {self._children} children are at work, {self._free.qsize()} are free"
