"""What a client did and saw, and what that says about the service. No I/O."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache

import gmpy2

CANCELLED = "error cancelled"  # the verdict of a request that its client ended
LATE = "error deadline"  # the verdict of a request whose time was over
AHEAD = 0.05  # seconds by which the server's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class Asked:
    """The client wants this number's answer from now on, however often it has to say so."""

    at: float  # time.monotonic(), here and below
    request: str
    number: str
    deadline: float = 0.0  # seconds, after which it is wanted no longer; 0: always


@dataclass(frozen=True, slots=True)
class Repeated:
    """The client asked once more, without need, what had no answer yet, over the socket over which it had asked."""

    at: float
    request: str
    socket: int


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The client wants this request's answer no longer, and has said so."""

    at: float
    request: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The server has said whether it ended a request that the client wanted no longer."""

    at: float
    request: str
    ended: bool  # False: it was answered already


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer came to the client's eyes."""

    at: float
    request: str
    verdict: str  # "error CODE" for an error that is final
    offset: str
    socket: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A retryable error: no answer, by the protocol's one rule."""

    at: float
    request: str
    code: str
    socket: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket was opened and its session told or resumed."""

    at: float
    socket: int
    instance: str
    session: str
    recovered: bool | None  # None: nothing was resumed


@dataclass(frozen=True, slots=True)
class Closed:
    """A socket ended; `code` is None where no close frame came."""

    at: float
    socket: int
    code: int | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The server admitted that Redis lost its data."""

    at: float
    socket: int


@dataclass(frozen=True, slots=True)
class Away:
    """The client stays away by its own wish, until `until`."""

    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Left:
    """The client went for good: what has no answer is wanted no longer."""

    at: float


Event = Asked | Repeated | Unwanted | Ended | Shown | Refused | Opened | Closed | Forgotten | Away | Left


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the requests of one client, or of many."""

    requests: int = 0
    answered: int = 0
    lost: int = 0  # without an answer at the end
    duplicated: int = 0  # answers to a request that had one, over whatever socket
    wrong: int = 0  # answers that GMP contradicts, that nobody asked for, or other ones than the server has told
    disordered: int = 0  # offsets of one session that did not grow
    gap: float = (
        0.0  # seconds: the longest wait for the next answer while a request was open and the client not away by its own wish
    )
    wait: float = 0.0  # seconds, see longest_wait
    sockets: int = 0
    refused: int = 0  # retryable errors
    forgotten: int = 0  # times that the server admitted a loss of history

    @property
    def clean(self) -> bool:
        """Something was asked, and every request has one answer, a right one."""
        return self.requests == self.answered > 0 and not (self.lost or self.duplicated or self.wrong or self.disordered)

    def __add__(self, other: "Figures") -> "Figures":
        """Sums; of times the longer one."""
        summed = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return Figures(**{**summed, "gap": max(self.gap, other.gap), "wait": max(self.wait, other.wait)})

    def __str__(self) -> str:
        return (
            f"requests {self.requests}, answered {self.answered}, lost {self.lost}, duplicated {self.duplicated}, "
            f"wrong {self.wrong}, out of order {self.disordered}, longest gap {self.gap:.1f} s, longest wait {self.wait:.1f} s, "
            f"sockets {self.sockets}, retryable errors {self.refused}, losses of history told {self.forgotten}"
        )


def judge(history: Iterable[Event]) -> Figures:
    """The figures of one client whose history is complete, in the order of time."""
    events = list(history)
    asked = {event.request: event for event in events if isinstance(event, Asked)}
    shown = [event for event in events if isinstance(event, Shown)]
    answers = Counter(event.request for event in shown)
    if any(isinstance(event, Left) for event in events):
        asked = {request: event for request, event in asked.items() if request in answers}
    opened = [event for event in events if isinstance(event, Opened)]
    ends = Ends(events)
    return Figures(
        requests=len(asked),
        answered=len(asked.keys() & answers.keys()),
        lost=len(asked.keys() - answers.keys()),
        duplicated=sum(count - 1 for count in answers.values()) - count_echoes(events),
        wrong=sum(event.request not in asked or not ends.right(event, asked[event.request]) for event in shown),
        disordered=count_disorder(events),
        gap=longest_gap(events),
        wait=longest_wait(events),
        sockets=len(opened),
        refused=sum(isinstance(event, Refused) for event in events),
        forgotten=sum(isinstance(event, Forgotten) or (isinstance(event, Opened) and event.recovered is False) for event in events),
    )


def count_echoes(events: Iterable[Event]) -> int:
    """Answers that came once more since a repetition without need crossed the first one: the same, over the same socket."""
    shown: dict[str, Shown] = {}
    repeated = Counter[tuple[str, int]]()
    echoes = 0
    for event in events:
        if isinstance(event, Repeated):
            repeated[event.request, event.socket] += 1
        elif isinstance(event, Shown) and (first := shown.setdefault(event.request, event)) is not event:
            place = event.request, event.socket
            if repeated[place] and (first.socket, first.verdict) == (event.socket, event.verdict):
                repeated[place] -= 1
                echoes += 1
    return echoes


def blamed(history: Iterable[Event]) -> list[Event]:
    """Of a history that is not clean, what concerns the requests that show it, and all that happened to sockets."""
    events = list(history)
    asked = {event.request: event for event in events if isinstance(event, Asked)}
    answers = Counter(event.request for event in events if isinstance(event, Shown))
    ends = Ends(events)
    wrong = {e.request for e in events if isinstance(e, Shown) and not (e.request in asked and ends.right(e, asked[e.request]))}
    bad = {request for request in asked if answers[request] != 1} | wrong
    return [event for event in events if getattr(event, "request", None) in {None, *bad}]


class Ends:
    """Which requests may be answered by their end, which must be, and which may be late."""

    def __init__(self, events: Iterable[Event]) -> None:
        events = list(events)
        self._unwanted = {event.request for event in events if isinstance(event, Unwanted)}
        self._told = {event.request for event in events if isinstance(event, Ended) and event.ended}

    def right(self, answer: Shown, asked: Asked) -> bool:
        """Whether this answer is a right one to what was asked."""
        if answer.verdict == CANCELLED:
            return answer.request in self._unwanted
        if answer.verdict == LATE:
            return asked.deadline > 0 and answer.at > asked.at + asked.deadline - early(asked.deadline) - AHEAD
        return answer.request not in self._told and right(asked.number, answer.verdict)


def early(deadline: float) -> float:
    """Seconds before the end of a request's time at which its computation is stopped, so that what is known arrives in time."""
    return min(0.25, deadline / 4)


@cache  # some numbers are asked often, and cost much
def is_prime(number: str) -> bool:
    """GMP's word."""
    n = gmpy2.mpz(number)
    return n > 1 and gmpy2.is_prime(n)


def right(number: str, verdict: str) -> bool:
    """Whether GMP says the same."""
    return verdict in ({"prime", "probably_prime"} if is_prime(number) else {"composite", "neither"})


def position(offset: str) -> tuple[int, int]:
    """An offset in the order of its session."""
    epoch, _, number = offset.rpartition("-")
    return int(epoch or 0), int(number)


def count_disorder(events: Iterable[Event]) -> int:
    """Offsets that went back. An answer that the history gave once more carries the offset of now, which may stand still: that of
    before a loss, until there is a new answer.
    """
    session, last, former, disordered = "", (0, 0), (0, 0), 0
    for event in events:
        if isinstance(event, Opened) and event.session != session:
            session, last, former = event.session, (0, 0), (0, 0)
        elif isinstance(event, Forgotten) or (isinstance(event, Opened) and event.recovered is False):
            last, former = (0, 0), last if last > (0, 0) else former
        elif isinstance(event, Shown) and not (former > (0, 0) and position(event.offset) == former):
            disordered += position(event.offset) < last
            last, former = position(event.offset), (0, 0)
    return disordered


def longest_gap(events: Iterable[Event]) -> float:
    """The longest wait for the next answer, in seconds.

    The clock runs while a request is open, begins again at each answer, and stands while the client is away by its own wish.
    """
    open_, since, longest = set[str](), 0.0, 0.0
    for event in events:
        if isinstance(event, Asked):
            since = since if open_ else max(since, event.at)
            open_.add(event.request)
        elif isinstance(event, Shown):
            if event.request in open_:
                longest = max(longest, event.at - since)
                open_.discard(event.request)
            since = max(since, event.at)
        elif isinstance(event, Away):
            longest = max(longest, event.at - since) if open_ else longest
            since = event.until
    return longest


def longest_wait(events: Iterable[Event]) -> float:
    """The longest time from a request to its first answer, in seconds, without what the client was away by its own wish."""
    asked: dict[str, float] = {}
    away = until = longest = 0.0
    for event in events:
        if isinstance(event, Asked):
            asked[event.request] = max(event.at, until) - away
        elif isinstance(event, Shown):
            longest = max(longest, event.at - away - asked.pop(event.request, event.at - away))
        elif isinstance(event, Away):
            away, until = away + event.until - event.at, event.until
    return longest
