"""What a process shows to Redis over TLS, and whom it believes: read from files, and read again once those were replaced."""

import logging
import ssl
from pathlib import Path
from typing import Any

from redis.asyncio import ConnectionPool, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedSSLConnection

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]  # of each file its number, its size and when it was written


class Papers:
    """Has the one method that redis-py asks for a context of TLS before each connection."""

    def __init__(self, authorities: Path | None, certificate: Path | None, key: Path | None) -> None:
        """Files in PEM: whom to believe (the system's unless given), what to show (nothing unless given), and its key."""
        self._authorities = authorities
        self._certificate = certificate
        self._key = key
        self._stamp: Stamp | None = None
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext:
        """What the files say now. Raises OSError (ssl.SSLError is one) where they never could be used.

        A pair is replaced in two steps: between them the former one is shown on.
        """
        try:
            stamp = self._look()
            if self._context is None or stamp != self._stamp:
                self._context, self._stamp = self._read(), stamp
        except OSError as error:
            if self._context is None:
                raise
            log.warning("cannot use what was put in the place of the certificates for Redis, keep the former ones: %s", error)
        return self._context

    def _look(self) -> Stamp:
        files = [path.stat() for path in (self._authorities, self._certificate, self._key) if path]
        return tuple((file.st_ino, file.st_size, file.st_mtime_ns) for file in files)

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._authorities)
        if self._certificate:
            # a key that wants a password would be asked for at the terminal, and the event loop would stand still
            context.load_cert_chain(self._certificate, self._key, password=b"")
        return context


class TlsConnection(SSLConnection):
    """Asks for its papers each time that it connects: redis-py's own keeps what it read at first, and the system's authorities."""

    def __init__(self, *, papers: Papers, **options: Any) -> None:
        """`options`: as redis-py has them."""
        super().__init__(**options)
        self.ssl_context = papers  # type: ignore[assignment]  # has what is asked of it


class PrimaryTlsConnection(TlsConnection, SentinelManagedSSLConnection):
    """The same to the primary that Sentinels name."""


def secure(pool: ConnectionPool, papers: Papers) -> None:
    """Have all connections of this pool, which has none yet, made over TLS."""
    pool.connection_class = PrimaryTlsConnection if isinstance(pool, SentinelConnectionPool) else TlsConnection
    pool.connection_kwargs["papers"] = papers
