"""The step that ends entries: answers are kept and published, entries acknowledged and deleted, all at once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis.asyncio

from services.broker.client import Command
from services.broker.script import EPOCH, LEAVE_RUN, MESSAGEPACK, SCRIPTS, SET_ASIDE, TRY, TURNS, Script
from services.jobs import names
from services.jobs.messages import Answer, Job, encode
from services.jobs.names import GROUP, Lane

_finish = Script(TRY, EPOCH, MESSAGEPACK, SET_ASIDE, TURNS, LEAVE_RUN, SCRIPTS / "finish.lua")

# What is the same each time, in the order in which the script names it.
_FIXED = (
    *(GROUP, names.deliveries(""), names.results(""), names.HISTORY, names.DEAD_LENGTH),
    *(names.JOBS, names.ASKERS_OF, names.question(""), names.CANCELLATIONS, names.TERM),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A session's request, and its answer."""

    job: Job
    reply_to: str  # web process whose ledger holds the job
    answer: Answer


@dataclass(frozen=True, slots=True)
class Withdrawn(Answered):
    """One that waits for its run no longer, wherever that is now; the run goes on if others wait for it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that is set aside, why, and by whom."""

    job: Job | bytes  # or what an entry that cannot be read holds
    reason: str
    worker: str

    def fields(self, lane: Lane) -> tuple[str, bytes, str, str]:
        """As scripts take it: lane, jobs, reason, worker."""
        jobs = self.job if isinstance(self.job, bytes) else encode([self.job])
        return lane, jobs, self.reason, self.worker


class Finished(NamedTuple):
    """What came of it."""

    unheard: int  # publications that nobody heard
    kept: int  # sessions' requests that had no answer before


async def finish(
    redis: redis.asyncio.Redis,
    lane: Lane,
    ids: Sequence[bytes | str],
    *,
    answered: Iterable[Answered] = (),
    publications: Iterable[tuple[str, bytes]] = (),
    dead: Sequence[DeadLetter] = (),
) -> Finished:
    """End these entries of a lane.

    A session's request that was answered before is not answered again. `publications`: channel and message, for whoever
    has no session.
    """
    keys, arguments = _arrange(lane, ids, answered, publications, dead)
    return Finished(*await _finish(redis, keys, *arguments))


def command(
    lane: Lane, ids: Sequence[bytes | str], answered: Iterable[Answered], publications: Iterable[tuple[str, bytes]]
) -> Command:
    """`finish` as a command, whose reply are the fields of Finished; it fails where Redis does not have the script."""
    keys, arguments = _arrange(lane, ids, answered, publications, [])
    return _finish.command(keys, *arguments)


def _arrange(
    lane: Lane,
    ids: Sequence[bytes | str],
    answered: Iterable[Answered],
    publications: Iterable[tuple[str, bytes]],
    dead: Sequence[DeadLetter],
) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of the script, in the order in which it names them."""
    sessions: dict[str, list[Answered]] = defaultdict(list)  # by token
    for each in answered:
        sessions[each.job.session].append(each)
    keys = [names.stream(lane), *(key for token in sessions for key in (names.session(token), names.history(token)))]
    if dead:
        keys.append(names.DEAD)
    plain = [part for publication in publications for part in publication]
    letters = [part for letter in dead for part in letter.fields(lane)]
    arguments: list[str | bytes | int] = [lane, *_FIXED]
    for parts in (ids, plain, letters):
        arguments += (len(parts), *parts)
    for token, answers in sessions.items():
        leaving = "".join(["1" if isinstance(each, Withdrawn) else "0" for each in answers])
        arguments += (token, len(answers), leaving)
        arguments += [f"?{each.job.request}" for each in answers]
        arguments += [encode(each.job.request) for each in answers]
        arguments += [each.reply_to for each in answers]
        arguments += [encode(each.answer) for each in answers]
    return keys, arguments
