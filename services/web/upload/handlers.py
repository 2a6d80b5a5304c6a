"""The HTTP handlers of uploads: `POST /jobs`, `GET` and `DELETE /jobs/ID`."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import Finish, HTTPError, stream_request_body

from services.web.http.handler import JSONHandler
from services.web.settings import WebSettings
from services.web.upload import answers, uploads
from services.web.upload.cutter import Cutter
from services.web.upload.inflater import BrokenGzip, Inflater
from services.web.upload.uploads import Kept, Upload, Uploads

MAX_BODY = 50 << 20  # bytes of an upload, as it came and decompressed; nginx has the same bound (limits.conf)
MOST_LINES = 2**32  # an offset beyond any upload's end

NDJSON = "application/x-ndjson"

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TEXT = re.compile(r"text/plain(?:\s*;\s*charset\s*=\s*\"?(?:utf-8|us-ascii)\"?)?\s*", re.IGNORECASE)
_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:$|[,;])", re.IGNORECASE)

NOT_FOUND = "No upload has this id; it may have expired or been deleted"


class UploadHandler(JSONHandler):
    """What answers with a list of answers has in common."""

    def initialize(self, uploads: Uploads, settings: WebSettings) -> None:
        """Nothing is known yet."""
        self._uploads = uploads
        self._settings = settings

    async def tell(self, id: str, after: int, patience: float) -> None:
        """The answers after this line, as they become available. A client that reads slowly is waited for."""
        self.set_header("Content-Type", NDJSON)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # nginx passes each line on, and takes no more than the client does
        lines = answers.stream(self._uploads, id, after, patience)
        try:
            first = await anext(lines, b"")  # before the status is sent: Redis may be away
            self.write(first)
            await self.flush()
            async for block in lines:
                self.write(block)
                await self.flush()
        except StreamClosedError:
            pass  # the client left; it may come back with an offset
        except uploads.Unavailable:
            self.unavailable()
        finally:
            await lines.aclose()

    def unavailable(self) -> None:
        """End the request: Redis is away or full."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.fail(503, "unavailable", "Redis cannot be asked at the moment", retryable=True)


@stream_request_body
class Jobs(UploadHandler):
    """`POST /jobs`: an upload. All of it is read before the answer begins: nginx passes no more of it on after that.

    A refusal waits for the end of the body too, where it can: a client that is still sending would lose it.
    """

    ROUTE = "/jobs"
    SUPPORTED_METHODS = ("POST",)

    def initialize(self, uploads: Uploads, settings: WebSettings) -> None:
        """Nothing was read yet."""
        super().initialize(uploads, settings)
        self._cutter = Cutter(settings.max_digits)
        self._digest = hashlib.sha256()
        self._inflater: Inflater | None = None
        self._received = self._size = 0  # bytes as they came, and decompressed
        self._upload: Upload | None = None
        self._kept: Kept | None = None
        self._refusal: tuple[int, str, str, bool] | None = None
        self._left = False  # the client is gone

    async def prepare(self) -> None:
        """Read the head: what is refused by that alone, and whether the body's answers are there already."""
        super().prepare()
        self.request.connection.set_max_body_size(1 << 62)  # type: ignore[union-attr]  # counted here, for a better answer
        length = self.request.headers.get("Content-Length", "")
        key = self.request.headers.get("Idempotency-Key")
        kind = self.request.headers.get("Content-Type", "text/plain")
        encoding = self.request.headers.get("Content-Encoding", "identity").strip().lower()
        if re.fullmatch("[0-9]{1,20}", length) and int(length) > MAX_BODY:
            self.fail(413, "body_too_large", f"Expected at most {MAX_BODY:,} bytes, got {int(length):,}")
            raise Finish
        if not _TEXT.fullmatch(kind):
            self._refuse(415, "unsupported_media_type", f"Expected the Content-Type text/plain in UTF-8, got {kind[:60]!r}")
        elif encoding not in {"identity", "gzip"}:
            self._refuse(415, "unsupported_media_type", f"Expected the Content-Encoding gzip or none, got {encoding[:60]!r}")
        elif key is not None and not _KEY.fullmatch(key):
            self._refuse(400, "bad_request", f"Idempotency-Key: expected 1 to 255 visible characters, got {key[:60]!r}")
        else:
            self._inflater = Inflater() if encoding == "gzip" else None
            await self._begin(key or "")
        if self._refusal and self.request.headers.get("Expect"):
            self._end_refused()  # the body is not on its way yet
            raise Finish

    async def _begin(self, key: str) -> None:
        try:
            begun = await self._uploads.begin(key)
        except uploads.Busy as error:
            return self._refuse(503, "busy", f"Busy: {error}", retryable=True)
        except uploads.BeingRead as error:
            self.set_header("Location", f"/jobs/{error}")
            return self._refuse(409, "being_read", "The upload of this Idempotency-Key is still being read", retryable=True)
        except uploads.Unavailable:
            return self._refuse_unavailable()
        if isinstance(begun, Kept):
            self._kept = begun
        else:
            self._upload = begun
            if self._left:
                self._uploads.abandon(begun, "abandoned")

    async def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; the next is not read before its lines are queued."""
        self._received += len(chunk)
        if self._received > MAX_BODY:
            self._refuse_size()
            self._end_refused()  # there may be no end to wait for
            return
        try:
            for piece in self._inflater.feed(chunk) if self._inflater else (chunk,):
                if self._refusal:
                    return
                await self._take(piece)
        except BrokenGzip as error:
            self._refuse(400, "bad_request", str(error))

    async def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MAX_BODY:
            return self._refuse_size()
        self._digest.update(piece)
        if self._upload:
            await self._queue(self._upload, self._cutter.feed(piece))

    async def _queue(self, upload: Upload, cut: Iterable[Any]) -> None:
        try:
            for lane, chunk in cut:
                await self._uploads.append(upload, lane, chunk)
        except uploads.Busy as error:
            self._refuse(503, "busy", f"Busy: {error}", retryable=True)
        except uploads.Gone:
            self._refuse(503, "lost", answers.LOST, retryable=True)
        except uploads.Unavailable:
            self._refuse_unavailable()

    async def post(self) -> None:
        """The whole body is here: answer with the list, or with where to find it."""
        try:
            if self._inflater and not self._refusal:
                self._inflater.end()
        except BrokenGzip as error:
            self._refuse(400, "bad_request", str(error))
        fingerprint = self._digest.hexdigest()
        if self._kept and not self._refusal and self._kept.fingerprint != fingerprint:
            self._refuse(422, "key_reused", "This Idempotency-Key belongs to an upload with another body")
        if self._upload and not self._refusal:
            await self._finish_upload(self._upload, fingerprint)
        if self._refusal:
            return self._end_refused()
        id = self._upload.id if self._upload else self._kept.id if self._kept else ""
        await self._answer(id)

    async def _finish_upload(self, upload: Upload, fingerprint: str) -> None:
        await self._queue(upload, self._cutter.end())
        if self._refusal:
            return
        try:
            await self._uploads.seal(upload, self._cutter.lines, self._cutter.answers, fingerprint)
        except uploads.Gone:
            self._refuse(503, "lost", answers.LOST, retryable=True)
        except uploads.Unavailable:
            self._refuse_unavailable()

    async def _answer(self, id: str) -> None:
        self.set_header("Location", f"/jobs/{id}")
        if not _ASYNC.search(self.request.headers.get("Prefer", "")):
            return await self.tell(id, 0, self._settings.long_poll)
        self.set_status(202)
        self.set_header("Preference-Applied", "respond-async")
        self.finish({"job": id})

    def on_connection_close(self) -> None:
        """The client left: what it did not send whole can have no answers."""
        super().on_connection_close()
        self.settings["requests"].discard(self)  # Tornado does not finish a request whose body ends early
        self._left = True
        if self._upload:
            self._uploads.abandon(self._upload, "abandoned")

    def _refuse_size(self) -> None:
        self._refuse(413, "body_too_large", f"Expected at most {MAX_BODY:,} bytes, after decompression too; more came")

    def _refuse_unavailable(self) -> None:
        self._refuse(503, "unavailable", "Redis cannot take the upload at the moment", retryable=True)

    def _refuse(self, status: int, code: str, message: str, retryable: bool = False) -> None:
        """Take no more of the body; the client is told when it has sent it."""
        self._refusal = self._refusal or (status, code, message, retryable)
        if self._upload:
            self._uploads.abandon(self._upload, "abandoned" if retryable else "failed")

    def _end_refused(self) -> None:
        if self._refusal and not self._finished:
            self.fail(*self._refusal)


class Job(UploadHandler):
    """`/jobs/ID`: an upload that was read, or is being read."""

    ROUTE = "/jobs/ID"
    SUPPORTED_METHODS = ("GET", "DELETE")

    async def get(self, id: str) -> None:
        """The answers after `?offset=` lines; waits for more until none came for `?timeout=` seconds."""
        after = self._read_offset()
        timeout = self.read_timeout(self._settings.long_poll, zero=True)
        try:
            if not _ID.fullmatch(id) or await self._uploads.look(id, 0, 0) is None:
                return self.fail(404, "not_found", NOT_FOUND)
        except uploads.Unavailable:
            return self.unavailable()
        await self.tell(id, after, timeout)

    async def delete(self, id: str) -> None:
        """Stop what is computed for it, delete its answers: 204."""
        try:
            if not _ID.fullmatch(id) or not await self._uploads.delete(id):
                return self.fail(404, "not_found", NOT_FOUND)
        except uploads.Unavailable:
            return self.unavailable()
        self.set_status(204)

    def _read_offset(self) -> int:
        """The number of the last line that the client has. Raises HTTPError 400."""
        text = self.get_query_argument("offset", "0")
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= MOST_LINES:
            raise HTTPError(400, f"offset: expected the number of a line, or 0, got {text[:40]!r}")
        return int(text)
