"""Sessions are renewed while their sockets live, and brought in step with what Redis says of them."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis.asyncio

from services.broker.script import EPOCH, TRY, Script
from services.jobs import names
from services.web.v1.gaps import Gaps
from services.web.v1.history import SCRIPTS
from services.web.v1.seats import Seat, Seats
from services.web.v1.session import Session

log = logging.getLogger(__name__)

TOUCHED = 200  # sessions renewed in one script: bounds how long Redis serves nobody else
LOOKS = 8  # times in its time to live that an idle session is looked at

_touch = Script(TRY, EPOCH, SCRIPTS / "touch.lua")


class State(NamedTuple):
    """Where Redis stands with a session."""

    epoch: int
    last: int
    moves: int
    ours: int  # 1 where this process is its owner, else 0


@dataclass(frozen=True, slots=True)
class Touched:
    """A session, what we knew when Redis was asked, and what Redis said."""

    session: Session
    known_epoch: int | None
    orphans: list[str]
    state: State | None  # None: it is not there


class Renewal:
    """A session outlives its socket by the time to live, whenever that closes: it is renewed when less than five sixths are left
    of a lifetime half as long again.
    """

    def __init__(self, redis: redis.asyncio.Redis, seats: Seats, gaps: Gaps, web: str, *, lifetime: int, ttl: int) -> None:
        """`lifetime` and `ttl` in seconds."""
        self._redis = redis
        self._seats = seats
        self._gaps = gaps
        self._web = web
        self._lifetime = lifetime
        self._pause = ttl / LOOKS  # seconds between two looks at idle sessions
        self._renewed = time.monotonic()  # last time that idle sessions were renewed too

    def doubt(self) -> None:
        """Have the next `touch` look at idle sessions too: Redis may have lost them."""
        self._renewed = float("-inf")

    async def touch(self) -> list[Touched]:
        """Renew sessions with requests in flight, from time to time idle ones too, and learn where Redis stands with them."""
        now = time.monotonic()
        idle_too = now - self._renewed >= self._pause
        if idle_too:
            self._renewed = now
        sessions = [seat.session for seat in self._seats]
        due = [session for session in sessions if session.in_flight or (idle_too and session.epoch is not None)]
        touched: list[Touched] = []
        for start in range(0, len(due), TOUCHED):
            touched += await self._touch(due[start : start + TOUCHED])
        return touched

    async def _touch(self, sessions: list[Session]) -> list[Touched]:
        known = [(session.epoch, session.orphans) for session in sessions]
        keys, arguments = _arrange(sessions, self._web, self._lifetime)
        states = await _touch(self._redis, keys, *arguments)
        return [
            Touched(session, *ours, None if state is None else State(*map(int, state)))
            for session, ours, state in zip(sessions, known, states, strict=True)
        ]

    async def catch_up(self, touched: list[Touched]) -> None:
        """Act on what `touch` learned, once everything that was published before it has been heard."""
        for each in touched:
            seat = self._seats.of(each.session)
            if seat is None:
                continue
            if each.state is not None and (each.state.moves > each.session.moves or not each.state.ours):
                self._seats.evict(seat)  # the message that said so was lost, or went to another
                continue
            await self._follow(seat, each)
            if each.session.abandon(each.orphans):
                log.warning("answers to a session came when Redis had lost it, its client is told to ask again")
                seat.holder.tell_loss()

    async def _follow(self, seat: Seat, touched: Touched) -> None:
        """Go on to the epoch, and to the last answer, that Redis has."""
        session, state = touched.session, touched.state
        epoch = None if state is None else state.epoch
        if session.epoch == touched.known_epoch != epoch:
            if session.epoch is not None:
                log.warning("Redis lost a session, its client is told to ask again")
                session.lose()
                seat.holder.tell_loss()
            session.epoch = epoch
        if state is not None and session.epoch == epoch and session.last < state.last:
            await self._gaps.fill(seat)


def _arrange(sessions: Sequence[Session], web: str, lifetime: int) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of the script, in the order in which it names them."""
    keys = [key for session in sessions for key in (names.session(session.token), names.history(session.token))]
    return keys, [web, lifetime, names.TERM, *(session.moves for session in sessions)]
