"""A client that comes back gets the session that it had, wherever that was."""

import logging
import re
from dataclasses import dataclass, field

import redis.asyncio
from prometheus_client import Counter

from services.broker import unreadable
from services.broker.connection import PASSING
from services.broker.script import CLOCK, EPOCH, TRY, Script
from services.broker.unreadable import UNREADABLE_ERRORS
from services.jobs import names
from services.jobs.messages import Delivery
from services.jobs.names import Mark
from services.web.v1.calls import Resuming
from services.web.v1.errors import Code, Refused
from services.web.v1.history import MISSED, SCRIPTS, forget, number
from services.web.v1.seats import Seat, Seats
from services.web.v1.session import Kept, Session

log = logging.getLogger(__name__)

RESUMES = Counter("primes_web_resumes_total", "Sessions asked for again, by whether all of their history was there", ["recovered"])
_resumed = {recovered: RESUMES.labels(str(recovered).lower()) for recovered in (True, False)}

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")

_resume = Script(TRY, CLOCK, EPOCH, MISSED, SCRIPTS / "resume.lua")


@dataclass(slots=True)
class Heard:
    """What was published of a session while Redis was asked for it."""

    deliveries: list[Delivery] = field(default_factory=list)
    evicted: int = 0  # moves of the latest eviction


@dataclass(frozen=True, slots=True)
class Moved:
    """A session that this web process owns from now on."""

    kept: Kept
    missed: list[Delivery]  # after the client's offset, as far as they are read at once
    heard: Heard

    @property
    def on(self) -> bool:
        """Whether it went on to another web process meanwhile: publications may overtake the reply that they follow."""
        return self.heard.evicted > self.kept.moves


class Resumption:
    """While a session moves here its deliveries come already; they are kept until Redis has said what precedes them."""

    def __init__(self, redis: redis.asyncio.Redis, seats: Seats, web: str, lifetime: int) -> None:
        """`lifetime`: seconds until a session goes that nobody renews."""
        self._redis = redis
        self._seats = seats
        self._web = web
        self._lifetime = lifetime
        self._heard: dict[str, Heard] = {}  # by token, of the sessions that move here just now

    def hear(self, token: str, deliveries: list[Delivery]) -> None:
        """Keep these answers if their session moves here just now."""
        if (heard := self._heard.get(token)) is not None:
            heard.deliveries += deliveries

    def hear_eviction(self, token: str, moves: int) -> None:
        """Keep this, too: it may be about the resume whose reply is still on its way."""
        if (heard := self._heard.get(token)) is not None:
            heard.evicted = max(heard.evicted, moves)

    async def resume(self, current: Session, call: Resuming) -> tuple[Session, bool, list[Delivery]]:
        """Give the socket of `current` the session that its client had; returns it, whether all of its history is there,
        and what was missed. It remains `current` when Redis does not know the other. Raises Refused.
        """
        moved = await self._move(call) if _TOKEN.fullmatch(call.session) else None
        seat = self._seats.of(current)
        if moved is None or seat is None:  # unknown; or the socket closed meanwhile
            _resumed[False].inc()
            return current, False, []
        session = Session(call.session)
        recovered, ready = session.resume(moved.kept, call.epoch, call.number, moved.missed, moved.heard.deliveries)
        _resumed[recovered].inc()
        if (former := self._seats.get(session.token)) is not None:
            session.adopt(former.session)
            self._seats.evict(former)
        self._seats.leave(current)
        self._seats.take(session, seat.holder)
        if moved.on:  # not before it has the session: what its client asks until it reads that it is closed belongs there
            self._seats.evict(Seat(session, seat.holder))
        return session, recovered, ready

    async def _move(self, call: Resuming) -> Moved | None:
        """Make this process the session's owner; None when there is none. Raises Refused."""
        if call.session in self._heard:
            raise Refused(Code.UNAVAILABLE, "The session is being resumed over another socket")
        heard = self._heard[call.session] = Heard()
        keys, arguments = _arrange(call.session, self._web, self._lifetime, call.epoch, call.number)
        try:
            reply = await _resume(self._redis, keys, *arguments)
        except PASSING as error:
            log.warning("could not resume a session: %s", error)
            raise Refused(Code.UNAVAILABLE, "Sessions cannot be reached") from error
        finally:
            del self._heard[call.session]
        if reply is None:
            return None
        try:
            kept = _read_hash(reply[0])
            return Moved(kept, number(call.session, kept.epoch, int(reply[2]), reply[1]), heard)
        except UNREADABLE_ERRORS as error:
            unreadable.note("session", error)
            await forget(self._redis, call.session)
            return None


def _arrange(token: str, web: str, lifetime: int, epoch: str, after: int) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of the script, in the order in which it names them."""
    return [names.session(token), names.history(token)], [
        *(web, lifetime, epoch, after, names.evictions(""), names.TERM),
        *(names.HISTORY, names.HISTORY_BYTES),
    ]


def _read_hash(fields: list[bytes]) -> Kept:
    """A session's hash (names.session)."""
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    requests = {key[1:].decode(): Mark.read(value) for key, value in values.items() if key.startswith(b"?")}
    in_flight = [request for request, place in requests.items() if isinstance(place, Mark)]
    answered = {request: place for request, place in requests.items() if isinstance(place, int)}
    return Kept(int(values[b"epoch"]), int(values[b"last"]), int(values[b"moves"]), in_flight, answered)
