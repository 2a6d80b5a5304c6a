"""The body of an upload on its way in: decompressed, cut and queued piece by piece, until its end or the first refusal."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lists.item import Unreadable
from services.jobs.names import Lane
from services.web.shares import LOOKUP, Share
from services.web.upload.begins import TooOften
from services.web.upload.collector import TooMuch
from services.web.upload.cutter import CHUNK_COST, Cut
from services.web.upload.inflater import MAGIC, PIECE, BrokenGzip, Inflater, TooDense
from services.web.upload.listing import LOST
from services.web.upload.patience import Unavailable
from services.web.upload.source import Source
from services.web.upload.store import BeingRead, FormerUpload, NoRoom
from services.web.upload.upload import Upload
from services.web.upload.uploads import Uploads
from services.web.upload.writer import Gone

MAX_BODY = 50 << 20  # bytes of an upload, as it came and decompressed; nginx has the same bound (limits.conf)
TEXT = 1 / 150  # µs that a byte of the text counts: to inflate, to digest and to divide it, measured with empty lines
CHUNKS = {Lane.QUICK: CHUNK_COST, Lane.HEAVY: LOOKUP, Lane.PROOF: 0}  # µs that a chunk counts of its client's share
TURN = 0.001  # seconds of work on a body before others get their turn; a piece may take some milliseconds more


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an upload is not taken, as its client is told."""

    status: int
    code: str
    message: str
    retryable: bool = False
    location: str = ""  # of the upload that is in the way
    seconds: float = 0.0  # after which it may be taken; 0: nobody knows


UNAVAILABLE = Rejection(503, "unavailable", "Redis cannot take the upload at the moment", retryable=True)
GOING_AWAY = Rejection(503, "going_away", "The web process ends before the upload was read; send it again", retryable=True)
VANISHED = Rejection(503, "lost", LOST, retryable=True)
TOO_SLOW = Rejection(408, "request_timeout", "The rest of the body did not come in time; send it again, faster", retryable=True)
TOO_LARGE = Rejection(413, "body_too_large", f"Expected at most {MAX_BODY:,} bytes, after decompression too; more came")
ANOTHER_BODY = Rejection(422, "key_reused", "This Idempotency-Key belongs to an upload with another body")


class Intake:
    """Takes one body. After a refusal the rest is counted and thrown away.

    Under an idempotency key that has an upload, it queues nothing and only compares.
    """

    def __init__(self, uploads: Uploads, most_digits: int, share: Share, column: str = "", *, keep: bool = False) -> None:
        """`share`: of its client, in this process' time; `column`: of CSV, which the client wants to ask about; `keep`: the texts
        of a plain list.
        """
        self._uploads = uploads
        self._share = share
        self._source = Source(most_digits, column, keep=keep)
        # The same text with another column is another request, and a column is no beginning of the text.
        self._digest = hashlib.sha256(hashlib.sha256(column.encode()).digest() if column else b"")
        self._inflater: Inflater | None = None
        self._head: bytes | None = b""  # the first bytes, which tell whether a body that is not called gzip is gzip
        self._received = self._size = 0  # bytes as they came, and decompressed
        self._upload: Upload | FormerUpload | None = None
        self._left = False  # the client is gone
        self.rejection: Rejection | None = None  # the first reason

    async def begin(self, key: str, *, compressed: bool) -> None:
        """Under this idempotency key, if it is not empty."""
        self._inflater, self._head = (Inflater(), None) if compressed else (None, b"")
        try:
            self._upload = await self._uploads.begin(key, self._share.name)
        except NoRoom as error:
            self.reject(_busy(error))
        except BeingRead as error:
            message = "The upload of this Idempotency-Key is still being read"
            self.reject(Rejection(409, "being_read", message, retryable=True, location=f"/jobs/{error}"))
        except Unavailable:
            self.reject(UNAVAILABLE)
        if self._left or self.rejection:  # meanwhile
            self._abandon("abandoned")

    @property
    def overrun(self) -> bool:
        """Whether more came than any upload has, so that there may be no end to wait for."""
        return self._received > MAX_BODY

    async def take(self, data: bytes) -> None:
        """The next piece of the body, as it came; returns when its lines are queued."""
        self._received += len(data)
        if self.overrun:
            return self.reject(TOO_LARGE)
        loop, share = asyncio.get_running_loop(), self._share
        turn = loop.time()
        if share.shares.last is not share:
            share.shares.change(share)
        try:
            data = self._look(data)
            for text in self._inflater.feed(data) if self._inflater else _part(data):
                if self.rejection:
                    return None
                await self._take_text(text)
                if loop.time() - turn > TURN or share.left <= 0:
                    await share.turn()
                    turn = loop.time()
        except BrokenGzip as error:
            self.reject(Rejection(400, "bad_request", str(error)))
        except TooDense as error:
            self.reject(Rejection(413, "body_too_large", str(error)))

    def _look(self, data: bytes) -> bytes:
        """What can be taken of the next bytes: the first two tell whether the file is gzip."""
        if self._head is None:
            return data
        data = self._head + data
        if len(data) < len(MAGIC):
            self._head = data
            return b""
        self._head = None
        if data.startswith(MAGIC):
            self._inflater = Inflater()
        return data

    async def _take_text(self, text: bytes) -> None:
        self._size += len(text)
        self._share.left -= len(text) * TEXT
        if self._size > MAX_BODY:
            return self.reject(TOO_LARGE)
        self._digest.update(text)
        if isinstance(self._upload, Upload):
            await self._queue(self._upload, self._source.feed(text))

    async def _queue(self, upload: Upload, cuts: Iterable[Cut]) -> None:
        try:
            for cut in self._share.meter(cuts):
                self._share.left -= CHUNKS[cut.lane]
                await self._uploads.append(upload, cut)
                if self._share.left <= 0:  # a piece may stand for a thousand numbers that are costly to read
                    await self._share.turn()
        except Unreadable as error:
            self.reject(Rejection(400, "bad_request", str(error)))
        except TooMuch as error:
            self.reject(Rejection(413, "body_too_large", str(error)))
        except NoRoom as error:
            self.reject(_busy(error))
        except Gone:
            self.reject(VANISHED)
        except Unavailable:
            self.reject(UNAVAILABLE)

    async def end(self) -> str:
        """The body is over: the id of the upload that has its answers. Empty when it is refused."""
        try:
            if self._head and not self.rejection:  # a single byte
                await self._take_text(self._head)
            if self._inflater and not self.rejection:
                self._inflater.end()
        except BrokenGzip as error:
            self.reject(Rejection(400, "bad_request", str(error)))
        fingerprint = self._digest.hexdigest()
        match self._upload:
            case FormerUpload() if self._upload.fingerprint != fingerprint:
                self.reject(ANOTHER_BODY)
            case Upload() if not self.rejection:
                await self._seal(self._upload, fingerprint)
        return self._upload.id if self._upload and not self.rejection else ""

    async def _seal(self, upload: Upload, fingerprint: str) -> None:
        await self._queue(upload, self._source.end())
        if self.rejection:
            return
        try:
            await self._uploads.seal(upload, self._source.lines, self._source.answers, fingerprint, self._source.form)
        except Gone:
            self.reject(VANISHED)
        except Unavailable:
            self.reject(UNAVAILABLE)

    @property
    def form(self) -> str:
        """What the text was taken for, for people; empty where it was not read since the key has an upload."""
        return self._source.form

    @property
    def answers(self) -> int:
        """To come."""
        return self._source.answers

    def reject(self, rejection: Rejection) -> None:
        """Take no more; the first reason is the one that is told."""
        self.rejection = self.rejection or rejection
        self._abandon("abandoned" if rejection.retryable else "failed")

    def leave(self) -> None:
        """The client left: what it did not send whole can have no answers."""
        self._left = True
        self._abandon("abandoned")

    def _abandon(self, outcome: str) -> None:
        if isinstance(self._upload, Upload):
            self._uploads.abandon(self._upload, outcome)


def _busy(error: NoRoom) -> Rejection:
    if isinstance(error, TooOften):
        return Rejection(429, "busy", f"Busy: {error}", retryable=True, seconds=error.seconds)
    return Rejection(503, "busy", f"Busy: {error}", retryable=True)


def _part(data: bytes) -> Iterator[bytes]:
    """Pieces of a text that came as it is."""
    return (data[at : at + PIECE] for at in range(0, len(data), PIECE))
