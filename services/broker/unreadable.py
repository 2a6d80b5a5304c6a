"""What cannot be read costs only what it belongs to: it is counted and logged, and whoever read it goes on."""

import logging
import time

import msgspec
from prometheus_client import Counter
from redis.exceptions import NoPermissionError, ResponseError

log = logging.getLogger(__name__)

UNREADABLE = Counter("primes_unreadable_total", "Values in Redis and messages that this process could not read", ["kind"])

# What reading raises: MessagePack of another form, text that is no text or no number, a key of another type.
MALFORMED = (msgspec.DecodeError, ValueError)
UNREADABLE_ERRORS = (*MALFORMED, LookupError, TypeError)  # also of a hash that lacks fields

QUIET = 10.0  # seconds between two lines of the log about one kind

_last: dict[str, float] = {}  # time.monotonic() of the last line, by kind


def note(kind: str, error: object) -> None:
    """Count a value of this kind, and log it if none was logged just now."""
    UNREADABLE.labels(kind).inc()
    now = time.monotonic()
    if now - _last.get(kind, float("-inf")) >= QUIET:
        _last[kind] = now
        log.error("a value that cannot be read, of the kind %s: %r", kind, error)


def is_wrong_type(error: ResponseError) -> bool:
    """Whether a key is of another type than its name says; an error of another kind says nothing of what is kept."""
    return not isinstance(error, NoPermissionError) and str(error).startswith(("WRONGTYPE", "ERR hash value"))
