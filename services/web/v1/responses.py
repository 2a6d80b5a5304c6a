"""What `primes.v1` tells a client: JSON-RPC responses and notifications from answers. No I/O."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.jobs.evidence import Evidence, describe
from services.jobs.messages import SENTENCES, Answer, Verdict, describe_factors, describe_unknown
from services.web.v1.errors import NUMBERS, RETRY_AFTER, Code

_encoder = msgspec.json.Encoder()


class Conclusion(msgspec.Struct, frozen=True, gc=False):
    """The result of an operation."""

    verdict: str
    proven: bool
    method: str
    queue_ms: int
    compute_ms: float
    offset: str
    evidence: Mapping[str, str] | UnsetType = UNSET
    number: str | UnsetType = UNSET  # the prime that was found
    digits: int | UnsetType = UNSET  # of the value of the expression that was asked about
    value: str | UnsetType = UNSET
    factors: list[dict[str, Any]] | UnsetType = UNSET  # that were found, where they were asked for
    cofactor: dict[str, Any] | UnsetType = UNSET  # what is left
    complete: bool | UnsetType = UNSET


class Standing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The notification `session`, and the result of `resume`."""

    session: str
    offset: str
    expires_in: int  # seconds
    instance: str
    recovered: bool | None = None
    pending: list[Raw] | None = None


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The result of `cancel`."""

    cancelled: bool


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What becomes of one request, in the notification `progress`."""

    id: Raw
    state: str  # "queued" or "running"
    depth: int | None = None  # queued: entries that wait in its lane
    seconds: float | None = None  # running: for how long
    verdict: str | None = None  # what is known already, while a proof is made


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is known of a number whose proof is under way, in the notification `verdict`."""

    id: Raw
    verdict: str
    proven: bool
    method: str
    queue_ms: int
    compute_ms: float
    number: str | UnsetType = UNSET  # the prime that was found


class _Response(msgspec.Struct, gc=False):
    jsonrpc: str
    id: Raw
    result: Conclusion | Standing | Ended


def result(id: str, value: Conclusion | Standing | Ended) -> bytes:
    """A response with a result."""
    return _encoder.encode(_Response("2.0", Raw(id.encode()), value))


def error(
    id: str, code: Code, message: str, offset: str = "", known: dict[str, Any] | None = None, *, retry_after: float | None = None
) -> bytes:
    """A response with an error: what went wrong, whether and when (s) to try again, and what is known all the same."""
    about: dict[str, Any] = {"code": code, "retryable": code in RETRY_AFTER, **(known or {})}
    if code in RETRY_AFTER:
        about["retry_after"] = RETRY_AFTER[code] if retry_after is None else math.ceil(retry_after)
    if offset:
        about["offset"] = offset
    body = {"code": NUMBERS[code], "message": message, "data": about}
    return _encoder.encode({"jsonrpc": "2.0", "id": Raw(id.encode()), "error": body})


def response(id: str, answer: Answer, offset: str) -> bytes:
    """What an answer tells its client."""
    if answer.fault is not None:
        return error(id, Code(answer.fault), SENTENCES[answer.fault], offset, describe_unknown(answer))
    if not answer.number and answer.value is None and answer.factors is None:
        opening, ms = _opening(answer.verdict, answer.method), answer.compute_us / 1000
        ending = _ending(answer.evidence) if answer.evidence is not None else "}}"
        times = f'"queue_ms":{answer.queue_ms},"compute_ms":{ms}'
        return f'{{"jsonrpc":"2.0","id":{id},{opening},{times},"offset":"{offset}"{ending}'.encode()
    shown = describe(answer.evidence) if answer.evidence else UNSET
    found = Conclusion(
        answer.verdict,
        answer.proven,
        answer.method,
        answer.queue_ms,
        answer.compute_us / 1000,
        offset,
        shown,
        answer.number or UNSET,
        UNSET if answer.value is None else answer.value.digits,
        UNSET if answer.value is None else answer.value.text or UNSET,
        **describe_factors(answer),
    )
    return result(id, found)


@lru_cache(maxsize=256)  # there are a dozen methods, and those of another release
def _opening(verdict: Verdict, method: str) -> str:
    """What begins the result of nearly every answer: its text is put together, which costs less than to encode it."""
    return f'"result":{{"verdict":"{verdict}","proven":{str(verdict.proven).lower()},"method":{_encoder.encode(method).decode()}'


@lru_cache(maxsize=1_000)  # as `describe`
def _ending(evidence: Evidence) -> str:
    """What ends the result of an answer with evidence."""
    return f',"evidence":{_encoder.encode(describe(evidence)).decode()}}}}}'


def notification(standing: Standing) -> bytes:
    """The notification `session`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": "session", "params": standing})


def progress(jobs: list[Progress]) -> bytes:
    """The notification `progress`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": "progress", "params": {"jobs": jobs}})


def verdict(id: str, answer: Answer) -> bytes:
    """The notification `verdict`: a first answer, before the one that the request waits for."""
    ms, found = answer.compute_us / 1000, answer.number or UNSET
    params = Known(Raw(id.encode()), answer.verdict, answer.proven, answer.method, answer.queue_ms, ms, found)
    return _encoder.encode({"jsonrpc": "2.0", "method": "verdict", "params": params})


def going_away(seconds: float) -> bytes:
    """The notification `going_away`: connect elsewhere in so many seconds."""
    params = {"reconnect_after": round(seconds, 3)}
    return _encoder.encode({"jsonrpc": "2.0", "method": "going_away", "params": params})


def array(responses: list[bytes]) -> bytes:
    """The one message that answers a batch."""
    return b"[" + b",".join(responses) + b"]"
