"""The answers to an upload as NDJSON, in the order of its lines. No I/O."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.jobs import evidence
from services.jobs.chunks import BLANK, REFUSED, Outcome, Result, unpack
from services.jobs.messages import SENTENCES
from services.web.upload import origins
from services.web.upload.origins import Origin, Origins
from services.web.upload.store import Interrupted, Progress, Sealed

LOST = "The upload is no longer there: it was deleted, it expired, or Redis lost its data. Send it again"
INTERRUPTED = "The upload was not read to its end: the web process died, its client left, or Redis lost the end. Send it again"

_encoder = msgspec.json.Encoder()


def render(outcome: Outcome, after: int, kept: Origins | None = None) -> bytes:
    """A line of JSON for each number of the chunk that comes after this one, and each error."""
    tails = {code: _encoder.encode(_describe(result))[1:] for code, result in enumerate(outcome.results)}
    refusals = {
        outcome.first + refusal.index: _encoder.encode(_error(refusal.code, refusal.message))[1:] for refusal in outcome.refused
    }
    skipped = max(0, after + 1 - outcome.first)
    told = [
        (place, refusals[place] if code == REFUSED else tails[code])
        for place, code in enumerate(outcome.codes[skipped:], outcome.first + skipped)
        if code != BLANK
    ]
    if kept is None:
        return b"".join([b'{"line":%d,%b\n' % line for line in told])
    return b"".join([_head(place, kept.each[place - outcome.first], counted=kept.counted) + tail + b"\n" for place, tail in told])


def _head(place: int, origin: Origin | None, *, counted: bool) -> bytes:
    """The beginning of a line: where its number stands, what it is, and a comma."""
    if origin is None:
        return b'{"line":%d,' % place
    told = {"line": origin.line, **({"item": place} if counted else {}), **origins.describe(origin)}
    return _encoder.encode(told)[:-1] + b","


def _describe(result: Result) -> dict[str, Any]:
    if result.fault is not None:
        return _error(result.fault, SENTENCES[result.fault])
    told = {"verdict": result.verdict, "proven": result.verdict.proven, "method": result.method}
    return told | {"evidence": evidence.describe(result.evidence)} if result.evidence else told


def _error(code: str, message: str, retryable: bool = False) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "retryable": retryable}}


class AnswerList:
    """How far a list has been told. Its last line says that all is done, or is an error without a line number."""

    def __init__(self, after: int, number: int) -> None:
        """`after`: the last line that the client has; `number`: the chunk of the next one, or an earlier chunk."""
        self._after = after
        self.number = number  # of the next chunk
        self.ended = False  # whether the last line was told

    def blocks(self, progress: Progress | None) -> Iterator[bytes]:
        """What can be told now, some lines at a time. Iterate to the end before the next call."""
        for outcome, kept in progress.outcomes if progress else ():
            if text := render(unpack(outcome), self._after, origins.unpack(kept)):
                yield text
            self.number += 1
        if (last := self._last(progress)) is not None:
            self.ended = True
            yield _encoder.encode(last) + b"\n"

    def _last(self, progress: Progress | None) -> dict[str, Any] | None:
        match progress:
            case None:
                return _error("lost", LOST, retryable=True)
            case Sealed() if self.number == progress.chunks:
                form = {"form": progress.form} if progress.form else {}
                return {"done": True, "lines": progress.lines, "answers": progress.answers, **form}
            case Interrupted() if self.number == progress.chunks:
                return _error("interrupted", INTERRUPTED, retryable=True)
        return None
