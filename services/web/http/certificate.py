"""`GET /certificates/SHA256`: what proves a number prime, for whoever wants to check it."""

import re
import zlib
from typing import Any

import redis.asyncio
from tornado.web import HTTPError

from services.broker.connection import PASSING
from services.jobs import names
from services.web.http.handler import JSONHandler

_SHA256 = re.compile(r"[0-9a-f]{64}")
FORMATS = "primo", "pari"


class CertificateHandler(JSONHandler):
    """One certificate as text; its name is the SHA-256 of what comes without `?format=`."""

    ROUTE = "/certificates/SHA256"

    def initialize(self, redis: redis.asyncio.Redis) -> None:
        """Where certificates are kept."""
        self._redis = redis

    async def get(self, sha256: str) -> None:
        """Answer 200 with the text, 400 for another format than `primo` and `pari`, 404 for a certificate that is not kept, or has
        no such form, 503 when Redis is away.
        """
        format = self.get_query_argument("format", "")
        if format not in ("", *FORMATS):
            raise HTTPError(400, f"format: expected {' or '.join(FORMATS)}, got {format[:40]!r}")
        try:
            primo, pari = await self._fetch(sha256)
        except PASSING:
            return self.fail(503, "unavailable", "Certificates cannot be reached", retryable=True)
        text = {"": primo or pari, "primo": primo, "pari": pari}[format]
        if not text:
            lacks = (
                f"The certificate has no form in the format {format}"
                if primo or pari
                else "No such certificate is kept: ask for it anew"
            )
            return self.fail(404, "not_found", lacks)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{sha256[:16]}.{format or ("primo" if primo else "pari")}"')
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.write(text)

    async def _fetch(self, sha256: str) -> tuple[bytes, bytes]:
        """Both texts; empty where there is none."""
        if not _SHA256.fullmatch(sha256):
            return b"", b""
        texts: Any = await self._redis.hmget(names.certificate(sha256), FORMATS)
        primo, pari = (zlib.decompress(text) if text else b"" for text in texts)
        return primo, pari
