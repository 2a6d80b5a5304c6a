"""What a web process has accepted and not yet answered: the memory that outlives Redis. No I/O."""

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from services.jobs.messages import Answer, Asker, Fault, Job, Verdict
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.ask.question import Question

OnAnswer = Callable[[Answer], None]

ENTRY_JOBS = 256  # most quick jobs in one stream entry: larger gains nothing more per job; a heavy one travels alone
ENTRY_COST = 1_000  # µs of estimated work in one entry: workers share load by entries, and their loops yield between
WRITE_ENTRIES = 64  # most entries in one write: bounds how long Redis serves nobody else
LOSSES = 10  # a job that vanishes more often is given up: something swallows it, and it must not go round for ever
STALE = 1_000  # deadlines of answered jobs that may stay before they are cleared away
AUDIT_ENTRIES = 1_000  # most entries looked up in one audit; a long backlog is audited in turns


class Place(NamedTuple):
    """Where an entry is in Redis."""

    lane: Lane
    id: bytes


class LedgerFull(Exception):
    """As many jobs are pending as this process takes."""


class Pending(msgspec.Struct, eq=False, gc=False):
    """One job that somebody waits for. A struct, since its constructor is in C; the collector of cycles need not look at it."""

    job: Job
    lane: Lane
    cost: int  # estimated µs
    accepted: float  # time.monotonic()
    answered: OnAnswer
    noted: OnAnswer | None = None  # told what is known before the answer
    entry: "Entry | None" = None  # the entry that carries it now; None while it waits to be written
    losses: int = 0  # times that its entry vanished without an answer
    doubtful: bool = False  # whether a write of it failed that Redis may have done, or do late
    since: int = 0  # when the last of its entries that vanished was written (ms since 1970, by Redis' clock); 0: none did


@dataclass(slots=True, eq=False)
class Entry:
    """One stream entry on its way or in Redis: the jobs of ours that it carries, or that wait for the run that it is."""

    lane: Lane  # of the stream that it is in, which may be another one than it was written to
    jobs: list[Job]
    open: int  # jobs of it that are still pending
    written: float = 0.0  # time.monotonic(), once `id` is known
    id: bytes = b""
    unwanted: bool = False  # whether its last open job was cancelled rather than answered


@dataclass(slots=True)
class Lanes:
    """One lane's part of the ledger."""

    unwritten: OrderedDict[int, Pending] = field(default_factory=OrderedDict)  # by job id, in the order in which they go out
    entries: dict[Entry, None] = field(default_factory=dict)  # in Redis with jobs still pending; oldest audit first
    pending: int = 0
    accepted: int = 0  # ever
    outgoing: int = 0  # entries of the write that is under way


class Ledger:
    """Every accepted job stands here from `accept` to `settle`, so a job that Redis lost can be written again.

    Bounded by `most_pending`; what that costs is memory, a few hundred bytes a job. It dies with the process, whose
    clients' sockets die with it.
    """

    def __init__(self, most_pending: int) -> None:
        self._most_pending = most_pending
        self._pending: dict[int, Pending] = {}  # by job id
        self._last_id = 0
        self._deadlines: list[tuple[int, int]] = []  # heap of when (ms since 1970) which job expires
        self.lanes = {lane: Lanes() for lane in Lane}

    def __len__(self) -> int:
        return len(self._pending)

    def accept(
        self,
        question: Question,
        asker: Asker,
        answered: OnAnswer,
        noted: OnAnswer | None = None,
    ) -> Pending:
        """Take a job on; `answered` is called once, `noted` with what is known before the answer. Raises LedgerFull."""
        if len(self._pending) >= self._most_pending:
            raise LedgerFull(f"{self._most_pending:,} jobs are pending")
        self._last_id = id = self._last_id + 1
        number, digits, operation, wanted = question.number, question.digits, question.operation, question.wanted
        estimate, name = cost.weigh(cost.size(number, digits), operation, wanted)
        job = Job(id, number, operation, asker.session, asker.request, asker.expires, digits > 0, wanted)
        self._pending[id] = pending = Pending(job, name, estimate, time.monotonic(), answered, noted)
        lane = self.lanes[name]
        lane.pending += 1
        lane.accepted += 1
        lane.unwritten[id] = pending
        if asker.expires:
            heapq.heappush(self._deadlines, (asker.expires, id))
        return pending

    def take(self, lane: Lane) -> list[Entry]:
        """Entries for the next write, oldest jobs first; `written` must follow."""
        unwritten = self.lanes[lane].unwritten
        entries: list[Entry] = []
        while unwritten and len(entries) < WRITE_ENTRIES:
            entries.append(self._fill_entry(lane, unwritten))
        self.lanes[lane].outgoing += len(entries)
        return entries

    def _fill_entry(self, lane: Lane, unwritten: OrderedDict[int, Pending]) -> Entry:
        """One entry from the head of the queue: at least one job, then as many as its bounds allow."""
        entry = Entry(lane, [], 0)
        most = ENTRY_JOBS if lane is Lane.QUICK else 1
        total = 0
        while unwritten and len(entry.jobs) < most:
            pending = next(iter(unwritten.values()))
            if entry.jobs and total + pending.cost > ENTRY_COST:
                break
            del unwritten[pending.job.id]
            total += pending.cost
            pending.entry = entry
            entry.jobs.append(pending.job)
        entry.open = len(entry.jobs)
        return entry

    def written(self, lane: Lane, entries: list[Entry], places: Sequence[Place], *, doubtful: bool = False) -> list[Entry]:
        """The write to this lane is over: Redis holds the first entries, at these places, and the others not.

        `doubtful`: it failed, and Redis may hold any of them, or will. Returns those that it holds and nobody wants any more.
        """
        if doubtful:
            for pending in filter(None, (self._pending.get(job.id) for entry in entries for job in entry.jobs)):
                pending.doubtful = True
        self.lanes[lane].outgoing = 0
        unwanted: list[Entry] = []
        for entry, place in zip(entries, places, strict=False):
            if not entry.id:  # else it has moved on, and that overtook the reply to the write
                self._put(entry, place)
            if entry.unwanted:
                unwanted.append(entry)
        self.unwritten(entry for entry in entries[len(places) :] if not entry.id)
        return unwanted

    def _put(self, entry: Entry, place: Place) -> None:
        self.lanes[entry.lane].entries.pop(entry, None)
        (entry.lane, entry.id), entry.written = place, time.monotonic()
        if entry.open:  # an answer can overtake the reply to the write
            self.lanes[entry.lane].entries[entry] = None

    def moved(self, job: int, place: Place) -> Pending | None:
        """A job's run is in another lane now; returns it, or None when it is closed already."""
        pending = self._pending.get(job)
        if pending is not None and pending.entry is not None:
            self._put(pending.entry, place)
        return pending

    def unwritten(self, entries: Iterable[Entry]) -> int:
        """These entries are not in Redis, or may not be: their pending jobs go out again, first. Returns how many.

        If they are there after all, some jobs are computed twice; the second answer finds nobody waiting.
        """
        again = 0
        for entry in reversed(list(entries)):
            self.lanes[entry.lane].entries.pop(entry, None)
            for job in reversed(entry.jobs):
                pending = self._pending.get(job.id)
                if pending is not None and pending.entry is entry:
                    pending.entry = None
                    unwritten = self.lanes[pending.lane].unwritten
                    unwritten[job.id] = pending
                    unwritten.move_to_end(job.id, last=False)
                    again += 1
        return again

    @property
    def handed_over(self) -> bool:
        """Whether Redis holds every job of a session, so that it is answered without this process."""
        lanes = self.lanes.values()
        return not any(lane.outgoing or any(pending.job.session for pending in lane.unwritten.values()) for lane in lanes)

    def lost(self, entries: Iterable[Entry]) -> tuple[int, list[Answer]]:
        """These entries left Redis without an answer: write their pending jobs again, up to LOSSES times.

        Returns how many go out again, and for the others the answers that are to be settled.
        """
        entries = list(entries)
        given_up: list[Answer] = []
        for entry in entries:
            for pending in filter(None, (self._pending.get(job.id) for job in entry.jobs)):
                if pending.entry is entry:
                    pending.losses += 1
                    pending.since = int(entry.id.partition(b"-")[0])
                    if pending.losses > LOSSES:
                        given_up.append(Answer(pending.job.id, Verdict.UNKNOWN, fault=Fault.LOST))
        return self.unwritten(entries) - len(given_up), given_up

    def settle(self, answer: Answer) -> Pending | None:
        """Close a job and return it; None when it is closed already (a repeated answer)."""
        pending = self._pending.pop(answer.id, None)
        if pending is None:
            return None
        lane = self.lanes[pending.lane]
        lane.pending -= 1
        entry = pending.entry
        if entry is None:  # answered from an earlier entry while it waited to be written again
            del lane.unwritten[answer.id]
        else:
            entry.open -= 1
            if not entry.open:
                self.lanes[entry.lane].entries.pop(entry, None)
        return pending

    def cancel(self, ids: Iterable[int]) -> list[Entry]:
        """Close these jobs without an answer; returns the entries in Redis that nobody wants any more."""
        unwanted: list[Entry] = []
        for id in ids:
            pending = self.settle(Answer(id, Verdict.UNKNOWN, fault=Fault.CANCELLED))
            if pending is not None and (entry := pending.entry) is not None and not entry.open:
                entry.unwanted = True
                if entry.id:
                    unwanted.append(entry)
        return unwanted

    def get(self, id: int) -> Pending | None:
        """A job that is pending."""
        return self._pending.get(id)

    def since(self, id: int) -> int:
        """When Redis last had a pending job that it has no longer (ms since 1970); 0 for one that it never lost."""
        return self._pending[id].since

    def expired(self) -> list[Pending]:
        """Pending jobs whose time is over; again a second later, if they are still pending then."""
        now = int(time.time() * 1000)
        expired: list[Pending] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            pending = self._pending.get(heapq.heappop(self._deadlines)[1])
            if pending is not None:
                expired.append(pending)
                heapq.heappush(self._deadlines, (now + 1_000, pending.job.id))
        if len(self._deadlines) > 2 * len(self._pending) + STALE:
            self._deadlines = [deadline for deadline in self._deadlines if deadline[1] in self._pending]
            heapq.heapify(self._deadlines)
        return expired

    def due(self, lane: Lane, age: float) -> list[Entry]:
        """Entries written at least `age` seconds ago, to be looked for in Redis; each call goes on where the last ended."""
        entries = self.lanes[lane].entries
        before = time.monotonic() - age
        due = [entry for entry in entries if entry.written <= before][:AUDIT_ENTRIES]
        for entry in due:  # to the end: all get their turn
            entries[entry] = entries.pop(entry)
        return due
