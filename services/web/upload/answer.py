"""The HTTP handlers that answer with the list of an upload's answers: `GET` and `DELETE /jobs/ID`, and their base."""

import contextlib
import re

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from services.web.http.handler import JSONHandler
from services.web.settings import WebSettings
from services.web.upload.follow import follow
from services.web.upload.formats import EXPECTED, FORMATS, NDJSON, Format
from services.web.upload.listing import AnswerList, NoTexts
from services.web.upload.patience import Unavailable
from services.web.upload.uploads import Uploads

MOST_LINES = 2**32  # an offset beyond any upload's end

_ID = re.compile(r"[A-Za-z0-9_-]{22}")

NOT_FOUND = "No upload has this id; it may have expired or been deleted"
NO_TEXTS = "The numbers of this plain list were not kept: send it with ?format=csv or ?format=primes, or ask for ndjson"


class ListHandler(JSONHandler):
    """What answers with a list of answers has in common."""

    def initialize(self, uploads: Uploads, settings: WebSettings) -> None:
        """Nothing is known yet."""
        self._uploads = uploads
        self._settings = settings

    async def tell(self, id: str, after: int, patience: float, format: Format, *, sealed: bool = False) -> None:
        """The answers after this line, as they become available. A client that reads slowly is waited for.

        `sealed`: this request has read the upload to its end.
        """
        self.set_list_headers(format)
        try:
            # The first line is in the first chunk: Redis need not be asked for that, and may be away.
            number = await self._uploads.find(id, after + 1) if after else 0
            listing = AnswerList(after, number, format)
            await self._tell(id, listing, patience, sealed=sealed)  # its status is sent with the first answers: Redis may be away
        except StreamClosedError:
            pass  # the client left; it may come back with an offset
        except NoTexts:
            self.fail(404, "not_found", NO_TEXTS)
        except Unavailable:
            self.unavailable()
        else:
            if not (listing.complete or format is NDJSON):
                self._end_incomplete(listing)

    async def _tell(self, id: str, listing: AnswerList, patience: float, *, sealed: bool) -> None:
        async with contextlib.aclosing(follow(self._uploads, id, listing, patience, self.share, sealed=sealed)) as blocks:
            async for block in blocks:
                self.write(block)
                await self.flush()

    def _end_incomplete(self, listing: AnswerList) -> None:
        """End a list without an end mark: only one that is complete ends as HTTP has it."""
        if self._headers_written:
            self.request.connection.close()  # type: ignore[union-attr]  # Tornado's has it
        elif listing.failure:
            self.fail(503, *listing.failure, retryable=True)
        else:
            self.fail(504, "timeout", "No answer came in time; ask again", retryable=True)

    def set_list_headers(self, format: Format) -> None:
        """The headers of every list."""
        self.set_header("Content-Type", format.kind)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # nginx passes each line on, and takes no more than the client does

    def unavailable(self) -> None:
        """End the request: Redis is away or full."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.fail(503, "unavailable", "Redis cannot be asked at the moment", retryable=True)


class AnswerHandler(ListHandler):
    """`/jobs/ID`: an upload that was read, or is being read."""

    ROUTE = "/jobs/ID"
    SUPPORTED_METHODS = ("GET", "DELETE")

    async def get(self, id: str) -> None:
        """The answers after `?offset=` lines; waits for more until none came for `?timeout=` seconds."""
        after, format = self._read_offset(), self._read_format()
        timeout = self.read_timeout(self._settings.long_poll, zero=True)
        if await self._is_there(id):
            await self.tell(id, after, timeout, format)

    async def head(self, *arguments: str) -> None:
        """What GET answers, without its lines and without a length, which only their end would tell; so nothing is waited for."""
        (id,) = arguments
        self._read_offset()
        format = self._read_format()
        self.read_timeout(self._settings.long_poll, zero=True)
        if await self._is_there(id):
            self.set_list_headers(format)
            with contextlib.suppress(StreamClosedError):  # the client left
                await self.flush()

    async def _is_there(self, id: str) -> bool:
        """Whether there is such an upload; if not, or if Redis is away, the request is ended with its error."""
        try:
            if _ID.fullmatch(id) and await self._uploads.look(id, 0, 0) is not None:
                return True
        except Unavailable:
            self.unavailable()
        else:
            self.fail(404, "not_found", NOT_FOUND)
        return False

    async def delete(self, id: str) -> None:
        """Stop what is computed for it, delete its answers: 204."""
        try:
            if not _ID.fullmatch(id) or not await self._uploads.delete(id):
                return self.fail(404, "not_found", NOT_FOUND)
        except Unavailable:
            return self.unavailable()
        self.set_status(204)

    def _read_format(self) -> Format:
        """That of the list. Raises HTTPError 400."""
        name = self.get_query_argument("format", NDJSON.name)
        if name not in FORMATS:
            raise HTTPError(400, f"{EXPECTED}, got {name[:40]!r}")
        return FORMATS[name]

    def _read_offset(self) -> int:
        """The number of the last line that the client has. Raises HTTPError 400."""
        text = self.get_query_argument("offset", "0")
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= MOST_LINES:
            raise HTTPError(400, f"offset: expected the number of a line, or 0, got {text[:40]!r}")
        return int(text)
