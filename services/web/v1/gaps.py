"""Answers whose delivery was not heard: they are fetched from the history."""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from prometheus_client import Counter

from services.broker.connection import PASSING, Backoff
from services.jobs.messages import Answer, Delivery
from services.web.v1.history import History
from services.web.v1.seats import Seat, Seats
from services.web.v1.session import Session

log = logging.getLogger(__name__)

GAPS = Counter("primes_web_gaps_total", "Times that answers to a session were fetched because their delivery was not heard")


class Gaps:
    """A delivery that comes before its turn shows that one was lost; the session's history has it."""

    def __init__(self, seats: Seats, history: History, settle: Callable[[Answer], None]) -> None:
        """`settle` closes a job of this process' ledger."""
        self._seats = seats
        self._history = history
        self._settle = settle
        self._seen = asyncio.Event()

    def note(self) -> None:
        """Some session knows that it misses answers."""
        self._seen.set()

    async def run(self) -> None:
        """Fetch what deliveries showed to be missing, until cancelled."""
        backoff = Backoff()
        while True:
            await self._seen.wait()
            self._seen.clear()
            try:
                for seat in self._seats:
                    if seat.session.behind:
                        await self.fill(seat)
                backoff.reset()
            except PASSING as error:
                log.warning("could not fetch missed answers, will try again: %s", error)
                self._seen.set()
                await asyncio.sleep(backoff.next())

    async def fill(self, seat: Seat) -> None:
        """Send what the history holds after the last answer that was sent. Raises what the Redis client raises."""
        session = seat.session
        epoch, last = session.epoch, session.last
        missed = await self._history.read(session)
        if self._seats.of(session) is None or session.epoch != epoch:
            return
        GAPS.inc()
        if missed:
            session.skip_to(missed[0].number)
        self._settle_own(session, missed)
        seat.pass_on(missed)
        if session.behind and missed and missed[0].number > last + 1:  # more were missed than the history holds
            self._seats.leave(session)
            seat.holder.break_off()

    def _settle_own(self, session: Session, missed: list[Delivery]) -> None:
        """Close the jobs of this process' ledger that these answers are to."""
        for delivery in missed:
            flight = session.in_flight.get(delivery.request)
            if flight is not None and flight.job is not None:
                self._settle(msgspec.structs.replace(delivery.answer, id=flight.job))
