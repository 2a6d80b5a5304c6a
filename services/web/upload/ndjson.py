"""The answers to an upload as NDJSON: an object for each number, and one that says that the list is over. No I/O."""

from typing import Any

import msgspec

from services.jobs import evidence
from services.jobs.chunks import Outcome, Result
from services.jobs.messages import SENTENCES
from services.web.upload import origins
from services.web.upload.origins import Origin, Origins

_encoder = msgspec.json.Encoder()


class Ndjson:
    """A line of JSON for each number, and each error."""

    name = "ndjson"
    kind = "application/x-ndjson"
    head = b""
    texts = False

    def render(self, outcome: Outcome, after: int, kept: Origins | None) -> bytes:
        """A line of JSON for each number of the chunk that comes after this one, and each error."""
        told = outcome.tell(
            after, lambda result: _tail(_describe(result)), lambda refusal: _tail(error(refusal.code, refusal.message))
        )
        if kept is None or kept.plain:
            return b"".join([b'{"line":%d,%b\n' % line for line in told])
        return b"".join(
            [_head(place, kept.each[place - outcome.first], counted=kept.counted) + tail + b"\n" for place, tail in told]
        )

    def last(self, told: dict[str, Any]) -> bytes:
        """What is told of the end, as it is."""
        return _encoder.encode(told) + b"\n"


def _tail(told: dict[str, Any]) -> bytes:
    """The end of a line, without the brace that its beginning has."""
    return _encoder.encode(told)[1:]


def _head(place: int, origin: Origin | None, *, counted: bool) -> bytes:
    """The beginning of a line: where its number stands, what it is, and a comma."""
    if origin is None:
        return b'{"line":%d,' % place
    told = {"line": origin.line, **({"item": place} if counted else {}), **origins.describe(origin)}
    return _encoder.encode(told)[:-1] + b","


def _describe(result: Result) -> dict[str, Any]:
    if result.fault is not None:
        return error(result.fault, SENTENCES[result.fault])
    told = {"verdict": result.verdict, "proven": result.verdict.proven, "method": result.method}
    return told | {"evidence": evidence.describe(result.evidence)} if result.evidence else told


def error(code: str, message: str, retryable: bool = False) -> dict[str, Any]:
    """JSON of a line without a verdict, or of the end of a list that is not complete."""
    return {"error": {"code": code, "message": message, "retryable": retryable}}
