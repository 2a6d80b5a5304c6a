"""Finds jobs whose entries left Redis without an answer, and has them written again."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import redis.asyncio
from prometheus_client import Counter

from services.broker.connection import PASSING
from services.broker.pulse import Pulse
from services.broker.script import Script
from services.jobs import names
from services.jobs.names import Lane
from services.web.queue.answers import Answers
from services.web.queue.ledger import Entry, Ledger
from services.web.queue.writer import Writer

log = logging.getLogger(__name__)

RESENT = Counter("primes_web_jobs_resent_total", "Jobs written to Redis again: its data, or the answer, was lost", ["lane"])
_resent = {lane: RESENT.labels(lane) for lane in Lane}

AGE = 1.0  # seconds after which an entry is looked for: most are answered by then

_audit = Script(Path(__file__).parent / "scripts" / "audit.lua")

State = TypeVar("State")  # what Redis says of the histories: nothing that the audit reads


class Histories(Protocol[State]):
    """The answers that Redis keeps for clients, of which some may not have been heard."""

    async def touch(self) -> State:
        """Learn where Redis stands with them."""

    async def catch_up(self, touched: State) -> None:
        """Act on that, once everything that was published before has been heard."""


class Audit(Generic[State]):
    """Pub/sub may drop an answer and Redis may lose its data; either way the entry is gone and the job still pending.

    The pulse is the barrier: an entry is gone only after its answers were published, so once a later beat is heard
    those answers have been heard too, or never will be.
    """

    def __init__(
        self,
        redis: redis.asyncio.Redis,
        ledger: Ledger,
        writers: Mapping[Lane, Writer],
        answers: Answers,
        *,
        histories: Histories[State],
        pulse: Pulse,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._writers = writers
        self._answers = answers
        self._histories = histories
        self._pulse = pulse
        self._gone: list[tuple[Lane, list[Entry]]] = []  # kept until a later beat than `_before` is heard
        self._before = 0

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            started = time.monotonic()
            try:
                await self._look()
            except PASSING as error:
                log.warning("could not audit pending jobs, will try again: %s", error)
            await self._pulse.rest(started)

    async def _look(self) -> None:
        if not self._gone:
            self._gone = [(lane, entries) for lane in Lane if (entries := await self._find_gone(lane))]
            self._before = self._pulse.sent
        touched = await self._histories.touch()
        heard = await self._pulse.pass_by(self._before)
        await self._histories.catch_up(touched)  # first: what the history has is not sent again
        if heard:
            for lane, entries in self._gone:
                self._send_again(lane, entries)
            self._gone = []

    async def _find_gone(self, lane: Lane) -> list[Entry]:
        """Entries with pending jobs that the lane's stream no longer holds."""
        due = self._ledger.due(lane, AGE)
        if not due:
            return []
        gone = set(await _audit(self._redis, [names.stream(lane)], *(entry.id for entry in due)))
        return [entry for entry in due if entry.id in gone]

    def _send_again(self, lane: Lane, entries: list[Entry]) -> None:
        """Queue what is still pending of these entries once more."""
        again, given_up = self._ledger.lost(entries)
        if given_up:
            log.error("giving up %d jobs of the %s lane: their entries vanished again and again", len(given_up), lane)
            self._answers.give_up(given_up)
        if again:
            log.warning("sending %d jobs of the %s lane again: their entries are gone, their answers did not come", again, lane)
            _resent[lane].inc(again)
            for writer in self._writers.values():  # a run that was moved is written to the lane that it began in
                writer.wake()
