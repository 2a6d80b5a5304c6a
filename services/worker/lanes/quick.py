"""Quick entries, computed in the worker's own process, many to a turn."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from services.broker.connection import PASSING, Backoff
from services.jobs.messages import Answer
from services.jobs.names import Lane
from services.runtime.tasks import Parts
from services.runtime.vigil import Steps
from services.worker.claims.claim import BatchClaim, ChunkClaim, Claim, JobsClaim, KnownClaim
from services.worker.claims.finishing import Finishing
from services.worker.claims.leases import Leases
from services.worker.claims.outcomes import Outcomes
from services.worker.claims.reader import Reader
from services.worker.compute.answer import compute
from services.worker.compute.chunks import examine_all
from services.worker.lanes.quick_proofs import Late, QuickProofs, await_proofs

log = logging.getLogger(__name__)

ComputeBatch = Callable[[BatchClaim], list[Answer]]

READ = 8  # entries claimed at once: a few milliseconds of work at most, so that another worker gets its share


def compute_batch(claim: BatchClaim) -> list[Answer]:
    """The answer to each of its jobs."""
    return claim.answers() if isinstance(claim, KnownClaim) else [compute(job, claim.queue_ms) for job in claim.jobs]


class QuickLane:
    """Claims new entries of the quick lane as they come, computes and answers them.

    What a batch costs is mostly the way to Redis and back: its answers leave in one write with the request for the next batch.
    What can be proven of its primes is told when it is, some milliseconds after the other answers of their batch.
    Chunks of uploads are examined between batches, whose clients wait for them. Uploads have so few of them on their way that
    those claimed here need no bound.
    """

    def __init__(
        self,
        reader: Reader,
        leases: Leases,
        finishing: Finishing,
        outcomes: Outcomes,
        proofs: QuickProofs,
        *,
        compute_batch: ComputeBatch = compute_batch,
    ) -> None:
        self._compute_batch = compute_batch
        self._reader = reader
        self._leases = leases
        self._finishing = finishing
        self._outcomes = outcomes
        self._proofs = proofs
        self._late: set[asyncio.Task[None]] = set()  # answers that wait for proofs
        self._stopped = False
        self._ended = False  # whether it was cancelled: what it holds goes to others, and nothing is sent again
        self.steps = Steps(f"{Lane.QUICK} lane")
        self._sent: asyncio.Future[Any] | None = None  # the answers of the last batch, on their way
        self._retrying: asyncio.Task[None] | None = None  # those of a batch that did not arrive
        self._chunks: asyncio.Queue[ChunkClaim] = asyncio.Queue()  # to be examined

    def stop(self) -> None:
        """Claim nothing more, after the request that waits now."""
        self._stopped = True

    async def run(self) -> None:
        """Claim, compute, answer until stopped and what is held is answered."""
        async with Parts() as tasks:
            try:
                await self._run(tasks)
            finally:
                self._ended = True

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        backoff = Backoff()
        examining = tasks.create_task(self._answer_chunks(tasks))
        proving = tasks.create_task(self._proofs.run())
        while not self._stopped:
            self.steps.step()
            try:
                claims = await self._reader.wait(READ, self._leases.ids(Lane.QUICK))
            except PASSING as error:
                log.warning("could not read the quick lane, will try again: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            if claims:
                self._leases.take(*claims)
                await self._arrive()
                await self._answer(claims, tasks)
        await self._arrive()
        await self._chunks.join()
        examining.cancel()
        if self._late:
            await asyncio.wait(self._late)
        proving.cancel()

    async def _arrive(self) -> None:
        """Wait until the last answers are in Redis: their reply came before that to the read, unless they must be sent again."""
        if self._sent is not None and not self._sent.done():
            await asyncio.wait([self._sent])
        if self._retrying is not None:
            await self._retrying
            self._retrying = None

    async def _answer(self, claims: list[Claim], tasks: asyncio.TaskGroup) -> None:
        """Jobs whose clients wait for them; chunks of uploads in due course."""
        for claim in claims:
            if isinstance(claim, ChunkClaim):
                self._chunks.put_nowait(claim)
        if batches := [claim for claim in claims if isinstance(claim, JobsClaim | KnownClaim)]:
            await self._answer_batches(batches, tasks)

    async def _answer_batches(self, claims: list[BatchClaim], tasks: asyncio.TaskGroup) -> None:
        answers: list[list[Answer]] = []
        for claim in claims:
            if answers:
                await asyncio.sleep(0)  # each is about a millisecond of work; others may run in between
            answers.append(self._compute_batch(claim))

        divided = [self._proofs.divide(claim, batch) for claim, batch in zip(claims, answers, strict=True)]
        late = [each for _, _, each in divided if each is not None]
        at_once = [(claim, batch) for claim, batch, _ in divided if claim.jobs]
        if at_once:
            self._send([claim for claim, _ in at_once], [batch for _, batch in at_once], {each.claim.id for each in late}, tasks)
        for each in late:
            task = tasks.create_task(self._answer_late(each, self._sent if at_once else None))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    def _send(self, claims: list[BatchClaim], answers: list[list[Answer]], held: set[bytes], tasks: asyncio.TaskGroup) -> None:
        def retry() -> None:
            if self._ended:
                return
            self._retrying = tasks.create_task(self._finishing.finish(claims, answers, held=held))

        self._sent = self._finishing.send(claims, answers, retry, held)

    async def _answer_late(self, late: Late, sent: "asyncio.Future[Any] | None") -> None:
        """End an entry with the answers that waited for proofs, after the others of it: one that is gone is asked anew."""
        answers = await await_proofs(late)
        if sent is not None:
            await asyncio.wait([sent])
            if self._retrying is not None:
                await asyncio.wait([self._retrying])
        await self._finishing.finish([late.claim], [answers])

    async def _answer_chunks(self, tasks: asyncio.TaskGroup) -> None:
        """The next chunk is examined while the last one is stored."""
        while True:
            claim = await self._chunks.get()
            stored = tasks.create_task(self._outcomes.store(claim, await examine_all(claim.chunk)))
            stored.add_done_callback(lambda _: self._chunks.task_done())
