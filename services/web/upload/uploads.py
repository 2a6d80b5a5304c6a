"""Uploads in Redis: begins them, queues their chunks, follows them until each has its outcome, tells where they stand."""

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redis.asyncio
from prometheus_client import Counter, Gauge

from services.broker.connection import PASSING, Backoff
from services.broker.pulse import INTERVAL
from services.broker.script import WAITING, Script
from services.jobs import chunks, names
from services.jobs.chunks import Chunk
from services.jobs.names import Lane
from services.web.settings import WebSettings

log = logging.getLogger(__name__)

ENDED = Counter("primes_web_uploads_total", "Uploads by what became of them in this process", ["outcome"])
ACTIVE = Gauge("primes_web_uploads_active", "Uploads that are read, or have chunks without an outcome")
CHUNKS = Counter("primes_web_upload_chunks_total", "Chunks of uploads queued", ["lane"])
RESENT = Counter("primes_web_upload_chunks_resent_total", "Chunks queued again: Redis had lost them")
LINES = Counter("primes_web_upload_lines_total", "Lines of uploads queued")
OUTCOMES = ("read", "abandoned", "lost", "failed", "busy", "repeated")
for _outcome in OUTCOMES:
    ENDED.labels(_outcome)
_chunks = {lane: CHUNKS.labels(lane) for lane in Lane}

TOKEN = 16  # random bytes of an id
WINDOW = 16  # weight of an upload's chunks without an outcome: enough for a few workers, too little to delay others much
WEIGHTS = {Lane.QUICK: 1, Lane.HEAVY: 4}
LOSSES = 10  # a chunk that vanishes more often is given up with its upload
PATIENCE = 30.0  # seconds that a write may fail before the upload does
FIRST_PATIENCE = 2.0  # the same for the first: a client that has sent nothing yet can as well come again
READ_LEASE = 5.0  # seconds after which an upload that no process says it reads counts as interrupted
READ_TTL = 60  # seconds that an upload without a key outlives its process, should that die while it reads
RESERVE = 8 << 20  # bytes that count for an upload under way: about what 50 MB of small numbers take
SMALLEST = 16 << 10  # bytes that count for any upload: bounds how many there are to be counted
UNCOUNTED = 1.0  # seconds after which a chunk is looked for

_scripts = Path(__file__).parent / "scripts"
_begin, _attend, _seal, _drop, _look, _find = (
    Script(_scripts / f"{name}.lua") for name in ("begin", "attend", "seal", "drop", "look", "find")
)
_append = Script(WAITING, _scripts / "append.lua")

FULL = "the server keeps as many answers to uploads as it can"

T = TypeVar("T")


class Busy(Exception):
    """No upload can begin here now; the text says why."""


class BeingRead(Exception):
    """The idempotency key's upload is still being read; the text is its id."""


class Unavailable(Exception):
    """Redis could not be asked for as long as patience lasted."""


class Gone(Exception):
    """The upload is no longer in Redis, or its chunks vanish again and again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An upload that was read before under the same idempotency key."""

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an upload stands."""

    state: str  # reading, read, interrupted
    chunks: int  # queued so far; all of them once it is read
    lines: int | None  # once it is read
    answers: int | None
    outcomes: list[bytes]  # of the chunks asked for; empty where there is none yet


@dataclass(slots=True)
class Flight:
    """A chunk without an outcome."""

    chunk: Chunk
    lane: Lane
    payload: bytes
    entry: bytes = b""
    written: float = 0.0  # time.monotonic(), once it has an entry
    losses: int = 0


@dataclass(slots=True, eq=False)
class Upload:
    """An upload that this process reads, or has read and still follows."""

    id: str
    keyed: bool
    reading: bool = True
    gone: bool = False  # from Redis, or given up: nothing more is written
    flights: dict[int, Flight] = field(default_factory=dict)  # by chunk
    full: bool = False  # gone because all uploads together took too much
    news: asyncio.Event = field(default_factory=asyncio.Event)  # set when a flight ended or the upload did

    @property
    def weight(self) -> int:
        """Of its chunks without an outcome."""
        return sum(WEIGHTS[flight.lane] for flight in self.flights.values())


class Uploads:
    """Redis holds the upload; this process feeds it no faster than workers empty it, and keeps what it fed until it is answered.

    At most WINDOW chunks of an upload are in the lanes, so whoever asks for a single number waits for few of them. What that
    costs is that a sender of costly numbers is held back by TCP until they are computed.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings, reply_to: str) -> None:
        self._redis = redis
        self._settings = settings
        self._me = reply_to
        self._active: dict[str, Upload] = {}
        self._beginning = 0  # places taken by those that are about to be active
        self._abandoned: list[tuple[str, str]] = []  # uploads to be dropped by `run`, with their owner for those that keep a key
        self._watchers: dict[str, set[asyncio.Event]] = {}  # by upload
        self._wake = asyncio.Event()
        ACTIVE.set_function(lambda: len(self._active))

    async def begin(self, key: str) -> Upload | Kept:
        """A new upload, or the one that this idempotency key (empty: none) has. Raises Busy, BeingRead, Unavailable."""
        if len(self._active) + self._beginning >= self._settings.max_uploads:
            ENDED.labels("busy").inc()
            raise Busy(f"{self._settings.max_uploads} uploads are under way in this process")
        self._beginning += 1
        try:
            return await self._begin(key)
        finally:
            self._beginning -= 1

    async def _begin(self, key: str) -> Upload | Kept:
        id = secrets.token_urlsafe(TOKEN)
        keys = [names.upload(id), names.UPLOADS]
        if key:
            keys.append(names.upload_key(hashlib.sha256(key.encode()).hexdigest()))
        settings = self._settings
        bounds = (settings.upload_memory << 20, RESERVE, int(READ_LEASE * 1000), SMALLEST)
        arguments = (id, self._me, settings.upload_ttl, READ_TTL, names.upload(""), *bounds)
        match await self._patiently(lambda: _begin(self._redis, keys, *arguments), FIRST_PATIENCE):
            case [b"full"]:
                ENDED.labels("busy").inc()
                raise Busy(FULL)
            case [b"reading", former] if former.decode() != id:  # ours: an earlier try was heard, its reply was not
                raise BeingRead(former.decode())
            case [b"kept", former, fingerprint]:
                ENDED.labels("repeated").inc()
                return Kept(former.decode(), fingerprint.decode())
        self._active[id] = Upload(id, bool(key))
        return self._active[id]

    async def append(self, upload: Upload, lane: Lane, chunk: Chunk) -> None:
        """Queue the next chunk when there is room for it. Raises Busy, Gone, Unavailable."""
        while upload.flights and upload.weight + WEIGHTS[lane] > WINDOW and not upload.gone:
            upload.news.clear()
            await upload.news.wait()
        await self._send(upload, Flight(chunk, lane, chunks.encode(chunk)))
        _chunks[lane].inc()
        LINES.inc(chunk.text.count("\n") + 1)

    async def _send(self, upload: Upload, flight: Flight) -> None:
        """Write an entry, and wait where the stream is full. Raises Busy, Gone, Unavailable."""
        backoff, until = Backoff(), time.monotonic() + PATIENCE
        upload.flights[flight.chunk.number] = flight  # before the write: its outcome may overtake the reply
        while not upload.gone:
            if await self._patiently(lambda: self._write(upload, flight)):
                return
            if time.monotonic() > until:
                raise Unavailable(f"the {flight.lane} lane is full")
            await asyncio.sleep(backoff.next())
        raise Busy(FULL) if upload.full else Gone(upload.id)

    async def _write(self, upload: Upload, flight: Flight) -> bool:
        """One write; False when the stream is full, or the upload is gone, which it then knows."""
        entry = await _append(
            self._redis,
            [names.stream(flight.lane), names.upload(upload.id)],
            *(names.GROUP, names.bell(flight.lane) if flight.lane is not Lane.QUICK else "", self._settings.max_queued_entries),
            *(self._me, upload.id, flight.chunk.number, flight.payload),
        )
        if entry is None:
            self._lose(upload)
        elif entry:
            flight.entry, flight.written = entry, time.monotonic()
        return bool(entry)

    async def seal(self, upload: Upload, lines: int, answers: int, fingerprint: str) -> None:
        """It was read to its end: from now on any process can tell its answers. Raises Gone, Unavailable."""
        arguments = (self._me, self._settings.upload_ttl, lines, answers, fingerprint)
        sealed = not upload.gone and await self._patiently(lambda: _seal(self._redis, [names.upload(upload.id)], *arguments))
        if not sealed:
            self._lose(upload)
            raise Gone(upload.id)
        upload.reading = False
        ENDED.labels("read").inc()
        self._retire(upload)

    def abandon(self, upload: Upload, outcome: str) -> None:
        """It will not be read to its end: delete it, or leave it to its idempotency key."""
        if upload.reading:
            ENDED.labels(outcome).inc()
            upload.reading = False
            self._end(upload, gone=True)
            # what was no text, or took too much, is deleted, whatever its key
            self._abandoned.append((upload.id, "" if outcome in {"failed", "busy"} else self._me))
            self._wake.set()

    async def delete(self, id: str) -> bool:
        """Delete an upload, whoever reads it; False when there is none. Raises Unavailable."""
        return bool(await self._once(lambda: self._drop(id, "")))

    async def look(self, id: str, first: int, count: int) -> Standing | None:
        """Where an upload stands, with the outcomes of these chunks; None when there is none. Raises Unavailable."""
        lease = int(READ_LEASE * 1000)
        reply = await self._once(lambda: _look(self._redis, [names.upload(id)], lease, *range(first, first + count)))
        if not reply:
            return None
        state, queued, _, lines, answers, outcomes = reply
        return Standing(state.decode(), int(queued), int(lines) if lines else None, int(answers) if answers else None, outcomes)

    async def find(self, id: str, line: int) -> int:
        """The chunk of this line, or an earlier one. Raises Unavailable."""
        return int(await self._once(lambda: _find(self._redis, [names.upload(id)], line)))

    @contextlib.contextmanager
    def watch(self, id: str) -> Iterator[asyncio.Event]:
        """An event that is set when there is news of an upload that this process takes; of others only asking tells."""
        event = asyncio.Event()
        self._watchers.setdefault(id, set()).add(event)
        try:
            yield event
        finally:
            self._watchers[id].discard(event)
            if not self._watchers[id]:
                del self._watchers[id]

    def hear(self, payload: bytes) -> None:
        """Take a notice: a chunk has its outcome, or an upload was deleted."""
        id, _, number = payload.decode().partition(" ")
        if (upload := self._active.get(id)) is not None:
            if number:
                self._landed(upload, [int(number)])
            else:
                self._lose(upload)
        self._tell(id)

    async def run(self) -> None:
        """Every second, say what is still read, and look for what was not heard; until cancelled."""
        while True:
            started = time.monotonic()
            self._wake.clear()
            try:
                while self._abandoned:
                    await self._drop(*self._abandoned[-1])
                    self._abandoned.pop()
                for upload in list(self._active.values()):
                    await self._attend(upload)
            except (*PASSING, Unavailable) as error:
                log.warning("could not look after uploads, will try again: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, started + INTERVAL - time.monotonic()))

    async def _attend(self, upload: Upload) -> None:
        """Renew one upload, and settle, or send again, chunks whose notice is overdue."""
        before = time.monotonic() - UNCOUNTED
        due = [flight for flight in upload.flights.values() if flight.entry and flight.written <= before]
        ttl = self._settings.upload_ttl if upload.keyed or not upload.reading else READ_TTL
        states = await _attend(
            self._redis,
            [names.upload(upload.id), *map(names.stream, WEIGHTS), names.UPLOADS],
            *(self._me, ttl, names.upload(""), self._settings.upload_memory << 20, RESERVE),
            *(part for flight in due for part in (flight.chunk.number, list(WEIGHTS).index(flight.lane) + 1, flight.entry)),
        )
        if states is None:
            return self._lose(upload)
        if states == b"full":
            upload.full = True
            return self.abandon(upload, "busy")
        self._landed(upload, [flight.chunk.number for flight, state in zip(due, states, strict=True) if state == b"answered"])
        for flight, state in zip(due, states, strict=True):
            if state == b"lost" and upload.flights.get(flight.chunk.number) is flight and not upload.gone:
                await self._send_again(upload, flight)

    async def _send_again(self, upload: Upload, flight: Flight) -> None:
        """Queue a chunk that vanished, up to LOSSES times."""
        flight.losses += 1
        if flight.losses > LOSSES:
            log.error("giving up upload %s…: a chunk of it vanished again and again", upload.id[:6])
            await self._drop(upload.id, "")
            return self._lose(upload)
        log.warning("sending chunk %d of upload %s… again: it is gone", flight.chunk.number, upload.id[:6])
        RESENT.inc()
        await self._write(upload, flight)  # if there is no room it is still lost when it is looked for next

    async def _drop(self, id: str, owner: str) -> Any:
        return await _drop(self._redis, [names.upload(id), names.UPLOADS], id, owner, names.notices(""))

    async def _once(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask Redis once. Raises Unavailable."""
        try:
            return await ask()
        except PASSING as error:
            raise Unavailable(str(error)) from error

    async def _patiently(self, write: Callable[[], Awaitable[T]], seconds: float = PATIENCE) -> T:
        """Write until Redis has it. Raises Unavailable."""
        backoff, until = Backoff(), time.monotonic() + seconds
        while True:
            try:
                return await write()
            except PASSING as error:
                if time.monotonic() > until:
                    raise Unavailable(str(error)) from error
                log.warning("could not write to an upload, will try again: %s", error)
                await asyncio.sleep(backoff.next())

    def _landed(self, upload: Upload, numbers: Iterable[int]) -> None:
        """These chunks have their outcomes."""
        for number in numbers:
            upload.flights.pop(number, None)
        upload.news.set()
        self._retire(upload)

    def _retire(self, upload: Upload) -> None:
        """Follow it no longer, if all was read and answered."""
        if not upload.reading and not upload.flights:
            self._end(upload, gone=False)

    def _lose(self, upload: Upload) -> None:
        """Redis holds it no longer."""
        if upload.reading:
            ENDED.labels("lost").inc()
            upload.reading = False
        self._end(upload, gone=True)

    def _end(self, upload: Upload, *, gone: bool) -> None:
        upload.gone = upload.gone or gone
        self._active.pop(upload.id, None)
        upload.news.set()
        self._tell(upload.id)

    def _tell(self, id: str) -> None:
        for event in self._watchers.get(id, ()):
            event.set()
