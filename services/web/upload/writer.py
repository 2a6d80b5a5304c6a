"""Writes uploads into Redis: begins them, queues their chunks no faster than workers take them, seals them."""

import asyncio
import secrets
import time

from prometheus_client import Counter

from services.broker.connection import Backoff
from services.jobs import chunks
from services.jobs import turn as turns
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.upload.begins import Begins
from services.web.upload.cutter import Cut
from services.web.upload.patience import Unavailable, patiently
from services.web.upload.registry import ENDED, Registry
from services.web.upload.store import FULL, FormerUpload, NoRoom, Obstacle, UploadStore
from services.web.upload.upload import WEIGHTS, PendingChunk, Upload

CHUNKS = Counter("primes_web_upload_chunks_total", "Chunks of uploads queued", ["lane"])
LINES = Counter("primes_web_upload_lines_total", "Lines of uploads queued")
_chunks = {lane: CHUNKS.labels(lane) for lane in Lane}

TOKEN = 16  # random bytes of an id
WINDOW = 16  # weight of an upload's chunks without an outcome: enough for a few workers, too little to delay others much
PATIENCE = 30.0  # seconds that a write may fail before the upload does
FIRST_PATIENCE = 2.0  # the same for the first: a client that has sent nothing yet can as well come again


class Gone(Exception):
    """The upload is no longer in Redis, or its chunks vanish again and again."""


class UploadWriter:
    """At most WINDOW chunks of an upload are in the lanes, so whoever asks for a single number waits for few of them.

    What that costs is that a sender of costly numbers is held back by TCP until they are computed.
    """

    def __init__(self, store: UploadStore, registry: Registry, begins: Begins) -> None:
        self._store = store
        self._registry = registry
        self._begins = begins

    async def begin(self, key: str, client: str) -> Upload | FormerUpload:
        """A new upload, or the one that this idempotency key (empty: none) has. Raises NoRoom, of which
        TooOften is one, BeingRead, Unavailable.
        """
        upload = Upload(secrets.token_urlsafe(TOKEN), bool(key), client)
        try:
            with self._registry.place(client):
                self._begins.take(client)
                former = await patiently(lambda: self._store.begin(upload.id, key, client), FIRST_PATIENCE)
                if former is None:
                    self._registry.add(upload)
                    return upload
        except NoRoom:
            ENDED.labels("busy").inc()
            raise
        ENDED.labels("repeated").inc()
        return former

    async def append(self, upload: Upload, cut: Cut) -> None:
        """Queue the next chunk when there is room for it. Raises NoRoom, Gone, Unavailable."""
        lane, chunk, origins = cut
        while upload.pending and upload.weight + WEIGHTS[lane] > WINDOW and not upload.gone:
            upload.news.clear()
            await upload.news.wait()
        turn = turns.write(upload.client, upload.id, turns.HANDLING + cost.estimate(chunk.text)) if lane is Lane.HEAVY else ""
        await self._send(upload, PendingChunk(chunk, lane, chunks.encode(chunk), turn, origins))
        upload.queued += 1
        _chunks[lane].inc()
        LINES.inc(chunk.text.count("\n") + 1)

    async def _send(self, upload: Upload, pending: PendingChunk) -> None:
        """Write an entry, and wait where the stream is full. Raises NoRoom, Gone, Unavailable."""
        backoff, until = Backoff(), time.monotonic() + PATIENCE
        upload.pending[pending.chunk.number] = pending  # before the write: its outcome may overtake the reply
        while not upload.gone:
            if await patiently(lambda: self.write(upload, pending), PATIENCE):
                return
            if time.monotonic() > until:
                raise Unavailable(f"the {pending.lane} lane is full")
            await asyncio.sleep(backoff.next())
        raise NoRoom(FULL) if upload.full else Gone(upload.id)

    async def write(self, upload: Upload, pending: PendingChunk) -> bool:
        """One write; False when the stream is full, or the upload is gone, which it then knows."""
        match await self._store.append(upload.id, pending):
            case bytes(entry):
                pending.entry, pending.written = entry, time.monotonic()
                return True
            case Obstacle.GONE:
                self._registry.lose(upload)
        return False

    async def seal(self, upload: Upload, lines: int, answers: int, fingerprint: str, form: str) -> None:
        """It was read to its end: from now on any process can tell its answers. Raises Gone, Unavailable."""
        told = lines, answers, fingerprint, form
        sealed = not upload.gone and await patiently(lambda: self._store.seal(upload, *told), PATIENCE)
        if not sealed:
            self._registry.lose(upload)
            raise Gone(upload.id)
        self._registry.seal(upload)
