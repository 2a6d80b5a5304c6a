"""Looks after the uploads of this process: says which are still read, finds what was not heard, drops what was abandoned."""

import asyncio
import contextlib
import logging
import time
from collections import deque

from prometheus_client import Counter
from redis.exceptions import ResponseError

from services.broker import unreadable
from services.broker.connection import PASSING
from services.broker.pulse import INTERVAL
from services.broker.unreadable import is_wrong_type
from services.web.upload.registry import Registry
from services.web.upload.store import ChunkState, Obstacle, UploadStore
from services.web.upload.upload import PendingChunk, Upload
from services.web.upload.writer import UploadWriter

log = logging.getLogger(__name__)

RESENT = Counter("primes_web_upload_chunks_resent_total", "Chunks queued again: Redis had lost them")

LOSSES = 10  # a chunk that vanishes more often is given up with its upload
OVERDUE = 1.0  # seconds after which a chunk is looked for


class Attendant:
    """One round a second, and one at once where an upload was abandoned."""

    def __init__(self, store: UploadStore, registry: Registry, writer: UploadWriter) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._abandoned: deque[tuple[str, bool]] = deque()  # ids to be dropped, and whether for good, whatever their key
        self._wake = asyncio.Event()

    @property
    def done(self) -> bool:
        """Whether no abandoned upload waits to be dropped."""
        return not self._abandoned

    def abandon(self, upload: Upload, outcome: str) -> None:
        """It will not be read to its end: delete it, or leave it to its idempotency key."""
        if self._registry.give_up(upload, outcome):
            self._abandoned.append((upload.id, outcome in {"failed", "busy"}))  # was no text, or took too much
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            started = time.monotonic()
            self._wake.clear()
            try:
                await self._look_round()
            except PASSING as error:
                log.warning("could not look after uploads, will try again: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, started + INTERVAL - time.monotonic()))

    async def _look_round(self) -> None:
        while self._abandoned:
            id, for_good = self._abandoned[0]
            await (self._store.delete(id) if for_good else self._store.interrupt(id))
            self._abandoned.popleft()
        for upload in self._registry.active:
            try:
                await self._attend(upload)
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                unreadable.note("upload", error)
                self._registry.lose(upload)

    async def _attend(self, upload: Upload) -> None:
        """Renew one upload, and settle, or send again, chunks whose notice is overdue."""
        before = time.monotonic() - OVERDUE
        due = [pending for pending in upload.pending.values() if pending.entry and pending.written <= before]
        states = await self._store.attend(upload, due)
        if states is Obstacle.GONE:
            return self._registry.lose(upload)
        if states is Obstacle.FULL:
            upload.full = True
            return self.abandon(upload, "busy")
        found = list(zip(due, states, strict=True))
        self._registry.settle(upload, [pending.chunk.number for pending, state in found if state is ChunkState.ANSWERED])
        for pending, state in found:
            if state is ChunkState.LOST and upload.pending.get(pending.chunk.number) is pending and not upload.gone:
                await self._send_again(upload, pending)

    async def _send_again(self, upload: Upload, pending: PendingChunk) -> None:
        """Queue a chunk that vanished, up to LOSSES times."""
        pending.losses += 1
        if pending.losses > LOSSES:
            log.error("giving up upload %s…: a chunk of it vanished again and again", upload.id[:6])
            await self._store.delete(upload.id)
            return self._registry.lose(upload)
        log.warning("sending chunk %d of upload %s… again: it is gone", pending.chunk.number, upload.id[:6])
        RESENT.inc()
        await self._writer.write(upload, pending)  # if there is no room it is still lost when it is looked for next
