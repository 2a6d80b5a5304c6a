"""Writes one lane's entries to Redis: group commit."""

import asyncio
import logging
from collections.abc import Callable

from prometheus_client import Counter

from services.broker.connection import PASSING, Backoff
from services.jobs.messages import Answer, decode_answer
from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.web.queue.commit_delay import LOOKS, CommitDelay
from services.web.queue.enqueue import Enqueue, Enqueued
from services.web.queue.ledger import Entry, Ledger

log = logging.getLogger(__name__)

SUBMITTED = Counter("primes_web_jobs_submitted_total", "Jobs accepted from clients", ["lane"])
JOINED = Counter(
    "primes_web_jobs_joined_total", "Costly jobs that needed no computation of their own, by what they found", ["found"]
)
BATCH = BatchHistogram("primes_web_batch_jobs", "Jobs in one stream entry", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))

_submitted = {lane: SUBMITTED.labels(lane) for lane in Lane}
_joined = {found: JOINED.labels(found) for found in ("joined", "known")}


class Writer:
    """While one write is under way the next entries collect, so a lone job goes at once and a busy process writes few, large
    entries. One write at a time costs throughput on a slow network, for order and simplicity.
    """

    def __init__(
        self,
        lane: Lane,
        ledger: Ledger,
        enqueue: Enqueue,
        delay: CommitDelay,
        *,
        discard: Callable[[list[Entry]], None],
        note: Callable[[int, Answer], None],
    ) -> None:
        """`discard` deletes entries that nobody wants any more; `note` tells what is known of a job before its answer."""
        self._lane = lane
        self._ledger = ledger
        self._enqueue = enqueue
        self._delay = delay
        self._discard = discard
        self._note = note
        self._counted = 0  # of the jobs that the lane accepted
        self._over = asyncio.Event()  # set when the write is over that is under way, or the next one
        self._unwritten = asyncio.Event()  # set when there may be jobs to write
        self.wake = self._unwritten.set  # to be called after the ledger took a job for this lane
        ledger.lanes[lane].room = self.wake

    async def run(self) -> None:
        """Write for as long as it takes, until cancelled."""
        backoff, loop = Backoff(), asyncio.get_running_loop()
        while True:
            await self._unwritten.wait()
            for _ in range(LOOKS):
                if (rest := self._delay.rest(loop.time(), len(self._ledger.lanes[self._lane].unwritten))) > 0:
                    await asyncio.sleep(rest)
            self._count_accepted()
            if await self._write(loop.time()):
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next())

    async def written(self) -> None:
        """Wait until the write is over that is under way, or the next one."""
        await self._over.wait()

    def _count_accepted(self) -> None:
        accepted = self._ledger.lanes[self._lane].accepted
        _submitted[self._lane].inc(accepted - self._counted)
        self._counted = accepted

    async def _write(self, now: float) -> bool:
        """One write; returns whether Redis took all of it."""
        self._unwritten.clear()  # who comes from here on is of the next write
        entries = self._ledger.take(self._lane)
        part = self._ledger.lanes[self._lane]
        self._delay.note(now, sum(len(entry.jobs) for entry in entries), len(part.unwritten))
        written = await self._send(entries) if entries else []
        places = [each.place for each in written or ()]
        self._discard(self._ledger.written(self._lane, entries, places))
        self._over.set()
        self._over = asyncio.Event()
        if part.unwritten and not part.stalled:
            self._unwritten.set()
        if written is None:
            return False
        BATCH.observe_all([len(entry.jobs) for entry in entries[: len(written)]])
        for entry, each in zip(entries, written, strict=False):
            if each.how:
                self._note_joined(entry, each)
        return len(written) == len(entries)

    async def _send(self, entries: list[Entry]) -> list[Enqueued] | None:
        """What became of the entries that Redis took: not all when the queue is full. None where that is not known."""
        try:
            written = await self._enqueue(self._lane, entries, self._ledger.since)
        except PASSING as error:
            log.warning("could not write %d entries to the %s lane, will try again: %s", len(entries), self._lane, error)
            return None
        if len(written) < len(entries):
            log.warning("the %s lane is full (%d entries), will try again", self._lane, self._enqueue.most_entries)
        return written

    def _note_joined(self, entry: Entry, written: Enqueued) -> None:
        """A costly job waits for another's run, or its answer is known."""
        _joined[written.how].inc()
        if written.so_far:
            self._note(entry.jobs[0].id, decode_answer(written.so_far))
