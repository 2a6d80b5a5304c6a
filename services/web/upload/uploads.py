"""The uploads of a web process, as its handlers see them."""

import asyncio
from contextlib import AbstractContextManager

import redis.asyncio

from services.web.settings import WebSettings
from services.web.upload.attendant import Attendant
from services.web.upload.begins import Begins
from services.web.upload.cutter import Cut
from services.web.upload.patience import once
from services.web.upload.registry import Registry
from services.web.upload.store import FormerUpload, Progress, UploadStore
from services.web.upload.upload import Upload
from services.web.upload.watchers import Watchers
from services.web.upload.writer import UploadWriter


class Uploads:
    """Redis holds the upload; this process feeds it, and keeps what it fed until that is answered.

    The place where the parts of this package are put together; it decides nothing itself.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: WebSettings, reply_to: str) -> None:
        self._watchers = Watchers()
        self._store = UploadStore(redis, settings, reply_to)
        self._registry = Registry(self._watchers, settings.max_uploads)
        self._writer = UploadWriter(self._store, self._registry, Begins(settings.upload_begins))
        self._attendant = Attendant(self._store, self._registry, self._writer)

    async def begin(self, key: str, client: str) -> Upload | FormerUpload:
        """A new upload of this client, or the one that this idempotency key (empty: none) has.

        Raises NoRoom, of which TooOften is one, BeingRead, Unavailable.
        """
        return await self._writer.begin(key, client)

    async def append(self, upload: Upload, cut: Cut) -> None:
        """Queue the next chunk when there is room for it. Raises NoRoom, Gone, Unavailable."""
        await self._writer.append(upload, cut)

    async def seal(self, upload: Upload, lines: int, answers: int, fingerprint: str, form: str) -> None:
        """It was read to its end: from now on any process can tell its answers. Raises Gone, Unavailable."""
        await self._writer.seal(upload, lines, answers, fingerprint, form)

    @property
    def done(self) -> bool:
        """Whether Redis knows of every upload that was abandoned."""
        return self._attendant.done

    def abandon(self, upload: Upload, outcome: str) -> None:
        """It will not be read to its end: delete it, or leave it to its idempotency key."""
        self._attendant.abandon(upload, outcome)

    async def delete(self, id: str) -> bool:
        """Delete an upload, whoever reads it; False when there is none. Raises Unavailable."""
        return await once(lambda: self._store.delete(id))

    async def look(self, id: str, first: int, count: int) -> Progress | None:
        """Where an upload stands, with the outcomes of these chunks; None when there is none. Raises Unavailable."""
        return await once(lambda: self._store.look(id, first, count))

    async def find(self, id: str, line: int) -> int:
        """The chunk of this line, or an earlier one. Raises Unavailable."""
        return await once(lambda: self._store.find(id, line))

    def watch(self, id: str) -> AbstractContextManager[asyncio.Event]:
        """An event that is set when there is news of an upload that this process takes; of others only asking tells."""
        return self._watchers.watch(id)

    def hear(self, payload: bytes) -> None:
        """Take a notice: a chunk has its outcome, or an upload was deleted."""
        self._registry.hear(payload)

    async def run(self) -> None:
        """Look after what this process reads, until cancelled."""
        await self._attendant.run()
