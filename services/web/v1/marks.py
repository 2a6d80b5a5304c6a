"""The marks that say in Redis where the job of a session's request is: how they are made, and how one is ended."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import redis.asyncio

from services.broker import unreadable
from services.broker.finish import Withdrawn, finish
from services.broker.unreadable import UNREADABLE_ERRORS
from services.jobs import names
from services.jobs.messages import Answer, Fault, Job, Verdict, decode_kept
from services.jobs.names import Mark
from services.web.queue.cancellation import Ending
from services.web.queue.ledger import Entry
from services.web.v1.seats import Seats


def mark(seats: Seats, entries: Iterable[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
    """Keys and arguments by which enqueue.lua marks these entries' requests as in flight; `since` of their jobs' ids.

    A job that Redis lost, and for which no socket here waits any more, is no business of a session that was made later:
    Redis lost the one that was meant, and its client knows, or will, that it must ask again for what it has no answer to.
    """
    requests: dict[str, list[str | int]] = defaultdict(list)  # by token, four for each
    last, seat, of_session = "", None, list[str | int]()
    for number, entry in enumerate(entries, 1):
        for job in entry.jobs:
            if token := job.session:
                if token != last:  # neighbours are often of one session
                    last, seat, of_session = token, seats.get(token), requests[token]
                waited = seat is not None and seat.session.waits_for(job.request, job.id)
                of_session += (number, job.id, job.request, 0 if waited else since(job.id))
    keys = [key for token in requests for key in (names.session(token), names.history(token))]
    marks: list[str | int] = []
    for token, ids in requests.items():
        marks += (int(seats.get(token) is not None), len(ids) // 4, *ids)
    return keys, marks


def read_mark(text: bytes | None) -> Mark | int | None:
    """What stands for a request in its session's hash; None where nothing does, or nothing that can be read."""
    if text is None:
        return None
    try:
        return Mark.read(text)
    except UNREADABLE_ERRORS as error:
        unreadable.note("mark", error)
        return None


async def end(redis: redis.asyncio.Redis, token: str, request: str, fault: Fault, *, again: bool) -> Ending:
    """Answer a request with this fault and stop its computation. `again`: an earlier attempt may have done so.

    Raises what the Redis client raises.
    """
    found = await _find(redis, token, request)
    if isinstance(found, Mark):
        job = Job(found.job, "", session=token, request=request)
        answered = Withdrawn(job, found.reply_to, Answer(found.job, Verdict.UNKNOWN, fault=fault))
        finished = await finish(redis, found.lane, [], answered=[answered])
        if finished.kept == 1:
            return Ending.ENDED
        found = await _find(redis, token, request)  # it was answered in between, or Redis lost the mark
    if isinstance(found, Ending):
        return found
    return Ending.ENDED if again and isinstance(found, int) and await _has(redis, token, request, fault) else Ending.ANSWERED


async def _find(redis: redis.asyncio.Redis, token: str, request: str) -> Mark | int | Ending:
    """What stands for a request; or else what that means: UNKNOWN where nothing does, ANSWERED where nobody can read it."""
    text: Any = await redis.hget(names.session(token), f"?{request}")  # redis-py says: text, or one to be awaited
    return Ending.UNKNOWN if text is None else read_mark(text) or Ending.ANSWERED


async def _has(redis: redis.asyncio.Redis, token: str, request: str, fault: Fault) -> bool:
    """Whether the history says that a request was answered with this fault; all of it is read, which is seldom and 200 kB."""
    entries: Any = await redis.lrange(names.history(token), 0, -1)
    try:
        answers = [answer for asked, answer in map(decode_kept, entries) if asked == request]
    except UNREADABLE_ERRORS as error:
        unreadable.note("history", error)
        return False
    return bool(answers) and answers[-1].fault is fault
