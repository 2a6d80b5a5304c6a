"""The answers that Redis keeps of a session."""

from pathlib import Path

import redis.asyncio

from services.broker import unreadable
from services.broker.script import EPOCH, TRY, Script
from services.broker.unreadable import UNREADABLE_ERRORS
from services.jobs import names
from services.jobs.messages import Answer, Delivery, decode_kept
from services.web.v1.session import Place, Session

SCRIPTS = Path(__file__).parent / "scripts"

MISSED = SCRIPTS / "missed.lua"  # for those that tell answers

_read_history = Script(TRY, EPOCH, MISSED, SCRIPTS / "read_history.lua")


class History:
    """Reads what is there; methods raise what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def read(self, session: Session) -> list[Delivery]:
        """What comes after the last answer that was sent, as far as it is read at once; nothing when Redis has the session no
        longer.
        """
        epoch, after = session.epoch, session.last
        assert epoch is not None  # only what Redis is known to hold is read
        to, entries = await self._read(session.token, epoch, after, names.HISTORY)
        try:
            return number(session.token, epoch, to, entries)
        except UNREADABLE_ERRORS as error:
            await self._lose(session, error)
            return []

    async def find(self, session: Session, request: str, place: Place) -> Answer | None:
        """The answer to one request, which was here; None when it has been dropped."""
        _, entries = await self._read(session.token, place.epoch, place.number - 1, 1)
        try:
            kept, answer = decode_kept(entries[0]) if entries else ("", None)
            return answer if kept == request else None
        except UNREADABLE_ERRORS as error:
            await self._lose(session, error)
            return None

    async def _lose(self, session: Session, error: Exception) -> None:
        """A history that cannot be read is lost, and its session with it: its client is told to ask again."""
        unreadable.note("history", error)
        await forget(self._redis, session.token)

    async def _read(self, token: str, epoch: int, after: int, most: int) -> tuple[int, list[bytes]]:
        """The entries after a number, and before them the number of the last of these."""
        keys = [names.session(token), names.history(token)]
        reply = await _read_history(self._redis, keys, epoch, after, most, names.TERM, names.HISTORY_BYTES)
        return (0, []) if reply is None else (int(reply[2]), reply[1])


async def forget(redis: redis.asyncio.Redis, token: str) -> None:
    """Delete a session that cannot be read. Raises what the Redis client raises."""
    async with redis.pipeline(transaction=True) as step:
        for key in (names.session(token), names.history(token)):
            step.expire(key, 0)  # in the past: deletes it
        await step.execute()


def number(token: str, epoch: int, to: int, entries: list[bytes]) -> list[Delivery]:
    """A part of a session's history, whose last answer has this number."""
    first = to - len(entries) + 1
    return [Delivery(token, request, "", answer, epoch, n) for n, (request, answer) in enumerate(map(decode_kept, entries), first)]
