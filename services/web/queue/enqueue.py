"""The step that puts a lane's entries into Redis: keys and arguments of enqueue.lua, and its reply."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from services.broker.client import BrokerClient
from services.broker.script import CLOCK, EPOCH, TRY, TURNS, WAITING, Script
from services.jobs import messages, names, turn
from services.jobs.names import Lane
from services.web.queue.ledger import Entry, Place

_enqueue = Script(TRY, CLOCK, EPOCH, WAITING, TURNS, Path(__file__).parent / "scripts" / "enqueue.lua")


class Marker(Protocol):
    """What knows how sessions' requests are marked as in flight."""

    @property
    def lifetime(self) -> int:
        """Seconds that a session is kept from the last sign of it."""

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        """The keys of the sessions that these entries' jobs belong to, and their marks as enqueue.lua takes them."""


class Enqueued(NamedTuple):
    """What enqueue.lua says of an entry."""

    place: Place
    how: str = ""  # empty: it is new; "joined": another's run; "known": the answer is kept
    so_far: bytes = b""  # MessagePack of what is known of a number that is being proven

    @classmethod
    def read(cls, reply: list[bytes]) -> "Enqueued":
        """From the script's reply to a costly question."""
        lane, id, how, so_far = reply
        return cls(Place(Lane(lane.decode()), id), how.decode(), so_far)


class Runs(msgspec.Struct, frozen=True, gc=False):
    """What enqueue.lua must know to find and begin runs."""

    consumers: str = names.GROUP
    streams: str = names.JOBS
    askers: str = names.ASKERS_OF
    most_askers: int = names.ASKERS
    question_ttl: int = names.QUESTION_TTL  # seconds
    short: int = turn.SHORT  # µs up to which an entry always rings the bell
    certificates: str = names.certificate("")


class Ask(msgspec.Struct, frozen=True, gc=False):
    """The first argument of enqueue.lua, a MessagePack map of these names."""

    lane: Lane
    bell: str  # the lane's channel
    web: str  # instance to reply to
    most_entries: int  # in the stream
    lifetime: int  # of a session, in seconds
    entries: int
    questions: int  # none, or as many as entries
    marks: list[str | int]  # of each session: whether its socket is here, how many requests, and four fields of each
    term: str = names.TERM
    runs: Runs | UnsetType = UNSET  # of the costly lanes alone: each name takes its time to decode


RUNS = Runs()
_encoder = msgspec.msgpack.Encoder()


class Enqueue:
    """Writes entries of any lane, as many as there is room for, with the marks of their sessions' requests."""

    def __init__(self, redis: BrokerClient, web: str, most_entries: int, marker: Marker) -> None:
        """`most_entries`: that a lane's stream holds."""
        self._redis = redis
        self._web = web
        self.most_entries = most_entries
        self._marker = marker

    async def __call__(self, lane: Lane, entries: list[Entry], since: Callable[[int], int]) -> list[Enqueued]:
        """What became of the first entries; there is no room for the others. Raises what the Redis client raises.

        `since`: when Redis last had a job that it has no longer (ms since 1970).
        """
        keys, arguments = arrange(lane, entries, self._marker, since, web=self._web, most_entries=self.most_entries)
        replies = await _enqueue(self._redis, keys, *arguments)
        if lane is Lane.QUICK:
            return [Enqueued(Place(lane, id)) for id in replies]
        return [Enqueued.read(reply) for reply in replies]


def arrange(
    lane: Lane, entries: list[Entry], marker: Marker, since: Callable[[int], int], *, web: str, most_entries: int
) -> tuple[list[str], list[str | bytes]]:
    """Keys and arguments of the script. Only costly questions are looked up: a quick one costs less than its looking up."""
    sessions, marks = marker.mark(entries, since)
    questions: list[str] = []
    carried: list[str | bytes] = []
    for entry in entries:
        carried.append(messages.encode(entry.jobs))
        if lane is not Lane.QUICK:
            (job,) = entry.jobs
            questions.append(names.question(messages.digest(job)))
            carried += names.asker(web, job.id), messages.encode(messages.asker_of(job)), entry.turn
    runs = RUNS if questions else UNSET
    ask = Ask(lane, names.bell(lane), web, most_entries, marker.lifetime, len(entries), len(questions), marks, runs=runs)
    keys = [names.stream(lane), names.stream(Lane.QUICK), *questions, *sessions]
    return keys, [_encoder.encode(ask), *carried]
