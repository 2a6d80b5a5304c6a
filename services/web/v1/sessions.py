"""The sessions whose sockets this web process holds, kept in step with what Redis keeps of them."""

import logging
import math
import secrets
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

import redis.asyncio

from services.broker.connection import PASSING
from services.jobs.messages import Answer, Delivery, Fault
from services.web.queue.cancellation import Ending
from services.web.queue.ledger import Entry
from services.web.settings import WebSettings
from services.web.v1 import marks
from services.web.v1.calls import Resuming
from services.web.v1.errors import Code, Refused
from services.web.v1.gaps import Gaps
from services.web.v1.history import History
from services.web.v1.progress import Reports
from services.web.v1.renewal import Renewal, Touched
from services.web.v1.resumption import Resumption
from services.web.v1.seats import Holder, Seats
from services.web.v1.session import Place, Session

log = logging.getLogger(__name__)

TOKEN_BYTES = 16  # 128 random bits: nobody guesses another's


class Sessions:
    """Deliveries may be lost, repeated or late; Redis' history is what counts. Whoever lags is found within a second by
    `touch`, or at once by the next delivery.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings, web: str, settle: Callable[[Answer], None]) -> None:
        """`settle` closes a job of this process' ledger."""
        ttl = settings.session_ttl
        self.lifetime = ttl + max(math.ceil(ttl / 2), 4)  # seconds until a session goes that nobody renews
        self._redis = redis
        self._seats = seats = Seats()
        self._history = History(redis)
        self._gaps = Gaps(seats, self._history, settle)
        self._resumption = Resumption(redis, seats, web, self.lifetime)
        self._renewal = Renewal(redis, seats, self._gaps, web, lifetime=self.lifetime, ttl=ttl)
        self._reports = Reports(redis, seats)

    def doubt(self) -> None:
        """Have the next `touch` look at idle sessions too."""
        self._renewal.doubt()

    def open(self, holder: Holder) -> Session:
        """A new session; Redis hears of it with its first request."""
        session = Session(secrets.token_urlsafe(TOKEN_BYTES))
        self._seats.take(session, holder)
        return session

    async def resume(self, current: Session, call: Resuming) -> tuple[Session, bool, list[Delivery]]:
        """Give the socket of `current` the session that its client had; returns it, whether all of its history is there,
        and what was missed. It remains `current` when Redis does not know the other. Raises Refused.
        """
        return await self._resumption.resume(current, call)

    def close(self, session: Session) -> None:
        """Its socket is gone; what it asked goes on, and Redis keeps the answers."""
        self._seats.leave(session)

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        """Keys and arguments by which enqueue.lua marks these entries' requests as in flight; `since` of their jobs' ids."""
        return marks.mark(self._seats, entries, since)

    def note(self, token: str, request: str, answer: Answer) -> None:
        """Tell a client, if its socket is here, what is known of its request before the answer."""
        seat = self._seats.get(token)
        if seat is not None and seat.session.awaits(request):  # else its answer came first: over another way, or a cancel
            seat.holder.tell_verdict(request, answer)

    def hear(self, deliveries: list[Delivery]) -> None:
        """Pass on what was published to this process."""
        for token, group in groupby(deliveries, attrgetter("session")):
            batch = list(group)
            self._resumption.hear(token, batch)
            if (seat := self._seats.get(token)) is not None:
                seat.pass_on(batch)
                if seat.session.behind:
                    self._gaps.note()

    def hear_eviction(self, payload: bytes) -> None:
        """A session was resumed elsewhere."""
        token, _, number = payload.decode().partition(" ")
        moves = int(number)
        self._resumption.hear_eviction(token, moves)
        seat = self._seats.get(token)
        if seat is not None and seat.session.moves < moves:  # else it came back here in the meantime
            self._seats.evict(seat)

    async def find_answer(self, session: Session, request: str, place: Place) -> Answer | None:
        """The answer that the history has for a request; None when it has been dropped. Raises Refused."""
        try:
            return await self._history.find(session, request, place)
        except PASSING as error:
            log.warning("could not read a session's history: %s", error)
            raise Refused(Code.UNAVAILABLE, "Sessions cannot be reached") from error

    async def end(self, token: str, request: str, fault: Fault, *, again: bool) -> Ending:
        """Answer a request with this fault and stop its computation. `again`: an earlier attempt may have done so.

        Raises what the Redis client raises.
        """
        return await marks.end(self._redis, token, request, fault, again=again)

    def settled(self, token: str, request: str, answer: Answer) -> None:
        """The ledger is done with a job of this request: its delivery comes with it or came before, unless it is given up.

        It is told by the session's name, since the session may have gone on to another socket here meanwhile.
        """
        if (seat := self._seats.get(token)) is not None:
            seat.session.settled(request, answer.id)

    def give_up(self, token: str, request: str, fault: Fault) -> None:
        """Answer a request of which Redis knows nothing with this fault; nobody is told if its socket is elsewhere."""
        if (seat := self._seats.get(token)) is not None:
            seat.holder.give_up(request, fault)

    async def touch(self) -> list[Touched]:
        """Renew sessions, and learn where Redis stands with them. Raises what the Redis client raises."""
        return await self._renewal.touch()

    async def catch_up(self, touched: list[Touched]) -> None:
        """Act on what `touch` learned, once everything that was published before it has been heard."""
        await self._renewal.catch_up(touched)

    async def run(self) -> None:
        """Fetch what deliveries showed to be missing, until cancelled."""
        await self._gaps.run()

    async def report(self) -> None:
        """Tell clients what becomes of requests that take long, until cancelled."""
        await self._reports.run()
