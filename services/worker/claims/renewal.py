"""Renews the leases of what a worker holds, and stops what is not its own any more or is wanted no longer."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import redis.asyncio
from prometheus_client import Counter

from services.broker.connection import PASSING
from services.broker.script import HELD, TRY, Script
from services.jobs import names
from services.jobs.names import GROUP, Lane
from services.runtime.vigil import Steps
from services.worker.claims.claim import Claim, jobs_of
from services.worker.claims.leases import Lease, Leases
from services.worker.claims.outcomes import Outcomes

log = logging.getLogger(__name__)

LEASES_LOST = Counter(
    "primes_worker_leases_lost_total", "Claims that another worker took over, or that were lost with Redis", ["lane"]
)
_leases_lost = {lane: LEASES_LOST.labels(lane) for lane in Lane}

RENEWALS = 3  # a lease is renewed at least this many times in its length: two may fail before it runs out
ROUND = 1.0  # seconds between two renewals at most: they find what was cancelled while the announcement was lost
LONG = 1.0  # seconds after which a job's client may be told since when it runs

_scripts = Path(__file__).parent / "scripts"
RENEW = Script(HELD, _scripts / "renew.lua")
MARK_STARTED = Script(TRY, _scripts / "mark_started.lua")


class Started(NamedTuple):
    """Since when a session's request runs."""

    session: str
    request: str
    since: int  # ms since 1970


class Renewal:
    """One round looks after everything that is held: a command a lane, however many entries."""

    def __init__(self, redis: redis.asyncio.Redis, consumer: str, lease: float, leases: Leases, outcomes: Outcomes) -> None:
        """`lease` in seconds."""
        self._redis = redis
        self._consumer = consumer
        self._pause = min(ROUND, lease / RENEWALS)
        self._leases = leases
        self._outcomes = outcomes
        self.steps = Steps("renewal of leases")

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await asyncio.sleep(self._pause)
            self.steps.step()
            if not self._leases.held:
                continue
            try:
                await self._round()
            except PASSING as error:
                log.warning("could not renew %d leases, will try again: %s", len(self._leases.held), error)

    async def _round(self) -> None:
        lost = await self._renew(self._leases.claims)
        await self._mark_started()
        unwanted = await self._outcomes.unwanted(self._leases.claims)
        for claim in lost:
            if self._leases.abandon(claim.lane, claim.id):
                log.warning("lost the lease on entry %s of the %s lane, stop computing it", claim.id.decode(), claim.lane)
                _leases_lost[claim.lane].inc()
        for chunk in unwanted:
            if self._leases.cancel(chunk.lane, chunk.id):
                log.info("stop computing for upload %s…, which is gone", chunk.upload[:6])

    async def _renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """Renew the leases of these claims; returns those that are lost."""
        by_lane: dict[Lane, dict[bytes, Claim]] = defaultdict(dict)
        for claim in claims:
            by_lane[claim.lane][claim.id] = claim
        lost: list[Claim] = []
        for lane, held in by_lane.items():
            keys, arguments = renew_call(lane, self._consumer, list(held))
            ids = await RENEW(self._redis, keys, *arguments)
            lost += [held[id] for id in ids]
        return lost

    async def _mark_started(self) -> None:
        """Let the clients of long jobs know since when they run."""
        before = time.time() - LONG
        long = [lease for lease in self._leases.held if lease.task and not lease.marked and lease.since <= before]
        if marks := [mark for lease in long for mark in _marks(lease)]:
            keys, arguments = mark_started_call(marks)
            await MARK_STARTED(self._redis, keys, *arguments)
        for lease in long:
            lease.marked = True


def _marks(lease: Lease) -> list[Started]:
    since = int(lease.since * 1000)
    return [Started(job.session, job.request, since) for job in jobs_of(lease.claim) if job.session]


def renew_call(lane: Lane, consumer: str, entries: Sequence[bytes]) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of renew.lua."""
    stream = names.stream(lane)
    return [stream], [GROUP, consumer, *entries]


def mark_started_call(marks: Sequence[Started]) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of mark_started.lua."""
    sessions = [names.session(mark.session) for mark in marks]
    return sessions, [part for mark in marks for part in (mark.request, mark.since)]
