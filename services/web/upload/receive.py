"""The HTTP handler that takes uploads: `POST /jobs`."""

import asyncio
import math
import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from tornado.web import Finish, stream_request_body

from services.web.settings import WebSettings
from services.web.upload.answer import ListHandler
from services.web.upload.formats import EXPECTED, FORMATS, NDJSON
from services.web.upload.intake import GOING_AWAY, MAX_BODY, TOO_SLOW, Intake, Rejection
from services.web.upload.pace import Pace
from services.web.upload.preview import Preview
from services.web.upload.uploads import Uploads

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:$|[,;])", re.IGNORECASE)

LONGEST_COLUMN = 200  # characters of a title

LATE = 1.0  # seconds; a timer that is later than that tells of a standstill of this process, and of its client nothing

# What UTF-8 and ASCII, which is a part of it, are called. codecs.lookup() would know too, and keeps every name that it is asked.
UTF_8 = {"utf_8", "utf_8_sig", "ascii"}
CHARSETS = UTF_8 | {alias for alias, name in aliases.items() if name in UTF_8}

GZIP = {"gzip", "x-gzip"}  # RFC 9110, section 8.4.1.3: two names of one coding


@stream_request_body
class ReceiveHandler(ListHandler):
    """`POST /jobs`: an upload. All of it is read before the answer begins: nginx passes no more of it on after that.

    A refusal waits for the end of the body too, where it can: a client that is still sending would lose it.
    """

    ROUTE = "/jobs"
    SUPPORTED_METHODS = ("POST",)

    def initialize(self, uploads: Uploads, settings: WebSettings) -> None:
        """Nothing was read yet."""
        super().initialize(uploads, settings)
        self._column = self._read_argument("column", "")
        self._wanted = self._read_argument("format", NDJSON.name)
        self._format = FORMATS.get(self._wanted, NDJSON)
        self._intake = self._make_intake()
        self._reading = True  # whether the body is not over
        self._pace = Pace(settings.upload_silence, settings.upload_rate)
        self._since = 0.0  # by the loop's clock: when the wait for the next piece began
        self._timer: asyncio.TimerHandle | None = None  # of that wait

    def _make_intake(self) -> Intake | Preview:
        return Intake(self._uploads, self._settings.max_digits, self.share, self._column, keep=self._format.texts)

    def _read_argument(self, name: str, default: str) -> str:
        """Of the query; the last one, where it has several."""
        return self.request.query_arguments.get(name, [default.encode()])[-1].decode(errors="replace")

    async def prepare(self) -> None:
        """Read the head: what is refused by that alone, and whether the body's answers are there already."""
        if (turn := super().prepare()) is not None:
            await turn
        self.request.connection.set_max_body_size(1 << 62)  # type: ignore[union-attr]  # counted here, for a better answer
        if self.announced > MAX_BODY:
            self.fail(413, "body_too_large", f"Expected at most {MAX_BODY:,} bytes, got {self.announced:,}")
            raise Finish
        encoding = self.request.headers.get("Content-Encoding", "identity").strip().lower()
        if rejection := self._read_head(encoding):
            self._intake.reject(rejection)
        else:
            await self._intake.begin(self.request.headers.get("Idempotency-Key", ""), compressed=encoding in GZIP)
        if self._intake.rejection and self.request.headers.get("Expect"):
            self._end_rejected()  # the body is not on its way yet
            raise Finish
        self._wait()

    def _wait(self) -> None:
        """For the next piece of the body."""
        if self._gone or self._finished:
            return
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._timer = loop.call_later(self._pace.patience, self._end_wait, self._since + self._pace.patience)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end_wait(self, due: float) -> None:
        """No piece came in time: what came has no answers, and its place is free again."""
        if asyncio.get_running_loop().time() > due + LATE:
            return self._wait()
        self._intake.reject(TOO_SLOW)
        self._close_rejected()

    def _read_head(self, encoding: str) -> Rejection | None:
        key = self.request.headers.get("Idempotency-Key")
        kind = self.request.headers.get("Content-Type", "text/plain")
        if not _is_text(kind):
            message = f"Expected the Content-Type text/plain in UTF-8, got {kind[:60]!r}"
            return Rejection(415, "unsupported_media_type", message)
        if encoding not in {"identity", *GZIP}:
            message = f"Expected the Content-Encoding gzip or none, got {encoding[:60]!r}"
            return Rejection(415, "unsupported_media_type", message)
        if message := self._read_query():
            return Rejection(400, "bad_request", message)
        if key is not None and not _KEY.fullmatch(key):
            return Rejection(400, "bad_request", f"Idempotency-Key: expected 1 to 255 visible characters, got {key[:60]!r}")
        return None

    def _read_query(self) -> str:
        """What is wrong with it; empty if nothing is."""
        if self._wanted not in FORMATS:
            return f"{EXPECTED}, got {self._wanted[:40]!r}"
        if len(self._column) > LONGEST_COLUMN:
            return f"column: expected at most {LONGEST_COLUMN} characters, got {len(self._column):,}"
        return ""

    async def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; the next is not read before its lines are queued."""
        self._stop_waiting()
        self._pace.take(len(chunk), asyncio.get_running_loop().time() - self._since)
        await self._intake.take(chunk)
        if self._intake.overrun:
            self._end_rejected()
        self._wait()

    async def post(self) -> None:
        """The whole body is here: answer with the list, or with where to find it."""
        self._reading = False
        self._stop_waiting()
        id = await self._intake.end()
        if self._intake.rejection:
            return self._end_rejected()
        if isinstance(self._intake, Preview):
            self.finish(self._intake.told)
        elif id:
            await self._answer(id, self._intake)

    async def _answer(self, id: str, intake: Intake) -> None:
        self.set_header("Location", f"/jobs/{id}")
        if not _ASYNC.search(self.request.headers.get("Prefer", "")):
            return await self.tell(id, 0, self._settings.long_poll, self._format, sealed=True)
        self.set_status(202)
        self.set_header("Preference-Applied", "respond-async")
        form = {"form": intake.form, "answers": intake.answers} if intake.form else {}
        self.finish({"job": id, **form})

    def interrupt(self) -> None:
        """The process ends: a body that is not over has no answers."""
        if self._reading and not self._finished:
            self._intake.reject(GOING_AWAY)
            self._close_rejected()

    def _close_rejected(self) -> None:
        self.set_header("Connection", "close")  # what is left of the body is not read
        self._end_rejected()

    def on_connection_close(self) -> None:
        """Nobody waits for an answer any more."""
        super().on_connection_close()
        self._stop_waiting()
        self._intake.leave()

    def on_finish(self) -> None:
        """Nothing is waited for any more."""
        super().on_finish()
        self._stop_waiting()

    def _end_rejected(self) -> None:
        rejection = self._intake.rejection
        if rejection is None or self._finished:
            return
        if rejection.seconds:
            self.set_header("Retry-After", str(math.ceil(rejection.seconds)))
        if rejection.location:
            self.set_header("Location", rejection.location)
        self.fail(rejection.status, rejection.code, rejection.message, rejection.retryable)


def _is_text(kind: str) -> bool:
    """Whether a Content-Type is text/plain in UTF-8 or ASCII, however it spells them; other parameters mean nothing here."""
    name, *parameters = (part.strip() for part in kind.lower().split(";"))
    charsets = [value.strip().strip('"') for key, _, value in (p.partition("=") for p in parameters) if key.strip() == "charset"]
    return name == "text/plain" and all(each.isascii() and normalize_encoding(each) in CHARSETS for each in charsets)


@stream_request_body
class PreviewHandler(ReceiveHandler):
    """`POST /jobs/preview`: a file, or its beginning, which is only looked at. It is taken as an upload is."""

    ROUTE = "/jobs/preview"

    def _make_intake(self) -> Preview:
        self._part = self._read_argument("part", "false")
        return Preview(self.share, self._column, whole=self._part == "false")

    def _read_query(self) -> str:
        if self._part not in {"true", "false"}:
            return f"part: expected true or false, got {self._part[:40]!r}"
        return super()._read_query()
