"""`GET /certificates/SHA256`: what proves a number prime, for whoever wants to check it. `POST /certificates`: checks any."""

import asyncio
import json
import re
import zlib
from collections.abc import Awaitable
from typing import Any

import redis.asyncio
from tornado.web import HTTPError, stream_request_body

from certificates import FORMATS
from services.broker.connection import PASSING
from services.jobs import names
from services.web.ask import client
from services.web.http.certificate_child import SECONDS, Busy, CertificateChildren, NoSuchForm, NotACertificate, TooCostly
from services.web.http.certificate_program import CHECK
from services.web.http.handler import JSONHandler

_SHA256 = re.compile(r"[0-9a-f]{64}")
KEPT = "primo", "pari"
MOST_BYTES = 1 << 20  # of a certificate that is sent to be checked: that of 2,500 digits; what is larger costs too much anyway


class _CertificateHandler(JSONHandler):
    """What both have in common: a child process that ends when its client leaves, or this process does."""

    def initialize(self, children: CertificateChildren, redis: redis.asyncio.Redis) -> None:
        """Where children come from, and where certificates are kept."""
        self._children = children
        self._redis = redis
        self._running: asyncio.Task[bytes] | None = None

    async def _run(self, operation: str, text: bytes) -> bytes | None:
        """What the child says; None where the request was answered in its stead. Raises NotACertificate, NoSuchForm."""
        self._running = asyncio.create_task(self._children.run(client.name(self.request.remote_ip or ""), operation, text))
        try:
            return await self._running
        except Busy as error:
            self.fail(503, "busy", f"Busy: {error}", retryable=True)
        except TooCostly:
            self.fail(413, "too_large", f"Takes more than {SECONDS} s here: python -m certificates does it on your machine")
        except asyncio.CancelledError:
            if self._gone:
                self.set_status(499, "client left")
            else:
                self.fail(503, "going_away", "The web process ends; ask again", retryable=True)
        return None

    def on_connection_close(self) -> None:
        """Stop for a client that left."""
        super().on_connection_close()
        if self._running:
            self._running.cancel()

    def interrupt(self) -> None:
        """Stop."""
        if self._running:
            self._running.cancel()


class CertificateHandler(_CertificateHandler):
    """One certificate as text; its name is the SHA-256 of what comes without `?format=`."""

    ROUTE = "/certificates/SHA256"

    async def get(self, sha256: str) -> None:
        """Answer 200 with the text, 400 for a format that there is not, 404 for a certificate that is not kept, or has no such
        form, 413 where that takes too long to write, 503 when Redis is away or others wait.
        """
        format = self.get_query_argument("format", "")
        if format not in ("", *FORMATS):
            raise HTTPError(400, f"format: expected one of {', '.join(FORMATS)}, got {format[:40]!r}")
        try:
            kept = await self._fetch(sha256)
        except PASSING:
            return self.fail(503, "unavailable", "Certificates cannot be reached", retryable=True)
        if not kept:
            return self.fail(404, "not_found", "No such certificate is kept: ask for it anew")
        format = format or next(iter(kept))
        try:
            text = kept.get(format) or await self._run(format, next(iter(kept.values())))
        except NoSuchForm as error:
            return self.fail(404, "not_found", f"The certificate has no form in the format {format}: {error}")
        if text is None:
            return None
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{sha256[:16]}.{format}"')
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.write(text)

    async def _fetch(self, sha256: str) -> dict[str, bytes]:
        """The texts that are kept, by their formats."""
        if not _SHA256.fullmatch(sha256):
            return {}
        texts: Any = await self._redis.hmget(names.certificate(sha256), KEPT)
        unpacked = ((format, zlib.decompress(text)) for format, text in zip(KEPT, texts, strict=True) if text)
        return {format: text for format, text in unpacked if text}


@stream_request_body
class CheckHandler(_CertificateHandler):
    """Checks a certificate of anybody's, in whichever format."""

    ROUTE = "/certificates"

    def prepare(self) -> Awaitable[None] | None:
        """Refuse what is too long before it comes."""
        self._text = bytearray()
        turn = super().prepare()
        if self.announced > MOST_BYTES:
            self._refuse()
        return turn

    def _refuse(self) -> None:
        self.set_header("Connection", "close")  # the rest is not read
        self.fail(413, "body_too_large", f"Expected a certificate of at most {MOST_BYTES:,} bytes")

    def data_received(self, chunk: bytes) -> None:
        """A piece of the body."""
        if self._finished:
            return
        self._text += chunk
        if len(self._text) > MOST_BYTES:
            self._refuse()

    async def post(self) -> None:
        """Answer 200 with whether it proves its number, and if not, which step fails and why; 400 for what is no certificate, 413
        for one that is too long or costs too much, 503 when others wait.
        """
        if self._finished:
            return None
        try:
            said = await self._run(CHECK, bytes(self._text))
        except NotACertificate as error:
            return self.fail(400, "not_a_certificate", f"Expected a certificate of Primo, PARI or Math::Prime::Util: {error}")
        return None if said is None else self.write(json.loads(said))
