"""What a server of primes.v1 says, read whole or refused: no message that lacks what the protocol says it has goes any further."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

Object = Mapping[str, Any]

# "0" in the beginning, then an epoch and an answer's number in it. Twenty digits are more than 64 bits need.
_OFFSET = re.compile(r"[0-9]{1,20}(?:-[0-9]{1,20})?")


class MalformedMessage(ValueError):
    """The text is no message of primes.v1."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session begins, or goes on: `recovered` is false when answers of the past are gone, None in the beginning."""

    session: str
    offset: str
    instance: str
    recovered: bool | None


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The web process stops; it closes the socket in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FirstVerdict:
    """What is known of a request that waits for a proof."""

    id: str | float
    verdict: str
    proven: bool
    method: str


@dataclass(frozen=True, slots=True)
class Job:
    """What becomes of one request."""

    id: str | float
    state: str  # queued or running
    seconds: float | None  # since it runs
    depth: float | None  # entries that nobody has begun


@dataclass(frozen=True, slots=True)
class Jobs:
    """What becomes of requests that wait for long."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class New:
    """A notification that is not known here."""

    method: str


@dataclass(frozen=True, slots=True)
class Result:
    """A response that is no error; what it must have depends on what was asked."""

    id: str | float
    fields: Object
    offset: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is an error."""

    id: str | float | None  # None: of something that could not be read
    code: str
    message: str
    retryable: bool
    retry_after: float | None
    fields: Object
    offset: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a question about a number."""

    verdict: str
    proven: bool
    method: str
    queue_ms: float
    compute_ms: float
    evidence: Object  # empty when none came
    number: str | None  # the prime that next_prime or previous_prime found
    factoring: Object  # `factors`, `cofactor` and `complete`, as they came; empty when none did
    digits: int | None  # of the value of the expression that was asked about
    value: str | None  # that value, in decimal, where it is not too long


Message = Session | GoingAway | FirstVerdict | Jobs | New | Result | Refusal


def read(text: str | bytes) -> Iterator[Message]:
    """The message of a text, or those of a batch, one by one. Raises MalformedMessage when it comes to one that is none."""
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedMessage("expected JSON") from None
    for one in message if isinstance(message, list) and message else [message]:
        fields = _expect_object(one)
        yield _read_notice(fields) if "method" in fields else _read_response(fields)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"expected JSON, got {name}")  # NaN and Infinity are none, though json reads them


def _read_notice(message: Object) -> Message:
    method = _string(message, "method")
    if method not in ("session", "going_away", "verdict", "progress"):
        return New(method)
    params = _object(message, "params")
    if method == "session":
        return read_session(params, _boolean(params, "recovered") if "recovered" in params else None)
    if method == "going_away":
        return GoingAway(_amount(params, "reconnect_after"))
    if method == "verdict":
        return FirstVerdict(_id(params), _string(params, "verdict"), _boolean(params, "proven"), _string(params, "method"))
    return Jobs(tuple(_read_job(_expect_object(job)) for job in _list(params, "jobs")))


def _read_job(job: Object) -> Job:
    return Job(_id(job), _string(job, "state"), _optional_amount(job, "seconds"), _optional_amount(job, "depth"))


def _read_response(message: Object) -> Message:
    if ("result" in message) == ("error" in message):
        raise MalformedMessage("expected a result or an error")
    if "result" in message:
        result = _object(message, "result")
        return Result(_id(message), result, _optional_offset(result))
    error = _object(message, "error")
    data = _object(error, "data")
    return Refusal(
        id=None if message.get("id", "") is None else _id(message),
        code=_string(data, "code"),
        message=_string(error, "message"),
        retryable=_boolean(data, "retryable"),
        retry_after=_optional_amount(data, "retry_after"),
        fields=data,
        offset=_optional_offset(data),
    )


def read_session(fields: Object, recovered: bool | None) -> Session:
    """Raises MalformedMessage."""
    return Session(_string(fields, "session"), _offset(fields), _string(fields, "instance"), recovered)


def read_resumed(fields: Object) -> Session:
    """The result of `resume`. Raises MalformedMessage."""
    return read_session(fields, _boolean(fields, "recovered"))


def read_cancelled(fields: Object) -> bool:
    """The result of `cancel`. Raises MalformedMessage."""
    return _boolean(fields, "cancelled")


def read_found(fields: Object) -> Found:
    """The result of a question. Raises MalformedMessage."""
    return Found(
        verdict=_string(fields, "verdict"),
        proven=_boolean(fields, "proven"),
        method=_string(fields, "method"),
        queue_ms=_amount(fields, "queue_ms"),
        compute_ms=_amount(fields, "compute_ms"),
        evidence=_object(fields, "evidence") if "evidence" in fields else {},
        number=_string(fields, "number") if "number" in fields else None,
        factoring={name: fields[name] for name in ("factors", "cofactor", "complete") if name in fields},
        digits=_count(fields, "digits") if "digits" in fields else None,
        value=_string(fields, "value") if "value" in fields else None,
    )


def _expect_object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise MalformedMessage("expected an object")
    return value


def _object(fields: Object, name: str) -> Object:
    return _expect_object(fields.get(name))


def _list(fields: Object, name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise MalformedMessage(f"expected an array as {name}")
    return value


def _string(fields: Object, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedMessage(f"expected a string as {name}")
    return value


def _boolean(fields: Object, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise MalformedMessage(f"expected true or false as {name}")
    return value


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _amount(fields: Object, name: str) -> float:
    value: Any = fields.get(name)
    if not _is_number(value) or value < 0:
        raise MalformedMessage(f"expected a number from 0 on as {name}")
    return float(value)


def _count(fields: Object, name: str) -> int:
    value = _amount(fields, name)
    if not value.is_integer():
        raise MalformedMessage(f"expected a whole number as {name}")
    return int(value)


def _optional_amount(fields: Object, name: str) -> float | None:
    return _amount(fields, name) if name in fields else None


def _offset(fields: Object) -> str:
    value = _string(fields, "offset")
    if not _OFFSET.fullmatch(value):
        raise MalformedMessage("expected an offset such as 0 or 1795454158536-1")
    return value


def _optional_offset(fields: Object) -> str | None:
    return _offset(fields) if "offset" in fields else None


def _id(fields: Object) -> str | float:
    value: Any = fields.get("id")
    if not isinstance(value, str) and not _is_number(value):
        raise MalformedMessage("expected a string or a number as id")
    id: str | float = value
    return id
