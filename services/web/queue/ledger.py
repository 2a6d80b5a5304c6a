"""What a web process has accepted and not yet answered: the memory that outlives Redis. No I/O."""

import heapq
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from services.jobs import turn
from services.jobs.messages import Answer, Asker, Fault, Job, Verdict, Wanted
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.ask.client import SELF, Client
from services.web.ask.question import Question
from services.web.queue.unwritten import Unwritten

OnAnswer = Callable[[Answer], None]

ENTRY_JOBS = 256  # most quick jobs in one stream entry: larger gains nothing more per job; a heavy one travels alone
ENTRY_COST = 1_000  # µs of estimated work in one entry: workers share load by entries, and their loops yield between
WRITE_ENTRIES = 64  # most entries in one write: bounds how long Redis serves nobody else
LOSSES = 10  # a job that vanishes more often is given up: something swallows it, and it must not go round for ever
ON_ITS_WAY = 500  # ms after its time for which an answer is still awaited: a worker stops before it, and tells what it knows
STALE = 1_000  # deadlines of answered jobs that may stay before they are cleared away
AUDIT_ENTRIES = 1_000  # most entries looked up in one audit; a long backlog is audited in turns

# What waits in Redis' quick lane goes in the order of its writing. So a process has only so much of it there, and what must wait
# beyond that waits here, by turns of clients.
QUICK_WORK = 8_000  # µs of estimated work: a few milliseconds more than workers take while the next write is under way
HANDLING = 6  # µs of it for each job besides its test
HEAVY_ENTRIES = 256  # of one client in the heavy lane, which has turns of its own: bounds what one takes of Redis' memory
REFILL = 0.01  # seconds within which nothing comes back to a client's budget that holds enough: each look at it costs
ACCOUNTS = 10_000  # clients whose budgets are remembered though they have nothing pending: 2 MB
PLACE = 1_000  # characters of a number for which a job takes one more place in the ledger


class Place(NamedTuple):
    """Where an entry is in Redis."""

    lane: Lane
    id: bytes


class LedgerFull(Exception):
    """As many jobs of a client are pending as this process takes."""

    seconds = 1.0  # until it may be otherwise; a guess


class OverBudget(LedgerFull):
    """A client asked for more work than it may, and may again in so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"this client's budget of work is spent for {seconds:.1f} s")
        self.seconds = seconds


class Budget(NamedTuple):
    """How much estimated work a client may have done: a token bucket, which is full at first."""

    rate: float = math.inf  # µs that come back each second
    burst: float = math.inf  # µs that it holds


NO_BOUND = Budget()

_QUICK = Lane.QUICK  # the class is asked for its member each time


@dataclass(slots=True, eq=False)
class Account:
    """What one client takes of this process, and of Redis by way of it."""

    name: str
    places: int = 0  # in the ledger
    heavy: int = 0  # entries in Redis' heavy lane
    spent: float = 0.0  # µs of its budget
    at: float = 0.0  # time.monotonic() of that


class Pending(msgspec.Struct, eq=False, gc=False):
    """One job that somebody waits for. A struct, since its constructor is in C; the collector of cycles need not look at it."""

    job: Job
    lane: Lane
    cost: int  # estimated µs
    accepted: float  # time.monotonic()
    answered: OnAnswer
    client: Client
    account: Account
    more_places: int  # that it takes in the ledger, besides one
    noted: OnAnswer | None = None  # told what is known before the answer
    digits: int = 0  # of its expression's value at most; 0: its number is decimal
    entry: "Entry | None" = None  # the entry that carries it now; None while it waits to be written
    losses: int = 0  # times that its entry vanished without an answer
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
    turn: str = ""  # of a costly one: whose turn it takes (services/jobs/turn.py)


@dataclass(slots=True)
class Lanes:
    """One lane's part of the ledger."""

    unwritten: Unwritten = field(default_factory=Unwritten)
    entries: dict[Entry, None] = field(default_factory=dict)  # in Redis with jobs still pending; oldest audit first
    accepted: int = 0  # ever
    closed: int = 0  # of these
    outgoing: int = 0  # entries of the write that is under way
    work: int = 0  # µs of estimated work in Redis, of quick jobs alone
    stalled: bool = False  # whether jobs wait for room in Redis
    room: Callable[[], None] = field(default=lambda: None)  # called once there is some again

    @property
    def pending(self) -> int:
        """Jobs that are accepted and not closed."""
        return self.accepted - self.closed


class Ledger:
    """Every accepted job stands here from `accept` to `settle`, so a job that Redis lost can be written again.

    Bounded by `most_pending` places, of which a job takes one, and another for each PLACE of its number: a kilobyte or two each.
    A client may take as many as are free then (a dynamic threshold: Choudhury and Hahne, 1998), so one alone has half of them,
    and there is always room for another. It dies with the process, whose clients' sockets die with it.
    """

    def __init__(self, most_pending: int, budget: Budget = NO_BOUND) -> None:
        self._most_pending = most_pending
        self._budget = budget
        self._limited = budget.rate < math.inf
        self._most_accounts = ACCOUNTS
        self._pending: dict[int, Pending] = {}  # by job id
        self._accounts: dict[str, Account] = {}  # by client, of those with pending jobs or a budget that is not full
        self._more_places = 0  # that are taken by large numbers, besides one for each job
        self._last_id = 0
        self._deadlines: list[tuple[int, int]] = []  # heap of when (ms since 1970) which job is given up
        self.lanes = {lane: Lanes() for lane in Lane}
        self._quick_work: float = QUICK_WORK
        self._heavy_entries: float = HEAVY_ENTRIES

    def __len__(self) -> int:
        return len(self._pending)

    def accept(
        self,
        question: Question,
        asker: Asker,
        answered: OnAnswer,
        noted: OnAnswer | None = None,
        client: Client = SELF,
    ) -> Pending:
        """Take a job on; `answered` is called once, `noted` with what is known before the answer. Raises LedgerFull."""
        number, digits, operation, wanted = question.number, question.digits, question.operation, question.wanted
        estimate, name = cost.weigh(cost.size(number, digits), operation, wanted)
        if digits:
            estimate += cost.reading(number)
            name = cost.lane(estimate, wanted)
        now = time.monotonic()
        more_places = len(number) // PLACE
        account = self._charge(client.name, more_places, estimate, now)
        self._last_id = id = self._last_id + 1
        job = Job(id, number, operation, asker.session, asker.request, asker.expires, digits > 0, wanted)
        pending = Pending(job, name, estimate, now, answered, client, account, more_places, noted, digits)
        self._pending[id] = pending
        lane = self.lanes[name]
        lane.accepted += 1
        lane.unwritten.add(pending)
        if asker.expires:
            heapq.heappush(self._deadlines, (asker.expires + ON_ITS_WAY, id))
        return pending

    def _charge(self, client: str, more_places: int, work: int, now: float) -> Account:
        """A client's account, with so many places more than one taken, and µs of work spent. Raises LedgerFull."""
        account = self._accounts.get(client) or Account(client, at=now)
        places = account.places + 1 + more_places
        if places + len(self._pending) + self._more_places > self._most_pending:
            raise LedgerFull(f"{len(self._pending):,} jobs are pending, and too many of them are of this client")
        if self._limited:
            if now - account.at > REFILL or account.spent + work > self._budget.burst:
                self._refill(account, now)
                if account.spent and account.spent + work > self._budget.burst:  # the largest job may cost more than any budget
                    raise OverBudget((account.spent + work - max(work, self._budget.burst)) / self._budget.rate)
            account.spent += work
        if not account.places:  # it may be new
            self._open(account, now)
        account.places = places
        if more_places:
            self._more_places += more_places
        return account

    def _open(self, account: Account, now: float) -> None:
        """Remember an account."""
        if self._limited and len(self._accounts) > self._most_accounts:
            self._close_idle(now)
        self._accounts[account.name] = account

    def _refill(self, account: Account, now: float) -> float:
        """What of an account's budget is spent now."""
        account.spent = max(0.0, account.spent - (now - account.at) * self._budget.rate)
        account.at = now
        return account.spent

    def _refund(self, account: Account, pending: Pending, answer: Answer) -> None:
        """Give back what a job that is closed cost less than was estimated."""
        computed = answer.compute_us
        if pending.lane is not _QUICK and (pending.entry is None or pending.entry.lane is Lane.QUICK):
            computed = 0  # its answer was kept
        if computed < pending.cost:
            spent = account.spent - pending.cost + computed
            account.spent = spent if spent > 0 else 0.0
        if not account.places and not account.spent:
            self._accounts.pop(account.name, None)

    def _close_idle(self, now: float) -> None:
        """Forget idle clients with a full budget; where these are few, half of the idle ones, those that have spent least."""
        idle = sorted((self._refill(account, now), name) for name, account in self._accounts.items() if not account.places)
        for _, name in idle[: max(len(idle) // 2, sum(not spent for spent, _ in idle))]:
            del self._accounts[name]
        self._most_accounts = max(ACCOUNTS, 2 * len(self._accounts))

    def budget(self, client: str) -> tuple[Budget, float]:
        """The budget of each client, and what this one has left of it (µs)."""
        account = self._accounts.get(client)
        if account is None or not self._limited:
            return self._budget, self._budget.burst
        return self._budget, max(0.0, self._budget.burst - self._refill(account, time.monotonic()))

    def take(self, lane: Lane) -> list[Entry]:
        """Entries for the next write, as far as there is room in Redis; `written` must follow."""
        part = self.lanes[lane]
        part.stalled = False
        entries: list[Entry] = []
        for fill in (self._fill_hurried, self._fill_quick if lane is Lane.QUICK else self._fill_heavy):
            while len(entries) < WRITE_ENTRIES and (entry := fill(part)) is not None:
                entries.append(entry)
        if part.unwritten:
            part.unwritten.sort()
            part.stalled = len(entries) < WRITE_ENTRIES
        part.outgoing += len(entries)
        return entries

    def _fill_hurried(self, part: Lanes) -> Entry | None:
        """Jobs that are about to be ended in Redis, whether there is room or not; None where there is none."""
        pending = part.unwritten.take_hurried()
        if pending is None:
            return None
        if pending.lane is not _QUICK:
            return self._enter_heavy(pending)
        entry, room = Entry(Lane.QUICK, [], 0), ENTRY_COST
        while pending is not None:
            room -= pending.cost
            part.work += pending.cost + HANDLING
            pending.entry = entry
            entry.jobs.append(pending.job)
            pending = part.unwritten.take_hurried(room) if len(entry.jobs) < ENTRY_JOBS else None
        entry.open = len(entry.jobs)
        return entry

    def _fill_quick(self, part: Lanes) -> Entry | None:
        """As many jobs as an entry's bounds and Redis allow; None where there is none."""
        entry, room, take = Entry(Lane.QUICK, [], 0), math.inf, part.unwritten.take
        jobs, work, most = entry.jobs, part.work, self._quick_work
        while work < most and len(jobs) < ENTRY_JOBS and (pending := take(room)) is not None:
            cost = pending.cost
            room = (room if jobs else ENTRY_COST) - cost
            work += cost + HANDLING
            pending.entry = entry
            jobs.append(pending.job)
        part.work, entry.open = work, len(jobs)
        return entry if jobs else None

    def _fill_heavy(self, part: Lanes) -> Entry | None:
        """The job whose turn it is among clients for which Redis has room; None where there is none."""
        pending = part.unwritten.take(admits=self._admit_heavy)
        return None if pending is None else self._enter_heavy(pending)

    @staticmethod
    def _enter_heavy(pending: Pending) -> Entry:
        job = pending.job
        proof = cost.proof(cost.size(job.number, pending.digits)) if job.wanted is not Wanted.VERDICT else 0
        pending.entry = Entry(
            Lane.HEAVY, [job], 1, turn=turn.write(pending.client.name, pending.client.flow, pending.cost + turn.HANDLING, proof)
        )
        pending.account.heavy += 1
        return pending.entry

    def _admit_heavy(self, pending: Pending) -> bool:
        """Whether there is room for another heavy job of this client."""
        return pending.account.heavy < self._heavy_entries

    def _leave(self, pending: Pending, entry: Entry) -> None:
        """It is in this entry no more, or the entry in the heavy lane no more."""
        part = self.lanes[pending.lane]
        if pending.lane is _QUICK:
            part.work -= pending.cost + HANDLING
        elif entry.lane is Lane.HEAVY:
            pending.account.heavy -= 1
        if part.stalled:
            part.stalled = False
            part.room()

    def hurry(self, pending: Pending) -> None:
        """Write this job next if it is pending and not in Redis, whatever waits there: it is about to be ended."""
        if pending.entry is None and self._pending.get(pending.job.id) is pending:
            part = self.lanes[pending.lane]
            part.unwritten.hurry(pending)
            part.room()

    def hasten(self) -> None:
        """Write all that waits, whatever waits in Redis: this process ends."""
        self._quick_work = self._heavy_entries = math.inf
        for part in self.lanes.values():
            part.room()

    def written(self, lane: Lane, entries: list[Entry], places: Sequence[Place]) -> list[Entry]:
        """The write to this lane is over: Redis holds the first entries, at these places, and the others not, or it may.

        Returns those that it holds and nobody wants any more.
        """
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
        if entry.lane is Lane.HEAVY and place.lane is not Lane.HEAVY:
            pending = self._pending.get(entry.jobs[0].id)
            if pending is not None and pending.entry is entry:
                self._leave(pending, entry)
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
                    self._put_back(pending, entry)
                    again += 1
        return again

    def _put_back(self, pending: Pending, entry: Entry) -> None:
        """It goes out again, and this entry is its own no more."""
        self._leave(pending, entry)
        pending.entry = None
        self.lanes[pending.lane].unwritten.put_back(pending)

    def rewrite(self, pending: Pending, entry: Entry) -> tuple[int, list[Answer]]:
        """Write this job again, up to LOSSES times, if this is still its entry: Redis lost it, or what it knew of its request.

        Returns what `lost` does.
        """
        if self._pending.get(pending.job.id) is not pending or pending.entry is not entry:
            return 0, []
        if (given_up := self._lose(pending, entry)) is not None:
            return 0, [given_up]
        entry.open -= 1
        if not entry.open:
            self.lanes[entry.lane].entries.pop(entry, None)
        self._put_back(pending, entry)
        return 1, []

    @staticmethod
    def _lose(pending: Pending, entry: Entry) -> Answer | None:
        """Count a loss; the answer of one that is given up."""
        pending.losses += 1
        pending.since = int(entry.id.partition(b"-")[0])
        return Answer(pending.job.id, Verdict.UNKNOWN, fault=Fault.LOST) if pending.losses > LOSSES else None

    @property
    def handed_over(self) -> bool:
        """Whether Redis holds every job of a session, so that it is answered without this process."""
        lanes = self.lanes.values()
        return not any(lane.outgoing or any(pending.job.session for pending in lane.unwritten) for lane in lanes)

    def lost(self, entries: Iterable[Entry]) -> tuple[int, list[Answer]]:
        """These entries left Redis without an answer: write their pending jobs again, up to LOSSES times.

        Returns how many go out again, and for the others the answers that are to be settled.
        """
        entries = list(entries)
        given_up = [
            answer
            for entry in entries
            for job in entry.jobs
            if (pending := self._pending.get(job.id)) is not None
            and pending.entry is entry
            and (answer := self._lose(pending, entry)) is not None
        ]
        return self.unwritten(entries) - len(given_up), given_up

    def settle(self, answer: Answer) -> Pending | None:
        """Close a job and return it; None when it is closed already (a repeated answer)."""
        pending = self._pending.pop(answer.id, None)
        if pending is None:
            return None
        lane = self.lanes[pending.lane]
        lane.closed += 1
        account, entry = pending.account, pending.entry
        account.places -= 1
        if pending.more_places:
            account.places -= pending.more_places
            self._more_places -= pending.more_places
        if account.spent:
            self._refund(account, pending, answer)
        elif not account.places:
            self._accounts.pop(account.name, None)
        if entry is None:  # answered from an earlier entry while it waited to be written again
            lane.unwritten.remove(pending)
        else:
            self._leave(pending, entry)
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
        """Pending jobs whose time is over, and whose answer can be on its way no more; again a second later, if they still are."""
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
