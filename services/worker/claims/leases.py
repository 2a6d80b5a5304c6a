"""What this worker holds: claims on which it must renew the lease until their answers are out."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from prometheus_client import Counter, Gauge

from services.jobs.names import Lane
from services.runtime.cheap_metrics import BatchHistogram
from services.worker.claims.claim import Claim

QUEUE_WAIT = BatchHistogram(
    "primes_worker_queue_wait_seconds",
    "From the write of a stream entry to its claim",
    ["lane"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)
RUNNING = Gauge("primes_worker_running", "Stream entries held and not yet answered", ["lane"])
CANCELLED = Counter("primes_worker_cancelled_total", "Entries whose computation was stopped, since nobody wants it", ["lane"])

_queue_wait = {lane: QUEUE_WAIT.labels(lane) for lane in Lane}
_cancelled = {lane: CANCELLED.labels(lane) for lane in Lane}


@dataclass(slots=True, eq=False)
class Lease:
    """A claim, and the task that computes it, if that is one of its own."""

    claim: Claim
    task: asyncio.Task[None] | None
    since: float  # seconds since 1970
    marked: bool = False  # whether its clients can be told since when it runs


class Leases:
    """A claim is here from `take` until its answers are out, through whatever befalls Redis, or until it is lost."""

    def __init__(self) -> None:
        self._held: dict[tuple[Lane, bytes], Lease] = {}
        for lane in Lane:
            RUNNING.labels(lane).set_function(partial(self._count, lane))

    @property
    def held(self) -> list[Lease]:
        """Everything that is claimed and not answered."""
        return list(self._held.values())

    @property
    def claims(self) -> list[Claim]:
        """The claims of all that is held."""
        return [lease.claim for lease in self._held.values()]

    def ids(self, lane: Lane) -> set[bytes]:
        """The entries held of one lane."""
        return {id for of, id in self._held if of is lane}

    def _count(self, lane: Lane) -> int:
        return len(self.ids(lane))

    def take(self, *claims: Claim, task: asyncio.Task[None] | None = None) -> None:
        """Hold claims of one lane; `task` is cancelled when the lease is lost."""
        now = time.time()
        for claim in claims:
            self._held[claim.lane, claim.id] = Lease(claim, task, now)
        _queue_wait[claims[0].lane].observe_all([claim.queue_ms / 1000 for claim in claims])

    def drop(self, claims: Iterable[Claim]) -> None:
        """Hold these no more."""
        for claim in claims:
            self._held.pop((claim.lane, claim.id), None)

    def abandon(self, lane: Lane, id: bytes) -> bool:
        """Hold an entry no more; returns whether its computation was stopped."""
        lease = self._held.pop((lane, id), None)
        if lease is None or lease.task is None:
            return False
        lease.task.cancel()
        return True

    def cancel(self, lane: Lane, id: bytes) -> bool:
        """`abandon` an entry whose answer nobody wants any more."""
        stopped = self.abandon(lane, id)
        if stopped:
            _cancelled[lane].inc()
        return stopped

    def hear_cancellation(self, payload: bytes) -> None:
        """Entries were deleted because nobody wants their answers any more."""
        lane, *ids = payload.split()
        for id in ids:
            self.cancel(Lane(lane.decode()), id)
