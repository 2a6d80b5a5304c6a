"""Parts of all workers' proofs, computed in child processes of this one."""

import asyncio
import logging
import time
from collections.abc import Iterable

from prometheus_client import Counter

from services.broker import unreadable
from services.broker.connection import PASSING, Backoff
from services.broker.unreadable import MALFORMED
from services.runtime.tasks import Parts
from services.runtime.vigil import Steps
from services.worker.compute.killable_process import AGAIN, Died, NotStarted
from services.worker.lanes.bell import Bell
from services.worker.parts.board import Board, Taken
from services.worker.parts.messages import Told
from services.worker.parts.part_process import PartProcess
from services.worker.prove.ecpp.parts import Failed, encode_outcome

log = logging.getLogger(__name__)

PARTS = Counter("primes_worker_parts_total", "Parts of proofs, of whichever worker, that were taken", ["outcome"])
_told, _failed, _dropped = (PARTS.labels(outcome) for outcome in ("told", "failed", "dropped"))

IDLE = 180.0  # seconds without a part after which a child is ended: it has 90 MiB, and to start it takes some tenths of a second


class PartLane:
    """A part is taken only when a child is free for it. One that cannot be told of is dropped: it will be given out again."""

    def __init__(self, board: Board, children: Iterable[PartProcess], worker: str) -> None:
        """`worker`: this worker's name."""
        self._board = board
        self._worker = worker
        self.bell = Bell()
        self._free = [*children]  # the last one was at work last
        self._names = {child: f"{worker} {number}" for number, child in enumerate(self._free)}
        self.steps = Steps("parts of proofs", tell=self._tell, excused=lambda: not self._free)

    def sweep(self) -> None:
        """Look for parts whose bell was lost, and for children that have had nothing to do for long."""
        self.bell.ring()

    async def run(self) -> None:
        """Take, compute, tell until the bell says stop and what was taken is told. Cancelled, it ends its child processes too."""
        backoff = Backoff()
        async with Parts() as running:
            while not self.bell.stopped:
                self.steps.step()
                self.bell.looking()
                try:
                    while self._free and not self.bell.stopped and (taken := await self._board.take()) is not None:
                        backoff.reset()
                        running.create_task(self._answer(self._free.pop(), taken))
                except MALFORMED as error:
                    unreadable.note("part", error)
                    self.bell.ring()
                except PASSING as error:
                    log.warning("could not take parts of proofs, will try again: %s", error)
                    await asyncio.sleep(backoff.next())
                await self._end_idle()
                await self.bell.wait()
        for child in self._free:
            await child.close()

    async def _end_idle(self) -> None:
        for child in self._free:
            if child.idle > IDLE:
                await child.close()

    async def _answer(self, child: PartProcess, taken: Taken) -> None:
        """Compute a part and tell what came of it."""
        counted = _dropped
        try:
            outcome, counts = await self._compute(child, taken.part)
            if outcome:
                await self._board.tell(Told(taken.proof, taken.number, self._names[child], outcome))
                counted = counts
            else:
                unreadable.note("part", "its child cannot read it")
        except NotStarted as error:
            log.warning("%s", error)
        except PASSING as error:
            log.warning("could not tell what came of a part of a proof, which will be given out again: %s", error)
        counted.inc()

    async def _compute(self, child: PartProcess, part: bytes) -> tuple[bytes, Counter]:
        """What came of a part, and what that counts as; nothing (b"") of one that this version cannot read. Raises NotStarted.

        Then the child is free: it need not wait until that is told.
        """
        started = time.monotonic()
        try:
            return await child.compute(part), _told
        except Died as error:
            log.warning("a part of a proof: %s", error)
            return encode_outcome(Failed(reason=str(error), compute_us=int((time.monotonic() - started) * 1e6))), _failed
        except NotStarted:
            await asyncio.sleep(AGAIN)
            raise
        finally:
            self._free.append(child)
            self.bell.ring()

    def _tell(self) -> str:
        return f"{len(self._names) - len(self._free)} of {len(self._names)} children are at work"
