"""Who holds which session in this web process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter, Gauge

from services.jobs.messages import Answer, Delivery, Fault
from services.web.v1.responses import Progress
from services.web.v1.session import Session

SESSIONS = Gauge("primes_web_sessions", "Sessions whose sockets this process holds")
EVICTIONS = Counter("primes_web_evictions_total", "Sockets closed because their session was resumed over another")


class Holder(Protocol):
    """A socket, as its session sees it."""

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Send these answers, in this order."""

    def tell_offset(self) -> None:
        """Say where the session stands, since an answer that the client has was numbered again."""

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

    def pass_on(self, deliveries: list[Delivery]) -> None:
        """Send those of these answers whose turn it is."""
        if ready := self.session.hear(deliveries):
            self.holder.deliver(ready)
        if self.session.move_on():
            self.holder.tell_offset()


class Seats:
    """Sockets close and sessions move while Redis is asked: whoever waited for it looks again whether the seat is still taken."""

    def __init__(self) -> None:
        self._taken: dict[str, Seat] = {}  # by token
        SESSIONS.set_function(lambda: len(self._taken))

    def __iter__(self) -> Iterator[Seat]:
        """All that are taken now."""
        return iter(list(self._taken.values()))

    def take(self, session: Session, holder: Holder) -> None:
        """This socket holds the session from now on."""
        self._taken[session.token] = Seat(session, holder)

    def get(self, token: str) -> Seat | None:
        """The seat of a session by its name."""
        return self._taken.get(token)

    def of(self, session: Session) -> Seat | None:
        """The seat of this very session; None when its socket is gone, or another one holds what its name stands for."""
        seat = self._taken.get(session.token)
        return seat if seat is not None and seat.session is session else None

    def leave(self, session: Session) -> None:
        """No socket holds this very session any more."""
        if self.of(session) is not None:
            del self._taken[session.token]

    def evict(self, seat: Seat) -> None:
        """Close a socket whose session moved to another."""
        self.leave(seat.session)
        EVICTIONS.inc()
        seat.holder.evict()
