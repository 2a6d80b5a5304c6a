"""Uploads in Redis: each method is one script, and its reply a type."""

import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis.asyncio

from services.broker.script import CLOCK, TRY, TURNS, WAITING, Script
from services.jobs import names
from services.jobs.names import Lane
from services.web.settings import WebSettings
from services.web.upload.upload import PendingChunk, Upload

READ_LEASE = 5.0  # seconds after which an upload that no process says it reads counts as interrupted
READ_TTL = 60  # seconds that an upload without a key outlives its process, should that die while it reads
MIB = 1 << 20  # bytes
RESERVE = 8 << 20  # bytes that count for an upload under way: about what 50 MB of small numbers take
SMALLEST = 16 << 10  # bytes that count for any upload: bounds how many there are to be counted

FULL = "answers to uploads take as much of Redis as they may, all together or those of this client"

SCRIPTS = Path(__file__).parent / "scripts"
COUNT = SCRIPTS / "count.lua"  # for those that look at all uploads; after TRY
ATTENDED = SCRIPTS / "attended.lua"  # for those that ask whether an upload is still read; after CLOCK
TAKEN = SCRIPTS / "taken.lua"  # for those that change how much uploads take; after TRY

BEGIN = Script(TRY, CLOCK, ATTENDED, COUNT, TAKEN, SCRIPTS / "begin.lua")
APPEND = Script(TRY, WAITING, TURNS, SCRIPTS / "append.lua")
ATTEND = Script(TRY, CLOCK, COUNT, SCRIPTS / "attend.lua")
SEAL = Script(TRY, TAKEN, SCRIPTS / "seal.lua")
DROP = Script(TRY, TAKEN, SCRIPTS / "drop.lua")
LOOK = Script(CLOCK, ATTENDED, SCRIPTS / "look.lua")
FIND = Script(SCRIPTS / "find.lua")


class NoRoom(Exception):
    """No upload can begin here now, or go on; the text says why."""


class BeingRead(Exception):
    """The idempotency key's upload is still being read; the text is its id."""


class Obstacle(enum.Enum):
    """Why Redis did not do what it was asked."""

    GONE = enum.auto()  # the upload is deleted, expired, or another process' now
    FULL = enum.auto()  # the lane has no room for another entry, or all uploads together take too much


class ChunkState(enum.Enum):
    """Where a chunk is."""

    ANSWERED = b"answered"
    WAITING = b"waiting"
    LOST = b"lost"  # in no stream and without an outcome


@dataclass(frozen=True, slots=True)
class FormerUpload:
    """An upload that was read before under the same idempotency key."""

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A web process still reads the upload."""

    chunks: int  # queued so far
    outcomes: list[tuple[bytes, bytes]]  # and origins of the chunks asked for, up to the first that has no outcome


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The web process or the client left before the end: no chunk will follow."""

    chunks: int
    outcomes: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Sealed:
    """The upload was read to its end."""

    chunks: int  # all that there are
    outcomes: list[tuple[bytes, bytes]]
    lines: int
    answers: int
    form: str = ""  # what its text was taken for; empty for a plain list


Progress = Reading | Interrupted | Sealed


class UploadStore:
    """What one web process, the owner of the uploads that it begins, asks of Redis. Raises what the Redis client raises."""

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings, owner: str) -> None:
        self._redis = redis
        self._settings = settings
        self._owner = owner

    async def begin(self, id: str, key: str, client: str) -> FormerUpload | None:
        """Begin this upload of this client, or tell which one this idempotency key (empty: none) has. Raises NoRoom, BeingRead."""
        keys = [names.upload(id), names.UPLOADS, names.UPLOADS_TAKEN]
        idempotency = [names.upload_key(hashlib.sha256(key.encode()).hexdigest())] if key else []
        ttl, most_bytes, lease = self._settings.upload_ttl, self._settings.upload_memory << 20, int(READ_LEASE * 1000)
        arguments = (id, self._owner, ttl, READ_TTL, names.upload(""), most_bytes, RESERVE, SMALLEST, lease, client)
        match await BEGIN(self._redis, [*keys, *idempotency], *arguments):
            case [b"full", int(taken), int(share)]:
                most, theirs = self._settings.upload_memory, f"{share / MIB:.1f} of them those of this client"
                rule = f"a client may have as many as are free, and a new one counts for {RESERVE / MIB:.0f}"
                raise NoRoom(f"answers to uploads take {taken / MIB:.1f} of {most} MiB, {theirs}; {rule}")
            case [b"reading", former] if former.decode() != id:  # ours: an earlier try was heard, its reply was not
                raise BeingRead(former.decode())
            case [b"kept", former, fingerprint]:
                return FormerUpload(former.decode(), fingerprint.decode())
        return None

    async def append(self, id: str, pending: PendingChunk) -> bytes | Obstacle:
        """Queue a chunk of an upload; its entry."""
        stream, upload = names.stream(pending.lane), names.upload(id)
        bell = names.bell(pending.lane) if pending.lane is not Lane.QUICK else ""
        most_entries, number = self._settings.max_queued_entries, pending.chunk.number
        arguments = (names.GROUP, bell, most_entries, self._owner, id, number, pending.payload, pending.turn, pending.origins)
        match await APPEND(self._redis, [stream, upload], *arguments):
            case None:
                return Obstacle.GONE
            case b"":
                return Obstacle.FULL
            case bytes(entry):
                return entry
            case reply:
                raise TypeError(f"expected the id of an entry, got {reply!r}")

    async def attend(self, upload: Upload, due: list[PendingChunk]) -> list[ChunkState] | Obstacle:
        """Say that an upload is read or followed, and ask where these chunks of it are."""
        keys = [names.upload(upload.id), names.UPLOADS, names.stream(Lane.QUICK), names.stream(Lane.HEAVY)]
        lives_on = upload.keyed or not upload.reading  # without its process
        ttl = self._settings.upload_ttl if lives_on else READ_TTL
        chunks = msgspec.msgpack.encode([(one.chunk.number, one.lane, one.entry.decode()) for one in due])
        known = upload.answered, int(not upload.reading)
        arguments = (self._owner, ttl, names.upload(""), self._settings.upload_memory << 20, RESERVE, chunks, *known)
        match await ATTEND(self._redis, keys, *arguments):
            case None:
                return Obstacle.GONE
            case b"full":
                return Obstacle.FULL
            case states:
                return [ChunkState(state) for state in states]

    async def seal(self, upload: Upload, lines: int, answers: int, fingerprint: str, form: str) -> bool:
        """The upload was read to its end; False when it is gone, or Redis lost chunks of it that had their outcomes."""
        pending = msgspec.msgpack.encode(list(upload.pending))
        arguments = (self._owner, self._settings.upload_ttl, lines, answers, fingerprint, upload.queued, pending, RESERVE, form)
        return bool(await SEAL(self._redis, [names.upload(upload.id), names.UPLOADS_TAKEN], *arguments))

    async def delete(self, id: str) -> bool:
        """Delete an upload, whoever reads it; False when there is none."""
        return await self._drop(id, "")

    async def interrupt(self, id: str) -> bool:
        """An upload of ours will not be read to its end: leave it to its idempotency key, or delete it if it has none."""
        return await self._drop(id, self._owner)

    async def _drop(self, id: str, owner: str) -> bool:
        keys = [names.upload(id), names.UPLOADS, names.UPLOADS_TAKEN]
        return bool(await DROP(self._redis, keys, id, owner, names.notices(""), RESERVE))

    async def look(self, id: str, first: int, count: int) -> Progress | None:
        """Where an upload stands, with the outcomes of so many chunks from the first on; None when there is none."""
        match await LOOK(self._redis, [names.upload(id)], int(READ_LEASE * 1000), first, count):
            case [b"reading", chunks, outcomes]:
                return Reading(int(chunks), _pairs(outcomes))
            case [b"interrupted", chunks, outcomes]:
                return Interrupted(int(chunks), _pairs(outcomes))
            case [b"read", chunks, outcomes, lines, answers, form]:
                return Sealed(int(chunks), _pairs(outcomes), int(lines), int(answers), form.decode())
        return None

    async def find(self, id: str, line: int) -> int:
        """The chunk of this line, or an earlier one."""
        return int(await FIND(self._redis, [names.upload(id)], line))


def _pairs(replies: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Outcomes, each with the origins that the script puts behind it."""
    return list(zip(replies[::2], replies[1::2], strict=True))
