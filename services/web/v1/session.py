"""One client's session as the web process that holds its socket knows it: what is asked, answered, missing. No I/O."""

import enum
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from services.jobs.messages import Delivery
from services.jobs.names import HISTORY


class Repeat(enum.Enum):
    """What to do with a request, by its id."""

    NEW = "new"  # submit it
    IN_FLIGHT = "in flight"  # its answer comes when it comes
    ANSWERED = "answered"  # the history has its answer
    REUSED = "reused"  # another question was asked with this id
    CROSSED = "crossed"  # its answer was sent over this very socket before the client could know


class Place(NamedTuple):
    """Of an answer in a session's history."""

    epoch: int  # ms
    number: int


class Flight(msgspec.Struct, gc=False):
    """A request without an answer."""

    job: int | None  # in this process' ledger; None: in that of a process that held the session before
    asked: bool  # over this socket
    question: int | None = None  # fingerprint of what was asked; None: it was asked elsewhere
    orphan: bool = False  # our job for it is closed, and no delivery came yet
    since: float = msgspec.field(default_factory=time.monotonic)  # when this process learned of it


@dataclass(frozen=True, slots=True)
class Kept:
    """What Redis holds of a session."""

    epoch: int
    last: int
    moves: int
    in_flight: list[str]
    answered: dict[str, int]


class Session:
    """Answers go out in the order of their numbers, each once; what is missing is asked for, what cannot be had is admitted.

    Redis decides what is answered; this is a copy that follows it, exact at `last`. It costs about 150 bytes for each
    request of the last HISTORY, for an answer to "was this asked before" without asking Redis; and about 90 more for each that
    was asked over this socket, for an answer to "was it this question": 250 kB at most.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.epoch: int | None = None  # ms; None until Redis is known to hold the session
        self.last = 0  # number of the last answer that was sent
        self.moves = 0  # when Redis gave it to this process (ms); 0: it began here
        self.in_flight: dict[str, Flight] = {}  # by request id
        # By request id, oldest first: the number of the answer, and a fingerprint of what was asked; None: over another socket.
        self._answered: OrderedDict[str, tuple[int, int | None]] = OrderedDict()
        # Answered over this socket while the client may be about to ask for them once more, oldest first.
        self._unasked: dict[str, None] = {}
        # The client's offset when Redis lost its data, or had lost it when the client came back: until an answer comes.
        self._former: str | None = None
        self.start = "0"  # the offset from which the client goes on over this socket, before any answer
        self._withheld = False  # whether the client was not sent the last answer, and not told that it goes on behind it
        # Whether the client was told to ask again, also by the response to its resume; we cannot know when it has done so.
        self._told_loss = False
        # Given up since Redis has nothing of them, oldest first; their jobs may come again, out of some ledger or of Redis itself.
        self._given_up: dict[str, None] = {}
        self._doubtful: set[str] = set()  # in flight, and so over a former socket (`doubtful`)
        self._ahead: dict[int, Delivery] = {}  # heard before what precedes them, by number

    @property
    def offset(self) -> str:
        """Where the client stands, or goes on to when it is told. After a loss, until an answer came: where it stood before, so
        that who resumes from there is sent nothing of what Redis holds by itself.
        """
        if self.epoch is None or self._former is not None:
            return self._former or "0"
        return f"{self.epoch}-{self.last}"

    def move_on(self) -> bool:
        """Whether the client must be told the offset, since what came last was withheld from it; it counts as told then."""
        withheld, self._withheld = self._withheld, False
        return withheld

    @property
    def behind(self) -> bool:
        """Whether answers were heard whose predecessors were not."""
        return bool(self._ahead)

    def ask(self, request: str, question: int | None = None) -> Repeat:
        """What a request with this id means now; `question`: fingerprint of what it asks, None where that does not matter."""
        flight = self.in_flight.get(request)
        answered = self._answered.get(request)
        known = flight.question if flight is not None else answered[1] if answered is not None else None
        if known is not None and question is not None and known != question:
            return Repeat.REUSED
        if flight is not None:
            flight.asked = True
            return Repeat.IN_FLIGHT
        if request in self._unasked:
            if not self._told_loss:
                del self._unasked[request]
            return Repeat.CROSSED
        return Repeat.NEW if answered is None else Repeat.ANSWERED

    def submitted(self, request: str, job: int, question: int | None = None) -> None:
        """This process' ledger holds the request's job; `question`: fingerprint of what it asks."""
        self.in_flight[request] = Flight(job, asked=True, question=question)

    def settled(self, request: str, job: int) -> None:
        """It does no longer: the delivery comes next, or never, when Redis had lost the session before the job ended."""
        flight = self.in_flight.get(request)
        if flight is not None and flight.job == job:
            flight.job, flight.orphan = None, True

    def waits_for(self, request: str, job: int) -> bool:
        """Whether this very job shall answer the request."""
        flight = self.in_flight.get(request)
        return flight is not None and flight.job == job

    @property
    def orphans(self) -> list[str]:
        """Requests that nobody may be computing any more."""
        return [request for request, flight in self.in_flight.items() if flight.orphan]

    def waiting(self, seconds: float) -> list[str]:
        """Requests that have been in flight for longer."""
        before = time.monotonic() - seconds
        return [request for request, flight in self.in_flight.items() if flight.since < before]

    def abandon(self, orphans: Iterable[str]) -> bool:
        """Their deliveries did not come and will not; returns whether the client must ask again."""
        lost = [request for request in orphans if (flight := self.in_flight.get(request)) is not None and flight.orphan]
        for request in lost:
            del self.in_flight[request]
        self._told_loss |= bool(lost)
        return bool(lost)

    def give_up(self, request: str, *, final: bool = True) -> bool:
        """Wait for its answer no longer, nor send one that comes all the same; False when nobody waits.

        `final`: the client is told what it does not ask again for.
        """
        flight = self.in_flight.pop(request, None)
        if flight is None:
            return False
        _note(self._given_up, request)
        if final and (self._told_loss or not flight.asked):
            self._expect_repetition(request)
        return True

    def place_of(self, request: str) -> Place:
        """Where a request's answer is in the history; by the time that it is looked for, it may be elsewhere or nowhere."""
        return Place(self.epoch or 0, self._answered[request][0])

    def answered_again(self, request: str) -> None:
        """The history's answer was sent once more: the client may have asked before it read that it must ask again."""
        if self._told_loss:
            self._expect_repetition(request)

    def forget(self, request: str, place: Place) -> None:
        """The history has dropped the request's answer, which was here."""
        if request in self._answered and self.place_of(request) == place:
            del self._answered[request]

    def hear(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Take answers, repeated or not, in any order; returns those whose turn it is now."""
        ready: list[Delivery] = []
        for delivery in deliveries:
            if self.epoch is None:
                self.epoch = delivery.epoch
            # another epoch's: Redis lost the session, or had lost it; the audit finds out which
            if delivery.epoch != self.epoch or delivery.number <= self.last:
                continue
            if delivery.number > self.last + 1:
                self._ahead[delivery.number] = delivery
                continue
            due: Delivery | None = delivery
            while due is not None:
                if self._take(due):
                    ready.append(due)
                due = self._ahead.pop(self.last + 1, None) if self._ahead else None
        return ready

    def _take(self, delivery: Delivery) -> bool:
        """Go on to this answer; returns whether to send it: not what was answered before Redis lost it and is not asked again."""
        self.last, self._former = delivery.number, None
        sent = self._is_wanted(delivery)
        self._withheld = not sent
        return sent

    def _is_wanted(self, delivery: Delivery) -> bool:
        request = delivery.request
        flight = self.in_flight.pop(request, None)
        self._remember(request, delivery.number, None if flight is None else flight.question)
        # It was told to ask again, so it gets from the history what it does not have.
        if self._may_have(request, flight) or (flight is None and request in self._given_up):
            return False
        if self._told_loss or flight is None or not flight.asked:
            self._expect_repetition(request)
        return True

    def _may_have(self, request: str, flight: Flight | None) -> bool:
        """Whether the client may have the answer from a Redis that lost it, even over a socket of which this process never knew: it
        did not ask over this one.
        """
        return (flight is None or not flight.asked) and (self._told_loss or request in self._doubtful)

    def _expect_repetition(self, request: str) -> None:
        """Remember what is answered now, since the client may be about to ask for it once more, before it knows."""
        _note(self._unasked, request)

    def _remember(self, request: str, number: int, question: int | None = None) -> None:
        former = self._answered.pop(request, None)
        if former is not None and question is None:
            question = former[1]
        self._answered[request] = number, question
        if len(self._answered) > HISTORY:
            self._answered.popitem(last=False)

    def resume(
        self, kept: Kept, epoch: str, number: int, missed: list[Delivery], heard: list[Delivery]
    ) -> tuple[bool, list[Delivery]]:
        """Continue what Redis kept after the client's offset (`epoch` empty: from the beginning); for a new session.

        `heard`: deliveries that came while Redis was asked. Returns whether everything after the offset is there, and
        what to send. If it is not, nothing of the past is sent: the client asks again for what it misses.
        Of `missed` the end may not be there, which is read later.
        """
        self.epoch, self.moves = kept.epoch, kept.moves
        whole = missed[0].number == number + 1 if missed else number == kept.last
        complete = epoch in {"", str(kept.epoch)} and number <= kept.last and whole
        self.last = number if complete else kept.last
        if epoch not in {"", str(kept.epoch)}:
            self._former = f"{epoch}-{number}"
        self.start = self.offset
        for request, answered in sorted(kept.answered.items(), key=lambda item: item[1]):
            if answered <= self.last:
                self._remember(request, answered)
        self.in_flight = {request: Flight(None, asked=False) for request in kept.in_flight}
        self._told_loss = not complete
        return complete, self.hear([*missed, *heard] if complete else heard)

    def adopt(self, former: "Session") -> None:
        """Wait also for what this process still holds of the same session, for another socket: Redis may not know of it yet."""
        for request, flight in former.in_flight.items():
            if flight.job is not None and request not in self._answered:
                self.in_flight[request] = Flight(flight.job, asked=False, question=flight.question)
        self._doubtful |= former.doubtful & self.in_flight.keys()

    def awaits(self, request: str) -> bool:
        """Whether the client has no answer to a request for sure, from no Redis that lost it either."""
        flight = self.in_flight.get(request)
        return flight is not None and not self._may_have(request, flight)

    @property
    def doubtful(self) -> set[str]:
        """Requests in flight whose answers the client may have had from a Redis that lost them, unless it asked again."""
        return {request for request, flight in self.in_flight.items() if self._may_have(request, flight)}

    def skip_to(self, number: int) -> None:
        """The history begins with this number. After a loss the client asks again, so nothing before it is missed."""
        if self._told_loss and not self.last:
            self.last = number - 1
            self._ahead = {ahead: delivery for ahead, delivery in self._ahead.items() if ahead >= number}

    def lose(self) -> None:
        """Redis holds this session no longer, or another one of the same name: what is not in our ledger must be asked again."""
        self._former = self.offset
        self.epoch, self.last = None, 0
        self._withheld = False
        self._answered.clear()
        self._ahead.clear()
        self.in_flight = {request: flight for request, flight in self.in_flight.items() if flight.job}
        self._told_loss = True


def _note(requests: dict[str, None], request: str) -> None:
    """Add one to those that are remembered, of which the oldest goes above HISTORY."""
    requests[request] = None
    if len(requests) > HISTORY:
        del requests[next(iter(requests))]
