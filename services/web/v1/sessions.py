"""The sessions whose sockets this web process holds, kept in step with what Redis keeps of them."""

import asyncio
import logging
import math
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import msgspec
import redis.asyncio
from prometheus_client import Counter, Gauge

from services.broker import backlog
from services.broker.connection import PASSING, Backoff
from services.broker.finish import Answered, finish
from services.broker.script import Script
from services.jobs import names
from services.jobs.messages import Answer, Delivery, Fault, Job, Verdict, decode_kept
from services.jobs.names import Lane, Mark
from services.web.queue.ledger import Entry
from services.web.settings import WebSettings
from services.web.v1.protocol import Code, Progress, Refused, Resuming
from services.web.v1.session import Kept, Session

log = logging.getLogger(__name__)

SESSIONS = Gauge("primes_web_sessions", "Sessions whose sockets this process holds")
RESUMES = Counter("primes_web_resumes_total", "Sessions asked for again, by whether all of their history was there", ["recovered"])
GAPS = Counter("primes_web_gaps_total", "Times that answers to a session were fetched because their delivery was not heard")
EVICTIONS = Counter("primes_web_evictions_total", "Sockets closed because their session was resumed over another")
_resumed = {recovered: RESUMES.labels(str(recovered).lower()) for recovered in (True, False)}

TOKEN_BYTES = 16  # 128 random bits: nobody guesses another's
TOUCHED = 200  # sessions renewed in one script, or looked at in one pipeline: bounds how long Redis serves nobody else
LOOKS = 8  # times in its time to live that an idle session is looked at
REPORTS = 2.0  # seconds between two reports of progress, and until the first

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")

_scripts = Path(__file__).parent / "scripts"
_resume = Script(_scripts / "resume.lua")
_touch = Script(_scripts / "touch.lua")
_history = Script(_scripts / "read_history.lua")


class Holder(Protocol):
    """A socket, as its session sees it."""

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Send these answers, in this order."""

    def tell_loss(self) -> None:
        """Say that requests without an answer must be sent again."""

    def tell_progress(self, jobs: list[Progress]) -> None:
        """Say what becomes of requests that take long."""

    def tell_verdict(self, request: str, answer: Answer) -> None:
        """Say what is known of a request before its answer."""

    def give_up(self, request: str, fault: Fault) -> None:
        """Answer a request of which Redis knows nothing with this fault."""

    def evict(self) -> None:
        """Close: the session moved to another socket."""

    def break_off(self) -> None:
        """Close: answers were missed that only a resume can settle."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A session and the socket that holds it."""

    session: Session
    holder: Holder


@dataclass(frozen=True, slots=True)
class Touched:
    """What Redis said of a session."""

    session: Session
    known_epoch: int | None  # of ours when Redis was asked
    orphans: list[str]  # of ours when Redis was asked
    epoch: int | None
    last: int
    moves: int


class Sessions:
    """Deliveries may be lost, repeated or late; Redis' history is what counts. Whoever lags is found within a second by
    `touch`, or at once by the next delivery.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings, web: str, settle: Callable[[Answer], None]) -> None:
        """`settle` closes a job of this process' ledger."""
        self._redis = redis
        self._web = web
        self._ttl = settings.session_ttl
        # Renewed when less than five sixths are left: a session outlives its socket by the time to live, whenever that closes.
        self.lifetime = self._ttl + max(math.ceil(self._ttl / 2), 4)  # s
        self._settle = settle
        self._held: dict[str, Seat] = {}  # by token
        self._resuming: dict[str, list[Delivery]] = {}  # heard while Redis is asked, by token
        self._behind = asyncio.Event()  # set when some session knows that it misses answers
        self._renewed = time.monotonic()  # last time that idle sessions were renewed too
        SESSIONS.set_function(lambda: len(self._held))

    def open(self, holder: Holder) -> Session:
        """A new session; Redis hears of it with its first request."""
        session = Session(secrets.token_urlsafe(TOKEN_BYTES))
        self._held[session.token] = Seat(session, holder)
        return session

    def close(self, session: Session) -> None:
        """Its socket is gone; what it asked goes on, and Redis keeps the answers."""
        if self._holds(session):
            del self._held[session.token]

    def _holds(self, session: Session) -> bool:
        seat = self._held.get(session.token)
        return seat is not None and seat.session is session

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        """Keys and arguments by which enqueue.lua marks these entries' requests as in flight; `since` of their jobs' ids.

        A job that Redis lost, and for which no socket here waits any more, is no business of a session that was made later:
        Redis lost the one that was meant, and its client knows, or will, that it must ask again for what it has no answer to.
        """
        requests: dict[str, list[str | int]] = defaultdict(list)
        for number, entry in enumerate(entries, 1):
            for job in entry.jobs:
                if job.session:
                    seat = self._held.get(job.session)
                    waited = seat is not None and seat.session.waits_for(job.request, job.id)
                    requests[job.session] += (number, job.id, job.request, 0 if waited else since(job.id))
        keys = [key for token in requests for key in (names.session(token), names.history(token))]
        marks: list[str | int] = []
        for token, ids in requests.items():
            marks += (int(token in self._held), len(ids) // 4, *ids)
        return keys, marks

    def hear(self, deliveries: list[Delivery]) -> None:
        """Pass on what was published to this process."""
        for token, group in groupby(deliveries, attrgetter("session")):
            batch = list(group)
            if token in self._resuming:
                self._resuming[token] += batch
            if (seat := self._held.get(token)) is not None:
                self._pass_on(seat, batch)
                if seat.session.behind:
                    self._behind.set()

    def _pass_on(self, seat: Seat, deliveries: list[Delivery]) -> None:
        if ready := seat.session.hear(deliveries):
            seat.holder.deliver(ready)

    def hear_eviction(self, payload: bytes) -> None:
        """A session was resumed elsewhere."""
        token, _, moves = payload.decode().partition(" ")
        seat = self._held.get(token)
        if seat is not None and seat.session.moves < int(moves):  # else it came back here in the meantime
            self._evict(seat)

    def _evict(self, seat: Seat) -> None:
        del self._held[seat.session.token]
        EVICTIONS.inc()
        seat.holder.evict()

    async def resume(self, current: Session, call: Resuming) -> tuple[Session, bool, list[Delivery]]:
        """Give the socket of `current` the session that its client had; returns it, whether all of its history is there,
        and what was missed. It remains `current` when Redis does not know the other. Raises Refused.
        """
        reply, heard = await self._move(call) if _TOKEN.fullmatch(call.session) else ([], [])
        seat = self._held.get(current.token)
        if not reply or seat is None or seat.session is not current:  # unknown; or the socket closed meanwhile
            _resumed[False].inc()
            return current, False, []
        session = Session(call.session)
        kept = _read_hash(reply[0])
        missed = _read_history(session.token, kept.epoch, kept.last, reply[1])
        recovered, ready = session.resume(kept, call.epoch, call.number, missed, heard)
        _resumed[recovered].inc()
        if (former := self._held.get(session.token)) is not None:
            self._evict(former)
        del self._held[current.token]
        self._held[session.token] = Seat(session, seat.holder)
        return session, recovered, ready

    async def _move(self, call: Resuming) -> tuple[list[Any], list[Delivery]]:
        """Make this process the session's owner; returns what Redis keeps of it and what was heard meanwhile."""
        if call.session in self._resuming:
            raise Refused(Code.UNAVAILABLE, "The session is being resumed over another socket")
        heard = self._resuming[call.session] = []
        keys = [names.session(call.session), names.history(call.session)]
        try:
            reply = await _resume(self._redis, keys, self._web, self.lifetime, call.epoch, call.number, names.evictions(""))
        except PASSING as error:
            log.warning("could not resume a session: %s", error)
            raise Refused(Code.UNAVAILABLE, "Sessions cannot be reached") from error
        finally:
            del self._resuming[call.session]
        return reply, heard

    async def find_answer(self, session: Session, request: str) -> Answer | None:
        """The answer that the history has for a request; None when it has been dropped. Raises Refused."""
        try:
            _, entries = await self._read(session, session.number_of(request) - 1, most=1)
        except PASSING as error:
            log.warning("could not read a session's history: %s", error)
            raise Refused(Code.UNAVAILABLE, "Sessions cannot be reached") from error
        return decode_kept(entries[0])[1] if entries else None

    async def _read(self, session: Session, after: int, most: int = names.HISTORY) -> tuple[int, list[bytes]]:
        """Of a session's history what comes after a number, and the number of the last answer of all; zero and nothing when Redis
        has the session no longer. Raises what the Redis client raises.
        """
        keys = [names.session(session.token), names.history(session.token)]
        reply = await _history(self._redis, keys, session.epoch or 0, after, most)
        return (int(reply[0]), reply[1]) if reply else (0, [])

    async def end(self, token: str, request: str, fault: Fault) -> bool:
        """Answer a request with this fault and stop its computation; False if it is answered already.

        Raises what the Redis client raises.
        """
        mark: Any = await self._redis.hget(names.session(token), f"?{request}")
        at = Mark.read(mark)
        if at is None:
            return False
        answered = Answered(
            Job(at.job, "", session=token, request=request), at.reply_to, Answer(at.job, Verdict.UNKNOWN, fault=fault), leaves=True
        )
        finished = await finish(self._redis, at.lane, [], answered=[answered])
        return finished.kept == 1

    def note(self, token: str, request: str, answer: Answer) -> None:
        """Tell a client, if its socket is here, what is known of its request before the answer."""
        if (seat := self._held.get(token)) is not None:
            seat.holder.tell_verdict(request, answer)

    def give_up(self, token: str, request: str, fault: Fault) -> None:
        """Answer a request of which Redis knows nothing with this fault; nobody is told if its socket is elsewhere."""
        if (seat := self._held.get(token)) is not None:
            seat.holder.give_up(request, fault)

    async def report(self) -> None:
        """Every two seconds, tell clients what becomes of requests that take longer than that, until cancelled."""
        while True:
            await asyncio.sleep(REPORTS)
            due = [(seat, waiting) for seat in self._held.values() if (waiting := seat.session.waiting(REPORTS))]
            try:
                for start in range(0, len(due), TOUCHED):
                    await self._report(due[start : start + TOUCHED])
            except PASSING as error:
                log.warning("could not look for the progress of jobs: %s", error)

    async def _report(self, due: list[tuple[Seat, list[str]]]) -> None:
        """Tell these clients of these requests."""
        async with self._redis.pipeline(transaction=False) as look:
            for lane in Lane:
                look.xlen(names.stream(lane))
                look.xinfo_groups(names.stream(lane))
            for seat, waiting in due:
                look.hmget(names.session(seat.session.token), [f"?{request}" for request in waiting])
            replies = await look.execute(raise_on_error=False)
        if passing := next((reply for reply in replies if isinstance(reply, PASSING)), None):
            raise passing
        depths: dict[Lane, int] = {}
        for lane, length, groups in zip(Lane, replies[::2], replies[1::2], strict=False):
            # an error where no stream is yet
            depths[lane] = backlog.waiting(length, groups if isinstance(groups, list) else [])
        for (seat, waiting), marks in zip(due, replies[2 * len(Lane) :], strict=True):
            if self._holds(seat.session):
                now = time.time() * 1000
                seat.holder.tell_progress(
                    [_read_progress(request, mark, depths, now) for request, mark in zip(waiting, marks, strict=True)]
                )

    async def touch(self) -> list[Touched]:
        """Renew sessions with requests in flight, from time to time idle ones too, and learn where Redis stands with them."""
        now = time.monotonic()
        idle_too = now - self._renewed >= self._ttl / LOOKS
        if idle_too:
            self._renewed = now
        due = [s.session for s in self._held.values() if s.session.in_flight or (idle_too and s.session.epoch is not None)]
        touched: list[Touched] = []
        for start in range(0, len(due), TOUCHED):
            touched += await self._touch(due[start : start + TOUCHED])
        return touched

    async def _touch(self, sessions: list[Session]) -> list[Touched]:
        keys = [key for session in sessions for key in (names.session(session.token), names.history(session.token))]
        known = [(session.epoch, session.orphans) for session in sessions]
        states = await _touch(self._redis, keys, self._web, self.lifetime, *(session.moves for session in sessions))
        return [
            Touched(session, *ours, int(state[0]) if state[0] else None, int(state[1] or 0), int(state[2] or 0))
            for session, ours, state in zip(sessions, known, states, strict=True)
        ]

    async def catch_up(self, touched: list[Touched]) -> None:
        """Act on what `touch` learned, once everything that was published before it has been heard."""
        for state in touched:
            session = state.session
            if not self._holds(session):
                continue
            seat = self._held[session.token]
            if state.moves > session.moves:
                self._evict(seat)  # the message that said so was lost
                continue
            if session.epoch == state.known_epoch != state.epoch:
                self._follow(seat, state)
            if session.epoch == state.epoch and session.last < state.last:
                await self._fetch(seat)
            if session.abandon(state.orphans):
                log.warning("answers to a session came when Redis had lost it, its client is told to ask again")
                seat.holder.tell_loss()

    def _follow(self, seat: Seat, state: Touched) -> None:
        """Redis has the session in another epoch than we know, or not at all."""
        if seat.session.epoch is not None:
            log.warning("Redis lost a session, its client is told to ask again")
            seat.session.lose()
            seat.holder.tell_loss()
        seat.session.epoch = state.epoch

    async def run(self) -> None:
        """Fetch what deliveries showed to be missing, until cancelled."""
        backoff = Backoff()
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                for seat in [seat for seat in self._held.values() if seat.session.behind]:
                    await self._fetch(seat)
                backoff.reset()
            except PASSING as error:
                log.warning("could not fetch missed answers, will try again: %s", error)
                self._behind.set()
                await asyncio.sleep(backoff.next())

    async def _fetch(self, seat: Seat) -> None:
        """Send what the history holds after the last answer that was sent."""
        session = seat.session
        epoch, last = session.epoch, session.last
        assert epoch is not None  # only what Redis is known to hold is fetched
        newest, entries = await self._read(session, last)
        if not self._holds(session) or session.epoch != epoch:
            return
        GAPS.inc()
        missed = _read_history(session.token, epoch, newest, entries)
        for delivery in missed:
            flight = session.in_flight.get(delivery.request)
            if flight is not None and flight.job is not None:
                self._settle(msgspec.structs.replace(delivery.answer, id=flight.job))
        self._pass_on(seat, missed)
        if session.behind and missed and missed[0].number > last + 1:  # more were missed than the history holds
            del self._held[session.token]
            seat.holder.break_off()


def _read_progress(request: str, mark: bytes | None, depths: dict[Lane, int], now: float) -> Progress:
    """What a mark tells of its request; `now` in ms since 1970."""
    id = msgspec.Raw(request.encode())
    at = Mark.read(mark)
    if at is None:  # it waits to be written, or its answer comes
        return Progress(id, "queued")
    verdict = Verdict.PROBABLY_PRIME.value if at.lane is Lane.PROOF else None
    if at.started:
        return Progress(id, "running", seconds=round(max(0.0, now - at.started) / 1000, 1), verdict=verdict)
    return Progress(id, "queued", depth=depths[at.lane], verdict=verdict)


def _read_hash(fields: list[bytes]) -> Kept:
    """A session's hash (names.session)."""
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    requests = {key[1:].decode(): value for key, value in values.items() if key.startswith(b"?")}
    in_flight = [request for request, value in requests.items() if not value.isdigit()]
    answered = {request: int(value) for request, value in requests.items() if value.isdigit()}
    return Kept(int(values[b"epoch"]), int(values[b"last"]), int(values[b"moves"]), in_flight, answered)


def _read_history(token: str, epoch: int, last: int, entries: list[bytes]) -> list[Delivery]:
    """The end of a session's history, whose last answer has this number."""
    first = last - len(entries) + 1
    return [Delivery(token, request, "", answer, epoch, n) for n, (request, answer) in enumerate(map(decode_kept, entries), first)]
