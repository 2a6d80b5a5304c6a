"""Fetches certificates, and checks that they are what the answer named; what they prove is for evidence.py to say."""

import base64
import hashlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from .client import PASSING

LARGEST = 64 << 20  # bytes: 10,000 digits take about 20 MB
TIMEOUT = 30.0  # s without a byte
ATTEMPTS = 4  # when the server is busy or cannot be reached, with a second between: more outages than one seldom come in a row
PAUSE = 1.0  # s
NAMED = 16  # characters of the SHA-256 that name a file


class Unavailable(Exception):
    """The certificate could not be fetched."""


class Mismatch(Exception):
    """What came is not the certificate that was named."""


@dataclass(frozen=True, slots=True)
class FetchedCertificate:
    """A text with the SHA-256 that the answer named."""

    sha256: str
    text: bytes
    format: str  # primo or pari

    def save(self, directory: Path) -> Path:
        """Write it whole or not at all; the file's path. Raises OSError."""
        path = directory / f"{self.sha256[:NAMED]}.{self.format}"
        part = path.with_suffix(f".{os.getpid()}.part")  # another run may write the same one
        try:
            part.write_bytes(self.text)
            return part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def address(url: str, sha256: str) -> str:
    """Where the server that is asked over this WebSocket keeps the certificate."""
    return urljoin(re.sub(r"^ws", "http", url, flags=re.IGNORECASE), f"certificates/{sha256}")


def fetch(url: str, sha256: object, tls: ssl.SSLContext | None = None) -> FetchedCertificate:
    """Fetch it over HTTP, or HTTPS with the authorities of `tls`, and check its SHA-256. Raises Unavailable, Mismatch."""
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9A-Fa-f]{64}", sha256):
        raise Mismatch(f"expected the SHA-256 of a certificate, got {str(sha256)[:NAMED]!r}")
    sha256 = sha256.lower()  # as it is kept under
    text = _get(address(url, sha256), tls)
    if hashlib.sha256(text).hexdigest() != sha256:
        raise Mismatch(f"expected a certificate with the SHA-256 {sha256}, got {hashlib.sha256(text).hexdigest()}")
    return FetchedCertificate(sha256, text, "primo" if text.lstrip().startswith(b"[PRIMO") else "pari")


def _get(address: str, tls: ssl.SSLContext | None) -> bytes:
    request, address = _request(address)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=tls) as response:  # noqa: S310 - the scheme is http or https: see `address`
                text: bytes = response.read(LARGEST + 1)
                if response.length and len(text) <= LARGEST:  # with a bound, read() passes over an end that comes too early
                    raise http.client.IncompleteRead(text, response.length)
        except urllib.error.HTTPError as error:
            if (error.code < 500 and error.code not in PASSING) or attempt == ATTEMPTS:
                raise Unavailable(_describe(error)) from None
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS:
                raise Unavailable(f"{address}: {getattr(error, 'reason', error)}") from None
        else:
            if len(text) > LARGEST:
                raise Unavailable(f"{address}: expected at most {LARGEST:,} bytes")
            return text
        time.sleep(PAUSE)
    raise AssertionError("the last attempt returns or raises")


def _request(address: str) -> tuple[urllib.request.Request, str]:
    """As a WebSocket's, the address may name a user and a password; what is returned of it, to be told, does not."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(bare := parts._replace(netloc=host).geturl())  # noqa: S310 - the scheme is http or https: see `address`
    if user:
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    return request, bare


def _describe(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(10_000))["error"]["message"])
    # It broke off, or is none of ours.
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return f"{error.url}: HTTP status {error.code}"
